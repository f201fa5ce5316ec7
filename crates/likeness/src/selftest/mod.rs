//! The self-test: a loaded network must reproduce recorded outputs before it may be used.
//!
//! For each known file, by its SHA-256, `answers` records the outputs for a picture made by a
//! formula; an independent computation in double precision (`tools/selftest-answers`) made these
//! records, never this engine. A network that differs in any number by more than the answer's
//! tolerance is refused. For an unknown file only the structure is tested: every tensor has its
//! place and shape, and the output for the picture is finite.

mod answers;

use std::fmt;

use crate::net::file::Digest;
use crate::net::refusal::{Refusal, WrongAnswer};

/// Rows and columns of the detector's picture.
pub(crate) const CANVAS: usize = 128;

/// The result of a self-test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SelfTest {
    /// The network reproduced all recorded numbers.
    Exact {
        /// The file.
        digest: Digest,
        /// The greatest difference from a recorded number.
        max_error: f32,
        /// How many numbers were compared.
        numbers: usize,
    },
    /// No output is recorded for this file: tensors and shapes are right and the output is finite.
    /// Only the digest shows whether the numbers are the published ones.
    Structural {
        /// The file.
        digest: Digest,
    },
}

impl SelfTest {
    /// The digest of the file that was tested.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Exact { digest, .. } | Self::Structural { digest } => *digest,
        }
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact { max_error, numbers, .. } => {
                write!(f, "exact ({numbers} recorded numbers reproduced within {max_error:.1e})")
            }
            Self::Structural { .. } => f.write_str("structural (no answer is recorded for this file)"),
        }
    }
}

/// The picture: `height` x `width` pixels of three integers from 0 to 254, row by row; slanted
/// waves under fine noise, so that every layer affects the output.
#[must_use]
pub fn picture(height: usize, width: usize) -> Vec<f32> {
    let number = |index: usize| {
        let (pixel, channel) = (index / 3, index % 3);
        let wave = (3 * (pixel / width) + 5 * (pixel % width) + 40 * channel) % 224;
        let noise = (index as u32).wrapping_mul(2_654_435_761) >> 27;
        wave as f32 + noise as f32
    };
    (0..height * width * 3).map(number).collect()
}

/// Compares a network's output with the recorded one.
///
/// # Errors
/// [`WrongAnswer`] names the number with the greatest difference.
pub(crate) fn judge(digest: Digest, answer: impl FnOnce() -> Result<Vec<f32>, Refusal>) -> Result<SelfTest, Refusal> {
    let found = answer()?;
    let Some(answer) = answers::ALL.iter().find(|answer| answer.digest == digest) else {
        return Ok(SelfTest::Structural { digest });
    };
    let (expected, tolerance) = (answer.numbers, answer.tolerance);
    let errors = expected.iter().zip(&found).map(|(e, f)| (e - f).abs());
    let (index, max_error) = errors.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f32::INFINITY));
    if max_error <= tolerance && expected.len() == found.len() {
        return Ok(SelfTest::Exact { digest, max_error, numbers: expected.len() });
    }
    let found = found.get(index).copied().unwrap_or(f32::NAN);
    Err(WrongAnswer { index, expected: expected[index], tolerance, found }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_made_of_bytes_and_never_changes() {
        let picture = picture(80, 80);
        assert!(picture.iter().all(|number| (0.0..=255.0).contains(number) && number.fract() == 0.0));
        assert_eq!(picture[..6], [0.0, 59.0, 87.0, 32.0, 60.0, 87.0]);
    }

    #[test]
    fn only_the_recorded_numbers_pass() {
        for answer in &answers::ALL {
            let judged = |numbers: Vec<f32>| judge(answer.digest, || Ok(numbers));
            let with = |value: f32| {
                let mut numbers = answer.numbers.to_vec();
                numbers[1] = value;
                judged(numbers)
            };
            let (right, tolerance) = (answer.numbers[1], answer.tolerance);
            assert!(matches!(judged(answer.numbers.to_vec()), Ok(SelfTest::Exact { max_error: 0.0, .. })));
            assert!(with(right + 0.5 * tolerance).is_ok());
            for wrong in [right + 2.0 * tolerance, right - 2.0 * tolerance, f32::NAN, f32::INFINITY] {
                assert!(matches!(with(wrong), Err(Refusal::Answer(WrongAnswer { index: 1, .. }))), "{wrong}");
            }
            for length in 0..answer.numbers.len() {
                assert!(judged(answer.numbers[..length].to_vec()).is_err(), "{length} numbers");
            }
        }
    }
}
