//! `DELETE /api/v1/persons/{user_id}` erases a person; `GET /api/v1/erasures/{erasure_id}` returns the
//! receipt.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::person::{Who, ask};
use super::persons::TenantQuery;
use super::{NoQuery, Parameters};
use crate::admission::caller::Caller;
use crate::app::App;
use crate::clock::{now, rfc3339};
use crate::hex::hex;
use crate::problem::{Code, Problem};
use crate::store::{Erased, ErasureId, ErasureState, Receipt, unhex_erasure};

/// A place that was searched.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingResponse {
    /// A table, or a file of the database.
    place: String,
    /// The number of rows or pieces that the search looked for.
    sought: u64,
    /// The number of rows or pieces that the search found: always 0.
    found: u64,
}

/// The receipt of an erasure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiptResponse {
    /// The signed receipt: a JSON Web Signature (compact), with Ed25519.
    jws: String,
    /// The public key that verifies the receipt, 64 hexadecimal digits.
    public_key: String,
    /// When the search found nothing of the person.
    #[schema(format = DateTime)]
    looked_at: String,
    /// The places that were searched.
    looked: Vec<FindingResponse>,
    /// HMAC-SHA-256 of `TENANT_ID/USER_ID` under `subject_salt`, in hexadecimal digits.
    subject_commitment: String,
}

impl From<Receipt> for ReceiptResponse {
    fn from(receipt: Receipt) -> Self {
        let looked = receipt.looked.into_iter();
        Self {
            jws: receipt.jws,
            public_key: receipt.public_key,
            looked_at: rfc3339(receipt.looked_at),
            looked: looked
                .map(|finding| FindingResponse { place: finding.place, sought: finding.sought, found: finding.found })
                .collect(),
            subject_commitment: receipt.commitment,
        }
    }
}

/// The state of an erasure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureResponse {
    /// The erasure's number, for `GET /api/v1/erasures/{erasure_id}`.
    erasure_id: String,
    /// The tenant of the erased person.
    tenant_id: String,
    /// `done`; `pending` until a search of the tables and files finds nothing.
    erasure: &'static str,
    /// When the person was erased.
    #[schema(format = DateTime)]
    erased_at: String,
    /// Null while the erasure is pending.
    receipt: Option<ReceiptResponse>,
}

/// The result of erasing a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedResponse {
    /// The person's name.
    user_id: String,
    /// The key of the receipt's `subject_commitment`, 64 hexadecimal digits. The service does not keep it.
    /// Only with this key does the receipt identify the person.
    subject_salt: String,
    /// The erasure.
    #[serde(flatten)]
    erasure: ErasureResponse,
}

fn response(id: &ErasureId, state: ErasureState) -> ErasureResponse {
    ErasureResponse {
        erasure_id: hex(id),
        tenant_id: state.tenant.as_str().to_owned(),
        erasure: if state.receipt.is_some() { "done" } else { "pending" },
        erased_at: rfc3339(state.erased_at),
        receipt: state.receipt.map(ReceiptResponse::from),
    }
}

/// Erases a person
#[utoipa::path(delete, operation_id = "erase_person", path = "/api/v1/persons/{user_id}", tag = "persons",
    params(("user_id" = String, Path, description = "the id of the person"), TenantQuery),
    responses((status = 200, description = "the person is erased", body = ErasedResponse)))]
pub async fn erase(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
    Parameters(query): Parameters<TenantQuery>,
) -> Result<Json<ErasedResponse>, Problem> {
    let who = Who::named(&user, caller.tenant(query.tenant_id())?)?;
    let (owner, erased_at) = (who.clone(), now());
    let key = caller.key().0.to_owned();
    let erased = ask(&app, move |store| store.erase_for(&key, &owner.tenant, &owner.subject, erased_at)).await?;
    let Erased { id, salt, receipt } = erased.ok_or_else(|| who.unknown())?;
    let erasure = response(&id, ErasureState { tenant: who.tenant, erased_at, receipt });
    Ok(Json(ErasedResponse { user_id: user, subject_salt: hex(&salt), erasure }))
}

/// Returns the state of an erasure
#[utoipa::path(get, operation_id = "get_erasure", path = "/api/v1/erasures/{erasure_id}", tag = "persons",
    params(("erasure_id" = String, Path, description = "the id of the erasure")),
    responses((status = 200, description = "the erasure", body = ErasureResponse)))]
pub async fn erasure(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Json<ErasureResponse>, Problem> {
    let none = || Problem::new(Code::NotFound, "no erasure of this id");
    // Without a store, the error is the same for every id.
    let id = unhex_erasure(&id);
    let state = ask(&app, move |store| id.map_or(Ok(None), |id| store.erasure(&id))).await?;
    let (Some(id), Some(state)) = (id, state) else { return Err(none()) };
    if !caller.sees(&state.tenant) {
        return Err(none());
    }
    Ok(Json(response(&id, state)))
}
