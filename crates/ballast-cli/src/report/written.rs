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
    /// Where the app was pointed.
    pub served: Option<ServedFrom>,
    /// One entry per weight, in the lock file's order.
    pub weights: Vec<WrittenWeight>,
}

/// The root that the app reads.
#[derive(Debug, Deserialize)]
pub struct ServedFrom {
    /// The directory.
    pub root: PathBuf,
}

/// One weight of a report.
#[derive(Debug, Deserialize)]
pub struct WrittenWeight {
    /// Its path below the root.
    pub path: String,
    /// The pin.
    pub sha256: String,
    /// What its absence means.
    pub need: Need,
    /// The file that was verified.
    pub file: Option<FileStamp>,
}

/// What changes whenever a file is replaced, or anything of it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl From<Stat> for FileStamp {
    fn from(stat: Stat) -> Self {
        let (device, inode) = stat.id;
        Self { device, inode, size: stat.size, mtime_ns: stat.mtime_ns, ctime_ns: stat.ctime_ns }
    }
}
