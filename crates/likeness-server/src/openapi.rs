//! Builds the OpenAPI description from the code, and defines the schemas that several routes share.

mod required;

use std::collections::BTreeMap;

use likeness::capture::guide::Advice;
use likeness::capture::steps::Prompt;
use likeness::liveness::Liveness;
use likeness::policy::{Action, ThresholdSource};
use serde_json::{Value, json};
use utoipa::openapi::example::Example;
use utoipa::openapi::path::{PathItem, Paths};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa::{OpenApi, ToSchema};

use crate::captures::{CapturePurpose, STATES};
use crate::codes::codes;
use crate::models::{FaultKind, Role, key};
use crate::problem::{Code, LOADING, Problem};
use crate::routes::{Route, Scope};

/// The document's head.
#[derive(OpenApi)]
#[openapi(
    components(schemas(ProblemBody)),
    servers((url = "./", description = "the address of this description, with any prefix of a proxy")),
    info(title = "Likeness", description = "Face verification. A missing model never produces a verdict.",)
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

/// A form with a frame of a camera.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct CameraFrame {
    /// JPEG, PNG or WebP of any size; 640 x 480 pixels are enough.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Whether to judge liveness too; false by default.
    liveness: Option<bool>,
}

/// A form with a face, and perhaps a capture.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct OneFace {
    /// JPEG, PNG or WebP; with a capture, its best frame.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// A completed capture for `liveness`, which this request uses up.
    capture_id: Option<String>,
    /// The tenant of the capture; the default is the key's tenant, otherwise `default`.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
}

/// A form that begins a capture.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
#[serde(untagged)]
pub enum NewCapture {
    Person(CaptureOfPerson),
    Anyone(CaptureOfAnyone),
}

/// A form that begins a capture of a named person.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct CaptureOfPerson {
    /// What the capture counts for.
    #[schema(pattern = "^(verify|enroll)$")]
    purpose: String,
    /// The person's name.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// The tenant; the default is the key's tenant, otherwise `default`.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
}

/// A form that begins a capture of a person without a name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct CaptureOfAnyone {
    /// What the capture counts for.
    #[schema(pattern = "^liveness$")]
    purpose: String,
    /// The tenant; the default is the key's tenant, otherwise `default`.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
}

/// A form with a frame of a capture.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct CaptureFrame {
    /// JPEG, PNG or WebP of any size; 640 x 480 pixels are enough.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `answer_sha256` of the last answer.
    previous: String,
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
    /// The person's name: 1 to 255 of a-z, A-Z, 0-9, _ and -.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// The person's tenant; the default is the key's tenant, otherwise `default`.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
    /// JPEG, PNG or WebP; with a capture, its best frame.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// A completed capture for `verify` of this person, which this request uses up.
    capture_id: Option<String>,
}

