//! A SHA-256 digest as a value: parsed once, compared as bytes, printed in full.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::error::ErrorKind;

/// A SHA-256 digest, the only pin that Ballast knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Takes 32 raw digest bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The SHA-256 of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses 64 hex digits of either case, with an optional `sha256:` before them.
    ///
    /// # Errors
    /// [`BadDigest`] says what was found instead.
    pub fn parse(text: &str) -> Result<Self, BadDigest> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if let Some(odd) = hex.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(BadDigest::NotHex(odd));
        }
        if hex.len() != 64 {
            return Err(BadDigest::Length(hex.len()));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Ok(Self(bytes))
    }
}

fn nibble(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => (hex | 0x20) - b'a' + 10,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The reason why a text is not a SHA-256 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadDigest {
    /// A character that is no hex digit.
    NotHex(char),
    /// The number of hex digits found; 64 were expected.
    Length(usize),
}

impl BadDigest {
    /// Always [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for BadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHex(odd) => write!(f, "expected 64 hex digits, found the character {odd:?}"),
            Self::Length(found) => write!(f, "expected 64 hex digits, found {found}"),
        }
    }
}

impl std::error::Error for BadDigest {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_hex_digits_of_either_case_with_an_optional_prefix() {
        let lower = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";
        let upper = lower.to_uppercase();
        let prefixed = format!("sha256:{lower}");
        let mut wrong = Vec::new();
        for text in [lower, &upper, &prefixed] {
            if Digest::parse(text).map(|d| d.to_string()) != Ok(lower.to_string()) {
                wrong.push(text);
            }
        }
        assert!(wrong.is_empty(), "refused or changed: {wrong:?}");
    }

    #[test]
    fn anything_else_is_refused_with_what_was_found() {
        let long = "0".repeat(65);
        let cases = [
            ("", BadDigest::Length(0)),
            ("abc", BadDigest::Length(3)),
            (long.as_str(), BadDigest::Length(65)),
            ("sha512:00", BadDigest::NotHex('s')),
            ("é", BadDigest::NotHex('é')),
            (" 00", BadDigest::NotHex(' ')),
        ];
        let wrong: Vec<_> = cases.iter().filter(|(text, expected)| Digest::parse(text) != Err(*expected)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
