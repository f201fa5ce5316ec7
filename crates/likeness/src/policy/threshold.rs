//! A threshold: the greatest distance of a match, its source, and the result of its calibration. Touches nothing.

use crate::space::SpaceId;

/// Where a threshold comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThresholdSource {
    /// DeepFace's own for Facenet512.
    DeepFace,
    /// A setting of this installation.
    Set,
    /// A signed calibration of this installation.
    Calibrated,
    /// This request.
    Request,
}

impl ThresholdSource {
    /// Every source.
    pub const ALL: [Self; 4] = [Self::DeepFace, Self::Set, Self::Calibrated, Self::Request];

    /// Its name in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DeepFace => "deepface",
            Self::Set => "set",
            Self::Calibrated => "calibrated",
            Self::Request => "request",
        }
    }
}

/// An error rate, with the limits of its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The measured rate, 0 to 1.
    pub value: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
}

/// How photographs are searched for faces. Other searches find other boxes, whose distances have other rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceSearch {
    /// Whether the detector runs once, as DeepFace runs it.
    pub exact: bool,
    /// The longer side of the first detection, if the caller chose it.
    pub side: Option<usize>,
    /// Whether the largest of several faces counts, even beside a rival.
    pub largest: bool,
    /// The detector's score that a face needs.
    pub score: f32,
}

impl FaceSearch {
    /// The name of the mode: `auto`, `exact`, or `fast` and the longer side.
    #[must_use]
    pub fn mode(self) -> String {
        match self.side {
            _ if self.exact => "exact".into(),
            Some(side) => format!("fast {side}"),
            None => "auto".into(),
        }
    }

    /// Returns each difference: its name, the value of this search, the value of the other one.
    #[must_use]
    pub fn differences(self, other: Self) -> Vec<(&'static str, String, String)> {
        let values = |search: Self| {
            [
                ("mode", search.mode()),
                ("largest", search.largest.to_string()),
                (SCORE_SETTING, search.score.to_string()),
            ]
        };
        let pairs = values(self).into_iter().zip(values(other));
        pairs.filter(|((_, a), (_, b))| a != b).map(|((name, a), (_, b))| (name, a, b)).collect()
    }
}

/// The setting of the detector's score.
const SCORE_SETTING: &str = "CENTERFACE_THRESHOLD";

/// The results of a calibration for its threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// The part of comparisons of different persons that match.
    pub fmr: Rate,
    /// The only space in which the threshold has this rate.
    pub space: SpaceId,
    /// The only search for faces with which it has this rate.
    pub search: FaceSearch,
    /// The SHA-256 of the signed calibration.
    pub id: [u8; 32],
}

/// The greatest cosine distance of a match, and its source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    distance: f64,
    source: ThresholdSource,
    /// Whether nothing was measured for this use of the threshold.
    unmeasured: bool,
    calibrated: Option<Calibrated>,
}

impl Threshold {
    /// DeepFace's threshold.
    pub(super) const fn deepface(distance: f64) -> Self {
        Self { distance, source: ThresholdSource::DeepFace, unmeasured: false, calibrated: None }
    }

    /// A threshold that a setting of this installation gives.
    #[must_use]
    pub fn set(distance: f64) -> Self {
        Self { distance, source: ThresholdSource::Set, unmeasured: false, calibrated: None }
    }

    /// A threshold that a calibration of this installation gives. Embeddings of other spaces are not compared
    /// with it.
    #[must_use]
    pub fn calibrated(distance: f64, by: Calibrated) -> Self {
        Self { distance, source: ThresholdSource::Calibrated, unmeasured: false, calibrated: Some(by) }
    }

    /// A threshold that one request gives.
    #[must_use]
    pub fn requested(distance: f64) -> Self {
        Self { distance, source: ThresholdSource::Request, unmeasured: false, calibrated: None }
    }

    /// Returns the same threshold, limited to this distance.
    #[must_use]
    pub fn at_most(self, distance: f64) -> Self {
        match self.distance > distance {
            true => Self { distance, unmeasured: true, ..self },
            false => self,
        }
    }

