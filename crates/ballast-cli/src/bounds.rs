//! All bounds on foreign input: bytes, entries, and so memory.
//!
//! A reader refuses input above its bound, before it allocates memory for it. `reads_tests.rs`
//! counts the memory.

pub use ballast::bounds::{INDEX, LOCK, RECEIPTS};

/// A minisign signature or public key has at most this many bytes.
pub const SIGNATURE: u64 = 8 << 10;
/// The most bytes of the number that a serial file holds.
pub const SERIAL: u64 = 64;
/// The most bytes of a report that is read back.
pub const REPORT: u64 = 16 << 20;
/// The most bytes of `/etc/passwd` or `/etc/group`.
pub const ACCOUNTS: u64 = 1 << 20;
/// Names beside the weights that the search for files without an entry reads.
pub const EXTRA_NAMES: usize = 200_000;
/// Entries beside the weights that a seal grants rights for.
pub const SEAL_ENTRIES: usize = 4096;

#[cfg(feature = "full")]
pub use full::*;

/// Those of the full build.
#[cfg(feature = "full")]
mod full {
    pub use ballast::bounds::LIST;

    /// The most bytes of a compose file or of Kubernetes manifests.
    pub const DEPLOYMENT: u64 = 1 << 20;
    /// The most bytes of `image.toml`.
    pub const DESCRIPTION: u64 = 1 << 20;
    /// The most bytes of a file of tokens, or of Docker's configuration.
    pub const SECRETS: u64 = 1 << 20;
    /// The most bytes of a file of certificates.
    pub const CERTIFICATES: u64 = 16 << 20;
    /// The most bytes of the bundle of a signed model: enough for 90,000 files with short names.
    pub const BUNDLE: u64 = 24 << 20;
    /// The most bytes of a file of keys.
    pub const KEY: u64 = 64 << 10;
    /// The most bytes that all headers of one HTTP response may have.
    pub const HEADERS: usize = 64 << 10;
    /// The most bytes of a token service's response.
    pub const TOKEN_ANSWER: u64 = 256 << 10;
    /// The most bytes of a response that reports an error.
    pub const ERROR_ANSWER: u64 = 64 << 10;
    /// The most bytes of a manifest, or of the index of an archive.
    pub const MANIFEST: u64 = 4 << 20;
    /// Layers that a manifest names.
    pub const LAYERS: usize = 4096;
    /// The most bytes of the layer of lock file, lists, index and list of packs, which is shorter than lock file and lists.
    pub const SMALL_LAYER: u64 = super::INDEX + 2 * super::LOCK + 2 * LIST + (1 << 20);
    /// Bytes before the one file of a weight's layer: enough for the longest lock path.
    pub const LAYER_HEAD: u64 = 1 << 20;
    /// Zeros after the one file of a weight's layer: engines and tools end an archive in different ways.
    pub const LAYER_TAIL: u64 = 1 << 20;
    /// Entries of an image archive.
    pub const ARCHIVE_ENTRIES: usize = 4096;
    /// The most bytes of an archive beside the contents of its files: headers and long names.
    pub const ARCHIVE_HEADERS: u64 = 8 << 20;
    /// The most bytes of the directory of a zip archive or a wheel.
    pub const ZIP_DIRECTORY: u64 = 8 << 20;
    /// Bytes at the end of pip's log that are searched.
    pub const PIP_LOG: u64 = 64 << 10;
    /// The most bytes of memory that pip may map, whatever the package index sends.
    pub const PIP_MEMORY: u64 = 2 << 30;
    /// Files of a cache that is adopted, and names that are left out.
    pub const ADOPTED: usize = ballast::bounds::LISTED;
    /// The most bytes of a header, or of an index of shards, that is checked at a first trust.
    pub const HEADER: u64 = 64 << 20;
    /// Fields of a model that the search for its external files reads.
    pub const MODEL_FIELDS: usize = 20_000_000;
    /// Files that one model needs.
    pub const PARTS: usize = ballast::bounds::LOCK_ENTRIES;
    /// The most bytes of a reference of a cache.
    pub const ADOPTED_WORD: u64 = 1024;
    /// Names of a directory that is adopted.
    pub const ADOPTED_NAMES: usize = 1_000_000;
}
