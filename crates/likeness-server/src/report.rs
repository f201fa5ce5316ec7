//! The reports of the commands. Each type is printed as JSON or as text.

use std::collections::BTreeMap;

use ballast::escape::line;
use likeness::detect::{Face, Size};
use likeness::examine::Examination;
use likeness::find::{Detected, DetectionPlan};
use likeness::liveness::Liveness;
use likeness::verdict::{Decision, Reason};
use serde::Serialize;

use crate::clock::Timings;
use crate::examiner::Examined;
use crate::handler::response::{BoxResponse, LandmarksResponse, SimilarityResponse, SizeResponse};
use crate::models::{LoadedModel, LoadedModels, RoleState, name};
use crate::print::{Tone, verdict};

/// A failed photograph, in the form of the API's errors.
#[derive(Debug, Serialize)]
pub struct RefusedPhotograph {
    /// The photograph's file.
    pub image: String,
    /// The kind of the error.
    pub error_code: &'static str,
    /// The error as text for a person, with the file's name.
    pub message: String,
}

/// How the detector searched a photograph.
#[derive(Debug, Serialize)]
pub struct LookReport {
    /// `exact` or `fast`.
    pub mode: &'static str,
    /// Pixels of the network's input for each pixel of the photograph: horizontal, vertical.
    pub scale: [f64; 2],
    /// Pixels of the border that were computed; null if the whole border was computed or there was no border.
    pub margin: Option<usize>,
    /// Degrees clockwise by which the photograph was rotated before detection: 0, 90, 180 or 270. Boxes and
    /// landmarks refer to the rotated photograph.
    pub rotated: u16,
}

impl From<&DetectionPlan> for LookReport {
    fn from(look: &DetectionPlan) -> Self {
        Self { mode: look.name(), scale: look.scale_of_file(), margin: look.margin, rotated: look.rotated }
    }
}

/// One face. Left and right are the person's own.
#[derive(Debug, Serialize)]
pub struct FaceReport {
    /// The face's box.
    pub bounding_box: BoxResponse,
    /// The confidence that this is a face, with two decimals.
    pub confidence: f64,
    /// The five landmarks; null if outside of the photograph.
    pub landmarks: LandmarksResponse,
}

impl FaceReport {
    /// Reports a face of a photograph of this size.
    pub fn new(face: &Face, image: Size) -> Self {
        let (bounding_box, landmarks) = (face.area.into(), LandmarksResponse::of(face, image));
        Self { bounding_box, confidence: face.confidence(), landmarks }
    }

    /// Reports the face of an examination.
    pub fn of<L, E>(face: &Examination<L, E>) -> Self {
        Self::new(&face.plan().in_file(face.face()), face.plan().file_size())
    }

    fn line(&self) -> String {
        let BoxResponse { x, y, width, height } = self.bounding_box;
        let LandmarksResponse { right_eye, left_eye, nose, mouth_right, mouth_left } = self.landmarks;
        let point = |point: Option<[i64; 2]>| point.map_or("outside".into(), |[x, y]| format!("{x},{y}"));
        let points: [String; 5] = [right_eye, left_eye, nose, mouth_right, mouth_left].map(point);
        format!("{width}x{height} at {x},{y}  confidence {:.2}  landmarks {}", self.confidence, points.join(" "))
    }
}

/// The faces of one photograph.
#[derive(Debug, Serialize)]
pub struct DetectReport {
    /// The photograph's file.
    pub image: String,
    /// The size of the upright photograph.
    pub image_dimensions: SizeResponse,
    /// How the detector searched the photograph.
    pub look: LookReport,
    /// The number of faces.
    pub face_count: usize,
    /// The faces, most confident first.
    pub faces: Vec<FaceReport>,
    /// The number of detections that were completely in the border.
    pub outside: usize,
    /// The time of each stage, in milliseconds.
    pub timing_ms: Timings,
}

impl DetectReport {
    /// Reports the faces of a photograph.
    pub fn new(image: String, found: &Detected, timing_ms: Timings) -> Self {
        let size = found.look.file_size();
        Self {
            image,
            image_dimensions: SizeResponse::of(&found.look),
            look: (&found.look).into(),
            face_count: found.faces.len(),
            faces: found.faces.iter().map(|face| FaceReport::new(&found.look.in_file(face), size)).collect(),
            outside: found.outside.len(),
            timing_ms,
        }
    }

    /// Returns the report as text.
    pub fn lines(&self) -> String {
        let (SizeResponse { width, height }, faces) = (self.image_dimensions, self.face_count);
        let faces = if faces == 1 { "1 face".to_owned() } else { format!("{faces} faces") };
        let mut text = format!("{}  {width}x{height}  {}  {faces}\n", line(&self.image), look_line(&self.look));
        for (number, face) in self.faces.iter().enumerate() {
            text += &format!("  {}  {}\n", number + 1, face.line());
        }
        if self.outside > 0 {
            text += &format!("  {} more faces wholly in the border\n", self.outside);
        }
        text
    }
}

