//! The stages of the pipeline, and the reason why one of them gave no result. Touches nothing.

use crate::engine::RunError;
use crate::error::ErrorKind;
use crate::find::FindError;
use crate::image::DecodeError;
use crate::quality::Unfit;
use crate::space::OtherSpace;

/// A stage that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Bytes became pixels.
    Decode,
    /// Faces were found.
    Detect,
    /// The face was found fit.
    Quality,
    /// Both spoof networks ran.
    Spoof,
    /// The face was turned and cut out.
    Align,
    /// The embedder ran.
    Embed,
}

impl Stage {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Detect => "detect",
            Self::Quality => "quality",
            Self::Spoof => "spoof",
            Self::Align => "align",
            Self::Embed => "embed",
        }
    }
}

/// Is called as each stage ends.
pub type Watch<'w> = &'w mut dyn FnMut(Stage);

/// The reason why a photograph gave no result. This is never a verdict.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoAnswer {
    /// The bytes are no photograph.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Face detection did not run.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The photograph or its face is unfit.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A network failed.
    #[error("network: {0}")]
    Run(#[from] RunError),
    /// The embedder's numbers have no direction.
    #[error("network: the embedding is all zeros, so it has no direction")]
    NoDirection,
    /// The embeddings are not comparable.
    #[error(transparent)]
    OtherSpace(#[from] OtherSpace),
}

impl NoAnswer {
    /// A stable word for reports.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Decode(why) => why.code(),
            Self::Find(FindError::TooLargeForExact { .. }) => "too_large_for_exact",
            Self::Find(FindError::BadSide { .. }) => "bad_side",
            Self::Find(FindError::Run(_)) | Self::Run(_) | Self::NoDirection => "network_failed",
            Self::Unfit(why) => why.code(),
            Self::OtherSpace(_) => "other_contract",
        }
    }
}

impl NoAnswer {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Decode(why) => why.kind(),
            Self::Find(why) => why.kind(),
            Self::Unfit(why) => why.kind(),
            Self::Run(why) => why.kind(),
            Self::NoDirection => ErrorKind::Network,
            Self::OtherSpace(why) => why.kind(),
        }
    }
}
