//! What every request passes: an id, a log line, one shape for whatever goes wrong; then, by route,
//! who asks and whether there is room.
//!
//! Logs have the route's name, status and time; never an address, a key, a name or a photograph.

mod caller;

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::problem::Problem;
use crate::routes::Route;
use crate::work;

pub use caller::Caller;

/// The id of a request, in its answer, its header `X-Request-Id` and its log line.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The route that was entered, for the log.
#[derive(Debug, Clone, Copy)]
struct Entered(&'static str);

/// The outermost: gives an id, writes problems out, logs.
pub async fn outer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (start, id) = (Instant::now(), uuid::Uuid::now_v7().to_string());
    let deepface = request.uri().path().starts_with("/deepface") || app.settings.deepface_root;
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = written(next.run(request).await, &id, deepface, app.settings.limits.file);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    if app.held.now().identity.as_ref().is_some_and(|identity| identity.embedder().untrained()) {
        response.headers_mut().insert("x-likeness-untrained", HeaderValue::from_static("true"));
    }
    log(&response, &id, start);
    response
}

/// A problem as JSON; a rejection of the framework as a problem.
fn written(mut response: Response, id: &str, deepface: bool, limit: usize) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>();
    let foreign = || response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/json");
    let problem = match problem {
        Some(problem) => problem,
        None if status.as_u16() >= 400 && foreign() => Problem::of_status(status, limit),
        None => return response,
    };
    let mut body = problem.body(id);
    if deepface {
        body["error"] = body["message"].clone();
    }
    let json = axum::Json(body).into_response();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.status_mut() = problem.code().status();
    *response.body_mut() = json.into_body();
    response
}

fn log(response: &Response, id: &str, start: Instant) {
    let (status, elapsed) = (response.status().as_u16(), start.elapsed());
    let route = response.extensions().get::<Entered>().map_or("none", |entered| entered.0);
    metrics::counter!("likeness_requests_total", "route" => route, "status" => status.to_string()).increment(1);
    metrics::histogram!("likeness_request_seconds", "route" => route).record(elapsed.as_secs_f64());
    tracing::info!(route, status, ms = elapsed.as_secs_f64() * 1e3, request_id = id, "answered");
}

/// By route: who asks, and whether there is room for the work. Health passes untouched.
pub async fn enter(State((app, route)): State<(App, Route)>, mut request: Request, next: Next) -> Response {
    let caller = match Caller::of(&app, &route, &request) {
        Ok(caller) => caller,
        Err(problem) => return entered(problem.into_response(), &route),
    };
    request.extensions_mut().insert(caller);
    if route.images > 0 && app.work.full() {
        drain(request.into_body(), route.images * app.settings.limits.file * 4 / 3).await;
        return entered(work::overloaded().into_response(), &route);
    }
    let answer = tokio::time::timeout(app.settings.limits.time, next.run(request)).await;
    let late = |_| Problem::of_status(axum::http::StatusCode::REQUEST_TIMEOUT, 0).into_response();
    entered(answer.unwrap_or_else(late), &route)
}

fn entered(mut response: Response, route: &Route) -> Response {
    response.extensions_mut().insert(Entered(route.name));
    response
}

/// Reads a body away, up to a limit, so that the client reads its answer.
async fn drain(body: Body, limit: usize) {
    use http_body_util::BodyExt;
    let mut body = http_body_util::Limited::new(body, limit);
    while let Some(Ok(_)) = body.frame().await {}
}
