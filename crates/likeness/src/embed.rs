//! The embedder's input and output, and which embedders may identify a person.
//!
//! Promises: only a [`FaceEncoder`], and so only a trusted embedder, makes an [`Embedding`].
//! Touches nothing.

use std::sync::Arc;

use crate::align::aligned;
use crate::detect::Face;
use crate::engine::Scratch;
use crate::error::ErrorKind;
use crate::image::Bgr;
use crate::image::resize::{resize, resize_f64};
use crate::net::facenet512::SIDE;
use crate::net::{Detector, Digest, Embedder};
use crate::quality::Unfit;
use crate::space::{DetectionPolicy, SpaceId};
use crate::stage::{NoAnswer, Stage, Watch};

/// The digests of embedders whose publisher documents their distances.
const PUBLISHED: [Digest; 1] = [
    // facenet512_weights.h5
    Digest::hex("3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f"),
];

/// The reason why an embedder may identify persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The embedder's file is a published one.
    Published,
    /// The operator accepted it by its digest.
    Accepted,
}

impl Trust {
    /// Its name in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Accepted => "accepted",
        }
    }
}

/// An embedder that is neither published nor accepted: the meaning of its distances is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown embedder: its distances can't be used for a verdict\n  expected {}\n  found    {found}", PUBLISHED[0])]
pub struct UnknownEmbedder {
    /// The digest of its file.
    pub found: Digest,
}

impl UnknownEmbedder {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Model
    }
}

/// An embedder that may identify a person.
#[derive(Clone)]
pub struct TrustedEmbedder {
    embedder: Arc<Embedder>,
    trust: Trust,
}

impl TrustedEmbedder {
    /// Takes an embedder that is published, or that has this accepted digest.
    ///
    /// # Errors
    /// [`UnknownEmbedder`]
    pub fn of(embedder: Arc<Embedder>, accepted: Option<Digest>) -> Result<Self, UnknownEmbedder> {
        let found = embedder.tested().digest();
        let trust = match PUBLISHED.contains(&found) {
            true => Trust::Published,
            false if accepted == Some(found) => Trust::Accepted,
            false => return Err(UnknownEmbedder { found }),
        };
        Ok(Self { embedder, trust })
    }

    /// The network.
    #[must_use]
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// Returns the reason why it is trusted.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }
}

/// Turns faces into embeddings of one space. No other type makes an [`Embedding`].
#[derive(Clone)]
pub struct FaceEncoder {
    embedder: TrustedEmbedder,
    space: SpaceId,
}

impl FaceEncoder {
    /// Takes the embedder, for faces that this detector finds by the native detection policy.
    #[must_use]
    pub fn new(embedder: TrustedEmbedder, detector: &Detector) -> Self {
        let digests = (detector.tested().digest(), embedder.embedder().tested().digest());
        Self { embedder, space: SpaceId::of(digests.0, digests.1, DetectionPolicy::Native) }
    }

    /// The network.
    #[must_use]
    pub fn embedder(&self) -> &Embedder {
        self.embedder.embedder()
    }

    /// The space of its embeddings.
    #[must_use]
    pub fn space(&self) -> SpaceId {
        self.space
    }

    /// Embeds a face of a photograph, turned upright.
    ///
    /// # Errors
    /// [`NoAnswer`]: no pixel is left of the turned face, or the network failed.
    pub fn embed(&self, scratch: &mut Scratch, image: &Bgr, face: &Face, watch: Watch) -> Result<Embedding, NoAnswer> {
        let input = aligned(image, face).as_ref().and_then(input);
        let input = input.ok_or(Unfit::TooSmall { expected: 1, found: 0 })?;
        watch(Stage::Align);
        let numbers = self.embedder().embed(scratch, &input)?.to_vec();
        watch(Stage::Embed);
        let unit = normalised(&numbers).ok_or(NoAnswer::NoDirection)?;
        Ok(Embedding { direction: Direction { space: self.space, numbers: unit }, numbers, input })
    }
}

/// A normalised embedding and its space; directions are compared and stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction {
    space: SpaceId,
    numbers: Vec<f32>,
}

impl Direction {
    /// Its space.
    #[must_use]
    pub fn space(&self) -> SpaceId {
        self.space
    }

    /// Its numbers.
    #[must_use]
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }
}

/// A face's embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    direction: Direction,
    numbers: Vec<f32>,
    input: Vec<f32>,
}

impl Embedding {
    /// Its direction and its space.
    #[must_use]
    pub fn direction(&self) -> &Direction {
        &self.direction
    }

