//! `GET /api/v1/health`, `/live`, `/ready` and `/detailed` report which routes work now, and which models or
//! stores are missing.
//!
//! `/live` never depends on weights. Health has status 200 while every required route works. A route that is
//! not required and does not work makes health `degraded`, still with status 200.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::person::ask;
use crate::app::{App, ModelResponse};
use crate::models::{LoadedModels, OnDisk, Role, RoleState, Unavailable};
use crate::problem::ModelFault;
use crate::routes::{ANSWERING, Route};

/// The time that health waits for the store before it reports the store as unavailable.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// The state of one network.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelHealth {
    /// `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: &'static str,
    /// The file's name.
    file: String,
    /// The pinned SHA-256.
    sha256: String,
    /// Whether the model is loaded from verified bytes and has passed its self-test.
    held: bool,
    /// The reason why the model is not loaded: `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or
    /// `refused_format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// What the operator can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    /// The result of the self-test.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_test: Option<String>,
    /// The state of the file; a change does not affect the loaded model.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_disk: Option<OnDisk>,
}

impl From<&RoleState> for ModelHealth {
    fn from(known: &RoleState) -> Self {
        let (loaded, ModelFault { role, file, sha256, reason, hint }) = (known.loaded(), ModelFault::of(known));
        let absent = loaded.is_none();
        Self {
            role,
            file,
            sha256,
            held: !absent,
            reason: absent.then_some(reason),
            hint: absent.then_some(hint),
            self_test: loaded.map(|model| model.self_test.clone()),
            on_disk: loaded.map(|model| model.on_disk),
        }
    }
}

/// The state of the service.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Every route that is offered can answer.
    Healthy,
    /// A route that is not required can't answer.
    Degraded,
    /// A required route can't answer.
    Unhealthy,
}

/// The state of the service and its models.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// The state of the service.
    status: Health,
    /// The program's version.
    version: &'static str,
    /// The loaded weights.
    model: ModelResponse,
    /// `centerface`, or null if the detector is not loaded.
    detector: Option<&'static str>,
    /// The state of each of the four models.
    models: Vec<ModelHealth>,
    /// The routes that do not work now, with the missing files.
    unmet: Vec<Value>,
    /// `none`, `ready`, `index_loading` (only search must wait), or the kind of the store's error.
    pub(super) store: &'static str,
}

/// Reports which routes work now, and which models the other routes lack.
#[utoipa::path(get, path = "/api/v1/health", tag = "health",
    responses((status = 200, description = "healthy or degraded", body = HealthResponse),
        (status = 503, description = "unhealthy", body = HealthResponse)))]
pub async fn health(State(app): State<App>) -> (StatusCode, Json<HealthResponse>) {
    let (models, policy, options) = (app.models.now(), app.policy(), app.options());
    let offered = ANSWERING.iter().filter(|route| !route.store || app.templates.is_some());
    let unmet: Vec<Unmet> = offered
        .filter_map(|route| {
            Unmet::of(route, route.can_answer(&models, &policy, &options), &models, &app.settings.require)
        })
        .collect();
    let store = store(&app).await;
    let broken = !matches!(store, "none" | "ready" | "index_loading");
    let (status, code) = match broken || unmet.iter().any(|unmet| unmet.fatal) {
        true => (Health::Unhealthy, StatusCode::SERVICE_UNAVAILABLE),
        false if !unmet.is_empty() => (Health::Degraded, StatusCode::OK),
        false => (Health::Healthy, StatusCode::OK),
    };
    let answer = HealthResponse {
        status,
        version: env!("CARGO_PKG_VERSION"),
        model: app.model(),
        detector: models.roles[Role::Detector.at()].loaded().map(|_| "centerface"),
        models: models.roles.iter().map(ModelHealth::from).collect(),
        unmet: unmet.into_iter().map(|unmet| unmet.detail).collect(),
        store,
    };
    (code, Json(answer))
}

