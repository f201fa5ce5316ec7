//! `POST /api/v1/search` finds the persons whose templates resemble a face. Only a live face gets names in the
//! response.

use axum::extract::State;
use axum::{Extension, Json};
use likeness::liveness::Liveness;
use likeness::policy::{SEARCH_FARTHEST, Threshold};
use serde::Serialize;
use utoipa::ToSchema;

use super::liveness::message;
use super::person::{NotComparedResponse, ask, confidence, note_failures, nothing_comparable, templates};
use super::response::ErrorRateResponse;
use super::verify::probe;
use crate::admission::caller::Caller;
use crate::app::{App, ModelResponse};
use crate::captures::usage::takes_none;
use crate::clock::{Stopwatch, now};
use crate::form::{Form, wrong};
use crate::problem::Problem;
use crate::store::{ComparedSubject, Query, SearchResult};
use crate::trail;

/// The largest number of persons in a response.
const MOST: usize = 50;

/// A person within the threshold.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MatchResponse {
    /// The person's name.
    user_id: String,
    /// The cosine distance.
    distance: f64,
    /// 1 - distance, 0 to 1.
    confidence: f64,
}

/// The result of a search.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchResponse {
    /// Whether any person is within the threshold.
    found: bool,
    /// The persons within the threshold, nearest first.
    matches: Vec<MatchResponse>,
    /// The number of the tenant's persons in the index.
    total_searched: usize,
    /// Stored templates of the tenant that could not be compared, by reason.
    not_compared: NotComparedResponse,
    /// The threshold that was used.
    threshold: f64,
    /// The source of the threshold: `deepface`, `set`, `calibrated` or `request`.
    threshold_source: &'static str,
    /// The false match rate of one comparison at the threshold; a search makes one for each person. Null if no
    /// calibration measured it, or if a person of the tenant has several templates.
    fmr_at_threshold: Option<ErrorRateResponse>,
    /// The nearest match.
    best_match: Option<MatchResponse>,
    /// The result as text for a person.
    message: String,
    /// The weights that were used.
    model: ModelResponse,
}

/// Searches a tenant's persons.
///
/// # Errors
/// As documented.
#[utoipa::path(post, path = "/api/v1/search", tag = "persons",
    request_body(content = crate::openapi::Search, content_type = "multipart/form-data"),
    responses((status = 200, description = "the nearest persons, or none", body = SearchResponse)))]
pub async fn search(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    form: Form,
) -> Result<Json<SearchResponse>, Problem> {
    takes_none(&form)?;
    let bytes = form.file("file")?;
    let tenant = caller.tenant(form.text("tenant_id")?)?;
    let (examiner, model, block) = (app.full_examiner()?, app.model(), app.settings.block_spoofs);
    let own = examiner.examiner.policy.threshold;
    let (most, threshold) = (most(&form)?, threshold(&form, own)?);
    trail::threshold(threshold);
    let index = templates(&app)?.index(&examiner.encoder);
    let (covering, whose) = (index.clone(), tenant.clone());
    let coverage = ask(&app, move |_| covering.coverage(&whose)).await?;
    if coverage.searched == 0 && coverage.not_compared.templates() > 0 {
        return Err(nothing_comparable(coverage.not_compared));
    }
    let face = app.work.run(move |scratch| {
        let mut watch = Stopwatch::start();
        let judged = probe(&examiner, scratch, &bytes, &mut |stage| watch.lap(stage), block)?;
        match judged.liveness() {
            Liveness::Live(_) => Ok(Ok(examiner.embedded(scratch, judged, &mut |stage| watch.lap(stage))?)),
            unclear => Ok(Err(*unclear)),
        }
    });
    let (found, message) = match face.await? {
        Err(unclear) => (coverage, message(&unclear)),
        Ok(face) => {
            let (whose, by) = (tenant.clone(), caller.clone());
            let found = ask(&app, move |_| {
                let (tenant, probe) = (&whose, face.embedding().direction());
                index.search(&Query { tenant, probe, most, threshold, source: by.source(), now: now() })
            });
            let found = found.await?;
            note_failures(&app, &tenant, strangers(&found, own), &caller).await?;
            found.matches.iter().for_each(|(_, far)| trail::distance(*far));
            let message = if found.matches.is_empty() { "no match within the threshold" } else { "found" };
            (found, message.into())
        }
    };
    Ok(Json(answer(found, threshold, message, model)))
}

/// Persons that count as failed: each returned beyond the distance of a match, or the nearest if none is returned.
fn strangers(found: &SearchResult, threshold: Threshold) -> Vec<ComparedSubject> {
    let named = found.matches.iter().filter(|(_, far)| !threshold.includes(*far)).map(|(compared, _)| compared);
    named.chain(&found.nearest).cloned().collect()
}

fn answer(found: SearchResult, threshold: Threshold, message: String, model: ModelResponse) -> SearchResponse {
    let response = |(compared, distance): (ComparedSubject, f64)| MatchResponse {
        user_id: compared.subject.as_str().to_owned(),
        distance,
        confidence: confidence(distance),
    };
    let matches: Vec<_> = found.matches.into_iter().map(response).collect();
    SearchResponse {
        found: !matches.is_empty(),
        best_match: matches.first().cloned(),
        matches,
        total_searched: found.searched,
        not_compared: found.not_compared.into(),
        threshold: threshold.distance(),
        threshold_source: threshold.source().name(),
        fmr_at_threshold: ErrorRateResponse::at(if found.averaged > 0 { threshold.without_rate() } else { threshold }),
        message,
        model,
    }
}

fn most(form: &Form) -> Result<usize, Problem> {
    match form.value::<i64>("max_results")?.unwrap_or(5) {
        found if found < 1 => Err(wrong("max_results", format_args!("expected 1 or more, found {found}"))),
        most => Ok(usize::try_from(most).map_or(MOST, |most| most.min(MOST))),
    }
}

fn threshold(form: &Form, otherwise: Threshold) -> Result<Threshold, Problem> {
    let threshold = match form.value::<f64>("threshold")? {
        Some(found) if !(0.0..=2.0).contains(&found) => {
            return Err(wrong("threshold", format_args!("expected a distance of 0 to 2, found {found}")));
        }
        found => found.map_or(otherwise, Threshold::requested),
    };
    Ok(threshold.at_most(SEARCH_FARTHEST))
}
