//! `POST /api/v1/search`: who is it? Nobody is named to a face that is not known to be live.

use axum::extract::State;
use axum::{Extension, Json};
use likeness::liveness::Liveness;
use serde::Serialize;
use utoipa::ToSchema;

use super::liveness::message;
use super::person::{Examiner, ask, note_failures, now, templates};
use super::verify::blocked;
use crate::app::{App, ModelTold};
use crate::form::Form;
use crate::gate::Caller;
use crate::look::{Watch, round};
use crate::problem::Problem;
use crate::store::{Found, Query, Subject};

/// At most so many are named.
const MOST: usize = 50;
/// Nobody farther than this is named.
const FARTHEST: f64 = 0.8;

/// Somebody who is near.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MatchTold {
    /// Who.
    user_id: String,
    /// The cosine distance.
    distance: f64,
    /// 1 - distance, 0 to 1.
    confidence: f64,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchAnswer {
    /// Whether anybody is near.
    found: bool,
    /// Nearest first.
    matches: Vec<MatchTold>,
    /// How many persons were compared.
    total_searched: usize,
    /// The threshold that was used.
    threshold: f64,
    /// The first of them.
    best_match: Option<MatchTold>,
    /// For a person.
    message: String,
    /// Which weights answered.
    model: ModelTold,
}

/// Searches a tenant's persons.
///
/// # Errors
/// As documented.
#[utoipa::path(post, path = "/api/v1/search", tag = "persons",
    request_body(content = crate::openapi::Search, content_type = "multipart/form-data"),
    responses((status = 200, body = SearchAnswer)))]
pub async fn search(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    form: Form,
) -> Result<Json<SearchAnswer>, Problem> {
    let bytes = form.file("file")?;
    let tenant = caller.tenant(form.text("tenant_id")?)?;
    let (most, threshold) = (most(&form)?, threshold(&form, app.settings.verdict.distance)?);
    let examiner = Examiner::of(&app)?;
    let index = templates(&app)?.index(&examiner.all.identity);
    let (block, score) = (app.settings.verdict.block, app.settings.quality.verify);
    let looked = app.work.run(move |scratch| {
        let mut watch = Watch::default();
        let examined = examiner.look(scratch, &bytes, &mut watch, |seen| seen.reach(score, 0.0, 0))?;
        match examined.liveness {
            Liveness::Live(_) => Ok(Ok(examiner.embed(scratch, &examined, &mut watch)?)),
            Liveness::Spoof(_) if block => Err(blocked(&examined.liveness)),
            judged => Ok(Err(judged)),
        }
    });
    let probe = match looked.await? {
        Ok(embedding) => embedding,
        Err(judged) => {
            let none = Found { matches: Vec::new(), nearest: None, searched: 0 };
            return Ok(Json(answer(none, threshold, message(&judged), app.model())));
        }
    };
    let (asked, by) = (tenant.clone(), caller.clone());
    let found = ask(&app, move |_| {
        let (tenant, probe) = (&asked, probe.numbers());
        index.search(&Query { tenant, probe, most, threshold, source: by.source(), now: now() })
    });
    let found = found.await?;
    note_failures(&app, &tenant, strangers(&found, app.settings.verdict.distance), &caller).await?;
    let message = if found.matches.is_empty() { "nobody is near" } else { "somebody is near" };
    Ok(Json(answer(found, threshold, message.into(), app.model())))
}

/// Persons who were answered about and are not the one who was shown: each that is named beyond the
/// distance of a match, or the nearest where nobody is named.
fn strangers(found: &Found, distance: f64) -> Vec<Subject> {
    let named = found.matches.iter().filter(|(_, far)| *far >= distance).map(|(subject, _)| subject);
    named.chain(&found.nearest).cloned().collect()
}

fn answer(found: Found, threshold: f64, message: String, model: ModelTold) -> SearchAnswer {
    let told = |(subject, distance): (Subject, f64)| MatchTold {
        user_id: subject.as_str().to_owned(),
        distance,
        confidence: round((1.0 - distance).clamp(0.0, 1.0), 6),
    };
    let matches: Vec<_> = found.matches.into_iter().map(told).collect();
    SearchAnswer {
        found: !matches.is_empty(),
        best_match: matches.first().cloned(),
        matches,
        total_searched: found.searched,
        threshold,
        message,
        model,
    }
}

fn most(form: &Form) -> Result<usize, Problem> {
    match form.value::<i64>("max_results")?.unwrap_or(5) {
        found if found < 1 => Err(Problem::input(format!("`max_results`: expected 1 or more, found {found}"))),
        most => Ok(usize::try_from(most).map_or(MOST, |most| most.min(MOST))),
    }
}

fn threshold(form: &Form, otherwise: f64) -> Result<f64, Problem> {
    match form.value::<f64>("threshold")? {
        Some(found) if !(0.0..=2.0).contains(&found) => {
            Err(Problem::input(format!("`threshold`: expected a distance of 0 to 2, found {found}")))
        }
        found => Ok(found.unwrap_or(otherwise).min(FARTHEST)),
    }
}
