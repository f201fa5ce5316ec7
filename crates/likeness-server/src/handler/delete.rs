//! `DELETE /api/v1/enroll/{user_id}` deletes a person and the remembered responses to their enrolments.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Parameters;
use super::person::{Who, ask};
use crate::admission::caller::Caller;
use crate::app::App;
use crate::clock::now;
use crate::problem::Problem;
use crate::store::Erasure;

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// The person's tenant.
    tenant_id: Option<String>,
}

/// The result of a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeleteResponse {
    /// Always true.
    success: bool,
    /// The person's name.
    user_id: String,
    /// The result as text for a person.
    message: &'static str,
    /// `done`; `pending` until a search of the tables and files finds nothing.
    erasure: &'static str,
}

/// Deletes a person.
///
/// # Errors
/// `EMBEDDING_NOT_FOUND`
#[utoipa::path(delete, operation_id = "delete_enrollment", path = "/api/v1/enroll/{user_id}", tag = "persons",
    params(("user_id" = String, Path, description = "the id of the person"), DeleteQuery),
    responses((status = 200, description = "the person is deleted", body = DeleteResponse)))]
pub async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
    Parameters(query): Parameters<DeleteQuery>,
) -> Result<Json<DeleteResponse>, Problem> {
    let who = Who::named(&user, caller.tenant(query.tenant_id.as_deref())?)?;
    let owner = who.clone();
    let key = caller.key().0.to_owned();
    let erased = ask(&app, move |store| store.erase_for(&key, &owner.tenant, &owner.subject, now())).await?;
    let (message, erasure) = match erased.ok_or_else(|| who.unknown())?.erasure() {
        Erasure::Done => ("gone", "done"),
        Erasure::Pending => {
            ("no answer contains the person any more; the file's old pages are still to be overwritten", "pending")
        }
    };
    Ok(Json(DeleteResponse { success: true, user_id: user, message, erasure }))
}
