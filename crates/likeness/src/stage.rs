//! The stages of the pipeline, and why one of them gave no answer. Touches nothing.

use std::fmt;

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
    /// Both spoof networks answered.
    Spoof,
    /// The face was turned and cut out.
    Align,
    /// The embedder answered.
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

/// Why a photograph gave no answer. Never a verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum NoAnswer {
    /// The bytes are no photograph.
    Decode(DecodeError),
    /// The search for faces did not run.
    Find(FindError),
    /// The photograph or its face is unfit.
    Unfit(Unfit),
    /// A network failed.
    Run(RunError),
    /// The embedder's numbers have no direction.
    NoDirection,
    /// The embeddings are not comparable.
    OtherSpace(OtherSpace),
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
    /// What kind of fault it is.
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

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(why) => why.fmt(f),
            Self::Find(why) => why.fmt(f),
            Self::Unfit(why) => why.fmt(f),
            Self::Run(why) => write!(f, "network: {why}"),
            Self::NoDirection => f.write_str("network: the embedding is all zeros, so it has no direction"),
            Self::OtherSpace(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NoAnswer {}

macro_rules! no_answer {
    ($($variant:ident: $from:ty),*) => {
        $(impl From<$from> for NoAnswer {
            fn from(why: $from) -> Self {
                Self::$variant(why)
            }
        })*
    };
}
no_answer!(Decode: DecodeError, Find: FindError, Unfit: Unfit, Run: RunError, OtherSpace: OtherSpace);
