//! The verdict on a comparison, as types that need all measurements.
//!
//! Only [`compare`] and [`verify`] make an [`Accept`]: from two [`Examination`]s with both liveness
//! and embedding, or from one and a [`Template`] that the store opened. A caller that judged no
//! liveness gets a [`Similarity`], which is not a verdict. `decide` contains the whole table.
//! Touches nothing.

use std::fmt;

use crate::distance::Metric;
use crate::embed::{Direction, Embedding, Template};
use crate::examine::Examination;
use crate::liveness::{Doubt, Live, Liveness};
use crate::policy::{Action, Threshold};
use crate::space::OtherSpace;

/// The distance of two embeddings of one space. It is not a verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    distance: f64,
    threshold: Threshold,
}

impl Similarity {
    /// Measures the distance.
    ///
    /// # Errors
    /// [`OtherSpace`]: they must not be compared, or the threshold was calibrated in another space.
    pub fn of(a: &Direction, b: &Direction, threshold: Threshold) -> Result<Self, OtherSpace> {
        let (expected, found) = (a.space(), b.space());
        if expected != found {
            return Err(OtherSpace { expected, found });
        }
        if let Some(expected) = threshold.calibration().map(|by| by.space).filter(|space| *space != found) {
            return Err(OtherSpace { expected, found });
        }
        let wide = |numbers: &[f32]| numbers.iter().map(|number| f64::from(*number)).collect::<Vec<_>>();
        Ok(Self { distance: Metric::Cosine.distance(&wide(a.numbers()), &wide(b.numbers())), threshold })
    }

    /// The cosine distance.
    #[must_use]
    pub fn distance(&self) -> f64 {
        self.distance
    }

    /// The threshold.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Returns whether the distance is within the threshold.
    #[must_use]
    pub fn matched(&self) -> bool {
        self.threshold.includes(self.distance)
    }
}

/// A reason why a comparison was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The face (true: the one compared with) is a picture of a face.
    Spoof {
        /// Whether the reason concerns the reference's face.
        reference: bool,
    },
    /// The face is neither live nor a spoof.
    NotKnownLive {
        /// Why.
        doubt: Doubt,
        /// Whether the reason concerns the reference's face.
        reference: bool,
    },
    /// The distance of the embeddings is beyond the threshold.
    DifferentPerson,
}

impl Reason {
    /// A stable word for reports.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Spoof { .. } => "spoof",
            Self::NotKnownLive { doubt, .. } => doubt.code(),
            Self::DifferentPerson => "different_person",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = |reference: &bool| if *reference { "the second face" } else { "the first face" };
        match self {
            Self::Spoof { reference } => write!(f, "{} is a spoof", whose(reference)),
            Self::NotKnownLive { doubt, reference } => {
                write!(f, "{} is not known to be live: {doubt}", whose(reference))
            }
            Self::DifferentPerson => f.write_str("the faces are too far apart"),
        }
    }
}

/// Live and the same person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accept {
    live: Live,
    similarity: Similarity,
}

impl Accept {
    /// The proof that the first face is live.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The match.
    #[must_use]
    pub fn similarity(&self) -> &Similarity {
        &self.similarity
    }
}

/// The verdict.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a request has one verdict, which is never stored in numbers")]
pub enum Verdict {
    /// Live, and the same person.
    Accept(Accept),
    /// The same person, but the face is not known to be live: a person should decide.
    Review(Vec<Reason>),
    /// A spoof, or another person.
    Reject(Vec<Reason>),
}

impl Verdict {
    /// `accept`, `review` or `reject`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept(_) => "accept",
            Self::Review(_) => "review",
            Self::Reject(_) => "reject",
        }
    }

    /// What a caller should do.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Accept(_) => Action::Allow,
            Self::Review(_) => Action::Review,
            Self::Reject(_) => Action::Block,
        }
    }

    /// Returns the reasons why the comparison was not accepted; none if it was accepted.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Accept(_) => &[],
            Self::Review(reasons) | Self::Reject(reasons) => reasons,
        }
    }
}

/// A verdict, and the distance that decided it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    similarity: Similarity,
    verdict: Verdict,
}

