//! What every request passes: an id, a log line, one shape for whatever goes wrong; then, by route,
//! who asks and whether there is room.
//!
//! Logs have the route's name, status and time; never an address, a key, a name or a photograph.

mod address;
mod caller;
mod keys;
mod origin;
mod rate;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::config::Settings;
use crate::handler::deepface;
use crate::problem::Problem;
use crate::routes::{Route, Scope};
use crate::store::Store;
use crate::work;
use keys::Keys;
use rate::Rates;

pub use caller::Caller;

/// What the gate remembers between requests.
pub struct Gate {
    /// The keys that are good.
    pub keys: Arc<Keys>,
    rates: Rates,
}

impl Gate {
    /// A gate for the keys of this store and of the settings.
    pub fn new(settings: &Settings, store: Option<Arc<Store>>) -> Self {
        let keys = Arc::new(Keys::new(store, settings.access.secret.as_ref()));
        Self { keys, rates: Rates::new(settings.limits.per_minute) }
    }
}

/// The id of a request, in its answer, its header `X-Request-Id` and its log line.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The route that was entered, for the log.
#[derive(Debug, Clone, Copy)]
struct Entered(&'static str);

/// The outermost: gives an id, writes problems out, logs.
pub async fn outer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (start, id) = (Instant::now(), uuid::Uuid::now_v7().to_string());
    let deepface = deepface::shaped(request.uri().path(), app.settings.deepface_root);
    request.extensions_mut().insert(RequestId(id.clone()));
    let answer = match at_home(&app, request.uri(), request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let mut response = written(answer, &id, deepface, app.settings.limits.file);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    if app.held.now().embedder.as_ref().is_some_and(|embedder| embedder.untrained()) {
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
    if let Some(scope) = route.scope {
        let from = address(&app, &request);
        match caller(&app, scope, request.headers(), from).await {
            Ok(caller) => request.extensions_mut().insert(caller),
            Err(problem) => return entered(problem.into_response(), &route),
        };
    }
    if route.images > 0 && app.work.full() {
        drain(request.into_body(), route.images * app.settings.limits.file * 4 / 3).await;
        return entered(work::overloaded().into_response(), &route);
    }
    let answer = tokio::time::timeout(app.settings.limits.time, next.run(request)).await;
    let late = |_| Problem::of_status(axum::http::StatusCode::REQUEST_TIMEOUT, 0).into_response();
    entered(answer.unwrap_or_else(late), &route)
}

/// Without keys only this machine may ask.
async fn at_home(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    match app.gate.keys.needed().await? {
        true => Ok(()),
        false => origin::at_home(uri, headers, &app.settings.access.origins),
    }
}

/// Who asks, if he may.
async fn caller(app: &App, scope: Scope, headers: &HeaderMap, from: IpAddr) -> Result<Caller, Problem> {
    let Gate { keys, rates } = &app.gate;
    if !keys.needed().await? {
        return Ok(Caller::anybody());
    }
    let text = caller::key_of(headers, &app.settings.access.header);
    let found = match text {
        Some(text) => keys.find(text).await?,
        None => None,
    };
    let Some(key) = found else {
        rates.stranger(from)?;
        return Err(caller::unknown(text));
    };
    rates.key(&key)?;
    let caller = Caller::of(&key.grant);
    caller.allow(scope).map(|()| caller)
}

fn address(app: &App, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    address::client(peer, request.headers(), &app.settings.access.trusted_proxies)
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
