//! Calibration: error rates of a threshold, measured on photographs of known persons, and the choice of a
//! threshold for a rate.
//!
//! A comparison is genuine if both photographs show one person, otherwise impostor. A pair matches if its distance is
//! at most the threshold. FMR is the part of impostor comparisons that match, FNMR the part of genuine comparisons that
//! do not. Comparisons that share a person are not independent. Therefore [`Bootstrap`] resamples persons, not
//! comparisons. If no error was seen, all resamples agree, and their interval is empty. So the interval of Wilson, over
//! persons or over pairs of persons, widens it.
//!
//! Numbers are checked against SciPy and scikit-learn (`tools/calibration-answers`). The same seed always gives the
//! same result. Touches nothing.

mod claim;
mod interval;
mod pairs;
mod random;
mod scores;
#[cfg(test)]
mod tests;

pub use claim::{ERRORS_EXPECTED, person_pairs_needed, persons_needed, smallest_claim};
pub use interval::{Bootstrap, CONFIDENCE, Resamples};
pub use pairs::{Pairs, pairs};
pub use scores::{Point, Score, Scores};
