//! The contract of an embedding: what must be equal for two embeddings to be comparable.
//!
//! An embedding depends on the detector's file, the embedder's file, and the two steps between them.
//! Embeddings of different contracts are never compared.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::find::Mode;
use crate::net::{Detector, Digest, Embedder};

/// The steps between photograph and embedder whose change would change embeddings, with their
/// versions. A version is raised by whoever changes a single bit of the step's result.
pub const STEPS: [(&str, u32); 2] = [
    // Crop, bilinear resize to 160 x 160 with black padding, BGR, 0 to 1, no normalisation.
    ("pre-processing", 1),
    // Rotation by the eyes about the box, exact bicubic as in OpenCV 5.
    ("alignment", 1),
];

/// The identity of a contract: a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContractId(Digest);

impl ContractId {
    /// The contract of these two networks, with this library's [`STEPS`].
    pub fn of(detector: &Detector, embedder: &Embedder) -> Self {
        Self::from_digests(detector.tested().digest(), embedder.tested().digest(), &STEPS)
    }

    /// The same contract for faces that were looked for in one way only: their boxes, and so their
    /// embeddings, differ a little from those of another way.
    pub fn within(self, mode: Mode) -> Self {
        Self(Digest(Sha256::digest(format!("{self}\ndetection {mode:?}\n")).into()))
    }

    /// From its bytes, as they were stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest(bytes))
    }

    /// Its bytes, to be stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    fn from_digests(detector: Digest, embedder: Digest, steps: &[(&str, u32)]) -> Self {
        let mut text = format!("likeness contract\ndetector {detector}\nembedder {embedder}\n");
        for (step, version) in steps {
            text += &format!("{step} {version}\n");
        }
        Self(Digest(Sha256::digest(text).into()))
    }
}

impl fmt::Display for ContractId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ContractId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_contract_changes_its_identity() {
        let (a, b) = (Digest([1; 32]), Digest([2; 32]));
        let base = ContractId::from_digests(a, b, &STEPS);
        let others = [
            ContractId::from_digests(b, b, &STEPS),
            ContractId::from_digests(a, a, &STEPS),
            ContractId::from_digests(b, a, &STEPS),
            ContractId::from_digests(a, b, &[("pre-processing", 2), STEPS[1]]),
            ContractId::from_digests(a, b, &[STEPS[0], ("alignment", 2)]),
        ];
        let modes = [Mode::Auto, Mode::Exact, Mode::Fast { side: 640 }, Mode::Fast { side: 320 }];
        let all: Vec<_> = others.into_iter().chain(modes.map(|mode| base.within(mode))).chain([base]).collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert_eq!(ContractId::from_bytes(*base.as_bytes()), base);
    }
}
