//! What every answer has: one shape for whatever went wrong, headers that keep browsers strict, a log
//! line with the route's name, status and time.

use std::time::Instant;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// The route that was entered, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Entered(pub &'static str);

/// A problem as JSON; a rejection of the framework as a problem.
pub fn written(mut response: Response, id: &str, deepface: bool, limit: usize) -> Response {
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

/// What browsers are told, unless the route itself said so: nothing is stored, framed, sniffed or run.
const STRICT: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Adds the headers that no route has set.
pub fn strict(headers: &mut HeaderMap) {
    for (name, value) in STRICT {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// One line, and the counters.
pub fn log(response: &Response, id: &str, start: Instant) {
    let (status, elapsed) = (response.status().as_u16(), start.elapsed());
    let route = response.extensions().get::<Entered>().map_or("none", |entered| entered.0);
    metrics::counter!("likeness_requests_total", "route" => route, "status" => status.to_string()).increment(1);
    metrics::histogram!("likeness_request_seconds", "route" => route).record(elapsed.as_secs_f64());
    tracing::info!(route, status, ms = elapsed.as_secs_f64() * 1e3, request_id = id, "answered");
}