fn look_line(look: &LookReport) -> String {
    let rotated = if look.rotated > 0 { format!(", turned by {} degrees", look.rotated) } else { String::new() };
    format!("{} at {:.3} x {:.3}{rotated}", look.mode, look.scale[0], look.scale[1])
}

/// A judgement of liveness.
#[derive(Debug, Serialize)]
pub struct LivenessReport {
    /// `live`, `spoof` or `indeterminate`.
    pub verdict: &'static str,
    /// The reason why it is indeterminate.
    pub reason: Option<&'static str>,
    /// The mean probability of a real face.
    pub live_probability: f64,
    /// The probabilities of the three classes, by each network; class 1 is a real face.
    pub networks: BTreeMap<&'static str, [f32; 3]>,
    /// The side of the nearer crop, as a multiple of the face's box.
    pub context: f64,
}

impl From<&Liveness> for LivenessReport {
    fn from(judged: &Liveness) -> Self {
        let scores = judged.scores();
        let [near, far] = *scores.softmax();
        Self {
            verdict: judged.name(),
            reason: judged.doubt().map(|doubt| doubt.code()),
            live_probability: scores.live_probability(),
            networks: BTreeMap::from([("MiniFASNetV2", near), ("MiniFASNetV1SE", far)]),
            context: scores.context(),
        }
    }
}

impl LivenessReport {
    fn line(&self) -> String {
        let reason = self.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let tone = match self.verdict {
            "live" => Tone::Good,
            "spoof" => Tone::Bad,
            _ => Tone::Unclear,
        };
        format!("{}{reason}  live probability {:.4}", verdict(self.verdict, tone), self.live_probability)
    }
}

/// One photograph's face, judged.
#[derive(Debug, Serialize)]
pub struct PhotographReport {
    /// The photograph's file.
    pub image: String,
    /// How the detector searched the photograph.
    pub look: LookReport,
    /// The face.
    pub face: FaceReport,
    /// The judgement.
    pub liveness: LivenessReport,
}

impl PhotographReport {
    fn new<E>(image: String, judged: &Examination<Liveness, E>) -> Self {
        let (look, face) = (judged.plan().into(), FaceReport::of(judged));
        Self { image, look, face, liveness: judged.liveness().into() }
    }
}

/// The report of `live`.
#[derive(Debug, Serialize)]
pub struct LiveReport {
    /// The photograph.
    #[serde(flatten)]
    pub photograph: PhotographReport,
    /// The weights that were used.
    pub models: Vec<LoadedModel>,
    /// The time of each stage, in milliseconds.
    pub timing_ms: Timings,
}

impl LiveReport {
    /// Reports one judged face.
    pub fn new(image: String, judged: &Examination<Liveness>, models: Vec<LoadedModel>, timing_ms: Timings) -> Self {
        Self { photograph: PhotographReport::new(image, judged), models, timing_ms }
    }

    /// Returns the report as text.
    pub fn lines(&self) -> String {
        let PhotographReport { image, look, face, liveness } = &self.photograph;
        let mut text = format!("{}  {}\n", line(image), liveness.line());
        for (network, [a, b, c]) in &liveness.networks {
            text += &format!("  {network:14}  {a:.4} {b:.4} {c:.4}\n");
        }
        text + &format!("  {}  {}\n", look_line(look), face.line())
    }
}

/// An embedding.
#[derive(Debug, Serialize)]
pub struct EmbedReport {
    /// The photograph's file.
    pub image: String,
    /// How the detector searched the photograph.
    pub look: LookReport,
    /// The face.
    pub face: FaceReport,
    /// The embedding space. Embeddings of two spaces can't be compared.
    pub contract_id: String,
    /// The embedder's trust: `published`, or `accepted` by its digest.
    pub embedder: Option<&'static str>,
    /// The numbers, not normalised.
    pub embedding: Vec<f32>,
    /// The weights that were used.
    pub models: Vec<LoadedModel>,
    /// The time of each stage, in milliseconds.
    pub timing_ms: Timings,
}

impl EmbedReport {
    /// Returns the report as text.
    pub fn lines(&self) -> String {
        let length = self.embedding.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let head = self.embedding.iter().take(4).map(|v| format!("{v:.4}")).collect::<Vec<_>>().join(" ");
        let count = self.embedding.len();
        format!(
            "{}  {count} numbers of length {length:.3}: {head} …\n  contract {}\n  {}\n",
            line(&self.image),
            self.contract_id,
            self.face.line()
        )
    }
}