    /// The embedder's numbers, not normalised.
    #[must_use]
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// The embedder's input: 160 x 160 BGR pixels, 0 to 1.
    #[must_use]
    pub fn input(&self) -> &[f32] {
        &self.input
    }
}

/// A person's template, which a store has decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    direction: Direction,
}

impl Template {
    /// Numbers of length one that a store sealed when a live face was enrolled, and opened now. Only
    /// the code that opens sealed templates may call this function; a test of the sources checks it.
    #[must_use]
    pub fn opened(space: SpaceId, numbers: Vec<f32>) -> Self {
        Self { direction: Direction { space, numbers } }
    }

    /// Its direction.
    #[must_use]
    pub fn direction(&self) -> &Direction {
        &self.direction
    }
}

/// The numbers scaled to length one; `None` if they have no direction.
fn normalised(numbers: &[f32]) -> Option<Vec<f32>> {
    let length = numbers.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    let known = length.is_finite() && length > 1e-6;
    known.then(|| numbers.iter().map(|v| (f64::from(*v) / length) as f32).collect())
}

/// A face as the embedder's input: 160 x 160 BGR pixels, 0 to 1, with black where the face does not
/// fill the square. `None` for a face so narrow that nothing of it would be left.
#[must_use]
pub fn input(face: &Bgr) -> Option<Vec<f32>> {
    let (width, height) = fitted(face)?;
    let values = resize_f64(face, width, height);
    Some(padded(width, height, |at| values[at] as f32))
}

/// A whole photograph as the face, as DeepFace's `represent` with the detector `skip` prepares it:
/// resampled in 8 bits, then divided.
#[must_use]
pub fn input_skip(image: &Bgr) -> Option<Vec<f32>> {
    let (width, height) = fitted(image)?;
    let small = resize(image, width, height);
    Some(padded(width, height, |at| f32::from(small.data()[at]) / 255.0))
}

/// The size at which it fits the square, truncated as DeepFace does: 160 / n * n can be 159.
fn fitted(face: &Bgr) -> Option<(usize, usize)> {
    let (w, h) = (face.width() as f64, face.height() as f64);
    let factor = (SIDE as f64 / h).min(SIDE as f64 / w);
    let (width, height) = ((w * factor) as usize, (h * factor) as usize);
    (width > 0 && height > 0).then_some((width, height))
}

fn padded(width: usize, height: usize, value: impl Fn(usize) -> f32) -> Vec<f32> {
    let (left, top) = ((SIDE - width) / 2, (SIDE - height) / 2);
    let mut out = vec![0.0; SIDE * SIDE * 3];
    for y in 0..height {
        let line = ((top + y) * SIDE + left) * 3;
        for (at, number) in out[line..line + width * 3].iter_mut().enumerate() {
            *number = value(y * width * 3 + at);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_side_fills_the_square_or_lacks_one_pixel() {
        for (size, fits) in
            [((160, 160), (160, 160)), ((80, 160), (80, 160)), ((500, 400), (160, 128)), ((1, 2), (80, 160))]
        {
            assert_eq!(fitted(&Bgr::black(size.0, size.1)), Some(fits), "{size:?}");
        }
        let short = (1..3000).filter(|n| fitted(&Bgr::black(*n, n / 100 + 1)).is_some_and(|(width, _)| width == 159));
        assert_eq!(short.count(), 55);
    }

    #[test]
    fn a_direction_has_length_one_and_nothing_has_none() {
        let unit = normalised(&[3.0, 4.0]).unwrap();
        assert_eq!(unit, [0.6, 0.8]);
        for none in [&[0.0, 0.0][..], &[1e-7, 0.0], &[f32::INFINITY, 1.0], &[f32::NAN, 1.0], &[]] {
            assert_eq!(normalised(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_thread_of_a_face_is_refused() {
        assert!(input(&Bgr::black(1, 400)).is_none());
        assert!(input_skip(&Bgr::black(400, 1)).is_none());
        assert!(input(&Bgr::black(1, 160)).is_some());
    }

    #[test]
    fn a_narrow_face_stands_in_the_middle_of_black() {
        let white = Bgr::new(80, 160, vec![255; 80 * 160 * 3]).unwrap();
        for numbers in [input(&white).unwrap(), input_skip(&white).unwrap()] {
            let row: Vec<f32> = numbers[..SIDE * 3].iter().step_by(3).copied().collect();
            assert_eq!((row[39], row[40], row[119], row[120]), (0.0, 1.0, 1.0, 0.0));
        }
    }
}
