//! The parts of the response of `/inspect`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use likeness::image::Bgr;
use likeness::liveness::Liveness;
use likeness::net::{SpoofV1Se, SpoofV2, facenet512};
use likeness::policy::LivenessRule;
use likeness::quality::{Quality, Unfit};
use likeness::verdict::{Similarity, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use super::detect::FaceResponse;
use super::liveness::message;
use super::response::SimilarityResponse;
use super::response::{BoxResponse, LivenessVerdict, SizeResponse};
use crate::app::ModelResponse;
use crate::clock::Timings;
use crate::draw;
use crate::examiner::round;
use crate::models::LoadedModels;
use crate::problem::{ModelFault, Problem};

/// The form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct InspectForm {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// A second photograph, to be compared with the first.
    #[schema(value_type = Option<String>, format = Binary)]
    file2: Option<Vec<u8>>,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectResponse {
    /// One or two.
    pub photographs: Vec<PhotographResponse>,
    /// Null with one photograph, without a face in both, or without the embedder.
    pub comparison: Option<ComparisonResponse>,
    /// The models that are not loaded: what they would have said is null.
    pub missing: Vec<ModelFault>,
    /// Which weights answered.
    pub model: ModelResponse,
}

/// One photograph.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotographResponse {
    /// The field that it came in.
    pub field: &'static str,
    /// The photograph, upright.
    pub image_dimensions: SizeResponse,
    /// `exact` or `fast`: how faces were looked for.
    pub detection: &'static str,
    /// Degrees clockwise by which the photograph was turned upright: 0, 90, 180 or 270. Faces lie in the turned one.
    pub rotated: u16,
    /// Every face, the surest first; at most 50.
    pub faces: Vec<FaceResponse>,
    /// The face that counts, as a place in `faces`.
    pub subject: Option<usize>,
    /// Why no face counts.
    pub unfit: Option<UnfitResponse>,
    /// How good the face's picture is.
    pub quality: Option<QualityResponse>,
    /// What both liveness networks saw and said; null where one is not loaded.
    pub liveness: Option<LivenessInspection>,
    /// What the embedder saw; null where it is not loaded.
    pub embedder: Option<EmbedderResponse>,
    /// Milliseconds by stage.
    #[schema(inline)]
    pub timing_ms: Timings,
}

/// Why no face counts: the code that another route would answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnfitResponse {
    error_code: &'static str,
    message: String,
}

impl UnfitResponse {
    /// Converts the reason to the error of other routes.
    pub fn of(unfit: Unfit) -> Self {
        Self { error_code: Problem::from(unfit).code().name(), message: unfit.to_string() }
    }
}

/// What was measured in a face's box.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualityResponse {
    /// 0 to 100.
    score: f64,
    /// Variance of the Laplacian.
    blur: f64,
    /// Mean of the grey values, 0 to 255.
    light: f64,
    /// Pixels of the shorter side.
    side: i64,
    /// Colour that does not follow from lightness, in units of Lab.
    colour: f64,
}

impl QualityResponse {
    /// Converts the measurements, rounded to two decimals.
    pub fn of(quality: &Quality) -> Self {
        let Quality { blur, light, side, colour, .. } = *quality;
        let [score, blur, light, colour] = [quality.score(), blur, light, colour].map(|value| round(value, 2));
        Self { score, blur, light, side, colour }
    }
}

/// Live, spoof or neither, with both networks' reasons.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessInspection {
    #[serde(flatten)]
    verdict: LivenessVerdict,
    /// Why indeterminate.
    doubt: Option<&'static str>,
    /// For a person.
    message: String,
    /// Where the lines are.
    thresholds: LivenessThresholds,
    /// The networks of scale 2.7 and 4.0.
    networks: [SpoofNetworkResponse; 2],
}

/// Where the lines between live and spoof are.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessThresholds {
    /// Live from here on.
    live: f64,
    /// Spoof up to here.
    spoof: f64,
    /// Neither network alone gives a live face less.
    each: f64,
    /// Neither live nor spoof where the face has less colour.
    colour: f64,
    /// The crop of scale 2.7 is at least this many times the box.
    context: f64,
}

