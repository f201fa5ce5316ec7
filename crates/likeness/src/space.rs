//! Embedding spaces: which embeddings may be compared.
//!
//! An embedding depends on the detector's file, the embedder's file, the steps between them, and
//! the policy by which faces are detected. [`SpaceId`] is the SHA-256 of a fixed encoding of these;
//! two embeddings are compared only if their ids are equal. Scale, window and second detection of
//! one face never change the id; responses report them. Touches nothing.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::error::ErrorKind;
use crate::net::Digest;

/// The encoding's own version: raise it with any change of [`SpaceId::encoded`].
const ENCODING: u32 = 1;
/// Crop, bilinear resize to 160 x 160 with black padding, BGR, 0 to 1, no normalisation. Raise it
/// with any change of a bit in the result.
const PRE_PROCESSING: u32 = 1;
/// Rotation by the eyes about the box, exact bicubic as in OpenCV 5. Raise it as above.
const ALIGNMENT: u32 = 1;

/// A policy by which faces are detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectionPolicy {
    /// Ours: the first detection at 320 pixels, second detections of faces that are too small or
    /// too large there; a JPEG of more than 25 million pixels is decoded at half its size.
    Native,
    /// DeepFace's: every face, or the whole photograph if a request skips the detector.
    DeepFace,
}

impl DetectionPolicy {
    /// Returns the metric's number and version in the encoding. Never use a number again; raise the
    /// version with any change that makes embeddings incomparable.
    fn encoded(self) -> [u32; 2] {
        match self {
            Self::Native => [1, 2],
            Self::DeepFace => [2, 1],
        }
    }
}

/// The id of an embedding space. The HTTP interface calls it `contract_id`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpaceId([u8; 32]);

impl SpaceId {
    /// The space of these two files under this detection policy, with this library's steps.
    #[must_use]
    pub fn of(detector: Digest, embedder: Digest, look: DetectionPolicy) -> Self {
        Self(Sha256::digest(Self::encoded(detector, embedder, [PRE_PROCESSING, ALIGNMENT], look)).into())
    }

    /// Returns the id with these bytes, as they were stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A name, then little-endian: the encoding's version, both digests, the versions of the steps,
    /// number and version of the detection policy.
    fn encoded(detector: Digest, embedder: Digest, steps: [u32; 2], look: DetectionPolicy) -> Vec<u8> {
        let mut bytes = b"likeness embedding space\0".to_vec();
        bytes.extend(ENCODING.to_le_bytes());
        bytes.extend(detector.0);
        bytes.extend(embedder.0);
        steps.into_iter().chain(look.encoded()).for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes
    }
}

impl fmt::Display for SpaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for SpaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

/// Two embeddings of different spaces, or a threshold of another space, which must not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("embeddings of two spaces are not comparable\n  expected {expected}\n  found    {found}")]
pub struct OtherSpace {
    /// The space of the first.
    pub expected: SpaceId,
    /// The space of the second.
    pub found: SpaceId,
}

impl OtherSpace {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::EmbeddingSpace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_space_changes_its_encoding() {
        let (a, b) = (Digest([1; 32]), Digest([2; 32]));
        let all = [
            SpaceId::encoded(a, b, [1, 1], DetectionPolicy::Native),
            SpaceId::encoded(b, b, [1, 1], DetectionPolicy::Native),
            SpaceId::encoded(a, a, [1, 1], DetectionPolicy::Native),
            SpaceId::encoded(b, a, [1, 1], DetectionPolicy::Native),
            SpaceId::encoded(a, b, [2, 1], DetectionPolicy::Native),
            SpaceId::encoded(a, b, [1, 2], DetectionPolicy::Native),
            SpaceId::encoded(a, b, [1, 1], DetectionPolicy::DeepFace),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert!(all.iter().all(|bytes| bytes.len() == 25 + 4 + 64 + 16));
    }

    #[test]
    fn the_id_of_known_digests_never_changes() {
        let id = SpaceId::of(Digest([1; 32]), Digest([2; 32]), DetectionPolicy::Native);
        assert_eq!(id.to_string(), "f064123543f7886fde5669430a260f69cf93364463ec75911da32e33e44d13e8");
        assert_eq!(SpaceId::from_bytes(*id.as_bytes()), id);
    }
}
