//! `POST /api/v1/faces/detect-all` returns the faces of a photograph.

use axum::Json;
use axum::extract::State;
use likeness::detect::Face;
use likeness::examine::Photograph;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Parameters;
use super::response::{BoxResponse, LandmarksResponse, SizeResponse};
use crate::app::App;
use crate::captures::usage::takes_none;
use crate::clock::Stopwatch;
use crate::examiner::round;
use crate::form::{Form, either, parse, wrong};
use crate::problem::Problem;

/// The largest number of faces in a response.
pub const MOST: usize = 50;

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DetectQuery {
    /// The largest number of faces in the response, 1 to 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 50)]
    max_faces: Option<String>,
}

/// A face.
#[derive(Debug, Serialize, ToSchema)]
pub struct FaceResponse {
    /// The number of the face, from 0, most confident first.
    face_id: usize,
    /// The face's box.
    bounding_box: BoxResponse,
    /// The confidence that this is a face, 0 to 1.
    confidence: f64,
    /// The quality of the face, 0 to 100.
    quality_score: f64,
    /// The five landmarks.
    landmarks: LandmarksResponse,
}

/// The faces of a photograph.
#[derive(Debug, Serialize, ToSchema)]
pub struct DetectResponse {
    /// The number of faces in this response.
    face_count: usize,
    /// The faces.
    faces: Vec<FaceResponse>,
    /// The size of the upright photograph.
    image_dimensions: SizeResponse,
    /// Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270. Boxes refer to the rotated
    /// photograph.
    rotated: u16,
}

/// Finds every face.
///
/// # Errors
/// The photograph's own, or `MODEL_UNAVAILABLE`.
#[utoipa::path(post, path = "/api/v1/faces/detect-all", tag = "faces", params(DetectQuery),
    request_body(content = crate::openapi::OneFile, content_type = "multipart/form-data"),
    responses((status = 200, description = "every face that was found", body = DetectResponse)))]
pub async fn detect_all(
    State(app): State<App>,
    Parameters(query): Parameters<DetectQuery>,
    form: Form,
) -> Result<Json<DetectResponse>, Problem> {
    takes_none(&form)?;
    let bytes = form.file("file")?;
    let most = most(either("max_faces", query.max_faces.as_deref(), &form)?)?;
    let examiner = app.examiner(&app.models.now())?.for_all();
    let answer = app.work.run(move |scratch| {
        let mut watch = Stopwatch::start();
        let photograph = examiner.photograph(scratch, &bytes, &mut |stage| watch.lap(stage))?;
        let faces = faces(&photograph, most);
        let (image_dimensions, rotated) =
            (SizeResponse::of(&photograph.detected().look), photograph.detected().look.rotated);
        Ok(DetectResponse { face_count: faces.len(), faces, image_dimensions, rotated })
    });
    answer.await.map(Json)
}

/// Converts the first `most` faces, most confident first.
pub fn faces(photograph: &Photograph, most: usize) -> Vec<FaceResponse> {
    let detected = photograph.detected();
    let of_file = |face: &Face| detected.look.in_file(face);
    let response = |(face_id, face): (usize, &Face)| FaceResponse {
        face_id,
        bounding_box: of_file(face).area.into(),
        confidence: face.confidence(),
        quality_score: round(photograph.quality(face_id).score(), 2),
        landmarks: LandmarksResponse::of(&of_file(face), detected.look.file_size()),
    };
    detected.faces.iter().take(most).enumerate().map(response).collect()
}

fn most(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(10) };
    match parse("max_faces", text)? {
        most @ 1..=MOST => Ok(most),
        found => Err(wrong("max_faces", format_args!("expected 1 to {MOST}, found {found}"))),
    }
}
