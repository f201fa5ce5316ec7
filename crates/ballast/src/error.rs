//! The kinds of this library's errors, for callers that decide by kind and not by text. Pure.

/// The kind of an error: the same few words for every error type of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A lock file, digest, index or name breaks a rule of its format.
    Invalid,
    /// A pin in the environment differs from the lock file's, or is absent.
    Pin,
    /// No entry has the weight's name.
    Missing,
    /// The bytes, or their number, differ from what the pin names.
    WrongBytes,
    /// The entry is not a regular file, or its owner, mode or links let other users change it.
    UnsafeEntry,
    /// No source has the right bytes.
    NoSource,
    /// The bytes are right, but the app could replace them.
    Unprotected,
    /// A system call failed.
    Io,
}
