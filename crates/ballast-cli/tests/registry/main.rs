//! `push` and `pull` against Debian's own registry on loopback, with faults between; what is pushed
//! is read by other tools; archives and whole images too.
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
