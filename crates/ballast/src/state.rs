//! What a weight's entry is, what is wrong with it, and how strictly it is judged. Pure.

use crate::digest::Digest;
use crate::disk::{Kind, Stat};
use crate::index::Tree;
use crate::lock::Weight;
use crate::receipt::Receipt;

/// What the bytes under a weight's name turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightState {
    /// Every byte checked, and right.
    Right,
    /// Not read: a receipt says that this very inode was right, and nothing has changed since.
    Vouched,
    /// Nothing of that name.
    Missing,
    /// The content of a former pin.
    Stale,
    /// Something else: why, and which chunks are still good.
    Damaged(Damage),
    /// The kernel refused to show it.
    Unreadable(i32),
}

/// Why an entry is not the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Not a regular file.
    Kind(Kind),
    /// More than one hard link: somebody else holds the same inode.
    Links(u64),
    /// A file that its owner, or anybody, could change: root keeps only its own.
    Owner(u32),
    /// Setuid or setgid bits; a weight that root keeps and the app can't read.
    Mode(u32),
    /// A length that differs from the pinned one.
    Size {
        /// The pinned length.
        expected: u64,
        /// The length found.
        found: u64,
    },
    /// Other bytes. Chunks are known where an index was used, the digest where none was.
    Bytes {
        /// Chunks that differ, in order.
        bad: Vec<u64>,
        /// The SHA-256 found.
        found: Option<Digest>,
    },
}

/// How an entry of a store is judged before its bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A volume that others write: links and setuid bits are damage.
    Volume,
    /// An image layer: storage drivers may link.
    Layer,
    /// A volume that root keeps from the app: only root's own unwritable files count.
    Kept {
        /// The app's group, which may make files beside the weights.
        gid: u32,
    },
}

impl Strictness {
    /// Permission bits of a new weight.
    pub fn file_mode(self) -> u32 {
        match self {
            Self::Volume | Self::Layer => 0o644,
            Self::Kept { .. } => 0o444,
        }
    }

    /// Permission bits of a new directory, and its group where that is not the maker's.
    pub fn dir_mode(self) -> (u32, Option<u32>) {
        match self {
            Self::Volume | Self::Layer => (0o755, None),
            Self::Kept { gid } => (0o1775, Some(gid)),
        }
    }

    /// Whether a directory may stay on the way to a weight. In one that root keeps, the app removes no
    /// entry of root's, and finds the weights.
    pub fn accepts_dir(self, stat: &Stat, writable: bool) -> bool {
        match self {
            Self::Volume | Self::Layer => writable,
            Self::Kept { gid } => {
                let search = if stat.gid == gid { 0o010 } else { 0o001 };
                stat.uid == 0 && stat.mode & search != 0 && (stat.mode & 0o1000 != 0 || stat.mode & 0o022 == 0)
            }
        }
    }
}

/// One weight as a store sees it: the pin, and the tree if one was made for that pin.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedWeight<'a> {
    /// The lock file's entry.
    pub weight: &'a Weight,
    /// Its tree, where a trusted index has it.
    pub tree: Option<&'a Tree>,
    /// What vouches for its bytes, where the operator asked for that and the file is kept firmly.
    pub receipt: Option<&'a Receipt>,
}

impl<'a> ExpectedWeight<'a> {
    /// A weight that only its SHA-256 speaks for.
    pub fn by_pin(weight: &'a Weight) -> Self {
        Self { weight, tree: None, receipt: None }
    }

    pub(crate) fn vouched(&self, stat: &Stat) -> bool {
        self.receipt.is_some_and(|receipt| receipt.vouches(&self.weight.sha256, stat))
    }

    /// The length, where the lock file or the index knows it.
    pub fn size(&self) -> Option<u64> {
        self.weight.size.or(self.tree.map(Tree::size))
    }
}

/// What examining a weight's entry brought.
#[derive(Debug, Clone)]
pub struct Examined {
    /// What it is.
    pub found: WeightState,
    /// Facts of the inode, where one of the right kind could be opened.
    pub stat: Option<Stat>,
}
