//! The reason why this crate refuses a weight file: its content, the engine or the self-test. Touches nothing.

use crate::engine::{LoadError, RunError};
use crate::error::ErrorKind;
use crate::weights::WeightError;

/// The reason why this crate refuses a weight file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The file, or a tensor in it, is not what the network needs.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A filter or a folded constant that the engine refuses.
    #[error(transparent)]
    Filter(#[from] LoadError),
    /// The self-test could not run to its end.
    #[error("self-test: {0}")]
    Run(#[from] RunError),
    /// The self-test ran, and its result is wrong.
    #[error("self-test: {0}")]
    Answer(#[from] WrongAnswer),
}

impl Refusal {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Weights(why) => why.kind(),
            Self::Filter(why) => why.kind(),
            Self::Run(why) => why.kind(),
            Self::Answer(why) => why.kind(),
        }
    }
}

/// A self-test's result that differs from the recorded one.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("number {index} of the answer: expected {expected} within {tolerance}, found {found}")]
pub struct WrongAnswer {
    /// The index of the number with the greatest difference.
    pub index: usize,
    /// The recorded number.
    pub expected: f32,
    /// The greatest difference allowed.
    pub tolerance: f32,
    /// The network's number.
    pub found: f32,
}

impl WrongAnswer {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Network
    }
}
