//! A report as it is read back. Plain values; the reader judges who wrote it.

use serde::Deserialize;

/// The part of a report that `status` reads back.
#[derive(Debug, Deserialize)]
pub struct Written {
    /// Layout version.
    pub version: u32,
    /// Which boot wrote it.
    pub boot: String,
    /// Whether every required weight was right.
    pub ready: bool,
}
