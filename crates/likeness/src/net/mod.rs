//! The four networks: from a weight file's bytes to a tested network with typed calls.
//!
//! Each network is a type of its own, so that no file and no input can take another's place.
//! Loading consumes the file, checks every tensor by name or order and by shape, and runs the
//! self-test: there is no way to hold a network that has not passed it.
//!
//! Knows layers and files' orders; the arithmetic is [`crate::engine`]'s.

pub mod centerface;
pub mod facenet512;
mod file;
mod fold;
pub mod minifasnet;

use std::fmt;

pub use centerface::Detector;
pub use facenet512::Embedder;
pub use file::{Digest, WeightFile, WrongDigest};
pub use minifasnet::{SpoofV1Se, SpoofV2};

use crate::engine::{LoadError, RunError};
use crate::error::ErrorKind;
use crate::selftest::WrongAnswer;
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
