//! `POST /api/v1/verify` judges whether a photograph shows the named person, live.
//!
//! The steps in order: check the ids; load the person; decode; detect; check quality; judge liveness; embed;
//! compare. If spoofs are blocked, a spoof is refused before it is embedded. The library's verdict decides
//! `verified`, `message` and `recommended_action`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use likeness::embed::Template;
use likeness::engine::Scratch;
use likeness::examine::{Examination, Watch};
use likeness::liveness::Liveness;
use likeness::policy::{Action, Threshold};
use likeness::verdict::{Decision, Verdict, verify as decide};
use serde::Serialize;
use utoipa::ToSchema;

use super::captures::captured;
use super::liveness::message;
use super::person::{NotComparedResponse, Who, ask, confidence, note_failures, nothing_comparable, within_budget};
use super::response::{LivenessVerdict, SimilarityResponse};
use crate::admission::RequestId;
use crate::admission::caller::Caller;
use crate::app::{App, ModelResponse};
use crate::captures::CapturePurpose;
use crate::captures::usage::UsedCapture;
use crate::clock::{Stopwatch, Timings, now};
use crate::examiner::{FullExaminer, reach, round};
use crate::form::Form;
use crate::problem::{Code, Problem};
use crate::pseudonym::Pseudonym;
use crate::store::{ComparedSubject, Person};
use crate::trail;

/// The judgement of liveness.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyLiveness {
    #[serde(flatten)]
    verdict: LivenessVerdict,
    /// The reason why the verdict is `indeterminate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<&Liveness> for VerifyLiveness {
    fn from(judged: &Liveness) -> Self {
        let reason = judged.doubt().map(|doubt| doubt.code().to_ascii_uppercase());
        Self { verdict: judged.into(), reason }
    }
}

/// The result of a verification.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyResponse {
    /// Whether the face matches and is live.
    verified: bool,
    /// Whether the distance is within the threshold.
    matched: bool,
    /// 1 - distance, 0 to 1.
    confidence: f64,
    /// The distance to the person's templates, and its threshold.
    #[serde(flatten)]
    similarity: SimilarityResponse,
    /// The person's stored templates that could not be compared, by reason.
    not_compared: NotComparedResponse,
    /// The result as text for a person.
    message: String,
    /// The action that the verdict recommends: `allow`, `review` or `block`.
    recommended_action: &'static str,
    /// The judgement of liveness.
    liveness: VerifyLiveness,
    /// The action that liveness alone recommends, in the field of the replaced service.
    antispoof_pipeline: BTreeMap<&'static str, &'static str>,
    /// Always null.
    #[schema(value_type = Option<f64>)]
    device_spoof_risk: (),
    /// Always null.
    #[schema(value_type = Option<f64>)]
    ear_liveness: (),
    /// The weights that were used.
    model: ModelResponse,
    /// The time of each stage, in milliseconds.
    #[schema(inline)]
    timing_ms: Timings,
    /// The id of the request, which the log contains too.
    request_id: String,
    /// The capture that the request used; null if it named none.
    capture_id: Option<String>,
}

/// The results of the models, and the decision.
struct Measured {
    liveness: Liveness,
    decision: Decision,
    timings: Timings,
    capture_id: Option<String>,
}

/// Verifies a person.
///
/// # Errors
/// The documented errors; if a network is not loaded, `MODEL_UNAVAILABLE`, never a verdict.
#[utoipa::path(post, path = "/api/v1/verify", tag = "persons",
    request_body(content = crate::openapi::OnePerson, content_type = "multipart/form-data"),
    responses((status = 200, description = "the verdict", body = VerifyResponse)))]
pub async fn verify(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    form: Form,
) -> Result<Json<VerifyResponse>, Problem> {
    let (who, bytes) = (Who::of(&form, &caller)?, form.file("file")?);
    let (examiner, model) = (app.full_examiner()?, app.model());
    let person = known(&app, &who, &caller).await?;
    let pseudonym = person.pseudonym;
    let space = *examiner.encoder.space().as_bytes();
    let (template, not_compared) = person.template(&space);
    let user = who.subject.as_str();
    let template = template.ok_or_else(|| nothing_comparable(not_compared).with("user_id", user))?;
    let age = person.newest(&space).map_or(0, |newest| now() - newest);
    let core = app.work.core().await?;
    let capture =
        captured(&app, (&form, &caller), CapturePurpose::Verify, Some((&who, Some(pseudonym))), &bytes).await?;
    let threshold = examiner.examiner.policy.threshold_at(age);
    let threshold = if person.is_averaged(&space) { threshold.without_rate() } else { threshold };
    trail::threshold(threshold);
    let (block, against) = (app.settings.block_spoofs, (template, threshold));
    let measured = core.run(move |scratch| measure(&examiner, scratch, &bytes, &against, (capture, block)));
    let measured = match measured.await {
        Err(problem) if matches!(problem.code(), Code::AntispoofBlocked | Code::CaptureRefused) => {
            note_failure(&app, &who, Some(pseudonym), &caller).await?;
            return Err(problem);
        }
        measured => measured?,
    };
    let verdict = measured.decision.verdict();
    if !matches!(verdict, Verdict::Accept(_)) {
        note_failure(&app, &who, Some(pseudonym), &caller).await?;
    }
    Ok(Json(answer(measured, not_compared.into(), model, request_id)))
}

