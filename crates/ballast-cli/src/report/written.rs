//! A report that is read back. Plain values; `record.rs` checks who wrote it.

use std::path::PathBuf;

use ballast::disk::Stat;
use ballast::lock::Need;
use serde::{Deserialize, Serialize};

/// The part of a report that is read back.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a report")]
pub struct Written {
    /// Layout version.
    pub version: u32,
    /// Which boot wrote it.
    pub boot: String,
    /// Whether every required weight was right.
    pub ready: bool,
    /// Milliseconds from start to report.
    #[cfg(feature = "full")]
    pub ms: f64,
    /// The lock file that the boot obeyed; absent before 0.2.0.
    #[cfg(feature = "full")]
    #[serde(default)]
    pub lock: Option<WrittenLock>,
    /// When the weights were verified, in seconds since 1970; absent before 0.2.0.
    #[cfg(feature = "full")]
    #[serde(default)]
    pub time: Option<i64>,
    /// Where the app was pointed.
    pub served: Option<ServedFrom>,
    /// One entry per weight, in the lock file's order; for groups only files that were not right.
    pub weights: Vec<WrittenWeight>,
    /// One entry per group.
    #[serde(default)]
    pub groups: Vec<WrittenWeight>,
}

/// The root that the app reads.
#[derive(Debug, Deserialize)]
pub struct ServedFrom {
    /// The directory.
    pub root: PathBuf,
}

/// The lock file of a boot.
#[cfg(feature = "full")]
#[derive(Debug, Deserialize)]
pub struct WrittenLock {
    /// The SHA-256 of its text.
    pub sha256: String,
}

/// One weight or one group of a report.
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
    /// The number of its group.
    #[serde(default)]
    pub group: Option<u32>,
    /// For a group: a value that changes with each of its files.
    #[serde(default)]
    pub stamp: Option<String>,
    /// For a group: the method and the signer of its signed model.
    #[serde(default)]
    pub signed_by: Option<String>,
    /// How well it was protected.
    #[cfg(feature = "full")]
    #[serde(rename = "firmness", alias = "protection", default)]
    pub protection: Option<String>,
}

/// Numbers of a file that change if it is replaced or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl FileStamp {
    /// Every number of it, in order.
    pub fn to_bytes(self) -> Vec<u8> {
        let numbers =
            [self.device, self.inode, self.size, self.mtime_ns.cast_unsigned(), self.ctime_ns.cast_unsigned()];
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }
}

impl From<Stat> for FileStamp {
    fn from(stat: Stat) -> Self {
        let (device, inode) = stat.id;
        Self { device, inode, size: stat.size, mtime_ns: stat.mtime_ns, ctime_ns: stat.ctime_ns }
    }
}
