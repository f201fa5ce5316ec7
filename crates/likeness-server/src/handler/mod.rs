//! Each file handles one route or a few similar ones: it reads the request and returns the response. A
//! handler requests its networks by role, so it can't respond without them.

pub mod captures;
pub mod compare;
pub mod deepface;
pub mod delete;
pub mod detect;
pub mod enroll;
pub mod enroll_multi;
pub mod erasure;
pub mod frame;
pub mod health;
pub mod inspect;
pub mod inspect_response;
pub mod liveness;
pub mod metrics;
pub mod page;
pub mod person;
pub mod persons;
pub mod problem_page;
pub mod records;
pub mod response;
pub mod search;
pub mod statement;
pub mod terms;
pub mod verify;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Refuses every query parameter, for a new route that has none.
pub type NoQuery = Parameters<NoParameters>;

/// The query parameters of a request.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::try_from_uri(&parts.uri).map(|axum::extract::Query(read)| Self(read));
        read.map_err(|why| {
            let why = why.body_text();
            Problem::input(format!("the address: {}", why.split_once(": ").map_or(&*why, |(_, why)| why)))
        })
    }
}

/// No query parameters.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}
