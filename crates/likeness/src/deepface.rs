//! DeepFace's own rule for two photographs, for parity and for DeepFace's users. The rule compares
//! all pairs of faces and takes the smallest distance; the first face that is not real refuses the
//! comparison. Touches nothing.
//!
//! This rule is not Likeness's verdict: see [`crate::verdict`].

use crate::distance::Metric;
use crate::error::ErrorKind;

/// A face as the rule sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject<A> {
    /// The face's area, or another value that the caller gets back.
    pub area: A,
    /// Its embedding.
    pub embedding: Vec<f64>,
    /// Whether the spoof networks find the face real; `None` if they did not run.
    pub is_real: Option<bool>,
}

/// The result of DeepFace's rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification<A> {
    /// Whether the smallest distance is within the threshold.
    pub verified: bool,
    /// The smallest distance; infinite if no distance is a number.
    pub distance: f64,
    /// The threshold.
    pub threshold: f64,
    /// 0 to 100.
    pub confidence: f64,
    /// The two areas of the closest pair; `None` if no distance is a number.
    pub areas: Option<(A, A)>,
}

/// A face that is not real, and in which photograph: the first or the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Exception while processing img{photograph}_path: Spoof detected in given image.")]
pub struct SpoofDetected {
    /// 1 or 2.
    pub photograph: u8,
}

impl SpoofDetected {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Spoof
    }
}

/// Compares all faces of one photograph with all of another, in the detector's order.
///
/// # Errors
/// [`SpoofDetected`] for the first face that is not real, before anything is compared.
pub fn verify<A: Clone>(
    first: &[Subject<A>],
    second: &[Subject<A>],
    metric: Metric,
) -> Result<Verification<A>, SpoofDetected> {
    for (photograph, subjects) in [(1, first), (2, second)] {
        if subjects.iter().any(|subject| subject.is_real == Some(false)) {
            return Err(SpoofDetected { photograph });
        }
    }
    let (mut distance, mut areas) = (f64::INFINITY, None);
    for a in first {
        for b in second {
            let found = metric.distance(&a.embedding, &b.embedding);
            // NaN is never smaller, as in DeepFace.
            if found < distance {
                (distance, areas) = (found, Some((a.area.clone(), b.area.clone())));
            }
        }
    }
    let verified = distance <= metric.threshold();
    let confidence = metric.confidence(distance, verified);
    Ok(Verification { verified, distance, threshold: metric.threshold(), confidence, areas })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(area: u8, embedding: [f64; 2], is_real: Option<bool>) -> Subject<u8> {
        Subject { area, embedding: embedding.to_vec(), is_real }
    }

    #[test]
    fn the_closest_pair_decides_and_is_named() {
        let first = [subject(1, [1.0, 0.0], None), subject(2, [0.0, 1.0], None)];
        let second = [subject(3, [-1.0, 0.0], None), subject(4, [0.1, 1.0], None)];
        let answer = verify(&first, &second, Metric::Cosine).unwrap();
        assert_eq!((answer.verified, answer.areas), (true, Some((2, 4))));
    }

    #[test]
    fn one_face_that_is_not_real_vetoes_whatever_the_distance() {
        let real = subject(1, [1.0, 0.0], Some(true));
        let fake = subject(2, [1.0, 0.0], Some(false));
        let pair = [real.clone(), fake];
        let real = [real];
        assert_eq!(verify(&pair, &real, Metric::Cosine), Err(SpoofDetected { photograph: 1 }));
        assert_eq!(verify(&real, &pair, Metric::Cosine), Err(SpoofDetected { photograph: 2 }));
        assert!(verify(&real, &real, Metric::Cosine).unwrap().verified);
    }

    #[test]
    fn a_distance_that_is_no_number_is_never_a_match() {
        let nan = [subject(1, [f64::NAN, 0.0], None)];
        let answer = verify(&nan, &nan, Metric::Angular).unwrap();
        assert_eq!(
            (answer.verified, answer.distance, answer.confidence, answer.areas),
            (false, f64::INFINITY, 0.0, None)
        );
    }
}
