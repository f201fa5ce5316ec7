//! `POST /api/v1/liveness` judges whether the face of a photograph is live.

use axum::Json;
use axum::extract::State;
use likeness::liveness::Liveness;
use serde::Serialize;
use utoipa::ToSchema;

use super::response::LivenessVerdict;
use crate::app::App;
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
    /// Always `passive`.
    challenge: &'static str,
    /// Always true: there is no challenge.
    challenge_completed: bool,
    #[serde(flatten)]
    verdict: LivenessVerdict,
    /// Why the verdict is `indeterminate`.
    doubt: Option<&'static str>,
    /// The result as text for a person.
    message: String,
}

impl LivenessResponse {
    fn new(judged: &Liveness) -> Self {
        let live = judged.scores().live_probability();
        Self {
            is_live: matches!(judged, Liveness::Live(_)),
            score: round(100.0 * live, 2),
            confidence: round(live.max(1.0 - live), 4),
            challenge: "passive",
            challenge_completed: true,
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
    request_body(content = crate::openapi::OneFile, content_type = "multipart/form-data"),
    responses((status = 200, description = "live, spoof or indeterminate", body = LivenessResponse)))]
pub async fn liveness_route(State(app): State<App>, form: Form) -> Result<Json<LivenessResponse>, Problem> {
    let bytes = form.file("file")?;
    let models = app.models.now();
    LIVENESS.needs.met(&models)?;
    let (examiner, spoof) = (app.examiner(&models)?, models.spoof()?);
    let judged = app.work.run(move |scratch| {
        let mut watch = Stopwatch::start();
        let face = examiner.subject(scratch, &bytes, &mut |stage| watch.lap(stage))?;
        Ok(*examiner.judge(&spoof, scratch, face, &mut |stage| watch.lap(stage))?.liveness())
    });
    Ok(Json(LivenessResponse::new(&judged.await?)))
}
