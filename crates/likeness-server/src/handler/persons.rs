//! `GET /api/v1/persons`, `/api/v1/persons/{user_id}`, its `/export`, and `/api/v1/tenants` list the enrolled
//! persons and the data stored about them.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::person::{Who, ask};
use super::{NoQuery, Parameters};
use crate::admission::caller::Caller;
use crate::app::App;
use crate::clock::{now, rfc3339};
use crate::examiner::round;
use crate::form::{parse, wrong};
use crate::problem::Problem;
use crate::store::{Consent, Holdings, MOST_LISTED, Person};
use likeness::space::SpaceId;

/// The number of persons in a page if the caller sets no `limit`.
const LISTED: usize = 50;

/// Which persons.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// The tenant to list; the default is the key's tenant, otherwise `default`.
    #[param(min_length = 1, max_length = 255)]
    tenant_id: Option<String>,
    /// `next_cursor` of the previous page; absent for the first page.
    cursor: Option<String>,
    /// The largest number of persons in the page, 1 to 200; 50 if absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// The tenant of a person.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TenantQuery {
    /// The person's tenant; the default is the key's tenant, otherwise `default`.
    #[param(min_length = 1, max_length = 255)]
    tenant_id: Option<String>,
}

impl TenantQuery {
    /// Returns the field as the caller sent it.
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant_id.as_deref()
    }
}

/// A consent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentResponse {
    /// The caller's reference to the proof of consent.
    reference: String,
    /// The version of the text that the person agreed to.
    version: String,
    /// When the consent was given.
    #[schema(format = DateTime)]
    given_at: String,
}

impl From<Consent> for ConsentResponse {
    fn from(consent: Consent) -> Self {
        Self { reference: consent.reference, version: consent.version, given_at: rfc3339(consent.given_at) }
    }
}

/// An enrolled person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonResponse {
    /// The person's name.
    user_id: String,
    /// The person's tenant.
    tenant_id: String,
    /// The random number that stands for the person in decision records and the journal.
    pseudonym: String,
    /// The number of stored templates.
    template_count: usize,
    /// When the oldest template was created.
    #[schema(format = DateTime)]
    oldest_template_at: String,
    /// When the newest template was created.
    #[schema(format = DateTime)]
    newest_template_at: String,
    /// The newest consent; null if there is none.
    consent: Option<ConsentResponse>,
    /// When the person expires; null means never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl From<&Person> for PersonResponse {
    fn from(person: &Person) -> Self {
        let times = || person.templates.iter().map(|template| template.data.made_at);
        Self {
            user_id: person.subject.as_str().to_owned(),
            tenant_id: person.tenant.as_str().to_owned(),
            pseudonym: person.pseudonym.to_string(),
            template_count: person.templates.len(),
            oldest_template_at: rfc3339(times().min().unwrap_or_default()),
            newest_template_at: rfc3339(times().max().unwrap_or_default()),
            consent: person.terms.consent.clone().map(ConsentResponse::from),
            expires_at: person.terms.expires_at.map(rfc3339),
        }
    }
}

/// A page of persons.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonsResponse {
    /// The persons in the order of their enrolment.
    persons: Vec<PersonResponse>,
    /// `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
    /// The number of the tenant's persons.
    total: u64,
}

/// A stored template, without its numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateResponse {
    /// When the template was created.
    #[schema(format = DateTime)]
    made_at: String,
    /// The quality of the face, 0 to 100.
    quality_score: f64,
    /// The embedding space; only templates of the current space are compared.
    contract_id: String,
}

/// A person with their templates.
#[derive(Debug, Serialize, ToSchema)]
pub struct OnePersonResponse {
    /// The person.
    #[serde(flatten)]
    person: PersonResponse,
    /// The stored templates.
    templates: Vec<TemplateResponse>,
}

/// A stored template with its numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedTemplate {
    /// The template.
    #[serde(flatten)]
    template: TemplateResponse,
    /// The embedding: 512 numbers, a vector of length one.
    embedding: Vec<f32>,
}

/// All data that the store has about a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportResponse {
    /// The person.
    #[serde(flatten)]
    person: PersonResponse,
    /// The stored templates.
    templates: Vec<ExportedTemplate>,
    /// When responses to enrolments with an `Idempotency-Key` were remembered; each expires after a day.
    #[schema(format = DateTime)]
    remembered_answers_at: Vec<String>,
    /// When failed comparisons with this person were counted; each expires after 15 minutes.
    #[schema(format = DateTime)]
    failures_at: Vec<String>,
    /// The time of this export.
    #[schema(format = DateTime)]
    exported_at: String,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantResponse {
    /// The tenant's id.
    tenant_id: String,
    /// The number of the tenant's persons.
    person_count: u64,
}

