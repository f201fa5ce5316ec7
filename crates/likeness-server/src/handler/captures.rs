//! `POST /api/v1/captures` begins a capture, and `POST /api/v1/captures/{capture_id}/frames` takes its frames.
//! Other handlers use a completed capture up by [`captured`].

use axum::extract::{Path, State};
use axum::{Extension, Json};
use bytes::Bytes;
use likeness::capture::guide::advice;
use likeness::capture::outcome::Outcome;
use likeness::capture::session::Sighting;
use serde::Serialize;
use utoipa::ToSchema;

use super::NoQuery;
use super::frame::GuidanceResponse;
use super::person::{Who, templates};
use crate::admission::caller::Caller;
use crate::app::App;
use crate::captures::usage::{CAPTURE_ID, UsedCapture, no_capture, use_up};
use crate::captures::{Arrival, Binding, Capture, CapturePurpose, Captures, FrameExaminer, STATES, begin, refused};
use crate::clock::{Stopwatch, now_ms, rfc3339};
use crate::examiner::FullExaminer;
use crate::form::{Form, missing, wrong};
use crate::hex::hex;
use crate::problem::Problem;
use crate::pseudonym::Pseudonym;
use crate::store::Tenant;
use crate::work::Work;

/// A capture after a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaptureResponse {
    /// The number of the capture.
    capture_id: String,
    /// The purpose of the capture: `verify`, `enroll` or `liveness`.
    purpose: &'static str,
    /// The tenant.
    tenant_id: String,
    /// The person; null for `liveness`.
    user_id: Option<String>,
    /// When the capture can no longer be used.
    #[schema(format = DateTime)]
    expires_at: String,
    /// `open`: send a frame; `complete`: use the capture; `ended`: begin another.
    state: &'static str,
    /// The person's present task; null unless the state is `open`.
    prompt: Option<&'static str>,
    /// The number of the prompt, from 1; 0 before the first frame that can be used.
    step: usize,
    /// The number of prompts; 0 before the first frame that can be used.
    step_count: usize,
    /// The number of frames that were taken.
    frame_count: u32,
    /// The frame to send with `capture_id`, from 1; null unless the state is `complete`.
    best_frame: Option<u32>,
    /// The face and the advice.
    #[serde(flatten)]
    guidance: GuidanceResponse,
    /// The value of `previous` for the next frame: a hash over the responses and frames so far; null unless the state
    /// is `open`.
    answer_sha256: Option<String>,
}

impl CaptureResponse {
    fn of(capture_id: String, capture: Capture, guidance: GuidanceResponse) -> Self {
        let Capture { bound: Binding { purpose, tenant, subject }, session, answer, pseudonym: _ } = capture;
        let (state, best_frame) = match session.outcome() {
            None => (STATES[0], None),
            Some(Outcome::Completed { best, .. }) => (STATES[1], Some(best.frame)),
            Some(Outcome::Failed(_)) => (STATES[2], None),
        };
        let (step, step_count) = session.step();
        let guidance = if session.wants_turn() { guidance.turning() } else { guidance };
        Self {
            capture_id,
            purpose: purpose.name(),
            tenant_id: tenant,
            user_id: subject,
            expires_at: rfc3339(session.ends_at()),
            state,
            prompt: session.prompt(),
            step,
            step_count,
            frame_count: session.frames(),
            best_frame,
            guidance,
            answer_sha256: session.outcome().is_none().then_some(answer),
        }
    }
}

/// The networks of a request.
struct Networks {
    work: Work,
    examiner: FullExaminer,
}

impl FrameExaminer for Networks {
    type Shown = GuidanceResponse;

    async fn look(&self, frame: Bytes, wants_hold: bool) -> Result<(Sighting, GuidanceResponse), Problem> {
        let full = self.examiner.clone();
        let look = self.work.run(move |scratch| {
            let mut watch = Stopwatch::start();
            let photograph = full.examiner.frame(scratch, &frame, &mut |stage| watch.lap(stage))?;
            let policy = &full.examiner.policy;
            let digest = *blake3::hash(&frame).as_bytes();
            let (advice, mut sighting) = (advice(&photograph, policy), Sighting::of(&photograph, digest, policy));
            let shown = GuidanceResponse::of(&photograph, advice);
            if let Some(face) = sighting.face.as_mut().filter(|_| wants_hold && advice.is_none()) {
                face.hold = Some(full.hold(scratch, photograph, &mut |stage| watch.lap(stage))?);
            }
            Ok((sighting, shown))
        });
        look.await
    }
}

