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
    /// A second photograph to compare with the first.
    #[schema(value_type = Option<String>, format = Binary)]
    file2: Option<Vec<u8>>,
}

/// The inputs and results of the networks.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectResponse {
    /// One or two photographs.
    pub photographs: Vec<PhotographResponse>,
    /// Null with one photograph, without a face in both, or without the embedder.
    pub comparison: Option<ComparisonResponse>,
    /// The models that are not loaded. Their results are null.
    pub missing: Vec<ModelFault>,
    /// The weights that were used.
    pub model: ModelResponse,
}

/// The results for one photograph.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotographResponse {
    /// The form field that contained the photograph.
    pub field: &'static str,
    /// The size of the upright photograph.
    pub image_dimensions: SizeResponse,
    /// `exact` or `fast`: how the detector searched for faces.
    pub detection: &'static str,
    /// Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270. Boxes refer to the rotated
    /// photograph.
    pub rotated: u16,
    /// The faces, most confident first; at most 50.
    pub faces: Vec<FaceResponse>,
    /// The chosen face, as an index into `faces`.
    pub subject: Option<usize>,
    /// The reason why no face was chosen.
    pub unfit: Option<UnfitResponse>,
    /// The quality of the chosen face.
    pub quality: Option<QualityResponse>,
    /// The inputs and results of both liveness networks; null if one is not loaded.
    pub liveness: Option<LivenessInspection>,
    /// The embedder's input; null if the embedder is not loaded.
    pub embedder: Option<EmbedderResponse>,
    /// The time of each stage, in milliseconds.
    #[schema(inline)]
    pub timing_ms: Timings,
}

/// The reason why no face was chosen: the error code that other routes return.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnfitResponse {
    error_code: &'static str,
    /// The reason, more precise than `error_code`.
    reason: &'static str,
    message: String,
}

impl UnfitResponse {
    /// Converts the reason to the error of other routes.
    pub fn of(unfit: Unfit) -> Self {
        Self { error_code: Problem::from(unfit).code().name(), reason: unfit.code(), message: unfit.to_string() }
    }
}

/// The measurements of a face's box.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualityResponse {
    /// The quality, 0 to 100.
    score: f64,
    /// The variance of the Laplacian.
    blur: f64,
    /// The mean grey value, 0 to 255.
    light: f64,
    /// The shorter side of the box, in pixels.
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

/// The judgement of liveness, with the results of both networks.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessInspection {
    #[serde(flatten)]
    verdict: LivenessVerdict,
    /// The reason why the verdict is `indeterminate`.
    doubt: Option<&'static str>,
    /// The result as text for a person.
    message: String,
    /// The thresholds of the judgement.
    thresholds: LivenessThresholds,
    /// The results of the networks of scale 2.7 and 4.0.
    networks: [SpoofNetworkResponse; 2],
}

/// The thresholds between live, spoof and indeterminate.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessThresholds {
    /// A face is live from this probability on.
    live: f64,
    /// A face is a spoof up to this probability.
    spoof: f64,
    /// The smallest probability that each network must give a live face.
    each: f64,
    /// The smallest colour; a face with less colour is indeterminate.
    colour: f64,
    /// The smallest side of the crop of scale 2.7, as a multiple of the face's box.
    context: f64,
}

/// The input and the result of one liveness network.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpoofNetworkResponse {
    /// The network's weight file.
    file: String,
    /// The scale for which the network was trained: the crop's width divided by that of the face's box.
    scale: f64,
    /// The actual side of the crop, as a multiple of the face's box; smaller near the photograph's edge.
    scale_seen: f64,
    /// The part of the photograph in the crop.
    area: BoxResponse,
    /// The network's input of 80 x 80 pixels: a PNG as a data URI.
    crop: String,
    /// The probabilities of the three classes: a fake, a real face, another fake.
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

/// The embedder's input.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbedderResponse {
    /// The embedder's weight file.
    file: String,
    /// The embedder's input of 160 x 160 pixels, rounded to 8 bits: a PNG as a data URI.
    face: String,
    /// The number of components of the embedding, which this response does not contain.
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

/// The comparison of the two faces.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparisonResponse {
    /// The distance and its threshold.
    #[serde(flatten)]
    similarity: SimilarityResponse,
    /// Whether the distance is within the threshold.
    matched: bool,
    /// `accept`, `review` or `reject`; null if liveness was not judged.
    verdict: Option<&'static str>,
    /// The reasons against acceptance.
    reasons: Vec<ReasonResponse>,
}

/// A reason against acceptance.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonResponse {
    /// The reason's code, which does not change between versions.
    code: &'static str,
    /// The reason as text for a person.
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
