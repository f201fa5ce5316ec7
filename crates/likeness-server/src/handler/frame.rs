//! `POST /api/v1/frames` guides the person in front of a camera by one detection at 320 pixels and, on request, by both
//! spoof networks. The route makes no comparison and no decision, so it has no decision record.

use axum::Json;
use axum::extract::State;
use likeness::capture::guide::{Advice, advice};
use likeness::detect::Face;
use likeness::examine::Photograph;
use serde::Serialize;
use utoipa::ToSchema;

use super::NoQuery;
use super::response::{BoxResponse, LandmarksResponse, LivenessVerdict, SizeResponse};
use crate::app::App;
use crate::captures::usage::takes_none;
use crate::clock::{Stopwatch, Timings};
use crate::form::Form;
use crate::problem::Problem;
use crate::routes::LIVENESS;

/// The largest face of a frame.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameFace {
    /// The face's box.
    bounding_box: BoxResponse,
    /// The five landmarks.
    landmarks: LandmarksResponse,
    /// The confidence that this is a face, 0 to 1.
    confidence: f64,
}

/// The face of a frame, and the advice for the person.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct GuidanceResponse {
    /// The most urgent advice for the person; null if the face is well placed.
    advice: Option<&'static str>,
    /// The number of faces.
    face_count: usize,
    /// The largest face; null if there is none.
    face: Option<FrameFace>,
    /// The size of the frame.
    image_dimensions: SizeResponse,
    /// Always 0: frames are not turned.
    rotated: u16,
}

/// The guidance for a frame.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameResponse {
    #[serde(flatten)]
    guidance: GuidanceResponse,
    /// The judgement of liveness, to guide the person: it has no decision record. Null if the request did not ask
    /// for it, or no face can be judged.
    liveness: Option<LivenessVerdict>,
    /// The time of each stage, in milliseconds.
    #[schema(inline)]
    timing_ms: Timings,
}

impl GuidanceResponse {
    /// Returns the guidance while a prompt says to turn the head, without advice to do the opposite.
    #[must_use]
    pub fn turning(self) -> Self {
        let opposite = [Advice::LookStraight, Advice::HoldStill].map(Advice::code);
        Self { advice: self.advice.filter(|advice| !opposite.contains(advice)), ..self }
    }

    /// Describes the largest face of a frame.
    pub fn of(frame: &Photograph, advice: Option<Advice>) -> Self {
        let detected = frame.detected();
        let largest = detected.faces.iter().max_by_key(|face| face.area.pixels());
        let of_file = |face: &Face| detected.look.in_file(face);
        let face = largest.map(|face| FrameFace {
            bounding_box: of_file(face).area.into(),
            landmarks: LandmarksResponse::of(&of_file(face), detected.look.file_size()),
            confidence: face.confidence(),
        });
        Self {
            advice: advice.map(Advice::code),
            face_count: detected.faces.len(),
            face,
            image_dimensions: SizeResponse::of(&detected.look),
            rotated: detected.look.rotated,
        }
    }
}

/// Guides the person in front of a camera.
///
/// # Errors
/// The frame's own, or `MODEL_UNAVAILABLE`.
#[utoipa::path(post, operation_id = "guide", path = "/api/v1/frames", tag = "faces",
    request_body(content = crate::openapi::CameraFrame, content_type = "multipart/form-data"),
    responses((status = 200, description = "the face and the advice", body = FrameResponse)))]
pub async fn frame(State(app): State<App>, _: NoQuery, form: Form) -> Result<Json<FrameResponse>, Problem> {
    takes_none(&form)?;
    let bytes = form.file("file")?;
    let judged = form.value("liveness")?.unwrap_or(false);
    let models = app.models.now();
    let examiner = app.examiner(&models)?;
    if judged {
        LIVENESS.needs.met(&models)?;
    }
    let spoof = judged.then(|| models.spoof()).transpose()?;
    let answer = app.work.run(move |scratch| {
        let mut watch = Stopwatch::start();
        let frame = examiner.frame(scratch, &bytes, &mut |stage| watch.lap(stage))?;
        let guidance = GuidanceResponse::of(&frame, advice(&frame, &examiner.policy));
        let mut answer = FrameResponse { guidance, liveness: None, timing_ms: Timings::new() };
        if let Some(spoof) = &spoof {
            let judged = examiner.guidance(spoof, scratch, frame, &mut |stage| watch.lap(stage))?;
            answer.liveness = judged.as_ref().map(Into::into);
        }
        answer.timing_ms = watch.timings();
        Ok(answer)
    });
    answer.await.map(Json)
}
