//! Judges from both spoof networks whether a face is live, a spoof, or neither.
//!
//! Only [`judge`] makes a [`Live`], so no other code can claim that a face is live. A face that is
//! neither clearly live nor clearly a spoof is [`Liveness::Indeterminate`], with the reason.
//! Touches nothing.

use std::fmt;

use crate::crop::Crop;
use crate::policy::{Action, LivenessRule};

/// The class that means a real face; 0 and 2 are kinds of fakes.
pub const REAL: usize = 1;

/// The outputs of both spoof networks, which only [`crate::spoof::SpoofPair::scores`] makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpoofScores {
    crops: [Crop; 2],
    softmax: [[f32; 3]; 2],
}

impl SpoofScores {
    pub(crate) fn new(crops: [Crop; 2], softmax: [[f32; 3]; 2]) -> Self {
        Self { crops, softmax }
    }

    /// The crops at scale 2.7 and 4.0.
    #[must_use]
    pub fn crops(&self) -> &[Crop; 2] {
        &self.crops
    }

    /// Each network's probabilities of the three classes: V2's, then V1SE's.
    #[must_use]
    pub fn softmax(&self) -> &[[f32; 3]; 2] {
        &self.softmax
    }

    fn sums(&self) -> [f64; 3] {
        let [a, b] = self.softmax;
        std::array::from_fn(|class| f64::from(a[class]) + f64::from(b[class]))
    }

    /// The class with the greatest sum; on a tie the first.
    #[must_use]
    pub fn label(&self) -> usize {
        let sums = self.sums();
        (1..3).fold(0, |best, class| if sums[class] > sums[best] { class } else { best })
    }

    /// DeepFace's `is_real`: whether the winning class is [`REAL`].
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.label() == REAL
    }

    /// DeepFace's `antispoof_score`: the winning class's mean probability, not that of a real face.
    #[must_use]
    pub fn antispoof_score(&self) -> f64 {
        self.sums()[self.label()] / 2.0
    }

    /// The mean probability of a real face.
    #[must_use]
    pub fn live_probability(&self) -> f64 {
        self.sums()[REAL] / 2.0
    }

    /// The lower of the two networks' probabilities of a real face.
    #[must_use]
    pub fn least(&self) -> f64 {
        let [a, b] = self.softmax;
        f64::from(a[REAL].min(b[REAL]))
    }

    /// Returns the real scale of the crop of scale 2.7, in sizes of the face's box.
    #[must_use]
    pub fn context(&self) -> f64 {
        self.crops[0].scale
    }
}

/// The proof that a face was judged live.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Live(SpoofScores);

impl Live {
    /// The networks' outputs.
    #[must_use]
    pub fn scores(&self) -> &SpoofScores {
        &self.0
    }
}

/// The reason why neither live nor spoof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The photograph shows the face without colour: grey, toned or infrared.
    NoColour,
    /// The face is not upright, or not seen from the front.
    FaceTurned,
    /// The frame shows too little around the face.
    ContextTooSmall,
    /// The photograph's edge cuts the face.
    FaceCut,
    /// One network alone gives a live face too low a probability.
    NetworksDisagree,
    /// The probabilities lie between both thresholds.
    Unsure,
}

impl Doubt {
    /// A stable word for reports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoColour => "no_colour",
            Self::FaceTurned => "face_turned",
            Self::ContextTooSmall => "context_too_small",
            Self::FaceCut => "face_cut",
            Self::NetworksDisagree => "networks_disagree",
            Self::Unsure => "unsure",
        }
    }

    /// Returns one sentence that advises the person in front of the camera.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoColour => "The face has no colour. Send a colour photograph, taken in visible light.",
            Self::FaceTurned => "Hold the camera upright, and look into it.",
            Self::ContextTooSmall => "Step back from the camera, or send the photograph uncropped.",
            Self::FaceCut => "Leave room around the face: the photograph's edge cuts it.",
            Self::NetworksDisagree | Self::Unsure => "Take another photograph, in even light from the front.",
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Liveness {
    /// A live face.
    Live(Live),
    /// A picture of a face.
    Spoof(SpoofScores),
    /// Neither live nor a spoof.
    Indeterminate(Doubt, SpoofScores),
}