/// What one liveness network saw and said.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpoofNetworkResponse {
    /// Its weight file.
    file: String,
    /// How many times the face's box it is to see.
    scale: f64,
    /// How many times it saw: less where the photograph ends.
    scale_seen: f64,
    /// What it saw of the photograph.
    area: BoxResponse,
    /// The 80 x 80 pixels that it saw: a PNG as a data URI.
    crop: String,
    /// Its probabilities: a fake, a real face, another fake.
    probabilities: [f64; 3],
}

impl LivenessInspection {
    /// Converts a judgement on a face of this photograph.
    ///
    /// # Errors
    /// A crop can't be encoded.
    pub fn of(judged: &Liveness, image: &Bgr, files: [String; 2], lines: &LivenessRule) -> Result<Self, Problem> {
        let scores = judged.scores();
        let doubt = judged.doubt().map(|doubt| doubt.code());
        let scales = [SpoofV2::SCALE, SpoofV1Se::SCALE];
        let mut networks = Vec::new();
        for (at, file) in files.into_iter().enumerate() {
            let crop = &scores.crops()[at];
            let ([x, y], [right, bottom]) = (crop.first, crop.last);
            networks.push(SpoofNetworkResponse {
                file,
                scale: scales[at],
                scale_seen: round(crop.scale, 3),
                area: BoxResponse { x, y, width: right - x + 1, height: bottom - y + 1 }.times(image.unit()),
                crop: data_uri(&crop.pixels(image))?,
                probabilities: scores.softmax()[at].map(|part| round(f64::from(part), 6)),
            });
        }
        let Ok(networks) = networks.try_into() else { unreachable!("one for each file") };
        let LivenessRule { live, spoof, each, colour, context, .. } = *lines;
        Ok(Self {
            verdict: judged.into(),
            doubt,
            message: message(judged),
            thresholds: LivenessThresholds { live, spoof, each, colour, context },
            networks,
        })
    }
}

/// What the embedder saw.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbedderResponse {
    /// Its weight file.
    file: String,
    /// The 160 x 160 pixels that it saw, rounded to 8 bits: a PNG as a data URI.
    face: String,
    /// How many numbers it gave. They stay here.
    embedding_dimension: usize,
}

impl EmbedderResponse {
    /// Converts the embedder's input, pixels from 0 to 1.
    ///
    /// # Errors
    /// The pixels can't be encoded.
    pub fn of(input: &[f32], file: String) -> Result<Self, Problem> {
        let bytes = input.iter().map(|part| (part * 255.0).round() as u8).collect();
        let face = Bgr::new(facenet512::SIDE, facenet512::SIDE, bytes);
        let face = face.ok_or_else(|| Problem::internal(&"what the embedder saw is no square"))?;
        Ok(Self { file, face: data_uri(&face)?, embedding_dimension: facenet512::LENGTH })
    }
}

fn data_uri(image: &Bgr) -> Result<String, Problem> {
    let png = draw::encode(image).map_err(|why| Problem::internal(&why))?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

/// Two photographs' faces, compared.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparisonResponse {
    /// The distance and its threshold.
    #[serde(flatten)]
    similarity: SimilarityResponse,
    /// Whether the distance is within the threshold.
    matched: bool,
    /// `accept`, `review` or `reject`; null where liveness was not judged.
    verdict: Option<&'static str>,
    /// Why not accepted.
    reasons: Vec<ReasonResponse>,
}

/// Why not accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonResponse {
    /// A stable word.
    code: &'static str,
    /// For a person.
    message: String,
}

impl ComparisonResponse {
    /// Converts a similarity and its verdict.
    pub fn of(similarity: &Similarity, verdict: Option<&Verdict>) -> Self {
        let reasons = verdict.map_or(&[][..], Verdict::reasons).iter();
        let reasons =
            reasons.map(|reason| ReasonResponse { code: reason.code(), message: reason.to_string() }).collect();
        let verdict = verdict.map(Verdict::name);
        Self { similarity: similarity.into(), matched: similarity.matched(), verdict, reasons }
    }
}

/// Returns every model that is not loaded.
pub fn missing(models: &LoadedModels) -> Vec<ModelFault> {
    models.roles.iter().filter(|role| role.loaded().is_none()).map(ModelFault::of).collect()
}
