//! A weight file in memory, with the digest of exactly these bytes.

use std::fmt;

use crate::error::ErrorKind;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
            let digit = |at: usize| pair.get(at).and_then(|hex| char::from(*hex).to_digit(16));
            *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
        }
        (text.len() == 64).then_some(Self(bytes))
    }

    /// Reads 64 lower-case hex digits; for constants.
    ///
    /// # Panics
    /// On anything else.
    #[must_use]
    pub const fn hex(text: &str) -> Self {
        let text = text.as_bytes();
        assert!(text.len() == 64, "a SHA-256 digest has 64 hex digits");
        let mut bytes = [0; 32];
        let mut at = 0;
        while at < 32 {
            bytes[at] = nibble(text[2 * at]) << 4 | nibble(text[2 * at + 1]);
            at += 1;
        }
        Self(bytes)
    }
}

const fn nibble(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        b'a'..=b'f' => hex - b'a' + 10,
        _ => panic!("a lower-case hex digit"),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bytes of a weight file and their SHA-256. Loading a network consumes the value, so that its
/// bytes are freed before the next file is read.
pub struct WeightFile {
    bytes: Vec<u8>,
    digest: Digest,
}

impl WeightFile {
    /// Hashes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { digest: Digest::of(&bytes), bytes }
    }

    /// Hashes the bytes, which must have this digest.
    ///
    /// # Errors
    /// [`WrongDigest`] has both digests.
    pub fn pinned(bytes: Vec<u8>, expected: Digest) -> Result<Self, WrongDigest> {
        let file = Self::new(bytes);
        if file.digest == expected {
            return Ok(file);
        }
        Err(WrongDigest { expected, found: file.digest })
    }

    /// Takes bytes that the caller has hashed: `digest` must be the SHA-256 of these bytes in
    /// memory, not of the file on disk.
    #[must_use]
    pub fn verified(bytes: Vec<u8>, digest: Digest) -> Self {
        Self { bytes, digest }
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The error for bytes whose SHA-256 is not the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wrong digest\n  expected {expected}\n  found    {found}")]
pub struct WrongDigest {
    /// The pin.
    pub expected: Digest,
    /// What the bytes hash to.
    pub found: Digest,
}

impl WrongDigest {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::WeightFile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_hex_digits_are_a_digest() {
        let text = "ab".repeat(32);
        assert_eq!(Digest::parse(&text), Some(Digest([0xab; 32])));
        assert_eq!(Digest::parse(&text.to_uppercase()), Some(Digest([0xab; 32])));
        for wrong in ["", "ab", &text[..63], &format!("{text}0"), &text.replace('a', "g"), &"é".repeat(32)] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }
}
