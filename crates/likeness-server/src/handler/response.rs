//! The parts that several responses share.

use likeness::detect::{Area, Face, Point, Size, inside};
use likeness::find::DetectionPlan;
use likeness::liveness::Liveness;
use likeness::policy::{Rate, Threshold};
use likeness::verdict::Similarity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::examiner::round;

/// A box, in pixels of the photograph.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct BoxResponse {
    /// Left edge.
    pub x: i64,
    /// Top edge.
    pub y: i64,
    /// Width.
    pub width: i64,
    /// Height.
    pub height: i64,
}

impl BoxResponse {
    /// Returns the box in a photograph whose sides are `unit` times as long.
    pub fn times(self, unit: usize) -> Self {
        let unit = unit as i64;
        Self { x: self.x * unit, y: self.y * unit, width: self.width * unit, height: self.height * unit }
    }
}

impl From<Area> for BoxResponse {
    fn from(Area { x, y, w, h }: Area) -> Self {
        Self { x, y, width: w, height: h }
    }
}

/// Five points `[x, y]`; left is the person's own left; null outside of the photograph.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct LandmarksResponse {
    /// The right eye.
    #[schema(value_type = Option<Vec<i64>>)]
    pub right_eye: Option<Point>,
    /// The left eye.
    #[schema(value_type = Option<Vec<i64>>)]
    pub left_eye: Option<Point>,
    /// The nose.
    #[schema(value_type = Option<Vec<i64>>)]
    pub nose: Option<Point>,
    /// The right corner of the mouth.
    #[schema(value_type = Option<Vec<i64>>)]
    pub mouth_right: Option<Point>,
    /// The left corner of the mouth.
    #[schema(value_type = Option<Vec<i64>>)]
    pub mouth_left: Option<Point>,
}

impl LandmarksResponse {
    /// Converts the landmarks of a face in a photograph of this size.
    pub fn of(face: &Face, size: Size) -> Self {
        let [right_eye, left_eye, nose, mouth_right, mouth_left] = face.landmarks.map(|point| inside(point, size));
        Self { right_eye, left_eye, nose, mouth_right, mouth_left }
    }
}

/// A width and a height.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct SizeResponse {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
}

impl SizeResponse {
    /// Returns a photograph's size, in pixels of its file.
    pub fn of(look: &DetectionPlan) -> Self {
        let Size { x: width, y: height } = look.file_size();
        Self { width, height }
    }
}

/// The verdict on liveness.
#[derive(Debug, Serialize, ToSchema)]
pub struct LivenessVerdict {
    /// `live`, `spoof` or `indeterminate`.
    verdict: &'static str,
    /// The mean probability of a real face.
    live_probability: f64,
}

impl From<&Liveness> for LivenessVerdict {
    fn from(judged: &Liveness) -> Self {
        Self { verdict: judged.name(), live_probability: round(judged.scores().live_probability(), 6) }
    }
}

/// An error rate that a calibration measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorRateResponse {
    /// The measured rate, 0 to 1.
    pub value: f64,
    /// The lower limit of the confidence interval of 95 %.
    pub low: f64,
    /// The upper limit of the confidence interval of 95 %.
    pub high: f64,
}

impl From<Rate> for ErrorRateResponse {
    fn from(Rate { value, low, high }: Rate) -> Self {
        Self { value, low, high }
    }
}

impl ErrorRateResponse {
    /// Returns the FMR that was measured at a threshold.
    pub fn at(threshold: Threshold) -> Option<Self> {
        threshold.fmr().map(Self::from)
    }

    /// Returns the rate as text.
    pub fn line(&self) -> String {
        let Self { value, low, high } = self;
        format!("{} ({} to {})", brief(*value), brief(*low), brief(*high))
    }
}

/// Formats a rate with three digits.
pub fn brief(rate: f64) -> String {
    let digits = if rate > 0.0 { 2 - rate.log10().floor() as i32 } else { 0 };
    round(rate, digits.clamp(0, 12)).to_string()
}

/// A distance and its threshold.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct SimilarityResponse {
    /// The cosine distance.
    pub distance: f64,
    /// The largest distance of a match.
    pub threshold: f64,
    /// The source of the threshold: `deepface`, `set`, `calibrated` or `request`.
    pub threshold_source: &'static str,
    /// The false match rate at the threshold: the part of comparisons of different persons that match. Null if no
    /// calibration measured it, as for a mean of several templates.
    pub fmr_at_threshold: Option<ErrorRateResponse>,
}

impl From<&Similarity> for SimilarityResponse {
    fn from(similarity: &Similarity) -> Self {
        let threshold = similarity.threshold();
        Self {
            distance: similarity.distance(),
            threshold: threshold.distance(),
            threshold_source: threshold.source().name(),
            fmr_at_threshold: ErrorRateResponse::at(threshold),
        }
    }
}
