//! Serves the page at `/` and the API's page at `/docs/` from files in the program. Their content security
//! policy forbids loading anything from another origin.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::Embed;

use crate::app::App;
use crate::problem::Problem;

/// The page may load its own files and photographs from memory; inline scripts and styles are forbidden.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data: blob:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("permissions-policy"), "camera=(self)"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-cache"),
];

#[derive(Embed)]
#[folder = "page/"]
struct Files;

/// Returns the routes of the page and its files.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(index))
        .route("/docs/", get(docs))
        .route("/docs", get(to_docs))
        .route("/page/{file}", get(file))
}

async fn index() -> Response {
    answer("index.html")
}

async fn docs() -> Response {
    answer("docs.html")
}

/// The redirect is relative, so that a proxy may add a prefix to every path.
async fn to_docs() -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "docs/")]).into_response()
}

async fn file(Path(name): Path<String>) -> Response {
    answer(&name)
}

fn answer(name: &str) -> Response {
    match (Files::get(name), kind(name)) {
        (Some(found), Some(kind)) => (HEADERS, [(header::CONTENT_TYPE, kind)], found.data.into_owned()).into_response(),
        _ => Problem::of_status(StatusCode::NOT_FOUND, 0).into_response(),
    }
}

/// Returns an HTML page with this text.
pub fn html(text: String) -> Response {
    (HEADERS, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn kind(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "jpg" => Some("image/jpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of a clone's files would make each build of the program another one.
    #[test]
    fn no_time_of_a_file_is_in_the_program() {
        let timed: Vec<_> = Files::iter()
            .filter(|name| {
                let file = Files::get(name).unwrap_or_else(|| panic!("{name}"));
                file.metadata.last_modified().is_some_and(|time| time > 0)
                    || file.metadata.created().is_some_and(|time| time > 0)
            })
            .collect();
        assert!(timed.is_empty(), "{timed:?}");
    }

    #[test]
    fn every_file_has_a_kind_and_none_reaches_beyond_this_service() {
        let mut wrong = Vec::new();
        for name in Files::iter().filter(|name| name != "SAMPLE.md") {
            let bytes = Files::get(&name).unwrap_or_else(|| panic!("{name}")).data;
            // This address is the name of the SVG namespace, which no browser fetches.
            let text = String::from_utf8_lossy(&bytes).replace("http://www.w3.org/2000/svg", "");
            let reaches = ["src=\"http", "href=\"http", "from 'http", "fetch('http", " url("]
                .iter()
                .any(|way| text.contains(way));
            let inline = name.ends_with(".html") && (text.contains(" style=") || text.contains(" onclick="));
            if kind(&name).is_none() || reaches || inline {
                wrong.push(name.to_string());
            }
        }
        assert!(wrong.is_empty() && Files::iter().count() > 5, "{wrong:?}");
    }
}