impl Liveness {
    /// The possible values of [`Self::name`].
    pub const NAMES: [&str; 3] = ["live", "spoof", "indeterminate"];

    /// `live`, `spoof` or `indeterminate`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        Self::NAMES[match self {
            Self::Live(_) => 0,
            Self::Spoof(_) => 1,
            Self::Indeterminate(..) => 2,
        }]
    }

    /// The networks' outputs.
    #[must_use]
    pub fn scores(&self) -> &SpoofScores {
        match self {
            Self::Live(Live(scores)) | Self::Spoof(scores) | Self::Indeterminate(_, scores) => scores,
        }
    }

    /// Returns the reason why it is indeterminate.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        match self {
            Self::Indeterminate(doubt, _) => Some(*doubt),
            _ => None,
        }
    }
}

impl From<&Liveness> for Action {
    /// The action that liveness alone suggests.
    fn from(liveness: &Liveness) -> Self {
        match liveness {
            Liveness::Live(_) => Self::Allow,
            Liveness::Indeterminate(..) => Self::Review,
            Liveness::Spoof(_) => Self::Block,
        }
    }
}

/// Measurements of a face that the judgement needs ([`crate::quality::Quality::shown`] makes them).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Part of the box that lies in the photograph; 0 if a landmark is outside.
    pub inside: f64,
    /// Colour that does not follow from lightness, in units of Lab.
    pub colour: f64,
    /// Whether the face is not upright, or not seen from the front.
    pub turned: bool,
}