/// A comparison.
#[derive(Debug, Serialize)]
pub struct CompareReport {
    /// `accept`, `review` or `reject`.
    pub verdict: &'static str,
    /// The reasons against acceptance.
    pub reasons: Vec<&'static str>,
    /// The distance and its threshold.
    #[serde(flatten)]
    pub similarity: SimilarityResponse,
    /// Both photographs.
    pub photographs: [PhotographReport; 2],
    /// The name of the four networks together.
    pub bundle: &'static str,
    /// The space of the embeddings.
    pub contract_id: String,
    /// The embedder's trust: `published`, or `accepted` by its digest.
    pub embedder: Option<&'static str>,
    /// The weights that were used.
    pub models: Vec<LoadedModel>,
    /// The time of each stage for both photographs together, in milliseconds.
    pub timing_ms: Timings,
}

impl CompareReport {
    /// Reports a comparison.
    pub fn new(images: [String; 2], faces: &[Examined; 2], decision: &Decision) -> Self {
        let [first, second] = images;
        let (similarity, verdict) = (decision.similarity(), decision.verdict());
        Self {
            verdict: verdict.name(),
            reasons: verdict.reasons().iter().map(Reason::code).collect(),
            similarity: similarity.into(),
            photographs: [PhotographReport::new(first, &faces[0]), PhotographReport::new(second, &faces[1])],
            bundle: "",
            contract_id: String::new(),
            embedder: None,
            models: Vec::new(),
            timing_ms: Timings::new(),
        }
    }

    /// Returns the report as text.
    pub fn lines(&self) -> String {
        let reasons = if self.reasons.is_empty() { String::new() } else { format!(": {}", self.reasons.join(", ")) };
        let tone = match self.verdict {
            "accept" => Tone::Good,
            "reject" => Tone::Bad,
            _ => Tone::Unclear,
        };
        let mut text = format!("{}{reasons}\n", verdict(self.verdict, tone));
        let SimilarityResponse { distance, threshold, threshold_source, fmr_at_threshold } = self.similarity;
        text += &format!("  distance {distance:.6}, at most {threshold} ({threshold_source})\n");
        text += &fmr_at_threshold.map(|rate| format!("  false match rate {}\n", rate.line())).unwrap_or_default();
        for side in &self.photographs {
            text += &format!("  {}  {}  {}\n", line(&side.image), side.liveness.line(), look_line(&side.look));
        }
        for model in &self.models {
            text += &format!("  {:9}  {}\n", model.role, model.sha256);
        }
        text += &accepted(self.embedder);
        let stages = self.timing_ms.iter().map(|(stage, ms)| format!("{stage} {ms:.1}"));
        text + &format!("  ms: {}\n", stages.collect::<Vec<_>>().join(", "))
    }
}

/// Returns a warning about an embedder that is not a published one.
fn accepted(embedder: Option<&'static str>) -> String {
    let other = embedder.filter(|embedder| *embedder != "published");
    other.map(|embedder| format!("  the embedder is not a published one: {embedder}\n")).unwrap_or_default()
}

/// Returns the error of each missing or wrong model, by role.
pub fn missing(models: &LoadedModels) -> BTreeMap<&'static str, String> {
    let failure = |state: &RoleState| Some((name(state.role), state.failure()?));
    models.roles.iter().filter_map(failure).collect()
}

/// The report of `models`.
#[derive(Debug, Serialize)]
pub struct ModelsReport {
    /// The kernels in use.
    pub kernels: &'static str,
    /// The loaded models.
    pub models: Vec<LoadedModel>,
    /// The error of each missing or wrong model, by role.
    pub missing: BTreeMap<&'static str, String>,
    /// The embedding space, if detector and embedder are loaded.
    pub contract_id: Option<String>,
    /// The embedder's trust: `published`, `accepted` by its digest, or `unknown`; null if no embedder is
    /// loaded.
    pub embedder: Option<&'static str>,
    /// What the operator can do about the first missing or wrong model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
}

impl ModelsReport {
    /// Returns the report as text.
    pub fn lines(&self) -> String {
        let mut text = format!("kernels {}\n", self.kernels);
        for LoadedModel { role, origin, sha256, self_test, .. } in &self.models {
            text += &format!(
                "{role:9}  {}\n  sha256     {sha256}\n  self-test  {self_test}\n",
                line(&origin.display().to_string())
            );
        }
        for (role, why) in &self.missing {
            text += &format!("{role:9}  missing\n  {}\n", why.replace('\n', "\n  "));
        }
        text += &self.contract_id.as_ref().map(|id| format!("contract   {id}\n")).unwrap_or_default();
        text += &accepted(self.embedder);
        text + &self.hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default()
    }
}
