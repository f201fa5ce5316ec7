//! The most bytes that Ballast reads of each kind of file. A file above its bound is refused, never
//! read in part.

/// Bytes of a lock file: enough for ten thousand weights.
pub const LOCK: u64 = 8 << 20;
/// Separators of a lock file: line breaks, spaces, brackets, quotes and other characters that end a
/// word. The parser needs about a hundred bytes of memory for each.
pub const LOCK_MARKS: usize = 1_000_000;
/// The most weights, the most groups, the most directories, and the most files of groups, in a lock file.
pub const LOCK_ENTRIES: usize = 10_000;
/// Bytes of a list beside a lock file.
pub const LIST: u64 = 32 << 20;
/// The most weights of a lock file, the files of its lists included.
pub const LISTED: usize = 200_000;
/// Bytes of an index: the trees of 1 TiB of weights.
pub const INDEX: u64 = 32 << 20;
/// Bytes of a receipts file.
pub const RECEIPTS: u64 = 24 << 20;
/// The most names of a directory that one cleaning reads, and the most abandoned files that it removes.
pub const COLLECT: (usize, usize) = (65_536, 1024);
