//! `POST /api/v1/liveness` judges whether the face of a photograph is live.

use axum::extract::State;
use axum::{Extension, Json};
use likeness::liveness::Liveness;
use serde::Serialize;
use utoipa::ToSchema;

use super::captures::captured;
use super::response::LivenessVerdict;
use crate::admission::caller::Caller;
use crate::app::App;
use crate::captures::CapturePurpose;
use crate::clock::Stopwatch;
use crate::examiner::round;
use crate::form::Form;
use crate::problem::Problem;
use crate::routes::LIVENESS;

/// The judgement of liveness.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessResponse {
    /// Whether the verdict is `live`.
    is_live: bool,
    /// The live probability in percent.
    score: f64,
    /// The live probability, or 1 minus it if that is larger.
    confidence: f64,
    /// `capture` if the request used a capture, otherwise `passive`.
    challenge: &'static str,
    /// Always true, as in the replaced service, also without a challenge. It proves nothing: `capture_id` counts.
    challenge_completed: bool,
    /// The capture that counted for this request; null if the request named none, and then
    /// no prompts were followed. A capture that does not count is `CAPTURE_REFUSED`.
    capture_id: Option<String>,
    #[serde(flatten)]
    verdict: LivenessVerdict,
    /// The reason why the verdict is `indeterminate`.
    doubt: Option<&'static str>,
    /// The result as text for a person.
    message: String,
}

impl LivenessResponse {
    fn new(judged: &Liveness, capture_id: Option<String>) -> Self {
        let live = judged.scores().live_probability();
        Self {
            is_live: matches!(judged, Liveness::Live(_)),
            score: round(100.0 * live, 2),
            confidence: round(live.max(1.0 - live), 4),
            challenge: if capture_id.is_some() { "capture" } else { "passive" },
            challenge_completed: true,
            capture_id,
            verdict: judged.into(),
            doubt: judged.doubt().map(|doubt| doubt.code()),
            message: message(judged),
        }
    }
}

/// Describes a judgement for a person.
pub fn message(judged: &Liveness) -> String {
    match judged {
        Liveness::Live(_) => "a live face".into(),
        Liveness::Spoof(_) => "a picture of a face".into(),
        Liveness::Indeterminate(doubt, _) => format!("inconclusive: {doubt}. {}", doubt.advice()),
    }
}

/// Judges whether the one face of a photograph is live.
///
/// # Errors
/// The photograph's own, or `MODEL_UNAVAILABLE`: never a verdict.
#[utoipa::path(post, operation_id = "liveness", path = "/api/v1/liveness", tag = "faces",
    request_body(content = crate::openapi::OneFace, content_type = "multipart/form-data"),
    responses((status = 200, description = "live, spoof or indeterminate", body = LivenessResponse)))]
pub async fn liveness_route(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    form: Form,
) -> Result<Json<LivenessResponse>, Problem> {
    let bytes = form.file("file")?;
    let models = app.models.now();
    LIVENESS.needs.met(&models)?;
    let (examiner, spoof) = (app.examiner(&models)?, models.spoof()?);
    let core = app.work.core().await?;
    let capture = captured(&app, (&form, &caller), CapturePurpose::Liveness, None, &bytes).await?;
    let judged = core.run(move |scratch| {
        let mut watch = Stopwatch::start();
        let face = examiner.subject(scratch, &bytes, &mut |stage| watch.lap(stage))?;
        let capture_id = capture.map(|capture| capture.counted(&face.face().area)).transpose()?;
        Ok((*examiner.judge(&spoof, scratch, face, &mut |stage| watch.lap(stage))?.liveness(), capture_id))
    });
    let (judged, capture_id) = judged.await?;
    Ok(Json(LivenessResponse::new(&judged, capture_id)))
}
