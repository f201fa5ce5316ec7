//! The state of a weight's entry, its damage, and how strictly it is checked. Pure.

use std::{fmt, io};

use crate::digest::Digest;
use crate::disk::{Kind, Stat};
use crate::error::ErrorKind;
use crate::index::Tree;
use crate::lock::Weight;
use crate::receipt::Receipt;

/// The result of examining the bytes under a weight's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightState {
    /// Every byte was checked, and is right.
    Right,
    /// Not read: a receipt says that this very inode was right, and nothing has changed since.
    Vouched,
    /// No entry has that name.
    Missing,
    /// The content of a former pin.
    Stale,
    /// The entry is another file; the value says why it is wrong.
    Damaged(Damage),
    /// The kernel refused to open or read the entry: the errno.
    Unreadable(i32),
}

impl WeightState {
    /// Returns whether the entry has the pinned bytes.
    #[must_use]
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Right | Self::Vouched)
    }
}

impl fmt::Display for WeightState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("right"),
            Self::Vouched => f.write_str("vouched"),
            Self::Missing => f.write_str("missing"),
            Self::Stale => f.write_str("stale: a former pin"),
            Self::Damaged(damage) => damage.fmt(f),
            Self::Unreadable(errno) => write!(f, "unreadable: {}", io::Error::from_raw_os_error(*errno)),
        }
    }
}

/// A weight that could not be read as its pinned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadError(WeightState);

impl ReadError {
    /// An error for anything but a right entry.
    pub(crate) fn of(state: WeightState) -> Self {
        debug_assert!(!state.is_right(), "a right entry is no error");
        Self(state)
    }

    /// The state of the entry; never [`WeightState::Right`] or [`WeightState::Vouched`].
    #[must_use]
    pub fn state(&self) -> &WeightState {
        &self.0
    }

    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            WeightState::Missing => ErrorKind::Missing,
            WeightState::Unreadable(_) => ErrorKind::Io,
            WeightState::Damaged(Damage::Size { .. } | Damage::Bytes { .. }) | WeightState::Stale => {
                ErrorKind::WrongBytes
            }
            WeightState::Damaged(_) | WeightState::Right | WeightState::Vouched => ErrorKind::UnsafeEntry,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ReadError {}

/// The reason why an entry is not the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Not a regular file.
    Kind(Kind),
    /// More than one hard link: another name has the same inode.
    Links(u64),
    /// A file that its owner, or any user, could change: mode `sticky` accepts only root's files.
    Owner(u32),
    /// Setuid or setgid bits; in mode `sticky` also a weight that the app can't read.
    Mode(u32),
    /// A length that differs from the pinned one.
    Size {
        /// The pinned length.
        expected: u64,
        /// The length found.
        found: u64,
    },
    /// Other bytes. The bad chunks are known if an index was used, otherwise the digest.
    Bytes {
        /// Chunks that differ, in order.
        bad: Vec<u64>,
        /// The SHA-256 found.
        found: Option<Digest>,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "damaged: a {} stands there", format!("{kind:?}").to_lowercase()),
            Self::Links(links) => write!(f, "damaged: {links} hard links share it"),
            Self::Owner(uid) => write!(f, "loose: uid {uid} could change it"),
            Self::Mode(mode) => write!(f, "damaged: mode {mode:04o}"),
            Self::Size { expected, found } => write!(f, "damaged: {found} bytes, expected {expected}"),
            Self::Bytes { bad, .. } if bad.len() == 1 => f.write_str("damaged: 1 wrong chunk"),
            Self::Bytes { bad, .. } if !bad.is_empty() => write!(f, "damaged: {} wrong chunks", bad.len()),
            Self::Bytes { .. } => f.write_str("damaged: other bytes"),
        }
    }
}

/// How strictly an entry of a store is checked before its bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A volume that others may write: hard links and setuid bits are damage.
    Volume,
    /// An image layer: storage drivers may make hard links.
    Layer,
    /// A volume in mode `sticky`: only root-owned files that are not writable count.
    RootOwned {
        /// The app's group, which may make files beside the weights.
        gid: u32,
    },
}

