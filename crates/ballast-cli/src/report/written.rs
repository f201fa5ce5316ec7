//! A report as it is read back. Plain values; `record.rs` judges who wrote it.

use std::path::PathBuf;

use ballast::disk::Stat;
use ballast::lock::Need;
use serde::{Deserialize, Serialize};

/// The part of a report that is read back.
#[derive(Debug, Deserialize)]
pub struct Written {
    /// Layout version.
    pub version: u32,
    /// Which boot wrote it.
    pub boot: String,
    /// Whether every required weight was right.
    pub ready: bool,
    /// Where the weights are served from.
    pub served: Option<WrittenRoot>,
    /// One entry per weight, in the lock file's order.
    pub weights: Vec<WrittenWeight>,
}

/// Where the weights are served from.
#[derive(Debug, Deserialize)]
pub struct WrittenRoot {
    /// The root that the app's variable points at.
    pub root: PathBuf,
}

/// One weight.
#[derive(Debug, Deserialize)]
pub struct WrittenWeight {
    /// Its path below the root.
    pub path: String,
    /// The pin.
    pub sha256: String,
    /// What its absence means.
    pub need: Need,
    /// The inode that was verified, where it was right.
    pub stamp: Option<Stamp>,
}

/// Which inode was verified, and its state then. A file with the same stamp has the same bytes, unless somebody
/// with root's rights, or the file system's, set them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl Stamp {
    /// The stamp of an inode.
    pub fn of(stat: &Stat) -> Self {
        let Stat { id: (device, inode), size, mtime_ns, ctime_ns, .. } = *stat;
        Self { device, inode, size, mtime_ns, ctime_ns }
    }
}
