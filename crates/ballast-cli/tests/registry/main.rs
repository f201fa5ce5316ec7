//! Tests `push` and `pull` with Debian's registry on loopback and a faulty proxy, and archives and whole
//! images. Other tools read what was pushed.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod access;
mod archives;
mod between;
mod enemies;
mod faults;
mod ground;
mod hops;
mod mounts;
mod ordinary;
#[path = "../support/mod.rs"]
mod support;