/// Describes a form that enrols: every field of a person's enrolment, and the field of its photographs.
macro_rules! enrolment_form {
    ($(#[$about:meta])* $name:ident, $($(#[$own:meta])* $field:ident: $type:ty),+) => {
        $(#[$about])*
        #[derive(ToSchema)]
        #[expect(dead_code, reason = "only described")]
        pub struct $name {
            /// The person's name.
            #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
            user_id: String,
            /// The person's tenant.
            #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
            tenant_id: Option<String>,
            /// Replace the person who is enrolled under this name (scope `replace` or `admin`, beside `enroll`).
            replace: Option<bool>,
            /// The caller's reference to the proof of the person's consent; needs `consent_version`.
            #[schema(max_length = 255)]
            consent_reference: Option<String>,
            /// The version of the text that the person agreed to.
            #[schema(max_length = 255)]
            consent_version: Option<String>,
            /// When the consent was given; the time of the request if absent.
            #[schema(format = DateTime)]
            consent_given_at: Option<String>,
            /// When the person expires. If absent, the stored time stays; a new person never expires.
            #[schema(format = DateTime)]
            expires_at: Option<String>,
            $($(#[$own])* $field: $type,)+
        }
    };
}

enrolment_form! {
    /// A form that enrols.
    Enrolment,
    /// JPEG, PNG or WebP; with a capture, its best frame.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// A completed capture for `enroll` of this person, which this request uses up.
    capture_id: Option<String>
}

enrolment_form! {
    /// A form that enrols by several photographs.
    SeveralFiles,
    /// Two to five photographs.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 2, max_items = 5)]
    files: Vec<Vec<u8>>
}

/// A form that searches.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct Search {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The largest number of persons in the response; 5 by default, 50 at most.
    #[schema(minimum = 1)]
    max_results: Option<i64>,
    /// A person within this distance is a match; at most 0.8.
    #[schema(minimum = 0, maximum = 2)]
    threshold: Option<f64>,
    /// The tenant to search.
    #[schema(pattern = "^[a-zA-Z0-9_-]{0,255}$")]
    tenant_id: Option<String>,
}

/// A problem, as it is written. The first four fields are always there; each other one belongs to some codes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct ProblemBody {
    /// The kind of the error, for programs.
    error_code: String,
    /// The error as text for a person.
    message: String,
    /// The id of the request, which the log contains too.
    request_id: String,
    /// RFC 9457: a page about the problem, relative to the address of the request.
    r#type: String,
    /// The field of the request that is wrong.
    field: Option<String>,
    /// The reason, more precise than `error_code`.
    reason: Option<String>,
    /// The format, or the content coding, that the request contained instead.
    found: Option<String>,
    /// The person's name in the request.
    user_id: Option<String>,
    /// `FACE_NOT_DETECTED`, `MULTIPLE_FACES`: the number of faces found.
    face_count: Option<usize>,
    /// `POOR_IMAGE_QUALITY`: the faults of the photograph.
    issues: Option<Vec<String>>,
    /// `POOR_IMAGE_QUALITY`: the quality of the face, 0 to 100.
    quality_score: Option<f64>,
    /// `POOR_IMAGE_QUALITY`: the smallest accepted quality.
    min_threshold: Option<f64>,
    /// `LIVENESS_FAILED`: the live probability in percent.
    score: Option<f64>,
    /// `LIVENESS_FAILED`: `spoof` or `indeterminate`.
    verdict: Option<String>,
    /// `ANTISPOOF_BLOCKED`: the live probability, 0 to 1.
    live_probability: Option<f64>,
    /// `ANTISPOOF_BLOCKED`: the action that liveness recommends.
    recommended_action: Option<String>,
    /// `LIVENESS_FAILED`, `ANTISPOOF_BLOCKED`: the same fields again, in the place of the replaced service.
    #[schema(value_type = Option<Object>)]
    detail: Option<Value>,
    /// `POOR_IMAGE_QUALITY` of several photographs: the result for each photograph.
    #[schema(value_type = Option<Vec<Object>>)]
    images: Option<Vec<Value>>,
    /// The number of the wrong photograph among several, from 0.
    index: Option<usize>,
    /// The numbers of two photographs that do not match, from 0.
    indices: Option<Vec<usize>>,
    /// `EMBEDDING_CONTRACT_MISMATCH`: the number of templates that could not be compared, by reason.
    #[schema(value_type = Option<Object>)]
    not_compared: Option<Value>,
    /// `MODEL_UNAVAILABLE`: the models that are not loaded.
    #[schema(value_type = Option<Vec<crate::problem::ModelFault>>)]
    models: Option<Vec<Value>>,
    /// `EMBEDDER_UNKNOWN`: `unknown`.
    embedder: Option<String>,
    /// `EMBEDDER_UNKNOWN`: the digest of the embedder.
    sha256: Option<String>,
    /// DeepFace's routes: the accepted values of the field.
    held: Option<Vec<String>>,
    /// `FORBIDDEN`: the scope that the key lacks. `RATE_LIMIT_EXCEEDED`: the limit that was reached.
    scope: Option<String>,
    /// `RATE_LIMIT_EXCEEDED`: after how many seconds the next request may follow.
    retry_after_seconds: Option<u64>,
    /// `FILE_TOO_LARGE`: the limit.
    max_size_bytes: Option<usize>,
}

/// Returns the possible values of each property with fixed values, taken from the code's types.
fn words() -> [(&'static str, &'static str, Vec<&'static str>); 16] {
    let sources = || ThresholdSource::ALL.map(ThresholdSource::name).to_vec();
    let roles = || Role::ALL.map(key).to_vec();
    let reasons = || FaultKind::ALL.map(FaultKind::name).into_iter().chain([LOADING]).collect();
    [
        ("ProblemBody", "error_code", Code::ALL.map(|(_, name, _)| name).to_vec()),
        ("ModelFault", "role", roles()),
        ("ModelFault", "reason", reasons()),
        ("ModelHealth", "role", roles()),
        ("ModelHealth", "reason", reasons()),
        ("StatementAnnotations", "role", roles()),
        ("SimilarityResponse", "threshold_source", sources()),
        ("SearchResponse", "threshold_source", sources()),
        ("VerifyResponse", "recommended_action", Action::ALL.map(Action::name).to_vec()),
        ("LivenessVerdict", "verdict", Liveness::NAMES.to_vec()),
        ("GuidanceResponse", "advice", Advice::ALL.map(Advice::code).to_vec()),
        ("CaptureResponse", "purpose", CapturePurpose::ALL.map(|(name, _)| name).to_vec()),
        ("CaptureResponse", "state", STATES.to_vec()),
        ("CaptureResponse", "prompt", Prompt::WORDS.to_vec()),
        ("ErasureResponse", "erasure", vec!["done", "pending"]),
        ("DeleteResponse", "erasure", vec!["done", "pending"]),
    ]
}

/// Returns the served document, with the possible values of properties and the ways to send a key.
pub fn written(document: &utoipa::openapi::OpenApi, key_header: &str) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    for (schema, property, words) in words() {
        name_words(&mut document["components"]["schemas"][schema], property, &words);
    }
    required::mark(&mut document);
    let what = "An API key. A service without keys accepts requests from its own machine only.";
    document["components"]["securitySchemes"] = json!({
        BEARER: {"type": "http", "scheme": "bearer", "description": what},
        HEADER: {"type": "apiKey", "in": "header", "name": key_header, "description": what},
    });
    document
}

/// Adds the possible values to a property of the schema or of one of its parts.
fn name_words(schema: &mut Value, property: &str, words: &[&str]) {
    if let Some(found) = schema.pointer_mut(&format!("/properties/{property}")) {
        let may_be_null = found["type"].is_array();
        let null = may_be_null.then_some(Value::Null);
        found["enum"] = words.iter().map(|word| json!(word)).chain(null).collect();
    }
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        name_words(part, property, words);
    }
}

/// The names in the document of the two ways to send a key.
const BEARER: &str = "bearer";
const HEADER: &str = "header";

/// Returns the security requirement of a route: a key with this scope, sent in either way.
fn security(scope: Scope) -> Vec<SecurityRequirement> {
    let with = |scheme: &str| SecurityRequirement::new(scheme, [scope.name()]);
    vec![with(BEARER), with(HEADER), SecurityRequirement::default()]
}

/// Recorded responses by method and path, with embeddings and pictures shortened.
const EXAMPLES: &str = include_str!("examples.json");

/// Adds to a path the scope that its route needs, every error that it may return, and an example response.
pub fn complete(paths: &mut Paths, route: &Route) {
    let examples: BTreeMap<String, Value> = serde_json::from_str(EXAMPLES).unwrap_or_default();
    for (path, item) in &mut paths.paths {
        let PathItem { get, post, delete, .. } = item;
        for (method, operation) in [("GET", get), ("POST", post), ("DELETE", delete)] {
            let Some(operation) = operation else { continue };
            // The section `# Errors` of a comment is left out, because the responses contain the errors.
            operation.description = operation.description.take().filter(|text| !text.starts_with("# "));
            operation.security = route.scope.map(security);
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

/// Returns a response with an example for each of these codes.
fn problem(codes: &[Code]) -> Response {
    let example = |code: &Code| {
        let mut value = Problem::new(*code, "for a person").body("01a2106e-8dcf-7637-8a0a-d4294c95aaf0");
        value["type"] = code.page("/api/v1/verify").into();
        (code.name(), Example::builder().value(Some(value)).build())
    };
    let schema = Ref::from_schema_name("ProblemBody");
    let content = Content::builder().schema(Some(schema)).examples_from_iter(codes.iter().map(example)).build();
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    Response::builder().description(names.join(", ")).content("application/json", content).build()
}
