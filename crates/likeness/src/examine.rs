//! The only pipeline from a photograph to measurements of its face.
//!
//! A [`Photograph`] is decoded and searched for faces; an [`Examination`] is the one face that
//! counts, measured once, and each model's result in a type of its own. The result of a model that
//! is not loaded is [`Absent`], which no later step accepts as a result. The caller keeps the
//! buffers ([`Scratch`], one per thread), and may time the stages with its own clock. Knows no
//! HTTP, path, clock or thread.

use std::cell::OnceCell;

use crate::crop::room;
use crate::detect::Face;
use crate::embed::{Embedding, FaceEncoder};
use crate::engine::{RunError, Scratch};
use crate::find::{Detected, DetectionPlan, Finder, Mode};
use crate::image::{self, Bgr, DecodeError};
use crate::liveness::{self, Liveness};
use crate::policy::{FaceRule, FaceSearch, Policy};
use crate::quality::{Quality, Unfit};
use crate::spoof::SpoofPair;
pub use crate::stage::{NoAnswer, Stage, Watch};

/// How photographs are decoded, and how faces are searched. Changes no rule of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options {
    /// Limits of decoding.
    pub image: image::Limits,
    /// How faces are detected.
    pub mode: Mode,
    /// Whether the largest of several faces counts, even beside a rival.
    pub largest: bool,
}

impl Options {
    /// The search for faces with these options and this rule, as a calibration names it.
    #[must_use]
    pub fn search(&self, rule: &FaceRule) -> FaceSearch {
        let side = if let Mode::Fast { side } = self.mode { Some(side) } else { None };
        FaceSearch { exact: self.mode == Mode::Exact, side, largest: self.largest, score: rule.score }
    }
}

/// Decodes a photograph.
///
/// # Errors
/// [`DecodeError`]
pub fn decode(bytes: &[u8], limits: &image::Limits, watch: Watch) -> Result<Bgr, DecodeError> {
    let image = image::decode(bytes, limits)?;
    watch(Stage::Decode);
    Ok(image)
}

/// A photograph and all its faces.
pub struct Photograph {
    image: Bgr,
    detected: Detected,
    measured: Vec<OnceCell<Quality>>,
}

impl Photograph {
    /// Decodes a photograph and finds its faces.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub fn of(
        finder: &Finder,
        scratch: &mut Scratch,
        bytes: &[u8],
        options: &Options,
        watch: Watch,
    ) -> Result<Self, NoAnswer> {
        let image = decode(bytes, &options.image, watch)?;
        let (image, detected) = finder.upright(scratch, image, options.mode)?;
        watch(Stage::Detect);
        Ok(Self::found(image, detected))
    }

    /// Decodes a frame of a camera and finds its faces by one detection ([`Finder::glance`]), whatever the mode.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub fn glance(
        finder: &Finder,
        scratch: &mut Scratch,
        bytes: &[u8],
        options: &Options,
        watch: Watch,
    ) -> Result<Self, NoAnswer> {
        let image = decode(bytes, &options.image, watch)?;
        let detected = finder.glance(scratch, &image)?;
        watch(Stage::Detect);
        Ok(Self::found(image, detected))
    }

    fn found(image: Bgr, detected: Detected) -> Self {
        let measured = detected.faces.iter().map(|_| OnceCell::new()).collect();
        Self { image, detected, measured }
    }

    /// The pixels, turned upright if necessary.
    #[must_use]
    pub fn image(&self) -> &Bgr {
        &self.image
    }

    /// The faces, and how they were detected.
    #[must_use]
    pub fn detected(&self) -> &Detected {
        &self.detected
    }

    /// The measurements of a face, by its index among the detected faces.
    #[must_use]
    pub fn quality(&self, at: usize) -> Quality {
        *self.measured[at].get_or_init(|| Quality::of(&self.image, &self.detected.faces[at]))
    }

    /// How many times the box of a face, by its index among the detected faces, fits into the photograph.
    #[must_use]
    pub fn room(&self, at: usize) -> f64 {
        room(self.image.width(), self.image.height(), &self.detected.faces[at].area)
    }

    /// The index of the face that counts, if the networks can judge it.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn subject(&self, policy: &Policy, largest: bool) -> Result<usize, Unfit> {
        let at = choose(&self.detected.faces, policy.face.rival, largest)?;
        self.quality(at).fit(&policy.face)?;
        Ok(at)
    }

    /// Begins the examination of the face that counts.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn examine(self, policy: &Policy, largest: bool, watch: Watch) -> Result<Examination, Unfit> {
        let at = self.subject(policy, largest)?;
        let (quality, look, face) = (self.quality(at), self.detected.look, self.detected.faces[at]);
        watch(Stage::Quality);
        Ok(Examination { image: self.image, look, face, quality, liveness: Absent, embedding: Absent })
    }
}

