//! A blob of an image, as its manifest describes it. Plain values.

use ballast::digest::Digest;
use sha2::{Digest as _, Sha256};

/// The annotation that names a layer's content: a weight's lock path, or `.ballast`.
pub const TITLE: &str = "org.opencontainers.image.title";

/// A blob that was measured: its digest and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measured {
    /// SHA-256 of all its bytes.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
}

/// A blob of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The title that the manifest gives the blob.
    pub title: String,
    /// The expected SHA-256 and number of its bytes.
    pub measured: Measured,
    /// Whether the bytes of the blob are a plain tar archive.
    pub plain: bool,
}

impl Measured {
    /// Measures bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::from_bytes(Sha256::digest(bytes).into()), size: bytes.len() as u64 }
    }
}

/// The title of the layer of lock file and index.
pub const BALLAST: &str = ".ballast";
