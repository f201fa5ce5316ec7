//! `POST /api/v1/compare`: how alike two photographs' faces are. No liveness, and so no verdict.

use axum::Json;
use axum::extract::{Query, State};
use likeness::engine::Scratch;
use likeness::find::Finder;
use likeness::pipeline::{Identity, NoAnswer, embedding};
use likeness::verdict::Comparison;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::told::BoxTold;
use crate::app::{App, ModelTold};
use crate::form::{Form, parse};
use crate::look::{Eye, Seen, Watch, round};
use crate::problem::Problem;

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// A match is closer than this distance, 0 to 1; 0.6 unless told.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 1)]
    threshold: Option<String>,
}

/// A face that was compared.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedFace {
    /// Always true: without a face there is no answer.
    detected: bool,
    /// 0 to 100.
    quality_score: f64,
    /// Where.
    bounding_box: BoxTold,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompareAnswer {
    /// Whether the distance is below the threshold. Nobody was asked whether the faces are live.
    r#match: bool,
    /// 1 - distance, not below 0.
    similarity: f64,
    /// The cosine distance.
    distance: f64,
    /// The threshold.
    threshold: f64,
    /// `high`, `medium` or `low`: how far the similarity is above the threshold.
    confidence: &'static str,
    /// The first.
    face1: ComparedFace,
    /// The second.
    face2: ComparedFace,
    /// For a person.
    message: String,
    /// Which weights answered.
    model: ModelTold,
}

/// Compares two photographs.
///
/// # Errors
/// A photograph's own, with its field, or `MODEL_UNAVAILABLE`.
#[utoipa::path(post, path = "/api/v1/compare", tag = "faces", params(CompareQuery),
    request_body(content = crate::openapi::TwoFiles, content_type = "multipart/form-data"),
    responses((status = 200, body = CompareAnswer)))]
pub async fn compare(
    State(app): State<App>,
    Query(query): Query<CompareQuery>,
    form: Form,
) -> Result<Json<CompareAnswer>, Problem> {
    let files = [form.file("file1")?, form.file("file2")?];
    let threshold = threshold(query.threshold.as_deref().or(form.text("threshold")?))?;
    let (finder, identity) = app.held.now().embedding()?;
    let (eye, model) = (app.eye(), app.model());
    let work = app.work.run(move |scratch| {
        let names = ["file1", "file2"];
        let mut one = |at: usize| {
            look(&eye, &finder, &identity, scratch, &files[at]).map_err(|problem| problem.with("field", names[at]))
        };
        let [(first, a), (second, b)] = [one(0)?, one(1)?];
        let comparison = Comparison::of(&a, &b, threshold).map_err(NoAnswer::Contract)?;
        Ok(answer(comparison.distance, threshold, [first, second], model))
    });
    work.await.map(Json)
}

fn look(
    eye: &Eye,
    finder: &Finder,
    identity: &Identity,
    scratch: &mut Scratch,
    bytes: &[u8],
) -> Result<(ComparedFace, likeness::embed::Embedding), Problem> {
    let mut watch = Watch::default();
    let Seen { subject, quality } = eye.subject(finder, scratch, bytes, &mut watch)?;
    let embedding = embedding(identity, scratch, &subject, &mut |stage| watch.lap(stage))?;
    let quality_score = round(quality.score(), 2);
    Ok((ComparedFace { detected: true, quality_score, bounding_box: subject.face.area.into() }, embedding))
}

fn answer(distance: f64, threshold: f64, [face1, face2]: [ComparedFace; 2], model: ModelTold) -> CompareAnswer {
    let (similarity, matched) = ((1.0 - distance).clamp(0.0, 1.0), distance < threshold);
    let confidence = match similarity - threshold {
        above if above >= 0.2 => "high",
        above if above >= 0.1 => "medium",
        _ => "low",
    };
    let message = if matched { "the faces are alike" } else { "the faces are not alike" };
    CompareAnswer {
        r#match: matched,
        similarity: round(similarity, 6),
        distance,
        threshold,
        confidence,
        face1,
        face2,
        message: message.into(),
        model,
    }
}

fn threshold(text: Option<&str>) -> Result<f64, Problem> {
    let Some(text) = text else { return Ok(0.6) };
    let found: f64 = parse("threshold", text)?;
    if (0.0..=1.0).contains(&found) {
        return Ok(found);
    }
    Err(Problem::input(format!("`threshold`: expected 0 to 1, found {found}")))
}
