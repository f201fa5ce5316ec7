//! `POST /api/v1/liveness`: is this face live?

use axum::Json;
use axum::extract::State;
use likeness::liveness::{Liveness, Thresholds};
use likeness::pipeline::{Options, liveness};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::form::Form;
use crate::look::{Watch, round};
use crate::problem::Problem;

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessAnswer {
    /// Whether it is surely live.
    is_live: bool,
    /// 100 times the live probability.
    score: f64,
    /// How sure the networks are of what they say, 0 to 1.
    confidence: f64,
    /// Always `passive`.
    challenge: &'static str,
    /// Always true: there is nothing to do.
    challenge_completed: bool,
    /// `live`, `spoof` or `indeterminate`.
    verdict: &'static str,
    /// The mean probability of a real face.
    live_probability: f64,
    /// For a person.
    message: String,
}

impl LivenessAnswer {
    fn new(judged: &Liveness) -> Self {
        let live = judged.sight().live_probability();
        Self {
            is_live: matches!(judged, Liveness::Live(_)),
            score: round(100.0 * live, 2),
            confidence: round(live.max(1.0 - live), 4),
            challenge: "passive",
            challenge_completed: true,
            verdict: judged.name(),
            live_probability: round(live, 6),
            message: message(judged),
        }
    }
}

/// A judgement in words.
pub fn message(judged: &Liveness) -> String {
    match judged {
        Liveness::Live(_) => "a live face".into(),
        Liveness::Spoof(_) => "a picture of a face".into(),
        Liveness::Indeterminate(doubt, _) => format!("it can't be told: {doubt}"),
    }
}

/// The library's options for judging liveness.
pub fn options(app: &App) -> Options {
    let liveness = Thresholds { live: app.settings.verdict.live, ..Thresholds::default() };
    Options { liveness, ..Options::default() }
}

/// Judges whether the one face of a photograph is live.
///
/// # Errors
/// The photograph's own, or `MODEL_UNAVAILABLE`: never a verdict.
#[utoipa::path(post, path = "/api/v1/liveness", tag = "faces",
    request_body(content = crate::openapi::OneFile, content_type = "multipart/form-data"),
    responses((status = 200, body = LivenessAnswer)))]
pub async fn liveness_route(State(app): State<App>, form: Form) -> Result<Json<LivenessAnswer>, Problem> {
    let bytes = form.file("file")?;
    let (finder, pair) = app.held.now().liveness()?;
    let (eye, options) = (app.eye(), options(&app));
    let judged = app.work.run(move |scratch| {
        let mut watch = Watch::default();
        let seen = eye.subject(&finder, scratch, &bytes, &mut watch)?;
        Ok(liveness(&pair, scratch, &seen.subject, &options, &mut |stage| watch.lap(stage))?)
    });
    let judged = judged.await?;
    metrics::counter!("likeness_liveness_total", "verdict" => judged.name()).increment(1);
    Ok(Json(LivenessAnswer::new(&judged)))
}
