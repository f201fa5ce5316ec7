//! The verdict on a comparison, as types that can't be built blind.
//!
//! An [`Accept`] is made of a [`Live`], which only the judgement of both spoof networks gives, and a
//! [`Match`], which only a comparison within the threshold gives. Whoever holds no spoof networks
//! holds no `Live`, and so can't accept. [`decide`] is the whole table. Touches nothing.

use std::fmt;

use crate::distance::Metric;
use crate::embed::{Embedding, OtherContract};
use crate::liveness::{Doubt, Live, Liveness};

/// The proof that two embeddings are within the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    distance: f64,
    threshold: f64,
}

impl Match {
    /// Their cosine distance.
    pub fn distance(&self) -> f64 {
        self.distance
    }

    /// The threshold.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }
}

/// Two embeddings of one contract, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Their cosine distance.
    pub distance: f64,
    /// The greatest distance of a match.
    pub threshold: f64,
}

impl Comparison {
    /// Measures.
    ///
    /// # Errors
    /// [`OtherContract`]: they must not be compared.
    pub fn of(a: &Embedding, b: &Embedding, threshold: f64) -> Result<Self, OtherContract> {
        let (a, b) = a.beside(b)?;
        Ok(Self { distance: Metric::Cosine.distance(&a, &b), threshold })
    }

    /// Whether they are within the threshold; what is no number is not.
    fn matched(&self) -> Option<Match> {
        let Self { distance, threshold } = *self;
        (distance <= threshold).then_some(Match { distance, threshold })
    }
}

/// What a face is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Reference<'a> {
    /// Another photograph, judged as well.
    Photograph(&'a Liveness),
    /// A template, whose photographs were judged live when it was made.
    Template,
}

/// Why not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The face (true: the one compared with) is a picture of a face.
    Spoof {
        /// Whether it is the reference's.
        reference: bool,
    },
    /// Whether the face is live can't be told.
    NotKnownLive {
        /// Why.
        doubt: Doubt,
        /// Whether it is the reference's.
        reference: bool,
    },
    /// The embeddings are too far apart.
    DifferentPerson,
}

impl Reason {
    /// A stable word for reports.
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
    matched: Match,
}

impl Accept {
    /// The proof of life.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The proof of likeness.
    pub fn matched(&self) -> &Match {
        &self.matched
    }
}

/// The verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Live, and the same person.
    Accept(Accept),
    /// The same person as far as can be told, but not known to be live: a person should look.
    Review(Vec<Reason>),
    /// A spoof, or another person.
    Reject(Vec<Reason>),
}

impl Verdict {
    /// `accept`, `review` or `reject`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept(_) => "accept",
            Self::Review(_) => "review",
            Self::Reject(_) => "reject",
        }
    }

    /// Why not accepted; empty where it was.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Accept(_) => &[],
            Self::Review(reasons) | Self::Reject(reasons) => reasons,
        }
    }
}

/// Decides: a spoof on either side or a distance beyond the threshold rejects; doubt on either side
/// asks for review; only live, live (or a template) and a match accept.
pub fn decide(probe: &Liveness, reference: Reference, comparison: &Comparison) -> Verdict {
    let matched = comparison.matched();
    let beside = match reference {
        Reference::Photograph(liveness) => against(liveness, true),
        Reference::Template => None,
    };
    let apart = matched.is_none().then_some(Reason::DifferentPerson);
    let reasons: Vec<Reason> = against(probe, false).into_iter().chain(beside).chain(apart).collect();
    match (probe, matched) {
        (Liveness::Live(live), Some(matched)) if reasons.is_empty() => Verdict::Accept(Accept { live: *live, matched }),
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
    use crate::liveness::tests::sight;
    use crate::liveness::{Thresholds, judge};

    fn judged(name: &str) -> Liveness {
        let probability = match name {
            "live" => 1.0,
            "spoof" => 0.0,
            _ => 0.5,
        };
        let judged = judge(sight(probability, probability, 2.7), &Thresholds::default());
        assert_eq!(judged.name(), name);
        judged
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
            let beside = other.as_ref().map_or(Reference::Template, Reference::Photograph);
            let comparison = Comparison { distance: if within { 0.3 } else { 0.300001 }, threshold: 0.3 };
            let found = decide(&judged(probe), beside, &comparison);
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
            let verdict = decide(&judged("live"), Reference::Template, &Comparison { distance, threshold: 0.3 });
            assert_eq!(verdict.name(), "reject", "{distance}");
        }
    }
}
