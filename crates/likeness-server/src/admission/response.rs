//! Completes every response: writes problems in one JSON form, adds security headers for browsers, and logs
//! one line with the route's name, status, code, verdict and times.

use std::any::Any;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use likeness::liveness::Liveness;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::jws::signature;
use crate::problem::{Code, Problem};
use crate::record::AnsweredRequest;
use crate::routes::Route;
use crate::series::{self, NO_ROUTE};
use crate::trace::Ids;
use crate::trail::Seen;
use crate::work::counted_panic;

/// The name of the request's route, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Entered(pub &'static str);

/// The error code of a response, for the log.
#[derive(Debug, Clone, Copy)]
struct Coded(Code);

/// Turns a panic of a handler into an internal error of its own request.
pub fn catch_panics() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(|_| {
        counted_panic("handler");
        Problem::internal(&"a handler panicked").into_response()
    })
}

/// Writes a problem as JSON, and turns a rejection of the framework into a problem.
pub fn written(mut response: Response, id: &str, (path, deepface): (&str, bool), limit: usize) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>();
    let foreign = || response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/json");
    let problem = match problem {
        Some(problem) => problem,
        None if status.as_u16() >= 400 && foreign() => Problem::of_status(status, limit),
        None => return response,
    };
    if let Some(scope) = problem.limited_by() {
        series::limited(scope);
    }
    response.extensions_mut().insert(Coded(problem.code()));
    let mut body = problem.body(id);
    body["type"] = problem.code().page(path).into();
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

/// Security headers for browsers, which forbid to store, frame, sniff or run a response.
const STRICT: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Tells browsers to use only TLS with this host name for two years.
const OVER_TLS: (HeaderName, &str) = (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000");

/// Adds these headers unless the route has set them.
pub fn strict(headers: &mut HeaderMap, tls: bool) {
    for (name, value) in STRICT.into_iter().chain(tls.then_some(OVER_TLS)) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// If the request judged a face, creates the record and adds its id and signature to the response's headers.
pub fn record(app: &App, response: &mut Response, ids: &Ids, seen: &Seen) {
    let answered = AnsweredRequest {
        request_id: &ids.request,
        route: response.extensions().get::<Entered>().map_or(NO_ROUTE, |entered| entered.0),
        status: response.status().as_u16(),
        error_code: response.extensions().get::<Coded>().map(|coded| coded.0.name()),
    };
    let Some((id, jws)) = app.records.record(&answered, seen) else { return };
    for (name, value) in [("x-likeness-record", id.as_str()), ("x-likeness-signature", signature(&jws))] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// Writes the log line and counts the metrics. Probes, scrapes and the page's files get level debug.
pub fn log(response: &Response, ids: &Ids, elapsed: Duration, seen: &Seen) {
    let status = response.status().as_u16();
    let route = response.extensions().get::<Entered>().map_or(NO_ROUTE, |entered| entered.0);
    let code = response.extensions().get::<Coded>().map(|coded| coded.0.name());
    series::request(route, status, code, elapsed, seen);
    let (trace_id, span_id) = ids.trace.as_ref().map(|(trace, span)| (trace.as_str(), span.as_str())).unzip();
    let liveness = seen.photographs.iter().find_map(|photograph| photograph.liveness.as_ref()).map(Liveness::name);
    let (threshold, threshold_source) = seen.threshold.unzip();
    let ms = |stage: &str| seen.stages.get(stage).copied();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                route,
                status,
                code,
                ms = elapsed.as_secs_f64() * 1e3,
                request_id = ids.request,
                trace_id,
                span_id,
                verdict = seen.verdict,
                liveness,
                threshold,
                threshold_source,
                decode_ms = ms("decode"),
                detect_ms = ms("detect"),
                quality_ms = ms("quality"),
                spoof_ms = ms("spoof"),
                align_ms = ms("align"),
                embed_ms = ms("embed"),
                "answered"
            )
        };
    }
    match Route::is_quiet(route, status) {
        true => line!(debug),
        false => line!(info),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_ends_its_own_request_and_tells_nothing_of_why() {
        async fn broken() -> StatusCode {
            panic!("a bad image")
        }
        let router =
            Router::new().route("/broken", get(broken)).route("/good", get(|| async { "good" })).layer(catch_panics());
        for (path, status, code) in [
            ("/broken", 500, Some("INTERNAL_SERVER_ERROR")),
            ("/good", 200, None),
            ("/broken", 500, Some("INTERNAL_SERVER_ERROR")),
        ] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let answer = written(router.clone().oneshot(request).await.unwrap(), "an id", ("/", false), 1);
            assert_eq!(answer.status().as_u16(), status, "{path}");
            let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
            let problem: Option<Value> = serde_json::from_slice(&body).ok();
            assert_eq!(problem.as_ref().and_then(|problem| problem["error_code"].as_str()), code, "{path}");
            assert!(!String::from_utf8_lossy(&body).contains("a bad image"), "{path}");
        }
    }
}
