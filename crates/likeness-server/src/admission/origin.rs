//! A service without keys serves only this machine. The check refuses a request for another host name, such as a name
//! that DNS rebinding points at 127.0.0.1, and a page of an origin that is not set. Browsers let pages of other origins
//! read responses only if the settings name these origins.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::CorsLayer;

use crate::config::Access;
use crate::problem::{Code, Problem};

/// The host names of this machine.
const OWN: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Refuses a request whose `Host` is not this machine, or whose `Origin` is foreign and not in `origins`.
///
/// # Errors
/// `FORBIDDEN`
pub fn at_home(uri: &Uri, headers: &HeaderMap, origins: &[String]) -> Result<(), Problem> {
    let refused = |what: &str| {
        let message = format!("without an API key, only this machine may send requests: {what}");
        Err(Problem::new(Code::Forbidden, message))
    };
    let authority = uri.authority().map(axum::http::uri::Authority::as_str);
    let host = authority.or_else(|| headers.get(header::HOST)?.to_str().ok());
    let Some(host) = host.filter(|host| OWN.contains(&name(host)) && headers.get_all(header::HOST).iter().count() <= 1)
    else {
        return refused("expected the host localhost, 127.0.0.1 or [::1]");
    };
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("null");
    let same = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    if same || origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    refused("the page that sent the request is of another origin")
}

/// Returns the CORS rules for the origins in the settings; `None` if there are none.
pub fn cors(access: &Access) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = access.origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let key = access.header.parse().unwrap_or(HeaderName::from_static("x-api-key"));
    let sent = [header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("idempotency-key"), key];
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(sent)
        .expose_headers([HeaderName::from_static("x-request-id"), header::RETRY_AFTER])
        .max_age(Duration::from_secs(600));
    (!origins.is_empty()).then(|| layer.allow_origin(origins))
}

/// Returns a host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_names_and_own_pages_are_at_home() {
        let table: [(&[(&str, &str)], bool); 17] = [
            (&[("host", "localhost")], true),
            (&[("host", "localhost:8001")], true),
            (&[("host", "127.0.0.1:1")], true),
            (&[("host", "[::1]")], true),
            (&[("host", "[::1]:8001")], true),
            (&[], false),
            (&[("host", "")], false),
            (&[("host", "evil.example")], false),
            (&[("host", "evil.example:8001")], false),
            (&[("host", "localhost.evil.example")], false),
            (&[("host", "127.0.0.1.evil.example")], false),
            (&[("host", "localhost:8001"), ("host", "evil.example")], false),
            (&[("host", "localhost:8001"), ("origin", "http://localhost:8001")], true),
            (&[("host", "localhost:8001"), ("origin", "http://localhost:3000")], false),
            (&[("host", "localhost:8001"), ("origin", "http://evil.example")], false),
            (&[("host", "localhost:8001"), ("origin", "null")], false),
            (&[("host", "localhost:8001"), ("origin", "https://allowed.example")], true),
        ];
        let mut wrong = Vec::new();
        for (headers, expected) in table {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
            }
            if at_home(&Uri::from_static("/"), &map, &["https://allowed.example".into()]).is_ok() != expected {
                wrong.push(headers);
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        let absolute = Uri::from_static("http://evil.example/");
        let headers = [(header::HOST, "localhost".parse().unwrap())].into_iter().collect();
        assert!(at_home(&absolute, &headers, &[]).is_err());
    }
}
