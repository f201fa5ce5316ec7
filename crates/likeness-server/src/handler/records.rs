//! `GET /api/v1/records/{id}` returns a decision record for an audit. The route needs its own scope, because a record's
//! probabilities help an attacker.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::NoQuery;
use super::person::ask;
use crate::admission::caller::Caller;
use crate::app::App;
use crate::jws::verified;
use crate::problem::{Code, Problem};
use crate::record::{KIND, Record};

/// A decision record.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordResponse {
    /// All values that the judgement depends on.
    record: Value,
    /// The signed record: a JSON Web Signature with Ed25519.
    jws: String,
    /// The public key that verifies the record, in hexadecimal digits.
    public_key: String,
}

/// Returns a decision record by the id in the response header `X-Likeness-Record`.
///
/// # Errors
/// `NOT_FOUND`: no such record, or another tenant's.
#[utoipa::path(get, path = "/api/v1/records/{id}", tag = "operations",
    params(("id" = String, Path, description = "the id in the response header `X-Likeness-Record`")),
    responses((status = 200, description = "the record", body = RecordResponse)))]
pub async fn record(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Json<RecordResponse>, Problem> {
    let none = || Problem::new(Code::NotFound, "no such record");
    let jws = match app.records.recent(&id) {
        Some((_, jws)) => jws,
        None if app.templates.is_none() => return Err(none()),
        None => {
            let text = ask(&app, move |store| store.journaled(&id)).await?.ok_or_else(none)?;
            let entry: Value = serde_json::from_str(&text).map_err(|why| Problem::internal(&why))?;
            entry["body"]["jws"].as_str().ok_or_else(none)?.to_owned()
        }
    };
    let signed = verified(&jws, Some(app.records.public_key())).map_err(|why| Problem::internal(&why))?;
    let record: Record = serde_json::from_str(&signed.text).map_err(|why| Problem::internal(&why))?;
    if signed.kind != KIND || !caller.may_see(record.key_tenant.as_deref()) {
        return Err(none());
    }
    let record = serde_json::from_str(&signed.text).map_err(|why| Problem::internal(&why))?;
    Ok(Json(RecordResponse { record, jws, public_key: signed.public_key }))
}