/// Judges a face from the networks' outputs and its measurements. A face without colour, a turned
/// face, or too little around the face is indeterminate whatever the networks output, because they
/// never learned such faces. NaN passes no comparison, so the result is indeterminate.
#[must_use]
pub fn judge(scores: SpoofScores, shown: Shown, lines: &LivenessRule) -> Liveness {
    let (probability, least) = (scores.live_probability(), scores.least());
    let enough = |found: f64, expected: f64| found >= expected;
    if !enough(shown.colour, lines.colour) {
        return Liveness::Indeterminate(Doubt::NoColour, scores);
    }
    if !enough(scores.context(), lines.context) {
        return Liveness::Indeterminate(Doubt::ContextTooSmall, scores);
    }
    if shown.turned {
        return Liveness::Indeterminate(Doubt::FaceTurned, scores);
    }
    if scores.is_real() && probability >= lines.live && least >= lines.each {
        let whole = enough(shown.inside, lines.inside);
        return if whole { Liveness::Live(Live(scores)) } else { Liveness::Indeterminate(Doubt::FaceCut, scores) };
    }
    if !scores.is_real() && probability <= lines.spoof {
        return Liveness::Spoof(scores);
    }
    let doubt = if least < lines.each { Doubt::NetworksDisagree } else { Doubt::Unsure };
    Liveness::Indeterminate(doubt, scores)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::policy::Policy;

    /// Two networks that give a real face these probabilities, with this context; class 2 gets the
    /// rest.
    pub(crate) fn scores(first: f32, second: f32, context: f64) -> SpoofScores {
        let crop = Crop { first: [0, 0], last: [9, 9], scale: context };
        SpoofScores::new([crop; 2], [[0.0, first, 1.0 - first], [0.0, second, 1.0 - second]])
    }

    /// A face that lies whole in the photograph, in colour.
    pub(crate) const WHOLE: Shown = Shown { inside: 1.0, colour: 9.0, turned: false };

    /// The check of colour comes first: no probability, context or part in the photograph changes it.
    #[test]
    fn without_colour_no_answer_of_the_networks_is_a_verdict() {
        let lines = Policy::default().liveness;
        let mut wrong = Vec::new();
        for colour in [0.0, 1.42, lines.colour.next_down(), f64::NAN] {
            for probability in [0.0, 0.25, 0.5, 0.9, 1.0, f32::NAN] {
                for (context, inside) in [(2.7, 1.0), (1.0, 1.0), (2.7, 0.0)] {
                    let shown = Shown { inside, colour, turned: false };
                    let judged = judge(scores(probability, probability, context), shown, &lines);
                    if judged.doubt() != Some(Doubt::NoColour) {
                        wrong.push(format!("{colour} {probability} {context} {inside}: {judged:?}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        let least = Shown { colour: lines.colour, ..WHOLE };
        let judged = [1.0, 0.0].map(|probability| judge(scores(probability, probability, 2.7), least, &lines).name());
        assert_eq!(judged, ["live", "spoof"]);
    }

    #[test]
    fn every_cell_of_the_table() {
        const LINES: LivenessRule =
            LivenessRule { live: 0.75, spoof: 0.25, each: 0.5, colour: 1.8, context: 1.5, inside: 0.9 };
        let table = [
            (0.75, 0.75, 2.7, 1.0, "live", None),
            (1.0, 0.5, 2.7, 1.0, "live", None),
            (1.0, 0.49, 2.7, 1.0, "indeterminate", Some(Doubt::NetworksDisagree)),
            (0.49, 1.0, 2.7, 1.0, "indeterminate", Some(Doubt::NetworksDisagree)),
            (0.74, 0.74, 2.7, 1.0, "indeterminate", Some(Doubt::Unsure)),
            (0.55, 0.5, 2.7, 1.0, "indeterminate", Some(Doubt::Unsure)),
            (0.25, 0.25, 2.7, 1.0, "spoof", None),
            (0.0, 0.5, 2.7, 1.0, "spoof", None),
            (0.26, 0.26, 2.7, 1.0, "indeterminate", Some(Doubt::NetworksDisagree)),
            (0.0, 0.0, 1.5, 1.0, "spoof", None),
            (0.0, 0.0, 1.49, 1.0, "indeterminate", Some(Doubt::ContextTooSmall)),
            (1.0, 1.0, 1.49, 1.0, "indeterminate", Some(Doubt::ContextTooSmall)),
            (1.0, 1.0, 1.5, 1.0, "live", None),
            (f32::NAN, 1.0, 2.7, 1.0, "indeterminate", Some(Doubt::Unsure)),
            (1.0, f32::NAN, 2.7, 1.0, "indeterminate", Some(Doubt::Unsure)),
            (1.0, 1.0, f64::NAN, 1.0, "indeterminate", Some(Doubt::ContextTooSmall)),
            (1.0, 1.0, 2.7, 0.9, "live", None),
            (1.0, 1.0, 2.7, 0.89, "indeterminate", Some(Doubt::FaceCut)),
            (0.0, 0.0, 2.7, 0.0, "spoof", None),
            (1.0, 1.0, 2.7, f64::NAN, "indeterminate", Some(Doubt::FaceCut)),
            (1.0, 1.0, 1.4, 0.5, "indeterminate", Some(Doubt::ContextTooSmall)),
        ];
        let judged =
            table.map(|(a, b, context, inside, ..)| judge(scores(a, b, context), Shown { inside, ..WHOLE }, &LINES));
        let found: Vec<_> = judged.iter().map(|judged| (judged.name(), judged.doubt())).collect();
        let expected: Vec<_> = table.iter().map(|row| (row.4, row.5)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_winner_by_a_hair_is_real_for_deepface_and_not_live() {
        let crop = Crop { first: [0, 0], last: [9, 9], scale: 2.7 };
        let scores = SpoofScores::new([crop; 2], [[0.3, 0.4, 0.3], [0.3, 0.45, 0.25]]);
        assert!(scores.is_real());
        assert!((scores.antispoof_score() - 0.425).abs() < 1e-7 && (scores.live_probability() - 0.425).abs() < 1e-7);
        assert_eq!(judge(scores, WHOLE, &Policy::default().liveness).name(), "indeterminate");
    }

    #[test]
    fn of_equal_classes_the_first_wins() {
        let crop = Crop { first: [0, 0], last: [9, 9], scale: 2.7 };
        let half = SpoofScores::new([crop; 2], [[0.5, 0.5, 0.0]; 2]);
        assert_eq!((half.label(), half.is_real()), (0, false));
        assert_eq!(SpoofScores::new([crop; 2], [[0.0, 0.5, 0.5]; 2]).label(), 1);
    }
}
