//! `POST /api/v1/verify`: is this the person, and live?
//!
//! In this order: ids; the person exists; decode; detect once; quality; spoof; embed; compare. A
//! spoof is refused before anything is embedded. `verified` is true only of an `Accept`, which can't
//! be made without a `Live` and a `Match`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use likeness::contract::ContractId;
use likeness::embed::Embedding;
use likeness::engine::Scratch;
use likeness::liveness::Liveness;
use likeness::pipeline::NoAnswer;
use likeness::verdict::{Comparison, Reference, Verdict, decide};
use serde::Serialize;
use utoipa::ToSchema;

use super::liveness::message;
use super::person::{Examiner, Who, ask, note_failures, now, within_budget};
use crate::app::{App, ModelTold};
use crate::config;
use crate::form::Form;
use crate::gate::{Caller, RequestId};
use crate::look::{Timings, Watch, round};
use crate::problem::{Code, Problem};
use crate::store::{Contract, Person};

/// Whether it is a live face.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessTold {
    /// `live`, `spoof` or `indeterminate`.
    verdict: &'static str,
    /// The mean probability of a real face.
    live_probability: f64,
    /// Why it can't be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<&Liveness> for LivenessTold {
    fn from(judged: &Liveness) -> Self {
        let live_probability = round(judged.sight().live_probability(), 6);
        let reason = judged.doubt().map(|doubt| doubt.code().to_ascii_uppercase());
        Self { verdict: judged.name(), live_probability, reason }
    }
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyAnswer {
    /// Matched and live.
    verified: bool,
    /// The distance is below the threshold.
    matched: bool,
    /// 1 - distance, 0 to 1.
    confidence: f64,
    /// The cosine distance to the person's templates.
    distance: f64,
    /// A match is closer than this.
    threshold: f64,
    /// For a person.
    message: String,
    /// `allow`, `review` or `block`: what the liveness of the face advises.
    recommended_action: &'static str,
    /// Live, spoof or neither.
    liveness: LivenessTold,
    /// Where the original had its advice.
    antispoof_pipeline: BTreeMap<&'static str, &'static str>,
    /// Always null.
    #[schema(value_type = Option<f64>)]
    device_spoof_risk: (),
    /// Always null.
    #[schema(value_type = Option<f64>)]
    ear_liveness: (),
    /// Which weights answered.
    model: ModelTold,
    /// Milliseconds by stage.
    timing_ms: Timings,
    /// In the log too.
    request_id: String,
}

/// What the networks saw, measured against the person.
struct Measured {
    liveness: Liveness,
    comparison: Comparison,
    verdict: Verdict,
    timings: Timings,
}

/// Verifies a person.
///
/// # Errors
/// As documented; a network that is not held is `MODEL_UNAVAILABLE`, never a verdict.
#[utoipa::path(post, path = "/api/v1/verify", tag = "persons",
    request_body(content = crate::openapi::OnePerson, content_type = "multipart/form-data"),
    responses((status = 200, body = VerifyAnswer)))]
pub async fn verify(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    form: Form,
) -> Result<Json<VerifyAnswer>, Problem> {
    let (who, bytes) = (Who::of(&form, &caller)?, form.file("file")?);
    let examiner = Examiner::of(&app)?;
    let person = known(&app, &who, &caller).await?;
    let contract = examiner.contract();
    let mean = person.mean(&contract).ok_or_else(|| other_contract(&who))?;
    let template = Embedding::new(ContractId::from_bytes(contract), mean);
    let threshold = threshold(&app.settings.verdict, &person, &contract);
    let (block, score) = (app.settings.verdict.block, app.settings.quality.verify);
    let measured = app.work.run(move |scratch| measure(&examiner, scratch, &bytes, &template, threshold, block, score));
    let measured = match measured.await {
        Err(problem) if problem.code() == Code::AntispoofBlocked => {
            note_failure(&app, &who, &caller).await?;
            return Err(problem);
        }
        measured => measured?,
    };
    let verified = matches!(measured.verdict, Verdict::Accept(_));
    if !verified {
        note_failure(&app, &who, &caller).await?;
    }
    metrics::counter!("likeness_verdicts_total", "verdict" => measured.verdict.name()).increment(1);
    Ok(Json(answer(measured, threshold, app.model(), request_id)))
}

