//! `GET /metrics` returns the metrics as Prometheus text. This handler sets the gauges of the current state;
//! other code updates the counters.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use metrics::gauge;

use super::health::{health, is_ready};
use crate::app::App;
use crate::models::{OnDisk, Role, key};
use crate::series::{EMBEDDERS, STORE_STATES, state};

/// Returns all metrics.
#[utoipa::path(get, operation_id = "metrics", path = "/metrics", tag = "operations", responses((status = 200, description = "all metrics, as Prometheus reads them", body = String, content_type = "text/plain")))]
pub async fn metrics_route(State(app): State<App>) -> impl IntoResponse {
    let (code, health) = health(State(app.clone())).await;
    gauge!("likeness_ready").set(number(is_ready(&app, code) == StatusCode::OK));
    let store = STORE_STATES[..3].iter().find(|state| **state == health.store);
    state("likeness_store", "state", &STORE_STATES, store.unwrap_or(&STORE_STATES[3]));
    let models = app.models.now();
    for role in Role::ALL {
        let loaded = models.roles[role.at()].loaded();
        let right = loaded.is_some_and(|model| model.on_disk == OnDisk::Right);
        gauge!("likeness_weights_loaded", "role" => key(role)).set(number(loaded.is_some()));
        gauge!("likeness_weights_on_disk", "role" => key(role)).set(number(right));
    }
    state("likeness_embedder", "trust", &EMBEDDERS, models.trust().unwrap_or(EMBEDDERS[3]));
    let index = app.templates.as_ref().and_then(|templates| templates.index_state());
    let (persons, unreadable, age) =
        index.map_or((0, 0, 0.0), |index| (index.persons, index.unreadable, index.age.as_secs_f64()));
    gauge!("likeness_index_persons").set(persons as f64);
    gauge!("likeness_index_unreadable").set(unreadable as f64);
    gauge!("likeness_index_age_seconds").set(age);
    gauge!("likeness_work_admitted").set(app.work.admitted() as f64);
    gauge!("likeness_work_capacity").set(app.work.capacity() as f64);
    gauge!("likeness_body_bytes").set(app.admission.bodies.buffered() as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render())
}

fn number(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}
