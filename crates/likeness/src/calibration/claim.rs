//! The number of persons that a collection needs for the claimed rate.
//!
//! The rule of 30 (Doddington): with 30 errors, a measured rate is within 30 % of the true one, with 90 %
//! confidence. More photographs of the same two persons mostly repeat one comparison. Therefore only pairs of
//! persons count. Touches nothing.

/// The errors that a collection must be expected to show at the claimed rate.
pub const ERRORS_EXPECTED: f64 = 30.0;

/// Returns how many pairs of persons the claim of a rate needs.
#[must_use]
pub fn person_pairs_needed(rate: f64) -> u64 {
    (ERRORS_EXPECTED / rate).ceil() as u64
}

/// Returns how many persons give so many pairs.
#[must_use]
pub fn persons_needed(rate: f64) -> u64 {
    let pairs = u128::from(person_pairs_needed(rate));
    let enough = |persons: u64| u128::from(persons) * u128::from(persons - 1) / 2 >= pairs;
    let near = (2.0 * pairs as f64).sqrt() as u64;
    (near.max(2)..).find(|persons| enough(*persons)).unwrap_or(u64::MAX)
}

/// Returns the smallest rate that so many pairs of persons can support; above 1 if they support none.
#[must_use]
pub fn smallest_claim(person_pairs: u64) -> f64 {
    ERRORS_EXPECTED / person_pairs as f64
}