/// The person, unless the caller has failed too often for them; unknown persons are counted alike.
async fn known(app: &App, who: &Who, caller: &Caller) -> Result<Person, Problem> {
    within_budget(app, who, caller).await?;
    let asked = who.clone();
    match ask(app, move |store| store.load(&asked.tenant, &asked.subject)).await? {
        Some(person) => Ok(person),
        None => {
            note_failure(app, who, caller).await?;
            Err(who.unknown())
        }
    }
}

async fn note_failure(app: &App, who: &Who, caller: &Caller) -> Result<(), Problem> {
    note_failures(app, &who.tenant, vec![who.subject.clone()], caller).await
}

/// The person was enrolled with other networks.
pub fn other_contract(who: &Who) -> Problem {
    let message = "enrolled with other networks, whose templates can't be compared: enrol again, with replace=true";
    Problem::new(Code::EmbeddingContractMismatch, message).with("user_id", who.subject.as_str())
}

/// The distance that a match is below; templates that are all old have another.
fn threshold(lines: &config::Verdict, person: &Person, contract: &Contract) -> f64 {
    let age = person.newest(contract).map_or(0, |newest| now() - newest);
    let aged = u64::try_from(age).unwrap_or(0) > lines.aged.as_secs();
    if aged { lines.distance_aged } else { lines.distance }
}

fn measure(
    examiner: &Examiner,
    scratch: &mut Scratch,
    bytes: &[u8],
    template: &Embedding,
    threshold: f64,
    block: bool,
    score: f64,
) -> Result<Measured, Problem> {
    let mut watch = Watch::default();
    let examined = examiner.look(scratch, bytes, &mut watch, |seen| seen.reach(score, 0.0, 0))?;
    if block && matches!(examined.liveness, Liveness::Spoof(_)) {
        return Err(blocked(&examined.liveness));
    }
    let embedding = examiner.embed(scratch, &examined, &mut watch)?;
    let comparison = compare(&embedding, template, threshold)?;
    let verdict = decide(&examined.liveness, Reference::Template, &comparison);
    Ok(Measured { liveness: examined.liveness, comparison, verdict, timings: watch.timings() })
}

/// The library matches up to its threshold; here a match is below it.
pub fn compare(a: &Embedding, b: &Embedding, below: f64) -> Result<Comparison, Problem> {
    Ok(Comparison::of(a, b, below.next_down()).map_err(NoAnswer::Contract)?)
}

/// A spoof is refused, and nothing of it was embedded.
pub fn blocked(judged: &Liveness) -> Problem {
    Problem::new(Code::AntispoofBlocked, message(judged))
        .with("reason", judged.name())
        .with("live_probability", round(judged.sight().live_probability(), 6))
        .with("recommended_action", "block")
}

/// What the liveness of a face advises.
pub fn action(judged: &Liveness) -> &'static str {
    match judged {
        Liveness::Live(_) => "allow",
        Liveness::Indeterminate(..) => "review",
        Liveness::Spoof(_) => "block",
    }
}

fn answer(measured: Measured, threshold: f64, model: ModelTold, request_id: String) -> VerifyAnswer {
    let Measured { liveness, comparison, verdict, timings } = measured;
    let reasons: Vec<String> = verdict.reasons().iter().map(ToString::to_string).collect();
    VerifyAnswer {
        verified: matches!(verdict, Verdict::Accept(_)),
        matched: comparison.distance < threshold,
        confidence: round((1.0 - comparison.distance).clamp(0.0, 1.0), 6),
        distance: comparison.distance,
        threshold,
        message: if reasons.is_empty() { "the same person, and live".into() } else { reasons.join("; ") },
        recommended_action: action(&liveness),
        liveness: (&liveness).into(),
        antispoof_pipeline: BTreeMap::from([("recommended_action", action(&liveness))]),
        device_spoof_risk: (),
        ear_liveness: (),
        model,
        timing_ms: timings,
        request_id,
    }
}
