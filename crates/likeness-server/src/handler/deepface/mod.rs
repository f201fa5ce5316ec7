//! Routes in DeepFace's shape: `POST /deepface/verify`, `/deepface/represent`, `GET /deepface/`, and the first two also
//! at the root if a setting says so. Clients of DeepFace move without a change; `docs/deepface.md` says which values
//! are equal and which are not. A verdict here is DeepFace's, not ours.

mod faces;
mod request;
mod schema;

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use likeness::deepface::{SpoofDetected, Subject, verify};
use likeness::distance::Metric;
use likeness::engine::Scratch;
use likeness::space::DetectionPolicy;
use serde::Serialize;
use utoipa::ToSchema;

use self::faces::{AreaResponse, Endpoint, Extracted, FaceReader, Represented};
use self::request::{DETECTORS, DeepfaceRequest, MODEL};
use self::schema::{RepresentForm, RepresentJson, VerifyForm, VerifyJson};
use crate::app::{App, ModelResponse};
use crate::examiner::round;
use crate::problem::{Code, Problem};
use crate::trail;

/// The largest number of faces of a photograph that `verify` compares.
const COMPARED: usize = 8;

/// Returns whether error responses for this path also contain DeepFace's field `error`.
pub fn shaped(path: &str, root: bool) -> bool {
    path.starts_with("/deepface") || root && (matches!(path, "/verify" | "/represent") || way_out(path).is_some())
}

/// DeepFace's routes that this service does not offer, with an alternative for each.
const NOT_OFFERED: [(&str, &str); 4] = [
    ("analyze", "nothing here estimates age, gender, emotion or race"),
    ("register", "enrol a person with POST /api/v1/enroll"),
    ("search", "search the enrolled persons with POST /api/v1/search"),
    ("build/index", "POST /api/v1/search needs no index to be built"),
];

fn way_out(path: &str) -> Option<&'static str> {
    let name = path.trim_matches('/');
    let name = name.strip_prefix("deepface/").unwrap_or(name);
    NOT_OFFERED.iter().find(|(route, _)| *route == name).map(|(_, way_out)| *way_out)
}

/// Responds to an unknown path; for a route of DeepFace's, the message names an alternative.
pub async fn no_route(State(app): State<App>, uri: Uri) -> Problem {
    let path = uri.path();
    if !shaped(path, app.settings.deepface_root) {
        return Problem::of_status(StatusCode::NOT_FOUND, 0);
    }
    let offered = "offered are GET /deepface/, POST /deepface/verify and POST /deepface/represent";
    let way_out = way_out(path).unwrap_or("/docs has every route");
    let path: String = path.chars().take(60).collect();
    Problem::new(Code::NotFound, format!("`{path}` is not offered: {way_out}; {offered}"))
}

/// The name and the version of the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Greeting {
    /// The name as text for a person.
    message: &'static str,
    /// The program's version.
    version: &'static str,
    /// The accepted values of `model_name`.
    model_name: [&'static str; 1],
    /// The accepted values of `detector_backend`.
    detector_backend: [&'static str; 2],
    /// The accepted values of `distance_metric`.
    distance_metric: [&'static str; 4],
}

/// The areas of the closest pair of faces.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct FacialAreas {
    img1: AreaResponse,
    img2: AreaResponse,
}

/// The response of `verify`.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeepfaceVerified {
    /// Whether the smallest distance is within the threshold.
    verified: bool,
    /// The smallest distance of any two faces; null if no distance is a number.
    distance: Option<f64>,
    /// The threshold of the metric.
    threshold: f64,
    /// The confidence, 0 to 100.
    confidence: f64,
    /// `Facenet512`.
    model: &'static str,
    /// `centerface` or `skip`.
    detector_backend: &'static str,
    /// The metric of the request.
    similarity_metric: &'static str,
    /// The areas of the closest pair of faces.
    facial_areas: FacialAreas,
    /// The duration in seconds.
    time: f64,
    /// The weights that were used. DeepFace does not have this field.
    weights: ModelResponse,
}

/// A face with its embedding.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeepfaceFace {
    /// The embedding: 512 numbers.
    embedding: Vec<f32>,
    /// The area of the face.
    facial_area: AreaResponse,
    /// The confidence that this is a face, 0 to 1; 0 if no detector ran.
    face_confidence: f64,
}

/// The response of `represent`.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeepfaceRepresented {
    /// Each face with its embedding.
    results: Vec<DeepfaceFace>,
    /// The weights that were used. DeepFace does not have this field.
    model: ModelResponse,
}

