//! `POST /api/v1/compare` compares the faces of two photographs. The route does not judge liveness, so it returns no
//! verdict.

use axum::Json;
use axum::extract::State;
use likeness::engine::Scratch;
use likeness::policy::{Threshold, confidence};
use likeness::verdict::Similarity;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Parameters;
use super::response::BoxResponse;
use super::response::SimilarityResponse;
use crate::app::{App, ModelResponse};
use crate::captures::usage::takes_none;
use crate::clock::Stopwatch;
use crate::examiner::round;
use crate::form::{Form, either, parse, wrong};
use crate::problem::Problem;
use crate::routes::COMPARE;
use crate::trail;

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// The largest distance of a match, 0 to 1; the default is the service's threshold.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 1)]
    threshold: Option<String>,
}

/// A compared face.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedFace {
    /// Always true: a photograph without a face is an error.
    detected: bool,
    /// The quality of the face, 0 to 100.
    quality_score: f64,
    /// The face's box in the rotated photograph.
    bounding_box: BoxResponse,
    /// Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270.
    rotated: u16,
}

/// The result of a comparison.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompareResponse {
    /// Whether the distance is within the threshold. Liveness was not judged, so this is no verdict.
    r#match: bool,
    /// 1 - distance, at least 0.
    similarity: f64,
    /// The distance and its threshold.
    #[serde(flatten)]
    measured: SimilarityResponse,
    /// `high`, `medium` or `low`: how far the similarity is above the threshold.
    confidence: &'static str,
    /// The face in the first photograph.
    face1: ComparedFace,
    /// The face in the second photograph.
    face2: ComparedFace,
    /// The result as text for a person.
    message: String,
    /// The weights that were used.
    model: ModelResponse,
}

/// Compares two photographs.
///
/// # Errors
/// A photograph's own, with its field, or `MODEL_UNAVAILABLE`.
#[utoipa::path(post, path = "/api/v1/compare", tag = "faces", params(CompareQuery),
    request_body(content = crate::openapi::TwoFiles, content_type = "multipart/form-data"),
    responses((status = 200, description = "the similarity of the faces", body = CompareResponse)))]
pub async fn compare(
    State(app): State<App>,
    Parameters(query): Parameters<CompareQuery>,
    form: Form,
) -> Result<Json<CompareResponse>, Problem> {
    takes_none(&form)?;
    let files = [form.file("file1")?, form.file("file2")?];
    let requested = threshold(either("threshold", query.threshold.as_deref(), &form)?)?;
    let models = app.models.now();
    COMPARE.needs.met(&models)?;
    let (examiner, encoder, model) = (app.examiner(&models)?, models.encoder()?, app.model());
    models.calibrated(&examiner.policy, &app.options())?;
    let threshold = requested.unwrap_or(examiner.policy.threshold);
    trail::threshold(threshold);
    let one = move |at: usize, scratch: &mut Scratch| {
        let mut watch = Stopwatch::start();
        let face = examiner.subject(scratch, &files[at], &mut |stage| watch.lap(stage));
        let face = face.and_then(|face| face.with_embedding(&encoder, scratch, &mut |stage| watch.lap(stage)));
        face.map_err(|why| Problem::from(why).with("field", ["file1", "file2"][at]))
    };
    let work = app.work.run_two(one, move |faces| {
        let [a, b] = [faces[0].embedding().direction(), faces[1].embedding().direction()];
        let similarity = Similarity::of(a, b, threshold).map_err(|why| Problem::internal(&why))?;
        trail::distance(similarity.distance());
        trail::verdict(if similarity.matched() { "match" } else { "no_match" });
        let compared = faces.map(|face| ComparedFace {
            detected: true,
            quality_score: round(face.quality().score(), 2),
            bounding_box: face.plan().in_file(face.face()).area.into(),
            rotated: face.plan().rotated,
        });
        Ok(answer(&similarity, compared, model))
    });
    work.await.map(Json)
}

fn answer(similarity: &Similarity, [face1, face2]: [ComparedFace; 2], model: ModelResponse) -> CompareResponse {
    let (alike, matched) = ((1.0 - similarity.distance()).clamp(0.0, 1.0), similarity.matched());
    let message = if matched { "the faces are alike" } else { "the faces are not alike" };
    CompareResponse {
        r#match: matched,
        similarity: round(alike, 6),
        measured: similarity.into(),
        confidence: confidence(alike, similarity.threshold()),
        face1,
        face2,
        message: message.into(),
        model,
    }
}

fn threshold(text: Option<&str>) -> Result<Option<Threshold>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let found: f64 = parse("threshold", text)?;
    if (0.0..=1.0).contains(&found) {
        return Ok(Some(Threshold::requested(found)));
    }
    Err(wrong("threshold", format_args!("expected 0 to 1, found {found}")))
}
