//! The policy: every number that turns measurements into an outcome, as one value.
//!
//! [`NUMBERS`] lists each with its default, its source, and whether it is calibrated; a test
//! compares the table of `docs/verdict.md` with it. A [`Policy`] starts from these defaults and is
//! read once from settings. The command line, the page, `/inspect` and `/api/v1` all use it.
//! Touches nothing.
//!
//! These interfaces differ only in these points:
//! - DeepFace's routes keep DeepFace's rule ([`crate::deepface`], [`Metric::threshold`]): the smallest
//!   distance over all pairs of faces, its own threshold for each metric. No setting changes them.
//! - A request may carry a threshold of its own: `threshold` of `/compare` and `/search`, `--threshold`.
//! - `/search` returns no person beyond [`SEARCH_FARTHEST`], whatever threshold is set.
//! - Only `/verify` has another threshold for aged templates, and only if that threshold is set.
//!
//! Every distance is rounded to six decimals, as DeepFace does, before it is compared with a threshold.

mod threshold;

pub use threshold::{Calibrated, FaceSearch, Rate, Threshold, ThresholdSource};

use crate::distance::Metric;

/// A default of the policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// Its name in the documentation.
    pub name: &'static str,
    /// Its default.
    pub value: f64,
    /// The variable that sets another value.
    pub setting: Option<&'static str>,
    /// Where the default comes from.
    pub source: &'static str,
    /// Whether a measurement on a labelled collection of photographs confirmed the value.
    pub calibrated: bool,
}

const fn number(name: &'static str, value: f64, setting: Option<&'static str>, source: &'static str) -> Number {
    Number { name, value, setting, source, calibrated: false }
}

const GOLDEN: &str = "chosen here on the golden faces";
const CHOSEN: &str = "chosen here";
const REPLACED: &str = "the replaced service";

const DISTANCE: Number = number(
    "greatest cosine distance of a match",
    Metric::Cosine.threshold(),
    Some("VERIFICATION_THRESHOLD"),
    "DeepFace's for Facenet512",
);
const AGED_YEARS: Number =
    number("years after which templates are aged", 2.0, Some("VERIFICATION_THRESHOLD_AGED_YEARS"), REPLACED);
const FARTHEST: Number = number("greatest distance that `/search` names", 0.8, None, REPLACED);
const HIGH: Number = number("`/compare`: similarity above the threshold for `high`", 0.2, None, REPLACED);
const MEDIUM: Number = number("`/compare`: similarity above the threshold for `medium`", 0.1, None, REPLACED);
const LIVE: Number = number("least live probability of a live face", 0.70, Some("LIVENESS_THRESHOLD"), GOLDEN);
const SPOOF: Number = number("greatest live probability of a spoof", 0.30, None, GOLDEN);
const EACH: Number = number("least live probability that each network gives a live face", 0.30, None, GOLDEN);
const CONTEXT: Number = number("least size of the nearer crop, in boxes of the face", 1.5, None, CHOSEN);
const COLOUR: Number = number(
    "least colour of a face that does not follow from its lightness, in units of Lab",
    1.8,
    None,
    "measured: toned golden faces at most 0.41, golden faces in colour at least 2.6",
);
const TURNED: &str = "measured on 17 photographs, upright and turned";
const TILT: Number = number("greatest tilt of a face off upright, in degrees", 40.0, None, TURNED);
const SKEW: Number = number("greatest cosine between the line of the eyes and the face's axis", 0.25, None, TURNED);
const STRETCH: Number = number("greatest length of the face's axis, in distances between the eyes", 1.6, None, TURNED);
const INSIDE: Number = number("least part of a live face's box in the photograph", 0.9, None, CHOSEN);
pub(crate) const SCORE: Number =
    number("score above which the detector reports a face", 0.35, Some("CENTERFACE_THRESHOLD"), "DeepFace's");
const RIVAL: Number =
    number("part of the largest face's area above which a second face is a rival", 0.5, None, REPLACED);
const SIDE: Number = number("least shorter side of a face, in pixels", 48.0, None, "below, networks see interpolation");
const SHARPNESS: Number = number("least sharpness of a face", 5.0, None, "below, networks see a blur");
const DARK: Number = number("mean grey below which a face is dark", 50.0, None, REPLACED);
const BRIGHT: Number = number("mean grey above which a face is bright", 200.0, None, REPLACED);
const ENROLL: Number = number("least quality at enrolment", 70.0, Some("QUALITY_THRESHOLD"), REPLACED);
const ENROLL_BLUR: Number = number("least sharpness at enrolment", 5.0, Some("BLUR_THRESHOLD"), REPLACED);
const ENROLL_SIDE: Number = number("least shorter side at enrolment, in pixels", 80.0, Some("MIN_FACE_SIZE"), REPLACED);
const VERIFY: Number = number("least quality at verification and search", 50.0, None, REPLACED);

const RANGE: &str = "the detector's best range, in its input of 320 pixels";
const LOW: Number = number("capture: least height of a face, in pixels of the detector's input", 130.0, None, RANGE);
const HIGH_FACE: Number =
    number("capture: greatest height of a face, in pixels of the detector's input", 300.0, None, RANGE);
