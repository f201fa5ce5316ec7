//! `POST /api/v1/enroll/multi` enrols a person with two to five photographs, which are stored together or not
//! at all.
//!
//! If one photograph is not live or shows another person, all are refused. A photograph that can't be used (no face,
//! blurred, …) is left out and reported, if at least two others remain.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use likeness::engine::Scratch;
use likeness::policy::Threshold;
use likeness::verdict::Similarity;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::enroll::{Request, must_be_live};
use super::person::NotComparedResponse;
use crate::admission::caller::Caller;
use crate::app::{App, ModelResponse};
use crate::captures::usage::takes_none;
use crate::clock::Stopwatch;
use crate::examiner::{Examined, FullExaminer, reach, round};
use crate::form::{Form, wrong};
use crate::problem::{Code, Problem};
use crate::routes::ENROLL_MULTI;

/// The smallest number of usable photographs.
const LEAST: usize = 2;
/// The largest number of photographs in a request.
const MOST: usize = 5;

/// The result for one photograph.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImageResponse {
    /// The number of the photograph in the request, from 0.
    index: usize,
    /// Whether the photograph is stored as a template.
    accepted: bool,
    /// The reason why the photograph is not stored.
    error_code: Option<&'static str>,
}

/// The result of an enrolment with several photographs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrollMultiResponse {
    /// Always true.
    success: bool,
    /// The person's name.
    user_id: String,
    /// The number of photographs stored as templates.
    images_processed: usize,
    /// The mean quality of the stored photographs, 0 to 100.
    fused_quality_score: f64,
    /// The mean quality of all photographs, 0 to 100.
    average_quality_score: f64,
    /// The quality of each photograph in the order of the request; 0 without a face.
    individual_quality_scores: Vec<f64>,
    /// The method that combines several templates for a comparison.
    fusion_strategy: &'static str,
    /// The result as text for a person.
    message: String,
    /// The number of components of a template.
    embedding_dimension: usize,
    /// The result for each photograph.
    images: Vec<ImageResponse>,
    /// The person's stored templates that could not be compared with the photographs, by reason.
    not_compared: NotComparedResponse,
    /// The weights that were used.
    model: ModelResponse,
}

/// An examined photograph.
pub struct Looked {
    /// The quality of the face, 0 to 100; 0 if none was measured.
    pub quality: f64,
    /// The face, or why it can't become a template.
    pub kept: Result<Examined, Problem>,
}

/// Enrols a person by several photographs.
///
/// # Errors
/// The documented errors; after one, nothing was stored.
#[utoipa::path(post, path = "/api/v1/enroll/multi", tag = "persons",
    params(("Idempotency-Key" = Option<String>, Header, description = "a repeated request with the same key gets the first response")),
    request_body(content = crate::openapi::SeveralFiles, content_type = "multipart/form-data"),
    responses((status = 200, description = "the person is enrolled", body = EnrollMultiResponse)))]
pub async fn enroll_multi(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    takes_none(&form)?;
    let (request, files) = (Request::of(&app, &form, &caller, &headers, ENROLL_MULTI.name)?, form.files("files")?);
    if !(LEAST..=MOST).contains(&files.len()) {
        let found = files.len();
        return Err(wrong("files", format_args!("expected {LEAST} to {MOST} photographs, found {found}")));
    }
    let (examiner, model) = (app.full_examiner()?, app.model());
    let request = request.hashed(files.iter().map(AsRef::as_ref));
    if let Some(replayed) = request.answered(&app).await? {
        return Ok(replayed);
    }
    let looked = app.work.run(move |scratch| all(&examiner, scratch, &files)).await?;
    let kept = || looked.iter().filter(|looked| looked.kept.is_ok());
    let first = looked.iter().find_map(|looked| looked.kept.as_ref().ok());
    let answer = EnrollMultiResponse {
        success: true,
        user_id: request.who.subject.as_str().to_owned(),
        images_processed: kept().count(),
        fused_quality_score: mean(kept().map(|looked| looked.quality)),
        average_quality_score: mean(looked.iter().map(|looked| looked.quality)),
        individual_quality_scores: looked.iter().map(|looked| round(looked.quality, 2)).collect(),
        fusion_strategy: "normalised mean of normalised templates",
        message: "enrolled".into(),
        embedding_dimension: first.map_or(0, |face| face.embedding().numbers().len()),
        images: responses(&looked),
        not_compared: NotComparedResponse::default(),
        model,
    };
    let faces = looked.into_iter().filter_map(|looked| looked.kept.ok()).collect();
    request.store(&app, faces, move |not_compared| EnrollMultiResponse { not_compared, ..answer.clone() }).await
}

