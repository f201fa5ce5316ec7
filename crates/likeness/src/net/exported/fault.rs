//! Makes refusals that name their operator.

use crate::weights::{WeightError, short};

/// A refusal of a layer.
pub(super) fn wrong(layer: String, expected: &str, found: &str) -> WeightError {
    WeightError::Layer { layer, expected: expected.to_owned(), found: short(found).to_owned() }
}

/// A refusal of an operator.
pub(super) fn refused(number: usize, expected: &str, found: &str) -> WeightError {
    wrong(format!("operator {number} of the graph"), expected, found)
}