const TURN: Number = number(
    "capture: least distance of a turned head's nose from its place in a plane, in distances between the eyes",
    0.15,
    None,
    "measured: planes tilted by 45 degrees at most 0.10, heads turned by 30 degrees 0.19 to 0.37",
);
const STRAIGHT: Number = number(
    "capture: greatest distance of the nose from the face's midline in a hold, in distances between the eyes",
    0.12,
    None,
    CHOSEN,
);
const TURN_FRAMES: Number = number("capture: frames that show a turn", 5.0, None, CHOSEN);
const HOLD_FRAMES: Number = number("capture: frames of a hold", 3.0, None, CHOSEN);
const SECONDS: Number =
    number("capture: seconds from its beginning to its use", 180.0, Some("CAPTURE_SECONDS"), CHOSEN);
const STEP_SECONDS: Number = number("capture: seconds for a step", 8.0, None, CHOSEN);
const REACTION: Number = number("capture: least seconds from a prompt to the reaction", 0.2, None, CHOSEN);
const GAP: Number = number("capture: greatest seconds between two frames with the face", 1.5, None, CHOSEN);
const CLOCK: Number = number("capture: greatest seconds by which the clock may go back", 1.0, None, CHOSEN);
const OVERLAP: Number = number("capture: least overlap of the face's boxes in successive frames", 0.3, None, CHOSEN);
const SAME: Number = number(
    "capture: least overlap of the face's box in the best frame, when it was captured and when it is judged",
    0.5,
    None,
    CHOSEN,
);
const SECOND: Number = number("capture: frames with a second face that end it", 3.0, None, CHOSEN);
const REFUSED: Number =
    number("capture: frames for which no core was free that use up no time of a window", 20.0, None, CHOSEN);

/// Every default, in the order of the documentation.
pub const NUMBERS: [Number; 39] = [
    DISTANCE,
    AGED_YEARS,
    FARTHEST,
    HIGH,
    MEDIUM,
    LIVE,
    SPOOF,
    EACH,
    COLOUR,
    TILT,
    SKEW,
    STRETCH,
    CONTEXT,
    INSIDE,
    SCORE,
    RIVAL,
    SIDE,
    SHARPNESS,
    DARK,
    BRIGHT,
    ENROLL,
    ENROLL_BLUR,
    ENROLL_SIDE,
    VERIFY,
    LOW,
    HIGH_FACE,
    TURN,
    STRAIGHT,
    TURN_FRAMES,
    HOLD_FRAMES,
    SECONDS,
    STEP_SECONDS,
    REACTION,
    GAP,
    CLOCK,
    OVERLAP,
    SAME,
    SECOND,
    REFUSED,
];

/// `/search` returns no person farther than this.
pub const SEARCH_FARTHEST: f64 = FARTHEST.value;

/// Degrees off upright above which a face is turned.
pub const TILT_ABOVE: f64 = TILT.value;

/// The cosine between the line of the eyes and the face's axis above which a face is turned.
pub const SKEW_ABOVE: f64 = SKEW.value;

/// The length of the face's axis in distances between the eyes above which a face is turned.
pub const STRETCH_ABOVE: f64 = STRETCH.value;

/// The mean grey value below which a face is dark.
pub const DARK_BELOW: f64 = DARK.value;

/// The mean grey value above which a face is bright.
pub const BRIGHT_ABOVE: f64 = BRIGHT.value;

/// A threshold for templates that have aged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aged {
    /// The threshold.
    pub threshold: Threshold,
    /// Years after which it applies.
    pub years: f64,
}

/// The limits between live and spoof.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LivenessRule {
    /// A live face's live probability is at least this.
    pub live: f64,
    /// A spoof's live probability is at most this.
    pub spoof: f64,
    /// Neither network alone gives a live face less than this.
    pub each: f64,
    /// The face's colour that does not follow from its lightness is at least this; otherwise the photograph is grey or
    /// toned, and the networks know colour photographs alone.
    pub colour: f64,
    /// The crop for the network of scale 2.7 is at least this many times the face's box; otherwise
    /// the result is indeterminate, since the frame shows too little around the face.
    pub context: f64,
    /// The least part of the face's box that must lie in the photograph, with all five landmarks.
    pub inside: f64,
}

/// The rule that selects the face that counts, and refuses faces that the networks can't judge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceRule {
    /// A face's score is above this.
    pub score: f32,
    /// A second face with more than this part of the largest face's area is a rival: no face counts.
    pub rival: f64,
    /// Pixels of the shorter side, at least.
    pub side: i64,
    /// Variance of the Laplacian, at least.
    pub sharpness: f64,
}

/// The quality that a photograph needs beyond [`FaceRule`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityRule {
    /// The score, 0 to 100.
    pub score: f64,
    /// Variance of the Laplacian.
    pub blur: f64,
    /// Pixels of the face's shorter side.
    pub side: i64,
}

