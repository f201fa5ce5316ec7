//! `GET /api/v1/models/statement` states, as an in-toto statement, which models this process verified itself. It needs no
//! key, since health has the same digests.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::NoQuery;
use crate::app::App;
use crate::clock::rfc3339;
use crate::models::{OnDisk, RoleState, key};

/// What in-toto's readers know the form by.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What they know the predicate by.
const PREDICATE: &str = "urn:likeness:models:v1";

/// An in-toto statement, v1, without a signature.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementResponse {
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    kind: &'static str,
    /// The loaded models; a model that is not loaded is not in the list.
    subject: Vec<StatedModel>,
    /// `urn:likeness:models:v1`.
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    /// Who verified them.
    predicate: StatementPredicate,
}

/// A model whose bytes this process hashed, compared with their pin, and loaded.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatedModel {
    /// The file's name.
    name: String,
    /// Its digest.
    digest: StatedDigest,
    /// What the process knows about it.
    annotations: StatementAnnotations,
}

/// A digest.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatedDigest {
    /// The SHA-256 of the bytes that were loaded.
    sha256: String,
}

/// What the process knows about a model.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementAnnotations {
    /// `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: &'static str,
    /// When its bytes were verified, before they were loaded.
    #[serde(rename = "verifiedAt")]
    #[schema(format = DateTime)]
    verified_at: String,
    /// The result of the self-test.
    #[serde(rename = "selfTest")]
    self_test: String,
    /// The state of the file now; a change does not affect the loaded model.
    #[serde(rename = "onDisk")]
    on_disk: OnDisk,
}

/// The predicate.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementPredicate {
    /// The program that verified the models.
    verifier: StatementVerifier,
    /// The embedder's trust: `published`, `accepted` or `unknown`; null if no embedder is loaded.
    embedder: Option<&'static str>,
}

/// A program.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementVerifier {
    /// `likeness`.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

impl StatedModel {
    fn of(known: &RoleState) -> Option<Self> {
        let model = known.loaded()?;
        let annotations = StatementAnnotations {
            role: key(known.role),
            verified_at: rfc3339(model.verified_at),
            self_test: model.self_test.clone(),
            on_disk: model.on_disk,
        };
        Some(Self { name: known.file.clone(), digest: StatedDigest { sha256: model.sha256.clone() }, annotations })
    }
}

/// Returns which models this process verified and loaded, as an in-toto statement.
#[utoipa::path(get, operation_id = "models_statement", path = "/api/v1/models/statement", tag = "health",
    responses((status = 200, description = "the loaded models", body = StatementResponse)))]
pub async fn statement(State(app): State<App>, _: NoQuery) -> Json<StatementResponse> {
    let models = app.models.now();
    let verifier = StatementVerifier { name: "likeness", version: env!("CARGO_PKG_VERSION") };
    Json(StatementResponse {
        kind: STATEMENT,
        subject: models.roles.iter().filter_map(StatedModel::of).collect(),
        predicate_type: PREDICATE,
        predicate: StatementPredicate { verifier, embedder: models.trust() },
    })
}
