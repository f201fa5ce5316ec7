//! The steps from a photograph to what a verdict is made of. Knows no HTTP, path, clock or thread.
//!
//! Each part takes its networks by value: [`Finder`] the detector, [`SpoofPair`] both spoof
//! networks, [`Identity`] the embedder; only a [`Judge`](crate::judge::Judge), which owns all three,
//! reaches a verdict. The caller keeps the buffers ([`Scratch`], one per thread), and may watch the
//! stages go by, with a clock of his own.

use std::fmt;
use std::sync::Arc;

use crate::align::aligned;
use crate::contract::ContractId;
use crate::detect::Face;
use crate::embed::{self, Embedding, OtherContract};
use crate::engine::{RunError, Scratch};
use crate::find::{Detected, FindError, Finder, Look, Mode};
use crate::image::{self, Bgr, DecodeError};
use crate::liveness::{self, Liveness};
use crate::net::Embedder;
use crate::quality::{self, Unfit};
use crate::spoof::SpoofPair;

/// The embedder, and the contract that its embeddings are made under.
pub struct Identity {
    embedder: Arc<Embedder>,
    contract: ContractId,
}

impl Identity {
    /// Takes the embedder; its faces come from this finder.
    pub fn new(embedder: impl Into<Arc<Embedder>>, finder: &Finder) -> Self {
        let embedder = embedder.into();
        let contract = ContractId::of(finder.detector(), &embedder);
        Self { embedder, contract }
    }

    /// The same, for faces that are always looked for in this way: a contract of their own.
    pub fn within(self, mode: Mode) -> Self {
        Self { contract: self.contract.within(mode), ..self }
    }

    /// The network.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// The contract.
    pub fn contract(&self) -> ContractId {
        self.contract
    }

    /// Embeds a face that was cut out. `None` for one too narrow to be resampled.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn embed(&self, scratch: &mut Scratch, face: &Bgr) -> Result<Option<Embedding>, RunError> {
        let Some(input) = embed::input(face) else { return Ok(None) };
        let numbers = self.embedder.embed(scratch, &input)?.to_vec();
        Ok(Some(Embedding::new(self.contract, numbers)))
    }
}

/// How a photograph is examined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// What may be decoded.
    pub image: image::Limits,
    /// How faces are looked for.
    pub mode: Mode,
    /// Whether, of several faces, the largest is taken.
    pub largest: bool,
    /// What a face must offer.
    pub quality: quality::Limits,
    /// Where the lines between live and spoof are.
    pub liveness: liveness::Thresholds,
    /// The greatest cosine distance of a match.
    pub distance: f64,
}

impl Default for Options {
    /// Every limit at its own default; several faces are refused; DeepFace's distance.
    fn default() -> Self {
        Self {
            image: image::Limits::default(),
            mode: Mode::Auto,
            largest: false,
            quality: quality::Limits::default(),
            liveness: liveness::Thresholds::default(),
            distance: crate::distance::Metric::Cosine.threshold(),
        }
    }
}

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

/// Is told each stage as it ends.
pub type Watch<'w> = &'w mut dyn FnMut(Stage);

/// Why a photograph gave no answer. Never a verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum NoAnswer {
    /// The bytes are no photograph.
    Decode(DecodeError),
    /// Nothing was looked for.
    Find(FindError),
    /// The photograph or its face is unfit.
    Unfit(Unfit),
    /// A network gave no answer.
    Run(RunError),
    /// The embeddings are not comparable.
    Contract(OtherContract),
}

impl NoAnswer {
    /// A stable word for reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Decode(why) => why.code(),
            Self::Find(FindError::TooLargeForExact { .. }) => "too_large_for_exact",
            Self::Find(FindError::BadSide { .. }) => "bad_side",
            Self::Find(FindError::Run(_)) | Self::Run(_) => "network_failed",
            Self::Unfit(why) => why.code(),
            Self::Contract(_) => "other_contract",
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
            Self::Contract(why) => why.fmt(f),
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
no_answer!(Decode: DecodeError, Find: FindError, Unfit: Unfit, Run: RunError, Contract: OtherContract);

/// A photograph and the one face in it that counts.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The pixels.
    pub image: Bgr,
    /// How it was looked.
    pub look: Look,
    /// The face.
    pub face: Face,
}

/// Decodes a photograph and chooses its face.
///
/// # Errors
/// [`NoAnswer`]
pub fn subject(
    finder: &Finder,
    scratch: &mut Scratch,
    bytes: &[u8],
    options: &Options,
    watch: Watch,
) -> Result<Subject, NoAnswer> {
    let image = image::decode(bytes, &options.image)?;
    watch(Stage::Decode);
    let Detected { look, faces, .. } = finder.find(scratch, &image, options.mode)?;
    watch(Stage::Detect);
    let face = choose(&faces, options.largest)?;
    quality::check(&image, &face, &options.quality)?;
    watch(Stage::Quality);
    Ok(Subject { image, look, face })
}

/// The only face, or the largest where that is allowed.
///
/// # Errors
/// [`Unfit::NoFace`], [`Unfit::SeveralFaces`]
pub fn choose(faces: &[Face], largest: bool) -> Result<Face, Unfit> {
    match faces {
        [] => Err(Unfit::NoFace),
        [face] => Ok(*face),
        several if !largest => Err(Unfit::SeveralFaces { found: several.len() }),
        // Of equals the first, which is the surer one.
        several => several.iter().rev().max_by_key(|face| face.area.pixels()).copied().ok_or(Unfit::NoFace),
    }
}

/// Judges whether a subject is live.
///
/// # Errors
/// [`NoAnswer::Run`]
pub fn liveness(
    pair: &SpoofPair,
    scratch: &mut Scratch,
    subject: &Subject,
    options: &Options,
    watch: Watch,
) -> Result<Liveness, NoAnswer> {
    let sight = pair.look(scratch, &subject.image, &subject.face.area)?;
    watch(Stage::Spoof);
    Ok(liveness::judge(sight, &options.liveness))
}

/// Embeds a subject, turned upright.
///
/// # Errors
/// [`NoAnswer`]: a network gave no answer, or nothing is left of the face once turned.
pub fn embedding(
    identity: &Identity,
    scratch: &mut Scratch,
    subject: &Subject,
    watch: Watch,
) -> Result<Embedding, NoAnswer> {
    let nothing = Unfit::TooSmall { expected: 1, found: 0 };
    let face = aligned(&subject.image, &subject.face).ok_or(nothing)?;
    watch(Stage::Align);
    let embedding = identity.embed(scratch, &face)?.ok_or(nothing)?;
    watch(Stage::Embed);
    Ok(embedding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Area;

    fn face(w: i64, h: i64, score: f32) -> Face {
        let area = Area { x: 0, y: 0, w, h };
        Face { area, unclipped: area, landmarks: [[0, 0]; 5], score }
    }

    #[test]
    fn several_faces_are_refused_unless_the_largest_is_wanted() {
        let (small, large, same) = (face(10, 10, 0.9), face(20, 20, 0.5), face(10, 40, 0.4));
        assert_eq!(choose(&[], true), Err(Unfit::NoFace));
        assert_eq!(choose(&[small], false), Ok(small));
        assert_eq!(choose(&[small, large], false), Err(Unfit::SeveralFaces { found: 2 }));
        assert_eq!(choose(&[small, large, same], true), Ok(large));
    }
}