fn responses(looked: &[Looked]) -> Vec<ImageResponse> {
    let image = |(index, looked): (usize, &Looked)| {
        let error_code = looked.kept.as_ref().err().map(|problem| problem.code().name());
        ImageResponse { index, accepted: error_code.is_none(), error_code }
    };
    looked.iter().enumerate().map(image).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    round(sum / f64::max(count, 1.0), 2)
}

/// Examines all photographs.
fn all(examiner: &FullExaminer, scratch: &mut Scratch, files: &[Bytes]) -> Result<Vec<Looked>, Problem> {
    let mut looked = Vec::new();
    for (index, bytes) in files.iter().enumerate() {
        let one = one(examiner, scratch, bytes);
        match &one.kept {
            Err(problem) if refuses_all(problem.code()) => return Err(problem.clone().with("index", index)),
            _ => looked.push(one),
        }
    }
    if looked.iter().filter(|looked| looked.kept.is_ok()).count() < LEAST {
        let images: Value = json!(responses(&looked));
        return Err(Problem::new(Code::PoorImageQuality, format!("fewer than {LEAST} photographs can be used"))
            .with("images", images)
            .with(
                "issues",
                json!(responses(&looked).iter().filter_map(|image| image.error_code).collect::<Vec<_>>()),
            ));
    }
    of_one_person(&looked, examiner.examiner.policy.threshold)?;
    Ok(looked)
}

/// Returns whether this problem with one photograph refuses the whole request.
pub fn refuses_all(code: Code) -> bool {
    let left_out = [Code::FaceNotDetected, Code::MultipleFaces, Code::PoorImageQuality, Code::InvalidImage];
    !left_out.contains(&code)
}

/// Examines one photograph.
pub fn one(examiner: &FullExaminer, scratch: &mut Scratch, bytes: &[u8]) -> Looked {
    let (mut watch, mut score, rule) = (Stopwatch::start(), 0.0, examiner.examiner.policy.enroll);
    let judged = examiner.judged(scratch, bytes, &mut |stage| watch.lap(stage), |quality| {
        score = quality.score();
        reach(quality, &rule)
    });
    let kept = judged.and_then(|judged| {
        must_be_live(judged.liveness())?;
        Ok(examiner.embedded(scratch, judged, &mut |stage| watch.lap(stage))?)
    });
    Looked { quality: score, kept }
}

/// Checks that the faces of all usable photographs resemble each other.
///
/// # Errors
/// `INVALID_INPUT`
pub fn of_one_person(looked: &[Looked], threshold: Threshold) -> Result<(), Problem> {
    let kept: Vec<_> = looked
        .iter()
        .enumerate()
        .filter_map(|(at, one)| Some((at, one.kept.as_ref().ok()?.embedding().direction())))
        .collect();
    for (place, (a, first)) in kept.iter().enumerate() {
        for (b, second) in &kept[place + 1..] {
            let similarity = Similarity::of(first, second, threshold).map_err(|why| Problem::internal(&why))?;
            if !similarity.matched() {
                return Err(Problem::input("the photographs are not of one person").with("indices", json!([a, b])));
            }
        }
    }
    Ok(())
}