/// The index of the only face, or of the largest of several, unless a second face is a rival.
///
/// # Errors
/// [`Unfit::NoFace`], [`Unfit::SeveralFaces`]
fn choose(faces: &[Face], rival: f64, largest: bool) -> Result<usize, Unfit> {
    let mut by_area: Vec<usize> = (0..faces.len()).collect();
    // Of faces with equal areas the first one counts, which has the higher score.
    by_area.sort_by_key(|at| std::cmp::Reverse(faces[*at].area.pixels()));
    let pixels = |at: &usize| faces[*at].area.pixels() as f64;
    match by_area.as_slice() {
        [] => Err(Unfit::NoFace),
        [first, second, ..] if !largest && pixels(second) > rival * pixels(first) => {
            Err(Unfit::SeveralFaces { found: faces.len() })
        }
        [first, ..] => Ok(*first),
    }
}

/// The model did not run, or is not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent;

/// The face that counts, its measurements, and each model's result: `L` is [`Liveness`] or
/// [`Absent`], `E` is [`Embedding`] or [`Absent`].
#[derive(Debug, Clone)]
pub struct Examination<L = Absent, E = Absent> {
    image: Bgr,
    look: DetectionPlan,
    face: Face,
    quality: Quality,
    liveness: L,
    embedding: E,
}

impl<L, E> Examination<L, E> {
    /// The photograph.
    pub fn image(&self) -> &Bgr {
        &self.image
    }

    /// Returns how the face was detected; the plan does not change which embeddings can be compared.
    pub fn plan(&self) -> &DetectionPlan {
        &self.look
    }

    /// The face.
    pub fn face(&self) -> &Face {
        &self.face
    }

    /// The face's measurements.
    pub fn quality(&self) -> &Quality {
        &self.quality
    }

    /// The judgement from both spoof networks, or [`Absent`].
    pub fn liveness(&self) -> &L {
        &self.liveness
    }

    /// The embedding, or [`Absent`].
    pub fn embedding(&self) -> &E {
        &self.embedding
    }
}

impl<E> Examination<Absent, E> {
    /// Runs both spoof networks on the face, and judges it.
    ///
    /// # Errors
    /// [`RunError`]
    pub fn with_liveness(
        self,
        spoof: &SpoofPair,
        policy: &Policy,
        scratch: &mut Scratch,
        watch: Watch,
    ) -> Result<Examination<Liveness, E>, RunError> {
        let scores = spoof.scores(scratch, &self.image, &self.face.area)?;
        watch(Stage::Spoof);
        let liveness = liveness::judge(scores, self.quality.shown(), &policy.liveness);
        let Self { image, look, face, quality, embedding, .. } = self;
        Ok(Examination { image, look, face, quality, liveness, embedding })
    }
}

impl<L> Examination<L, Absent> {
    /// Runs the embedder on the face, turned upright.
    ///
    /// # Errors
    /// [`NoAnswer`]: a network failed, or no pixel is left of the turned face.
    pub fn with_embedding(
        self,
        encoder: &FaceEncoder,
        scratch: &mut Scratch,
        watch: Watch,
    ) -> Result<Examination<L, Embedding>, NoAnswer> {
        let embedding = encoder.embed(scratch, &self.image, &self.face, watch)?;
        let Self { image, look, face, quality, liveness, .. } = self;
        Ok(Examination { image, look, face, quality, liveness, embedding })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Area;

    fn face(w: i64, h: i64) -> Face {
        let area = Area { x: 0, y: 0, w, h };
        Face { area, unclipped: area, landmarks: [[0, 0]; 5], score: 0.9 }
    }

    #[test]
    fn a_rival_has_over_half_the_largest_face_s_area() {
        let (large, half, over) = (face(10, 10), face(5, 10), face(51, 1));
        let several = Err(Unfit::SeveralFaces { found: 2 });
        // (faces, the choice, the choice if the largest counts)
        let table: [(&[Face], _, _); 6] = [
            (&[], Err(Unfit::NoFace), Err(Unfit::NoFace)),
            (&[half], Ok(0), Ok(0)),
            (&[half, large], Ok(1), Ok(1)),
            (&[large, over], several, Ok(0)),
            (&[large, large], several, Ok(0)),
            (&[half, half, large], Ok(2), Ok(2)),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .filter(|(faces, one, largest)| choose(faces, 0.5, false) != *one || choose(faces, 0.5, true) != *largest)
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