/// Reads what a capture is bound to from the form of its beginning.
fn binding(form: &Form, caller: &Caller) -> Result<Binding, Problem> {
    let purpose: CapturePurpose = form.value("purpose")?.ok_or_else(|| missing("purpose"))?;
    let subject = match (purpose, form.text("user_id")?) {
        (CapturePurpose::Liveness, Some(_)) => {
            return Err(wrong("user_id", "expected none, since `liveness` is about no person"));
        }
        (CapturePurpose::Liveness, None) => None,
        (CapturePurpose::Verify | CapturePurpose::Enroll, _) => Some(Who::of(form, caller)?.subject),
    };
    let tenant = caller.tenant(form.text("tenant_id")?)?;
    Ok(bound(purpose, &tenant, subject.as_ref().map(crate::store::Subject::as_str)))
}

fn bound(purpose: CapturePurpose, tenant: &Tenant, subject: Option<&str>) -> Binding {
    Binding { purpose, tenant: tenant.as_str().to_owned(), subject: subject.map(str::to_owned) }
}

/// Begins a capture
#[utoipa::path(post, operation_id = "begin_capture", path = "/api/v1/captures", tag = "captures",
    request_body(content = crate::openapi::NewCapture, content_type = "multipart/form-data"),
    responses((status = 200, description = "the capture", body = CaptureResponse)))]
pub async fn begin_capture(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    _: NoQuery,
    form: Form,
) -> Result<Json<CaptureResponse>, Problem> {
    let store = templates(&app)?.store.clone();
    let bound = binding(&form, &caller)?;
    let policy = app.full_examiner()?.examiner.policy;
    let (key, _) = caller.key();
    let (id, capture) = begin(&store, (bound, key), &policy, now_ms()).await?;
    Ok(Json(CaptureResponse::of(hex(&id), capture, GuidanceResponse::default())))
}

/// Takes a frame of a capture
#[utoipa::path(post, operation_id = "send_frame", path = "/api/v1/captures/{capture_id}/frames", tag = "captures",
    params(("capture_id" = String, Path, description = "the id of the capture")),
    request_body(content = crate::openapi::CaptureFrame, content_type = "multipart/form-data"),
    responses((status = 200, description = "the frame was taken", body = CaptureResponse)))]
pub async fn frame(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(capture_id): Path<String>,
    _: NoQuery,
    form: Form,
) -> Result<Json<CaptureResponse>, Problem> {
    let (at, store) = (now_ms(), templates(&app)?.store.clone());
    let bytes = form.file("file")?;
    let previous = form.required("previous")?;
    let examiner = app.full_examiner()?;
    let (policy, networks) = (examiner.examiner.policy, Networks { work: app.work.clone(), examiner });
    let captures = Captures { store, policy, examiner: networks, clock: Box::new(now_ms) };
    let sees = |tenant: &str| Tenant::new(tenant).is_ok_and(|tenant| caller.sees(&tenant));
    let (capture, shown) = captures.frame(Arrival { id: &capture_id, previous, bytes, at }, sees).await?;
    Ok(Json(CaptureResponse::of(capture_id, capture, shown)))
}

/// Uses up the capture that a form names, for this purpose, person and photograph; returns `None` if the form names none.
/// A caller has a core before, since it can't give the capture back.
///
/// # Errors
/// `CAPTURE_REFUSED`, `STORE_UNAVAILABLE`
pub async fn captured(
    app: &App,
    (form, caller): (&Form, &Caller),
    purpose: CapturePurpose,
    who: Option<(&Who, Option<Pseudonym>)>,
    photograph: &[u8],
) -> Result<Option<UsedCapture>, Problem> {
    let tenant = match who {
        Some((who, _)) => who.tenant.clone(),
        None => caller.tenant(form.text("tenant_id")?)?,
    };
    let Some(id) = form.text(CAPTURE_ID)? else {
        // An empty field is a caller's fault, which would end in an answer without a capture.
        return no_capture(form, "a capture's id, found an empty text").map(|()| None);
    };
    let wanted = bound(purpose, &tenant, who.map(|(who, _)| who.subject.as_str()));
    let person = who.and_then(|(_, person)| person);
    let moment = (now_ms(), &app.policy().capture);
    match use_up(&templates(app)?.store, id, (&wanted, person, photograph), caller.source(), moment).await? {
        Ok(used) => Ok(Some(used)),
        Err(_) => Err(refused()),
    }
}