/// A route that does not work now.
struct Unmet {
    detail: Value,
    /// Whether this state makes the service unhealthy.
    fatal: bool,
}

impl Unmet {
    /// Returns what the route lacks, if anything. Routes in `--require` are required; without that option,
    /// every route is. An unknown embedder waits for the operator's acceptance, so it only
    /// degrades health, except for a route that is required by name.
    fn of(route: &Route, answers: Result<(), Unavailable>, models: &LoadedModels, require: &[String]) -> Option<Self> {
        let named = require.iter().any(|name| name == route.name);
        let required = require.is_empty() || named;
        let (roles, reason, fatal) = match answers.err()? {
            Unavailable::NotLoaded(roles) => (roles, "not_loaded", required),
            Unavailable::UnknownEmbedder(_) => {
                (vec![models.roles[Role::Embedder.at()].clone()], "unknown_embedder", named)
            }
            Unavailable::OtherCalibration(_) => (Vec::new(), "other_calibration", required),
        };
        let files: Vec<_> = roles.iter().map(|role| role.file.as_str()).collect();
        let detail = json!({"route": route.name, "required": required, "reason": reason, "files": files});
        Some(Self { detail, fatal })
    }
}

/// Returns the state of the store.
async fn store(app: &App) -> &'static str {
    let Some(templates) = &app.templates else { return "none" };
    let answer = tokio::time::timeout(PATIENCE, ask(app, |store| store.ping())).await;
    match answer {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => return problem.reason().unwrap_or("store_unavailable"),
        Err(_) => return "store_unavailable",
    }
    // If no embedder is trusted, no index is loaded.
    let waiting = matches!(app.models.now().encoder(), Err(Unavailable::UnknownEmbedder(_)));
    if waiting || templates.index_state().is_some_and(|state| state.ready) { "ready" } else { "index_loading" }
}

/// Checks that the process responds.
#[utoipa::path(get, operation_id = "health_live", path = "/api/v1/health/live", tag = "health",
    responses((status = 200, description = "the process responds", body = Value)))]
pub async fn live() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// Reports whether the service accepts traffic: the status of health, or 503 once the service has begun to end.
#[utoipa::path(get, operation_id = "health_ready", path = "/api/v1/health/ready", tag = "health",
    responses((status = 200, description = "the service accepts traffic", body = Value),
        (status = 503, description = "the service accepts no traffic", body = Value)))]
pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let (code, Json(answer)) = health(State(app.clone())).await;
    let ending = app.ending.load(Ordering::Acquire);
    let (code, status) = (is_ready(&app, code), if ending { json!("ending") } else { json!(answer.status) });
    (code, Json(json!({"ready": code == StatusCode::OK, "status": status, "unmet": answer.unmet})))
}

/// Returns the status of health, or 503 once the service has received a signal to end.
pub(super) fn is_ready(app: &App, health: StatusCode) -> StatusCode {
    if app.ending.load(Ordering::Acquire) { StatusCode::SERVICE_UNAVAILABLE } else { health }
}

/// Reports health, with the load of the service.
#[utoipa::path(get, operation_id = "health_detailed", path = "/api/v1/health/detailed", tag = "health",
    responses((status = 200, description = "healthy or degraded", body = Value),
        (status = 503, description = "unhealthy", body = Value)))]
pub async fn detailed(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let (code, Json(answer)) = health(State(app.clone())).await;
    let mut detail = serde_json::to_value(answer).unwrap_or_default();
    detail["uptime_seconds"] = json!(app.started.elapsed().as_secs());
    detail["work"] = json!({"admitted": app.work.admitted(), "capacity": app.work.capacity()});
    let index = app.templates.as_ref().and_then(|templates| templates.index_state());
    detail["index"] = index.map_or(Value::Null, |index| {
        let fault = index.fault.map(|fault| fault.kind.name());
        json!({"ready": index.ready, "unreadable": index.unreadable, "fault": fault})
    });
    detail["kernels"] = json!(app.kernels.name());
    (code, Json(detail))
}
