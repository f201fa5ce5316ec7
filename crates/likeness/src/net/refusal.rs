//! Why a weight file did not become a network. Touches nothing.

use std::fmt;

use crate::engine::{LoadError, RunError};
use crate::error::ErrorKind;
use crate::weights::WeightError;

/// Why a weight file did not become a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The file, or a tensor in it, is not what the network needs.
    Weights(WeightError),
    /// A filter or a folded constant that the engine refuses.
    Filter(LoadError),
    /// The self-test could not run to its end.
    Run(RunError),
    /// The self-test ran, and its answer is wrong.
    Answer(WrongAnswer),
}

impl Refusal {
    /// What kind of fault it is.
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights(why) => why.fmt(f),
            Self::Filter(why) => why.fmt(f),
            Self::Run(why) => write!(f, "self-test: {why}"),
            Self::Answer(why) => write!(f, "self-test: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<WeightError> for Refusal {
    fn from(why: WeightError) -> Self {
        Self::Weights(why)
    }
}

impl From<LoadError> for Refusal {
    fn from(why: LoadError) -> Self {
        Self::Filter(why)
    }
}

impl From<RunError> for Refusal {
    fn from(why: RunError) -> Self {
        Self::Run(why)
    }
}

impl From<WrongAnswer> for Refusal {
    fn from(why: WrongAnswer) -> Self {
        Self::Answer(why)
    }
}

/// An answer that is not the recorded one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WrongAnswer {
    /// Which number of the answer is farthest off.
    pub index: usize,
    /// The recorded number.
    pub expected: f32,
    /// How far from it an answer may be.
    pub tolerance: f32,
    /// The network's.
    pub found: f32,
}

impl WrongAnswer {
    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Network
    }
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, expected, tolerance, found } = self;
        write!(f, "number {index} of the answer: expected {expected} within {tolerance}, found {found}")
    }
}

impl std::error::Error for WrongAnswer {}
