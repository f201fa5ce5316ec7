//! Limits of one source. Touches nothing.

use std::time::Duration;

/// Limits of a source.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for one file from one source.
    pub overall: Duration,
    /// Time without a byte.
    pub idle: Duration,
    /// Time until a connection stands.
    pub connect: Duration,
    /// How many times a source is tried again.
    pub retries: u32,
    /// The most bytes of a file whose size is not pinned.
    pub max_size: u64,
}
