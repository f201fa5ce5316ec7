//! How much of a file is read, in one place. A file above its bound is refused, never cut.

/// Bytes of a lock file: ten thousand weights fit, a mistake does not.
pub const LOCK: u64 = 8 << 20;
/// Separators of a lock file: line breaks, spaces, brackets, quotes and other characters that end a word. The parser
/// holds about a hundred bytes for each.
pub const LOCK_MARKS: usize = 1_000_000;
/// Entries of a lock file: weights, groups, and directories, each; and files that are listed in it.
pub const LOCK_ENTRIES: usize = 10_000;
/// Bytes of a list beside a lock file.
pub const LIST: u64 = 32 << 20;
/// Weights of a lock file with the files of its lists.
pub const LISTED: usize = 200_000;
/// Bytes of an index: the trees of 1 TiB of weights.
pub const INDEX: u64 = 32 << 20;
/// Bytes of a receipts file.
pub const RECEIPTS: u64 = 24 << 20;
/// Names of a directory that one cleaning reads, and abandoned files that it removes.
pub const COLLECT: (usize, usize) = (65_536, 1024);