/// The rules of a capture ([`crate::capture`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaptureRule {
    /// The least and the greatest height of a face, in pixels of the detector's input.
    pub height: [f64; 2],
    /// The least distance of a turned head's nose from its place in a plane, in distances between the eyes.
    pub turn: f64,
    /// The greatest distance of the nose from the midline in a hold, in distances between the eyes.
    pub straight: f64,
    /// The number of frames that must show a turn.
    pub turn_frames: u32,
    /// The number of frames in a hold.
    pub hold_frames: u32,
    /// Seconds from the beginning of a capture until it can no longer be used.
    pub seconds: f64,
    /// Seconds for a step.
    pub step: f64,
    /// The least seconds from a prompt to the reaction.
    pub reaction: f64,
    /// The greatest seconds between two frames with the face.
    pub gap: f64,
    /// The greatest seconds by which the clock may go back between two frames.
    pub back: f64,
    /// The least overlap of the face's boxes in successive frames.
    pub overlap: f64,
    /// The least overlap of the face's box in the best frame, when it was captured and when it is judged.
    pub same: f64,
    /// The number of frames with a second face that ends a capture.
    pub second: u32,
    /// The most frames, refused because no core was free, that use up no time of a window.
    pub refused: u32,
}

/// Every number that turns measurements into an outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// The greatest distance of a match.
    pub threshold: Threshold,
    /// The threshold for aged templates, if it is set.
    pub aged: Option<Aged>,
    /// The limits between live and spoof.
    pub liveness: LivenessRule,
    /// Which face counts.
    pub face: FaceRule,
    /// At enrolment.
    pub enroll: QualityRule,
    /// At verification and search.
    pub verify: QualityRule,
    /// In a capture.
    pub capture: CaptureRule,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            threshold: Threshold::deepface(DISTANCE.value),
            aged: None,
            liveness: LivenessRule {
                live: LIVE.value,
                spoof: SPOOF.value,
                each: EACH.value,
                colour: COLOUR.value,
                context: CONTEXT.value,
                inside: INSIDE.value,
            },
            face: FaceRule {
                score: SCORE.value as f32,
                rival: RIVAL.value,
                side: SIDE.value as i64,
                sharpness: SHARPNESS.value,
            },
            enroll: QualityRule { score: ENROLL.value, blur: ENROLL_BLUR.value, side: ENROLL_SIDE.value as i64 },
            verify: QualityRule { score: VERIFY.value, blur: 0.0, side: 0 },
            capture: CaptureRule {
                height: [LOW.value, HIGH_FACE.value],
                turn: TURN.value,
                straight: STRAIGHT.value,
                turn_frames: TURN_FRAMES.value as u32,
                hold_frames: HOLD_FRAMES.value as u32,
                seconds: SECONDS.value,
                step: STEP_SECONDS.value,
                reaction: REACTION.value,
                gap: GAP.value,
                back: CLOCK.value,
                overlap: OVERLAP.value,
                same: SAME.value,
                second: SECOND.value as u32,
                refused: REFUSED.value as u32,
            },
        }
    }
}

impl Policy {
    /// Years after which templates are aged, unless set.
    pub const AGED_YEARS: f64 = AGED_YEARS.value;

    /// The threshold for templates whose newest has this age in seconds.
    #[must_use]
    pub fn threshold_at(&self, age: i64) -> Threshold {
        const YEAR: f64 = 365.25 * 86_400.0;
        let aged = self.aged.filter(|aged| age as f64 > aged.years * YEAR);
        aged.map_or(self.threshold, |aged| aged.threshold)
    }
}

/// `/compare`'s word for how far a similarity lies above the threshold.
#[must_use]
pub fn confidence(similarity: f64, threshold: Threshold) -> &'static str {
    match similarity - threshold.distance() {
        above if above >= HIGH.value => "high",
        above if above >= MEDIUM.value => "medium",
        _ => "low",
    }
}

/// What a caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Let the person in.
    Allow,
    /// A person reviews the case.
    Review,
    /// Refuse.
    Block,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Review, Self::Block];

    /// Its name in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Review => "review",
            Self::Block => "block",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aged_threshold_applies_only_where_it_is_set_and_only_beyond_its_years() {
        let year = (365.25 * 86_400.0) as i64;
        let plain = Policy::default();
        let aged = Policy { aged: Some(Aged { threshold: Threshold::set(0.55), years: 2.0 }), ..plain };
        let table = [(plain, 9 * year, 0.3), (aged, 2 * year, 0.3), (aged, 2 * year + 1, 0.55), (aged, -1, 0.3)];
        let wrong: Vec<_> =
            table.iter().filter(|(policy, age, expected)| policy.threshold_at(*age).distance() != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn no_two_numbers_share_a_name_or_a_setting() {
        let names: std::collections::BTreeSet<_> = NUMBERS.iter().map(|number| number.name).collect();
        let settings: Vec<_> = NUMBERS.iter().filter_map(|number| number.setting).collect();
        let distinct: std::collections::BTreeSet<_> = settings.iter().collect();
        assert_eq!((names.len(), distinct.len()), (NUMBERS.len(), settings.len()));
    }
}