/// Returns the name and the version of the service.
#[utoipa::path(get, operation_id = "deepface", path = "/deepface/", tag = "deepface", responses((status = 200, description = "the name and version", body = Greeting)))]
pub async fn greet() -> Json<Greeting> {
    Json(Greeting {
        message: "Likeness, in DeepFace's shape",
        version: env!("CARGO_PKG_VERSION"),
        model_name: [MODEL],
        detector_backend: DETECTORS.map(|(name, _)| name),
        distance_metric: Metric::ALL.map(|(name, _)| name),
    })
}

/// Compares two photographs by DeepFace's own rule: all pairs of faces, the smallest distance.
///
/// # Errors
/// As documented. A network that is not loaded is `MODEL_UNAVAILABLE`.
#[utoipa::path(post, operation_id = "deepface_verify", path = "/deepface/verify", tag = "deepface",
    request_body(content((VerifyJson = "application/json"), (VerifyForm = "multipart/form-data"))),
    responses((status = 200, description = "the nearest pair of faces", body = DeepfaceVerified)))]
pub async fn verify_route(State(app): State<App>, request: DeepfaceRequest) -> Result<Json<DeepfaceVerified>, Problem> {
    let (options, (name, metric)) = (request.options()?, request.metric()?);
    let images = [request.image("img1")?, request.image("img2")?];
    let models = app.models.now();
    let reader = FaceReader::of(&app, &models, options)?;
    let weights = ModelResponse::of(&models, DetectionPolicy::DeepFace);
    let start = Instant::now();
    let subjects = move |at: usize, scratch: &mut Scratch| {
        let outcome = reader.faces(scratch, &images[at], Endpoint::Verify, COMPARED);
        match outcome.map_err(|problem| problem.with("field", ["img1", "img2"][at]))? {
            Extracted::Spoof(live) => Err(spoof(SpoofDetected { photograph: [1, 2][at] }.to_string(), live)),
            Extracted::Faces(faces) => Ok(faces.into_iter().map(subject).collect::<Vec<_>>()),
        }
    };
    let answer = app.work.run_two(subjects, move |[first, second]| {
        // A spoof has ended the request already.
        let answer = verify(&first, &second, metric).map_err(|why| Problem::internal(&why))?;
        trail::verdict(if answer.verified { "match" } else { "no_match" });
        if name == "cosine" && answer.distance.is_finite() {
            trail::distance(answer.distance);
        }
        let (img1, img2) = answer.areas.unwrap_or_default();
        Ok(DeepfaceVerified {
            verified: answer.verified,
            distance: answer.distance.is_finite().then_some(answer.distance),
            threshold: answer.threshold,
            confidence: answer.confidence,
            model: MODEL,
            detector_backend: options.backend.name(),
            similarity_metric: name,
            facial_areas: FacialAreas { img1, img2 },
            time: round(start.elapsed().as_secs_f64(), 2),
            weights,
        })
    });
    answer.await.map(Json)
}

/// Embeds every face of a photograph.
///
/// # Errors
/// As documented. A network that is not loaded is `MODEL_UNAVAILABLE`.
#[utoipa::path(post, operation_id = "deepface_represent", path = "/deepface/represent", tag = "deepface",
    request_body(content((RepresentJson = "application/json"), (RepresentForm = "multipart/form-data"))),
    responses((status = 200, description = "an embedding for each face", body = DeepfaceRepresented)))]
pub async fn represent_route(
    State(app): State<App>,
    request: DeepfaceRequest,
) -> Result<Json<DeepfaceRepresented>, Problem> {
    let (options, most, image) = (request.options()?, request.max_faces()?, request.image("img")?);
    let models = app.models.now();
    let reader = FaceReader::of(&app, &models, options)?;
    let model = ModelResponse::of(&models, DetectionPolicy::DeepFace);
    let answer = app.work.run(move |scratch| match reader.faces(scratch, &image, Endpoint::Represent, most)? {
        Extracted::Spoof(live) => Err(spoof("Spoof detected in the given image.".into(), live)),
        Extracted::Faces(faces) => Ok(DeepfaceRepresented { results: faces.into_iter().map(face).collect(), model }),
    });
    answer.await.map(Json)
}

fn face(Represented { area, confidence, embedding }: Represented) -> DeepfaceFace {
    DeepfaceFace { embedding, facial_area: area, face_confidence: confidence }
}

fn subject(Represented { area, embedding, .. }: Represented) -> Subject<AreaResponse> {
    Subject { area, embedding: embedding.into_iter().map(f64::from).collect(), is_real: None }
}

/// Returns the problem for a spoof, with DeepFace's message and status.
fn spoof(message: String, live: f64) -> Problem {
    Problem::new(Code::LivenessFailed, message).with("score", round(100.0 * live, 2)).with("verdict", "spoof")
}