impl Strictness {
    /// Permission bits of a new weight.
    #[must_use]
    pub fn file_mode(self) -> u32 {
        match self {
            Self::Volume | Self::Layer => 0o644,
            Self::RootOwned { .. } => 0o444,
        }
    }

    /// Permission bits of a new directory, and its group if that is not this process's.
    #[must_use]
    pub fn dir_mode(self) -> (u32, Option<u32>) {
        match self {
            Self::Volume | Self::Layer => (0o755, None),
            Self::RootOwned { gid } => (0o1775, Some(gid)),
        }
    }

    /// Returns whether a directory may stay on a weight's path. In mode `sticky`, the app must be
    /// unable to remove root's entries, and able to find the weights.
    #[must_use]
    pub fn accepts_dir(self, stat: &Stat, writable: bool) -> bool {
        match self {
            Self::Volume | Self::Layer => writable,
            Self::RootOwned { gid } => {
                let search = if stat.gid == gid { 0o010 } else { 0o001 };
                stat.uid == 0 && stat.mode & search != 0 && (stat.mode & 0o1000 != 0 || stat.mode & 0o022 == 0)
            }
        }
    }
}

/// One weight as a store sees it: the pin, and its chunk tree if the index has one.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedWeight<'a> {
    /// The lock file's entry.
    pub weight: &'a Weight,
    /// The weight's tree, if a trusted index contains it.
    pub tree: Option<&'a Tree>,
    /// The receipt for its bytes, if `--trust receipt` is set and the file is protected.
    pub receipt: Option<&'a Receipt>,
}

impl<'a> ExpectedWeight<'a> {
    /// A weight that only its SHA-256 can verify.
    #[must_use]
    pub fn by_pin(weight: &'a Weight) -> Self {
        Self { weight, tree: None, receipt: None }
    }

    pub(crate) fn vouched(&self, stat: &Stat) -> bool {
        self.receipt.is_some_and(|receipt| receipt.vouches(&self.weight.sha256, stat))
    }

    /// The length, if the lock file or the index contains it.
    pub fn size(&self) -> Option<u64> {
        self.weight.size.or(self.tree.map(Tree::size))
    }
}

/// The result of examining a weight's entry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Examined {
    /// The entry's state.
    pub found: WeightState,
    /// Facts of the inode, if one of the right kind could be opened.
    pub stat: Option<Stat>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_words_and_its_kind() {
        let bytes = |bad: &[u64]| WeightState::Damaged(Damage::Bytes { bad: bad.to_vec(), found: None });
        let table = [
            (WeightState::Missing, "missing", ErrorKind::Missing),
            (WeightState::Stale, "stale: a former pin", ErrorKind::WrongBytes),
            (bytes(&[]), "damaged: other bytes", ErrorKind::WrongBytes),
            (bytes(&[3]), "damaged: 1 wrong chunk", ErrorKind::WrongBytes),
            (bytes(&[3, 4]), "damaged: 2 wrong chunks", ErrorKind::WrongBytes),
            (
                WeightState::Damaged(Damage::Size { expected: 2, found: 1 }),
                "damaged: 1 bytes, expected 2",
                ErrorKind::WrongBytes,
            ),
            (
                WeightState::Damaged(Damage::Kind(Kind::Symlink)),
                "damaged: a symlink stands there",
                ErrorKind::UnsafeEntry,
            ),
            (WeightState::Damaged(Damage::Links(2)), "damaged: 2 hard links share it", ErrorKind::UnsafeEntry),
            (WeightState::Damaged(Damage::Owner(7)), "loose: uid 7 could change it", ErrorKind::UnsafeEntry),
            (WeightState::Damaged(Damage::Mode(0o4755)), "damaged: mode 4755", ErrorKind::UnsafeEntry),
            (WeightState::Unreadable(libc::EACCES), "unreadable: Permission denied (os error 13)", ErrorKind::Io),
        ];
        let found = |state: &WeightState| (state.to_string(), ReadError::of(state.clone()).kind());
        let wrong: Vec<_> = table
            .into_iter()
            .filter(|(state, words, kind)| found(state) != ((*words).to_owned(), *kind))
            .map(|(state, ..)| format!("{state:?}: {:?}", found(&state)))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
