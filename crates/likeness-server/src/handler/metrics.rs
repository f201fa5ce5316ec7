//! `GET /metrics`: Prometheus' text. No label holds a tenant, a subject or a key.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;
use crate::models::{Role, key};

/// All metrics.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, description = "all metrics, as Prometheus reads them", body = String, content_type = "text/plain")))]
pub async fn metrics_route(State(app): State<App>) -> impl IntoResponse {
    let models = app.models.now();
    for role in Role::ALL {
        let loaded = if models.roles[role.at()].loaded().is_some() { 1.0 } else { 0.0 };
        metrics::gauge!("likeness_weights_held", "role" => key(role)).set(loaded);
    }
    if let Some(index) = app.templates.as_ref().and_then(|templates| templates.index_state()) {
        metrics::gauge!("likeness_index_persons").set(index.persons as f64);
        metrics::gauge!("likeness_index_unreadable").set(index.unreadable as f64);
    }
    metrics::gauge!("likeness_work_admitted").set(app.work.admitted() as f64);
    metrics::gauge!("likeness_work_capacity").set(app.work.capacity() as f64);
    metrics::gauge!("likeness_body_bytes").set(app.admission.bodies.buffered() as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render())
}
