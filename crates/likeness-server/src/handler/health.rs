//! `GET /api/v1/health`, `/live`, `/ready`, `/detailed`: what can be answered now, and what it lacks.
//!
//! Live never depends on weights. Health is good while every required route can answer; a route that
//! is not required and can't answer makes it `degraded`, and still 200.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::person::ask;
use crate::app::{App, ModelTold};
use crate::held::{OnDisk, RoleState, State as Known};
use crate::routes::{ANSWERING, Route};

/// A store that says nothing for so long is not there, as far as health can wait.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// One network.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelHealth {
    /// `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: &'static str,
    /// The file's name.
    file: String,
    /// The SHA-256 that is pinned.
    sha256: String,
    /// Held in memory, verified and self-tested.
    held: bool,
    /// Why not, and the way to bring it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the self-test found.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_test: Option<String>,
    /// What the file looks like now; memory goes on answering.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_disk: Option<OnDisk>,
}

impl From<&RoleState> for ModelHealth {
    fn from(known: &RoleState) -> Self {
        let (reason, self_test, on_disk) = match &known.state {
            Known::Loading => (Some("loading".to_owned()), None, None),
            Known::Missing(_) => {
                let way = "missing or wrong: `ballast heal` or `ballast fetch` brings it; no restart is needed";
                (Some(way.to_owned()), None, None)
            }
            Known::Held { tested, on_disk, .. } => (None, Some(tested.to_string()), Some(*on_disk)),
        };
        let (file, sha256) = (known.file.clone(), known.pin.clone());
        Self { role: known.role.key(), file, sha256, held: known.held(), reason, self_test, on_disk }
    }
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthAnswer {
    /// `healthy`, `degraded` or `unhealthy`.
    status: &'static str,
    /// The program's.
    version: &'static str,
    /// Which weights answer.
    model: ModelTold,
    /// `centerface`, or null where it is not held.
    detector: Option<&'static str>,
    /// All four.
    models: Vec<ModelHealth>,
    /// What can't be answered now, with the files that it lacks.
    unmet: Vec<Value>,
    /// `none`, `ready`, `index_loading` (search waits), or why it does not answer.
    store: &'static str,
}

/// Health, ready and detailed.
#[utoipa::path(get, path = "/api/v1/health", tag = "health",
    responses((status = 200, body = HealthAnswer), (status = 503, body = HealthAnswer)))]
pub async fn health(State(app): State<App>) -> (StatusCode, Json<HealthAnswer>) {
    let networks = app.held.now();
    let lacking = |route: &Route| route.needs.met(&networks).err().map(|lack| (*route, lack));
    let offered = ANSWERING.iter().filter(|route| !route.store || app.templates.is_some());
    let lacking: Vec<_> = offered.filter_map(lacking).collect();
    let required = |route: &Route| {
        let require = &app.settings.require;
        require.is_empty() || require.iter().any(|name| name == route.name)
    };
    let store = store(&app).await;
    let broken = !matches!(store, "none" | "ready" | "index_loading");
    let (status, code) = match broken || lacking.iter().any(|(route, _)| required(route)) {
        true => ("unhealthy", StatusCode::SERVICE_UNAVAILABLE),
        false if !lacking.is_empty() => ("degraded", StatusCode::OK),
        false => ("healthy", StatusCode::OK),
    };
    let unmet = lacking.iter().map(|(route, lack)| {
        let files: Vec<_> = lack.0.iter().map(|role| role.file.as_str()).collect();
        json!({"route": route.name, "required": required(route), "files": files})
    });
    let answer = HealthAnswer {
        status,
        version: env!("CARGO_PKG_VERSION"),
        model: app.model(),
        detector: networks.finder.is_some().then_some("centerface"),
        models: networks.roles.iter().map(ModelHealth::from).collect(),
        unmet: unmet.collect(),
        store,
    };
    (code, Json(answer))
}

/// How the store is.
async fn store(app: &App) -> &'static str {
    let Some(templates) = &app.templates else { return "none" };
    let asked = tokio::time::timeout(PATIENCE, ask(app, |store| store.ping())).await;
    match asked {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => return problem.reason().unwrap_or("store_unavailable"),
        Err(_) => return "store_unavailable",
    }
    if templates.index_state().is_some_and(|state| state.ready) { "ready" } else { "index_loading" }
}

/// The process answers.
#[utoipa::path(get, path = "/api/v1/health/live", tag = "health", responses((status = 200, body = Value)))]
pub async fn live() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// Whether traffic should be sent here: as health, in short, and not once the service was told to end.
#[utoipa::path(get, path = "/api/v1/health/ready", tag = "health",
    responses((status = 200, body = Value), (status = 503, body = Value)))]
pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let (code, Json(answer)) = health(State(app.clone())).await;
    let (code, status) = match app.ending.load(Ordering::Acquire) {
        true => (StatusCode::SERVICE_UNAVAILABLE, "ending"),
        false => (code, answer.status),
    };
    (code, Json(json!({"ready": code == StatusCode::OK, "status": status, "unmet": answer.unmet})))
}

/// Health, with what the machine is doing.
#[utoipa::path(get, path = "/api/v1/health/detailed", tag = "health",
    responses((status = 200, body = Value), (status = 503, body = Value)))]
pub async fn detailed(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let (code, Json(answer)) = health(State(app.clone())).await;
    let mut told = serde_json::to_value(answer).unwrap_or_default();
    told["uptime_seconds"] = json!(app.started.elapsed().as_secs());
    told["work"] = json!({"admitted": app.work.admitted(), "capacity": app.work.capacity()});
    let index = app.templates.as_ref().and_then(|templates| templates.index_state());
    told["index"] = index.map_or(Value::Null, |index| {
        let fault = index.fault.map(|fault| fault.kind.name());
        json!({"ready": index.ready, "unreadable": index.unreadable, "fault": fault})
    });
    told["kernels"] = json!(app.kernels.name());
    (code, Json(told))
}
