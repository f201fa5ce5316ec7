//! Shared by the handlers of persons: reads ids from a form, calls the store on a thread for blocking work,
//! and reports templates that could not be compared.

use std::sync::Arc;
use std::time::Duration;

use likeness::embed::Embedding;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admission::caller::Caller;
use crate::app::App;
use crate::clock::now;
use crate::form::{Form, unlike};
use crate::problem::{Code, Problem};
use crate::store::{
    self, BadId, ComparedSubject, Kind, NotCompared, Spent, Store, StoreError, Subject, TemplateData, Tenant,
};
use crate::templates::Templates;

/// The person whom a request names.
#[derive(Debug, Clone)]
pub struct Who {
    /// The person's tenant.
    pub tenant: Tenant,
    /// The person's subject name.
    pub subject: Subject,
}

impl Who {
    /// Reads the person from the fields `user_id` and `tenant_id`.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `FORBIDDEN`
    pub fn of(form: &Form, caller: &Caller) -> Result<Self, Problem> {
        let user = form.required("user_id")?;
        Self::named(user, caller.tenant(form.text("tenant_id")?)?)
    }

    /// Checks a subject name.
    ///
    /// # Errors
    /// `INVALID_INPUT`
    pub fn named(user: &str, tenant: Tenant) -> Result<Self, Problem> {
        let subject = Subject::new(user).map_err(|_| unlike("user_id", BadId::EXPECTED, user))?;
        Ok(Self { tenant, subject })
    }

    /// Returns the problem that no person of this name is enrolled.
    pub fn unknown(&self) -> Problem {
        Problem::new(Code::EmbeddingNotFound, "no person is enrolled under this name")
            .with("user_id", self.subject.as_str())
    }
}

/// Refuses a caller who has failed too often for this person.
///
/// # Errors
/// `RATE_LIMIT_EXCEEDED`
pub async fn within_budget(app: &App, who: &Who, caller: &Caller) -> Result<(), Problem> {
    let (who, caller) = (who.clone(), caller.clone());
    let spent = ask(app, move |store| store.spent(&who.tenant, &who.subject, caller.source(), now()));
    spent.await?.map_or(Ok(()), |spent| Err(closed(spent)))
}

/// Returns the problem that a limit of failures was reached.
pub fn closed(spent: Spent) -> Problem {
    let seconds = u64::try_from(spent.seconds).unwrap_or(0);
    Problem::too_many(spent.limit.name(), Duration::from_secs(seconds))
}

/// Counts a failure for each of these subjects.
///
/// # Errors
/// `STORE_UNAVAILABLE`
pub async fn note_failures(
    app: &App,
    tenant: &Tenant,
    compared: Vec<ComparedSubject>,
    caller: &Caller,
) -> Result<(), Problem> {
    if compared.is_empty() {
        return Ok(());
    }
    let (tenant, caller) = (tenant.clone(), caller.clone());
    ask(app, move |store| store.note_failures(&tenant, &compared, caller.source(), now())).await
}

/// Calls the store on a thread for blocking work.
///
/// # Errors
/// `STORE_UNAVAILABLE`, `INDEX_LOADING`, or `NOT_FOUND` if the service has no store.
pub async fn ask<T: Send + 'static>(
    app: &App,
    question: impl FnOnce(&Store) -> store::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let templates = templates(app)?.clone();
    let answer = tokio::task::spawn_blocking(move || question(&templates.store));
    answer.await.map_err(|why| Problem::internal(&why))?.map_err(Problem::from)
}

/// Returns the store of templates.
///
/// # Errors
/// `NOT_FOUND` if the service was started without a store.
pub fn templates(app: &App) -> Result<&Arc<Templates>, Problem> {
    let none = || Problem::new(Code::NotFound, "this service stores no templates: it was started without a store");
    app.templates.as_ref().ok_or_else(none)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.kind == Kind::Loading {
            return Self::new(Code::IndexLoading, "templates are still being read; try again");
        }
        tracing::error!(kind = error.kind.name(), what = error.what, "the store refused");
        Self::new(Code::StoreUnavailable, "the store of templates does not work").with("reason", error.kind.name())
    }
}

/// Stored templates that could not be compared, by reason: `other_contract` (enrolled with other
/// models), `no_direction`. Empty where all were.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(value_type = std::collections::BTreeMap<String, usize>)]
pub struct NotComparedResponse(std::collections::BTreeMap<&'static str, usize>);

impl From<NotCompared> for NotComparedResponse {
    fn from(found: NotCompared) -> Self {
        let counts = [("other_contract", found.other_space), ("no_direction", found.no_direction)];
        Self(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

/// Returns the problem that none of the stored templates can be compared.
pub fn nothing_comparable(not_compared: NotCompared) -> Problem {
    let message = "enrolled with other models, whose templates can't be compared: enrol again, with replace=true";
    let counts = serde_json::to_value(NotComparedResponse::from(not_compared)).unwrap_or_default();
    Problem::new(Code::EmbeddingContractMismatch, message).with("not_compared", counts)
}

/// Creates a template of an embedding and its face's quality.
pub fn template(embedding: &Embedding, quality: f64) -> TemplateData {
    TemplateData {
        space: *embedding.direction().space().as_bytes(),
        made_at: now(),
        quality,
        embedding: embedding.direction().numbers().to_vec(),
    }
}

/// Returns 1 - distance, limited to 0 to 1: the field `confidence` of the replaced service.
pub fn confidence(distance: f64) -> f64 {
    crate::examiner::round((1.0 - distance).clamp(0.0, 1.0), 6)
}
