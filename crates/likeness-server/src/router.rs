//! Assigns a handler and its checks to each path.

use std::convert::Infallible;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use bytes::Bytes;
use tower::util::option_layer;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::admission;
use crate::app::App;
use crate::handler::{
    captures, compare, deepface, delete, detect, enroll, enroll_multi, erasure, frame, health, inspect, liveness,
    metrics, page, persons, problem_page, records, search, statement, verify,
};
use crate::listen::Routers;
use crate::openapi::{self, Document};
use crate::problem::{Code, Problem};
use crate::routes::{self as table, Route};

/// The path of the OpenAPI description.
const DESCRIPTION: &str = "/openapi.json";

/// Returns the routes of the whole service.
pub fn router(app: &App) -> Router {
    let (router, document) = described(app).split_for_parts();
    let root = if app.settings.deepface_root { at_root(app) } else { Router::new() };
    router
        .merge(description(app, &openapi::written(&document, &app.settings.access.header)))
        .merge(page(app))
        .merge(root)
        .fallback(deepface::no_route)
        .with_state(app.clone())
        .layer(admission::catch_panics())
        .layer(option_layer(admission::cors(&app.settings.access)))
        .layer(middleware::from_fn_with_state(app.clone(), admission::outer))
}

/// Returns all routes for a connection with a place, and the health routes for one without.
pub fn routers(app: &App) -> Routers {
    Routers { all: router(app), probes: probes(app) }
}

/// Returns the health routes; other requests are refused because the service is full.
fn probes(app: &App) -> Router {
    let crowded = || async { Problem::new(Code::Overloaded, "too many connections in all, or from this address") };
    let (health, _) = health_routes(app).split_for_parts();
    health
        .fallback(crowded)
        .with_state(app.clone())
        .layer(admission::catch_panics())
        .layer(middleware::from_fn_with_state(app.clone(), admission::outer))
}

/// Returns the routes of the page's files, which share one name in log and metrics.
fn page(app: &App) -> Router<App> {
    let pages = page::routes().route("/docs/problems/{code}", get(problem_page::problem));
    pages.route_layer(middleware::from_fn_with_state((app.clone(), table::PAGE), admission::enter))
}

/// Returns the route of the OpenAPI description, which is serialised once.
fn description(app: &App, document: &serde_json::Value) -> Router<App> {
    let text = Bytes::from(serde_json::to_vec(document).unwrap_or_default());
    let described =
        Router::new().route(DESCRIPTION, get(|| async move { ([(header::CONTENT_TYPE, "application/json")], text) }));
    described.route_layer(middleware::from_fn_with_state((app.clone(), table::PAGE), admission::enter))
}

/// Returns metrics and health for a separate loopback address, without a key.
pub fn operations(app: &App) -> Router {
    let own = |request: Request, next: Next| async move {
        match admission::at_home(request.uri(), request.headers(), &[]) {
            Ok(()) => next.run(request).await,
            Err(_) => StatusCode::FORBIDDEN.into_response(),
        }
    };
    let (health, _) = health_routes(app).split_for_parts();
    health.route("/metrics", get(metrics::metrics_route)).with_state(app.clone()).layer(middleware::from_fn(own))
}

/// Adds the checks to a route, and completes its description.
fn behind(app: &App, route: Route, (schemas, mut paths, handler): UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    debug_assert!(table::EVERY.contains(&route), "{} is in no list of metrics", route.name);
    openapi::complete(&mut paths, &route);
    (schemas, paths, gated(app, route, handler))
}

/// Returns the health routes, which no limit refuses.
fn health_routes(app: &App) -> OpenApiRouter<App> {
    let behind = |handler| behind(app, table::HEALTH, handler);
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(behind(routes!(health::health)))
        .routes(behind(routes!(health::live)))
        .routes(behind(routes!(health::ready)))
        .routes(behind(routes!(health::detailed)))
}

/// Returns the routes with their descriptions.
fn described(app: &App) -> OpenApiRouter<App> {
    let behind = |route, handler| behind(app, route, handler);
    health_routes(app)
        .routes(behind(table::MODELS_STATEMENT, routes!(statement::statement)))
        .routes(behind(table::METRICS, routes!(metrics::metrics_route)))
        .routes(behind(table::RECORDS, routes!(records::record)))
        .routes(behind(table::VERIFY, routes!(verify::verify)))
        .routes(behind(table::ENROLL, routes!(enroll::enroll)))
        .routes(behind(table::ENROLL_MULTI, routes!(enroll_multi::enroll_multi)))
        .routes(behind(table::DELETE, routes!(delete::delete)))
        .routes(behind(table::PERSONS, routes!(persons::list)))
        .routes(behind(table::PERSON, routes!(persons::one)))
        .routes(behind(table::PERSON_EXPORT, routes!(persons::export)))
        .routes(behind(table::PERSON_ERASE, routes!(erasure::erase)))
        .routes(behind(table::ERASURE, routes!(erasure::erasure)))
        .routes(behind(table::TENANTS, routes!(persons::tenants)))
        .routes(behind(table::SEARCH, routes!(search::search)))
        .routes(behind(table::LIVENESS, routes!(liveness::liveness_route)))
        .routes(behind(table::DETECT, routes!(detect::detect_all)))
        .routes(behind(table::FRAMES, routes!(frame::frame)))
        .routes(behind(table::CAPTURES, routes!(captures::begin_capture)))
        .routes(behind(table::CAPTURE_FRAMES, routes!(captures::frame)))
        .routes(behind(table::COMPARE, routes!(compare::compare)))
        .routes(behind(table::INSPECT, routes!(inspect::inspect)))
        .routes(behind(table::PAGE, routes!(deepface::greet)))
        .routes(behind(table::DEEPFACE_VERIFY, routes!(deepface::verify_route)))
        .routes(behind(table::DEEPFACE_REPRESENT, routes!(deepface::represent_route)))
}

/// Adds the checks to a handler, and the limit on its body.
fn gated(app: &App, route: Route, handler: MethodRouter<App>) -> MethodRouter<App> {
    let body = route.body(app.settings.limits.file);
    let checks = middleware::from_fn_with_state((app.clone(), route), admission::enter);
    handler.layer::<_, Infallible>(checks).layer::<_, Infallible>(DefaultBodyLimit::max(body))
}

/// Returns DeepFace's own paths, for clients that can set only a host. `GET /` does not change.
fn at_root(app: &App) -> Router<App> {
    Router::new()
        .route("/verify", gated(app, table::DEEPFACE_VERIFY, post(deepface::verify_route)))
        .route("/represent", gated(app, table::DEEPFACE_REPRESENT, post(deepface::represent_route)))
}
