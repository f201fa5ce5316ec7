//! `POST /api/v1/inspect` returns the inputs and the results of each network, for one or two photographs.
//!
//! Only the detector is required. For a network that is not loaded, its fields are null and `missing` names
//! its file.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use likeness::embed::{Embedding, FaceEncoder};
use likeness::engine::Scratch;
use likeness::examine::{Absent, Examination, NoAnswer, Watch};
use likeness::image::Bgr;
use likeness::liveness::Liveness;
use likeness::models::Role;
use likeness::policy::Threshold;
use likeness::quality::Unfit;
use likeness::spoof::SpoofPair;
use likeness::verdict::{Similarity, compare};

use super::detect::{MOST, faces};
use super::inspect_response::{
    ComparisonResponse, EmbedderResponse, InspectResponse, LivenessInspection, PhotographResponse, QualityResponse,
    UnfitResponse, missing,
};
use super::response::SizeResponse;
use crate::app::App;
use crate::captures::usage::takes_none;
use crate::clock::Stopwatch;
use crate::examiner::Examiner;
use crate::form::Form;
use crate::models::LoadedModels;
use crate::problem::Problem;
use crate::trail;

/// The detector, and the other networks if they are loaded.
struct Inspector {
    examiner: Examiner,
    spoof: Option<SpoofPair>,
    encoder: Option<FaceEncoder>,
    models: Arc<LoadedModels>,
}

/// A photograph's face, with the results of the loaded models.
enum Inspected {
    /// No face was chosen, or neither the spoof networks nor the embedder is loaded.
    Nothing,
    /// Only liveness was judged.
    Judged(Examination<Liveness>),
    /// Only the embedding was computed.
    Embedded(Examination<Absent, Embedding>),
    /// Liveness was judged and the embedding computed.
    Both(Examination<Liveness, Embedding>),
}

impl Inspected {
    fn liveness(&self) -> Option<(&Liveness, &Bgr)> {
        match self {
            Self::Judged(face) => Some((face.liveness(), face.image())),
            Self::Both(face) => Some((face.liveness(), face.image())),
            Self::Nothing | Self::Embedded(_) => None,
        }
    }

    fn embedding(&self) -> Option<&Embedding> {
        match self {
            Self::Embedded(face) => Some(face.embedding()),
            Self::Both(face) => Some(face.embedding()),
            Self::Nothing | Self::Judged(_) => None,
        }
    }
}

/// Returns the inputs and results of the networks.
///
/// # Errors
/// A photograph's own, with its field, or `MODEL_UNAVAILABLE` without a detector.
#[utoipa::path(post, path = "/api/v1/inspect", tag = "faces",
    request_body(content = super::inspect_response::InspectForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "the inputs and results of the networks", body = InspectResponse)))]
pub async fn inspect(State(app): State<App>, form: Form) -> Result<Json<InspectResponse>, Problem> {
    takes_none(&form)?;
    let second = form.file_if_any("file2")?.map(|bytes| ("file2", bytes));
    let files: Vec<_> = std::iter::once(("file", form.file("file")?)).chain(second).collect();
    let models = app.models.now();
    let inspector = Inspector {
        examiner: app.examiner(&models)?,
        spoof: models.spoof().ok(),
        encoder: models.encoder().ok(),
        models,
    };
    if files.len() > 1 && inspector.encoder.is_some() {
        inspector.models.calibrated(&inspector.examiner.policy, &app.options())?;
    }
    let model = app.model();
    let work = app.work.run(move |scratch| {
        let mut photographs = Vec::new();
        for (field, bytes) in &files {
            let inspected = inspector.photograph(scratch, field, bytes);
            photographs.push(inspected.map_err(|problem| problem.with("field", *field))?);
        }
        let comparison = match photographs.as_slice() {
            [(_, first), (_, second)] => compared(first, second, inspector.examiner.policy.threshold)?,
            _ => None,
        };
        let photographs = photographs.into_iter().map(|(response, _)| response).collect();
        Ok(InspectResponse { photographs, comparison, missing: missing(&inspector.models), model })
    });
    work.await.map(Json)
}

impl Inspector {
    fn photograph(
        &self,
        scratch: &mut Scratch,
        field: &'static str,
        bytes: &[u8],
    ) -> Result<(PhotographResponse, Inspected), Problem> {
        let mut watch = Stopwatch::start();
        let photograph = self.examiner.photograph(scratch, bytes, &mut |stage| watch.lap(stage))?;
        let mut response = PhotographResponse {
            field,
            image_dimensions: SizeResponse::of(&photograph.detected().look),
            detection: photograph.detected().look.name(),
            rotated: photograph.detected().look.rotated,
            faces: faces(&photograph, MOST),
            subject: None,
            unfit: None,
            quality: None,
            liveness: None,
            embedder: None,
            timing_ms: Default::default(),
        };
        let policy = self.examiner.policy;
        response.subject = photograph.subject(&policy, false).ok().filter(|at| *at < MOST);
        let face = match photograph.examine(&policy, false, &mut |stage| watch.lap(stage)) {
            Ok(face) => face,
            Err(unfit) => return Ok((without_subject(response, unfit, watch), Inspected::Nothing)),
        };
        trail::face(&face);
        response.quality = Some(QualityResponse::of(face.quality()));
        let inspected = self.ask_models(scratch, face, &mut |stage| watch.lap(stage))?;
        let file = |role: Role| self.models.roles[role.at()].file.clone();
        if let Some((judged, image)) = inspected.liveness() {
            let files = [file(Role::SpoofNear), file(Role::SpoofFar)];
            response.liveness = Some(LivenessInspection::of(judged, image, files, &policy.liveness)?);
        }
        if let Some(embedding) = inspected.embedding() {
            response.embedder = Some(EmbedderResponse::of(embedding.input(), file(Role::Embedder))?);
        }
        watch.note("render");
        response.timing_ms = watch.timings();
        Ok((response, inspected))
    }

    fn ask_models(&self, scratch: &mut Scratch, face: Examination, watch: Watch) -> Result<Inspected, NoAnswer> {
        let Some(spoof) = &self.spoof else {
            let Some(encoder) = &self.encoder else { return Ok(Inspected::Nothing) };
            return face.with_embedding(encoder, scratch, watch).map(Inspected::Embedded);
        };
        let judged = self.examiner.judge(spoof, scratch, face, watch)?;
        let Some(encoder) = &self.encoder else { return Ok(Inspected::Judged(judged)) };
        judged.with_embedding(encoder, scratch, watch).map(Inspected::Both)
    }
}

fn without_subject(mut response: PhotographResponse, unfit: Unfit, watch: Stopwatch) -> PhotographResponse {
    response.unfit = Some(UnfitResponse::of(unfit));
    response.timing_ms = watch.timings();
    response
}

/// Compares two faces. If both were judged, the result has a verdict; if they were only embedded, it has a
/// similarity only.
fn compared(
    first: &Inspected,
    second: &Inspected,
    threshold: Threshold,
) -> Result<Option<ComparisonResponse>, NoAnswer> {
    if let (Inspected::Both(a), Inspected::Both(b)) = (first, second) {
        let decision = compare(a, b, threshold)?;
        trail::threshold(threshold);
        trail::decision(&decision);
        return Ok(Some(ComparisonResponse::of(decision.similarity(), Some(decision.verdict()))));
    }
    let (Some(a), Some(b)) = (first.embedding(), second.embedding()) else { return Ok(None) };
    Ok(Some(ComparisonResponse::of(&Similarity::of(a.direction(), b.direction(), threshold)?, None)))
}