/// A list of tenants.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantsResponse {
    /// The tenants with at least one person, sorted by id. A key that is bound to a tenant gets only that
    /// tenant.
    tenants: Vec<TenantResponse>,
}

fn templates(person: &Person) -> impl Iterator<Item = TemplateResponse> {
    person.templates.iter().map(|template| TemplateResponse {
        made_at: rfc3339(template.data.made_at),
        quality_score: round(template.data.quality, 2),
        contract_id: SpaceId::from_bytes(template.data.space).to_string(),
    })
}

/// Lists the enrolled persons
#[utoipa::path(get, operation_id = "list_persons", path = "/api/v1/persons", tag = "persons", params(ListQuery),
    responses((status = 200, description = "a page of persons", body = PersonsResponse)))]
pub async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<PersonsResponse>, Problem> {
    let tenant = caller.tenant(query.tenant_id.as_deref())?;
    let most = match query.limit.as_deref().map(|text| parse::<usize>("limit", text)).transpose()? {
        None => LISTED,
        Some(most) if (1..=MOST_LISTED).contains(&most) => most,
        Some(most) => {
            return Err(wrong("limit", format_args!("expected 1 to {MOST_LISTED}, found {most}")));
        }
    };
    let page = ask(&app, move |store| store.list(&tenant, query.cursor.as_deref(), most, now())).await?;
    let page = page.ok_or_else(|| wrong("cursor", "expected `next_cursor` of a page of this tenant"))?;
    let persons = page.persons.iter().map(PersonResponse::from).collect();
    Ok(Json(PersonsResponse { persons, next_cursor: page.next, total: page.total }))
}

/// Returns one person
#[utoipa::path(get, operation_id = "get_person", path = "/api/v1/persons/{user_id}", tag = "persons",
    params(("user_id" = String, Path, description = "the id of the person"), TenantQuery),
    responses((status = 200, description = "the person", body = OnePersonResponse)))]
pub async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
    Parameters(query): Parameters<TenantQuery>,
) -> Result<Json<OnePersonResponse>, Problem> {
    let who = Who::named(&user, caller.tenant(query.tenant_id.as_deref())?)?;
    let owner = who.clone();
    let person = ask(&app, move |store| store.load(&owner.tenant, &owner.subject, now())).await?;
    let person = person.ok_or_else(|| who.unknown())?;
    Ok(Json(OnePersonResponse { templates: templates(&person).collect(), person: (&person).into() }))
}

/// Returns all data that is stored about a person
#[utoipa::path(get, operation_id = "export_person", path = "/api/v1/persons/{user_id}/export", tag = "persons",
    params(("user_id" = String, Path, description = "the id of the person"), TenantQuery),
    responses((status = 200, description = "all data that is stored about the person", body = ExportResponse)))]
pub async fn export(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
    Parameters(query): Parameters<TenantQuery>,
) -> Result<Json<ExportResponse>, Problem> {
    let who = Who::named(&user, caller.tenant(query.tenant_id.as_deref())?)?;
    let (owner, now) = (who.clone(), now());
    let kept = ask(&app, move |store| store.holdings(&owner.tenant, &owner.subject, now)).await?;
    let Holdings { person, answers, failures } = kept.ok_or_else(|| who.unknown())?;
    let embeddings = person.templates.iter().map(|template| template.data.embedding.clone());
    let each = |(template, embedding)| ExportedTemplate { template, embedding };
    Ok(Json(ExportResponse {
        templates: templates(&person).zip(embeddings).map(each).collect(),
        person: (&person).into(),
        remembered_answers_at: answers.into_iter().map(rfc3339).collect(),
        failures_at: failures.into_iter().map(rfc3339).collect(),
        exported_at: rfc3339(now),
    }))
}

/// Lists the tenants with the number of their persons
#[utoipa::path(get, operation_id = "list_tenants", path = "/api/v1/tenants", tag = "persons",
    responses((status = 200, description = "every tenant that has a person", body = TenantsResponse)))]
pub async fn tenants(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    _: NoQuery,
) -> Result<Json<TenantsResponse>, Problem> {
    let found = ask(&app, move |store| store.tenants(now())).await?;
    let seen = found.into_iter().filter(|(tenant, _)| caller.sees(tenant));
    let each = |(tenant, person_count): (crate::store::Tenant, u64)| TenantResponse {
        tenant_id: tenant.as_str().to_owned(),
        person_count,
    };
    Ok(Json(TenantsResponse { tenants: seen.map(each).collect() }))
}