impl Decision {
    /// The measurement.
    #[must_use]
    pub fn similarity(&self) -> &Similarity {
        &self.similarity
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// Compares two faces, both judged.
///
/// # Errors
/// [`OtherSpace`]
pub fn compare(
    a: &Examination<Liveness, Embedding>,
    b: &Examination<Liveness, Embedding>,
    threshold: Threshold,
) -> Result<Decision, OtherSpace> {
    let similarity = Similarity::of(a.embedding().direction(), b.embedding().direction(), threshold)?;
    Ok(Decision { similarity, verdict: decide(a.liveness(), Some(b.liveness()), similarity) })
}

/// Compares a face with a template, whose photographs were judged live at enrolment.
///
/// # Errors
/// [`OtherSpace`]
pub fn verify(
    probe: &Examination<Liveness, Embedding>,
    template: &Template,
    threshold: Threshold,
) -> Result<Decision, OtherSpace> {
    let similarity = Similarity::of(probe.embedding().direction(), template.direction(), threshold)?;
    Ok(Decision { similarity, verdict: decide(probe.liveness(), None, similarity) })
}

/// Decides: a spoof on either side or a distance beyond the threshold rejects; an indeterminate
/// face on either side leads to review; only live, live (or a template) and a match accept.
fn decide(probe: &Liveness, other: Option<&Liveness>, similarity: Similarity) -> Verdict {
    let matched = similarity.matched();
    let beside = other.and_then(|liveness| against(liveness, true));
    let apart = (!matched).then_some(Reason::DifferentPerson);
    let reasons: Vec<Reason> = against(probe, false).into_iter().chain(beside).chain(apart).collect();
    match probe {
        Liveness::Live(live) if matched && reasons.is_empty() => Verdict::Accept(Accept { live: *live, similarity }),
        _ if reasons.iter().all(|reason| matches!(reason, Reason::NotKnownLive { .. })) => Verdict::Review(reasons),
        _ => Verdict::Reject(reasons),
    }
}

fn against(liveness: &Liveness, reference: bool) -> Option<Reason> {
    match liveness {
        Liveness::Live(_) => None,
        Liveness::Spoof(_) => Some(Reason::Spoof { reference }),
        Liveness::Indeterminate(doubt, _) => Some(Reason::NotKnownLive { doubt: *doubt, reference }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::liveness::judge;
    use crate::liveness::tests::{WHOLE, scores};
    use crate::policy::Policy;

    fn judged(name: &str) -> Liveness {
        let probability = match name {
            "live" => 1.0,
            "spoof" => 0.0,
            _ => 0.5,
        };
        let judged = judge(scores(probability, probability, 2.7), WHOLE, &Policy::default().liveness);
        assert_eq!(judged.name(), name);
        judged
    }

    fn measured(distance: f64) -> Similarity {
        Similarity { distance, threshold: Threshold::set(0.3) }
    }

    #[test]
    fn the_verdict_cell_by_cell() {
        // (probe, reference or "template", within the threshold, verdict, reasons)
        let table: [(&str, &str, bool, &str, &[&str]); 24] = [
            ("live", "template", true, "accept", &[]),
            ("live", "template", false, "reject", &["different_person"]),
            ("live", "live", true, "accept", &[]),
            ("live", "live", false, "reject", &["different_person"]),
            ("live", "spoof", true, "reject", &["spoof"]),
            ("live", "spoof", false, "reject", &["spoof", "different_person"]),
            ("live", "indeterminate", true, "review", &["unsure"]),
            ("live", "indeterminate", false, "reject", &["unsure", "different_person"]),
            ("spoof", "template", true, "reject", &["spoof"]),
            ("spoof", "template", false, "reject", &["spoof", "different_person"]),
            ("spoof", "live", true, "reject", &["spoof"]),
            ("spoof", "live", false, "reject", &["spoof", "different_person"]),
            ("spoof", "spoof", true, "reject", &["spoof", "spoof"]),
            ("spoof", "spoof", false, "reject", &["spoof", "spoof", "different_person"]),
            ("spoof", "indeterminate", true, "reject", &["spoof", "unsure"]),
            ("spoof", "indeterminate", false, "reject", &["spoof", "unsure", "different_person"]),
            ("indeterminate", "template", true, "review", &["unsure"]),
            ("indeterminate", "template", false, "reject", &["unsure", "different_person"]),
            ("indeterminate", "live", true, "review", &["unsure"]),
            ("indeterminate", "live", false, "reject", &["unsure", "different_person"]),
            ("indeterminate", "spoof", true, "reject", &["unsure", "spoof"]),
            ("indeterminate", "spoof", false, "reject", &["unsure", "spoof", "different_person"]),
            ("indeterminate", "indeterminate", true, "review", &["unsure", "unsure"]),
            ("indeterminate", "indeterminate", false, "reject", &["unsure", "unsure", "different_person"]),
        ];
        let mut wrong = Vec::new();
        for (probe, reference, within, verdict, reasons) in table {
            let other = (reference != "template").then(|| judged(reference));
            let similarity = measured(if within { 0.3 } else { 0.300001 });
            let found = decide(&judged(probe), other.as_ref(), similarity);
            let codes: Vec<_> = found.reasons().iter().map(Reason::code).collect();
            if (found.name(), codes.as_slice()) != (verdict, reasons) {
                wrong.push(format!("{probe}, {reference}, within {within}: {found:?}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn a_distance_that_is_no_number_never_accepts() {
        for distance in [f64::NAN, f64::INFINITY] {
            let verdict = decide(&judged("live"), None, measured(distance));
            assert_eq!((verdict.name(), verdict.action()), ("reject", Action::Block), "{distance}");
        }
    }
}
