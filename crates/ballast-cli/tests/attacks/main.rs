//! Attacks: the app of an earlier run, or a peer with its uid, prepared the volume, and root boots. Each
//! fixture is named for its attack and runs with the kernel's protections off and on, in modes owned and
//! sticky. A tree outside the volume is compared before and after.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod believed;
mod directories;
mod layers;
mod peers;
mod prepared;
mod scene;
mod started;
#[path = "../support/mod.rs"]
mod support;
