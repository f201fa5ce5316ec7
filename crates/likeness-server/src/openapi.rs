//! The description of the interface, made from the code, and what its parts share.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::example::Example;
use utoipa::openapi::path::{PathItem, Paths};
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa::{OpenApi, ToSchema};

use crate::codes::codes;
use crate::problem::{Code, Problem};
use crate::routes::Route;

/// The document's head.
#[derive(OpenApi)]
#[openapi(
    components(schemas(ProblemBody)),
    servers((url = "./", description = "where this description lies, behind whatever prefix")),
    info(title = "Likeness", description = "Face verification that never takes a missing model for a verdict.",)
)]
pub struct Document;

/// A form with one photograph.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct OneFile {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A form with two photographs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct TwoFiles {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file1: Vec<u8>,
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file2: Vec<u8>,
}

/// A form with a person and a photograph.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct OnePerson {
    /// Who: 1 to 255 of a-z, A-Z, 0-9, _ and -.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// Whose person; `default` unless the key says otherwise.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A form that enrols.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct Enrolment {
    /// Who.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// Whose person.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
    /// Replace the person who is enrolled under this name (scope `replace` or `admin`, beside `enroll`).
    replace: Option<bool>,
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A form that enrols by several photographs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct SeveralFiles {
    /// Who.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// Whose person.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
    /// Replace the person who is enrolled under this name (scope `replace` or `admin`, beside `enroll`).
    replace: Option<bool>,
    /// Two to five photographs.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 2, max_items = 5)]
    files: Vec<Vec<u8>>,
}

/// A form that searches.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct Search {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// At most so many are named; 5 by default, 50 at most.
    #[schema(minimum = 1)]
    max_results: Option<i64>,
    /// Who is nearer than this is named; at most 0.8.
    #[schema(minimum = 0, maximum = 2)]
    threshold: Option<f64>,
    /// Whose persons.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
}

/// A problem, as it is written.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct ProblemBody {
    /// A stable word.
    error_code: String,
    /// For a person.
    message: String,
    /// In the log too.
    request_id: String,
}

/// Answers that were given, by method and path. Numbers of an embedding and pictures are shortened.
const EXAMPLES: &str = include_str!("examples.json");

/// Adds what the route's table knows: every problem that it may answer, and an answer as an example.
pub fn complete(paths: &mut Paths, route: &Route) {
    let examples: BTreeMap<String, Value> = serde_json::from_str(EXAMPLES).unwrap_or_default();
    for (path, item) in &mut paths.paths {
        let PathItem { get, post, delete, .. } = item;
        for (method, operation) in [("GET", get), ("POST", post), ("DELETE", delete)] {
            let Some(operation) = operation else { continue };
            let answers = &mut operation.responses.responses;
            if let Some(RefOr::T(good)) = answers.get_mut("200") {
                for content in good.content.values_mut() {
                    if let RefOr::T(content) = content {
                        content.example = examples.get(&format!("{method} {path}")).cloned();
                    }
                }
            }
            for (status, codes) in by_status(route) {
                answers.entry(status.to_string()).or_insert_with(|| RefOr::T(problem(&codes)));
            }
        }
    }
}

fn by_status(route: &Route) -> BTreeMap<u16, Vec<Code>> {
    let mut found: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes(route) {
        found.entry(code.status().as_u16()).or_default().push(code);
    }
    found
}

/// A response with each of these codes as an example.
fn problem(codes: &[Code]) -> Response {
    let example = |code: &Code| {
        let value = Problem::new(*code, "for a person").body("01a2106e-8dcf-7637-8a0a-d4294c95aaf0");
        (code.name(), Example::builder().value(Some(value)).build())
    };
    let schema = Ref::from_schema_name("ProblemBody");
    let content = Content::builder().schema(Some(schema)).examples_from_iter(codes.iter().map(example)).build();
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    Response::builder().description(names.join(", ")).content("application/json", content).build()
}