/// Loads the person, unless the caller has failed too often for this person. A request for an unknown person
/// counts as a failure.
async fn known(app: &App, who: &Who, caller: &Caller) -> Result<Person, Problem> {
    within_budget(app, who, caller).await?;
    let owner = who.clone();
    match ask(app, move |store| store.load(&owner.tenant, &owner.subject, now())).await? {
        Some(person) => {
            trail::subject(Some(person.pseudonym));
            Ok(person)
        }
        None => {
            note_failure(app, who, None, caller).await?;
            Err(who.unknown())
        }
    }
}

async fn note_failure(app: &App, who: &Who, person: Option<Pseudonym>, caller: &Caller) -> Result<(), Problem> {
    note_failures(app, &who.tenant, vec![ComparedSubject { subject: who.subject.clone(), person }], caller).await
}

fn measure(
    examiner: &FullExaminer,
    scratch: &mut Scratch,
    bytes: &[u8],
    (template, threshold): &(Template, Threshold),
    (capture, block): (Option<UsedCapture>, bool),
) -> Result<Measured, Problem> {
    let mut watch = Stopwatch::start();
    let judged = probe(examiner, scratch, bytes, &mut |stage| watch.lap(stage), block)?;
    let capture_id = capture.map(|capture| capture.counted(&judged.face().area)).transpose()?;
    let face = examiner.embedded(scratch, judged, &mut |stage| watch.lap(stage))?;
    let decision = decide(&face, template, *threshold).map_err(|why| Problem::internal(&why))?;
    trail::decision(&decision);
    Ok(Measured { liveness: *face.liveness(), decision, timings: watch.timings(), capture_id })
}

/// Examines a photograph up to liveness, and checks the face's quality; computes no embedding.
///
/// # Errors
/// The photograph's error, or `ANTISPOOF_BLOCKED` if `block` is true and the face is a spoof.
pub fn probe(
    examiner: &FullExaminer,
    scratch: &mut Scratch,
    bytes: &[u8],
    watch: Watch,
    block: bool,
) -> Result<Examination<Liveness>, Problem> {
    let rule = examiner.examiner.policy.verify;
    let judged = examiner.judged(scratch, bytes, watch, |quality| reach(quality, &rule))?;
    match judged.liveness() {
        spoof @ Liveness::Spoof(_) if block => Err(blocked(spoof)),
        _ => Ok(judged),
    }
}

/// Returns the problem for a blocked spoof.
fn blocked(judged: &Liveness) -> Problem {
    Problem::new(Code::AntispoofBlocked, message(judged))
        .with("reason", judged.name())
        .with("live_probability", round(judged.scores().live_probability(), 6))
        .with("recommended_action", Action::from(judged).name())
}

fn answer(
    measured: Measured,
    not_compared: NotComparedResponse,
    model: ModelResponse,
    request_id: String,
) -> VerifyResponse {
    let Measured { liveness, decision, timings, capture_id } = measured;
    let (similarity, verdict) = (decision.similarity(), decision.verdict());
    let reasons: Vec<String> = verdict.reasons().iter().map(ToString::to_string).collect();
    VerifyResponse {
        verified: matches!(verdict, Verdict::Accept(_)),
        matched: similarity.matched(),
        confidence: confidence(similarity.distance()),
        similarity: similarity.into(),
        not_compared,
        message: if reasons.is_empty() { "the same person, and live".into() } else { reasons.join("; ") },
        recommended_action: verdict.action().name(),
        liveness: (&liveness).into(),
        antispoof_pipeline: BTreeMap::from([("recommended_action", Action::from(&liveness).name())]),
        device_spoof_risk: (),
        ear_liveness: (),
        model,
        timing_ms: timings,
        request_id,
        capture_id,
    }
}