    /// Returns the same threshold without its rate, for a comparison with a mean of several templates: a calibration
    /// measures single photographs.
    #[must_use]
    pub fn without_rate(self) -> Self {
        Self { unmeasured: true, ..self }
    }

    /// The greatest distance of a match.
    #[must_use]
    pub fn distance(self) -> f64 {
        self.distance
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(self) -> ThresholdSource {
        self.source
    }

    /// The calibration that gave it.
    #[must_use]
    pub fn calibration(self) -> Option<Calibrated> {
        self.calibrated
    }

    /// The measured part of comparisons of different persons that match; `None` if no calibration measured it at
    /// this distance.
    #[must_use]
    pub fn fmr(self) -> Option<Rate> {
        self.calibrated.filter(|_| !self.unmeasured).map(|by| by.fmr)
    }

    /// Returns whether a distance is a match. NaN never is.
    #[must_use]
    pub fn includes(self, distance: f64) -> bool {
        distance <= self.distance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Policy, SEARCH_FARTHEST};

    #[test]
    fn a_match_is_at_most_the_threshold_and_no_number_is_none() {
        let threshold = Policy::default().threshold;
        let table = [
            (0.3, true),
            (0.3_f64.next_up(), false),
            (0.3_f64.next_down(), true),
            (-0.0, true),
            (f64::NAN, false),
            (f64::INFINITY, false),
        ];
        let wrong: Vec<_> = table.into_iter().filter(|(d, matched)| threshold.includes(*d) != *matched).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(!Threshold::set(f64::NAN).includes(0.0));
    }

    #[test]
    fn a_request_s_threshold_keeps_its_source_below_a_bound() {
        let bounded = Threshold::requested(2.0).at_most(SEARCH_FARTHEST);
        assert_eq!((bounded.distance(), bounded.source()), (0.8, ThresholdSource::Request));
        assert_eq!(Policy::default().threshold.at_most(0.8).source(), ThresholdSource::DeepFace);
    }

    #[test]
    fn a_rate_is_of_its_own_distance_alone() {
        let fmr = Rate { value: 0.001, low: 0.0004, high: 0.002 };
        let search = FaceSearch { exact: false, side: None, largest: false, score: 0.35 };
        let by = Calibrated { fmr, space: SpaceId::from_bytes([1; 32]), search, id: [2; 32] };
        let threshold = Threshold::calibrated(0.9, by);
        assert_eq!((threshold.fmr(), threshold.source().name()), (Some(fmr), "calibrated"));
        let bounded = threshold.at_most(SEARCH_FARTHEST);
        assert_eq!((bounded.fmr(), bounded.calibration()), (None, Some(by)));
        assert_eq!(threshold.at_most(0.9), threshold);
        let mean = threshold.without_rate();
        assert_eq!((mean.fmr(), mean.calibration(), mean.distance()), (None, Some(by), 0.9));
        assert_eq!([Threshold::set(0.9), Threshold::requested(0.9)].map(Threshold::fmr), [None, None]);
    }

    #[test]
    fn each_difference_of_two_searches_is_named() {
        let auto = FaceSearch { exact: false, side: None, largest: false, score: 0.35 };
        let table = [
            (auto, vec![]),
            (FaceSearch { exact: true, ..auto }, vec![("mode", "auto", "exact")]),
            (FaceSearch { side: Some(640), ..auto }, vec![("mode", "auto", "fast 640")]),
            (FaceSearch { largest: true, ..auto }, vec![("largest", "false", "true")]),
            (FaceSearch { score: 0.5, ..auto }, vec![("CENTERFACE_THRESHOLD", "0.35", "0.5")]),
        ];
        for (other, expected) in table {
            let found = auto.differences(other);
            let found: Vec<_> = found.iter().map(|(name, a, b)| (*name, a.as_str(), b.as_str())).collect();
            assert_eq!(found, expected, "{other:?}");
        }
    }
}
