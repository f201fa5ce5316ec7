//! The few calls on one directory handle that a store needs from a file system.
//!
//! [`Disk`] is the interface. [`LinuxDisk`] is its only real implementation, and the one place that touches a file
//! system. Tests wrap it in disks that count and crash, are full, or read too little.
//!
//! Promises of [`LinuxDisk`]: every call is relative to the descriptor of the store's root; only
//! `follow`, which only reads, follows symlinks below that root; no call blocks on a FIFO or a
//! device; descriptors are close-on-exec; a name is made visible only by link or rename of a
//! finished file.

mod calls;
mod linux;

pub use calls::{Disk, FILES_AT_ONCE, Kind, STAGED_PREFIX, Staging, Stat};
pub use linux::{LinuxDisk, LinuxFile, chown, make_root_owned, stat_fd};
