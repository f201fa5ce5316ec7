//! The checks before a handler. Every request gets an id and a counted body and, if no key was ever created,
//! must come from this machine. Each route then checks the caller, the rate, and whether work may wait.
//!
//! Health needs no key, no rate limit and no queue. Only the limits on a body's bytes, silence and time
//! refuse a request after its headers. The log of a request contains no address, no key, no name and no
//! photograph.

mod address;
mod body;
pub mod caller;
mod keys;
mod origin;
mod rate;
mod response;
pub mod state;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::form;
use crate::handler::deepface;
use crate::problem::{Code, Problem};
use crate::routes::{DELETE, Route, Scope};
use crate::trace::Ids;
use crate::trail::{self, Trail};
use crate::work;
use body::Intake;
use caller::Caller;
use response::Entered;
use state::{Admission, largest};

pub use address::counted;
pub use origin::{at_home, cors};
pub use response::catch_panics;

/// The id of a request, for its response, the header `X-Request-Id` and its log line.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The outermost layer: sets the id, watches the body, writes problems as JSON, adds headers and the record,
/// and logs.
pub async fn outer(State(app): State<App>, request: Request, next: Next) -> Response {
    let (start, ids, trail) = (Instant::now(), Ids::of(request.headers()), Trail::default());
    let path = request.uri().path().to_owned();
    let deepface = deepface::shaped(request.uri().path(), app.settings.deepface_root);
    let mut request = app.admission.bodies.watch(request, largest(&app.settings));
    request.extensions_mut().insert(RequestId(ids.request.clone()));
    let answer = match own(&app, request.uri(), request.headers()).await {
        Ok(()) => trail.clone().along(next.run(request)).await,
        Err(problem) => problem.into_response(),
    };
    let mut response = response::written(answer, &ids.request, (&path, deepface), app.settings.limits.file);
    response::strict(response.headers_mut(), app.settings.tls.is_some());
    if let Ok(value) = HeaderValue::from_str(&ids.request) {
        response.headers_mut().insert("x-request-id", value);
    }
    if let Some(trust) = app.models.now().trust().filter(|trust| *trust != "published") {
        response.headers_mut().insert("x-likeness-embedder", HeaderValue::from_static(trust));
    }
    let seen = trail.seen();
    response::record(&app, &mut response, &ids, &seen);
    response::log(&response, &ids, start.elapsed(), &seen);
    response
}

/// The layer of each route: checks the caller, the headers and the room for work, and limits the time of the
/// request.
pub async fn enter(State((app, route)): State<(App, Route)>, mut request: Request, next: Next) -> Response {
    if let Some(scope) = route.scope {
        let from = address(&app, &request);
        match caller(&app, scope, request.headers(), from).await {
            Ok(caller) => {
                let (key, tenant) = caller.key();
                trail::caller(key, tenant);
                request.extensions_mut().insert(caller)
            }
            Err(problem) => return entered(problem.into_response(), &route),
        };
    }
    let readable = readable(&route, request.uri(), request.headers());
    if let Err(problem) = readable.and_then(|()| room(&app, &route, request.headers())) {
        return entered(problem.into_response(), &route);
    }
    let intake = request.extensions().get::<Intake>().cloned();
    let answer = tokio::time::timeout(app.settings.limits.time, next.run(request)).await;
    let late = |_| Problem::of_status(StatusCode::REQUEST_TIMEOUT, 0).into_response();
    let fault = intake.as_ref().and_then(Intake::fault).map(Problem::into_response);
    entered(fault.unwrap_or_else(|| answer.unwrap_or_else(late)), &route)
}

/// Refuses a body that is too long by its header, and work that can't wait for a core.
fn room(app: &App, route: &Route, headers: &HeaderMap) -> Result<(), Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > route.body(app.settings.limits.file)) {
        return Err(Problem::too_large(app.settings.limits.file));
    }
    if route.images > 0 && app.work.full() { Err(work::overloaded()) } else { Ok(()) }
}

/// Refuses, on a route that reads fields, a compressed body and a repeated field in the query.
fn readable(route: &Route, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    if route.images == 0 && *route != DELETE {
        return Ok(());
    }
    plain(headers).and_then(|()| once(uri))
}

/// Refuses a compressed body: no route decompresses one.
fn plain(headers: &HeaderMap) -> Result<(), Problem> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let coded = codings
        .map(|coding| coding.to_str().unwrap_or("?").trim())
        .find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    let Some(coded) = coded else { return Ok(()) };
    let coded: String = coded.chars().take(40).collect();
    let message =
        format!("expected a body without content encoding, found `content-encoding: {coded}`; send it uncompressed");
    Err(Problem::new(Code::UnsupportedMediaType, message).with("found", coded))
}

/// Refuses a query that contains a field twice: every field of a query has one value.
fn once(uri: &Uri) -> Result<(), Problem> {
    let Ok(Query(fields)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return Ok(()) };
    let repeated =
        fields.iter().enumerate().find(|(at, (name, _))| fields[..*at].iter().any(|(other, _)| other == name));
    repeated.map_or(Ok(()), |(_, (name, _))| Err(form::repeated(name)))
}

/// If no key was ever created, or the store can't be read, accepts only requests from this machine.
async fn own(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    match app.admission.keys.needed().await.unwrap_or(false) {
        true => Ok(()),
        false => origin::at_home(uri, headers, &app.settings.access.origins),
    }
}

/// Finds the caller of a request, and checks the rate and the scope.
async fn caller(app: &App, scope: Scope, headers: &HeaderMap, from: IpAddr) -> Result<Caller, Problem> {
    let Admission { keys, rates, .. } = &app.admission;
    if !keys.needed().await? {
        return Ok(Caller::anybody(from));
    }
    let text = caller::key_of(headers, &app.settings.access.header);
    let found = match text {
        Some(text) => keys.find(text).await?,
        None => None,
    };
    let Some(key) = found else {
        rates.stranger(from)?;
        return Err(caller::unknown(text, &app.settings.access.header));
    };
    rates.key(&key)?;
    let caller = Caller::of(&key, from);
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
