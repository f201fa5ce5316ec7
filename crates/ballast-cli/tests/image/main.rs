//! The image of the service: how it is built, what it holds, and the mission's test plan on it, in a
//! real engine. Its rows of `docs/scenarios.md` are what these tests saw.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod build;
mod context;
mod doors;
mod files;
mod hardened;
mod names;
mod pins;
mod plan;
#[path = "../support/server.rs"]
mod server;
mod ship;
#[path = "../support/mod.rs"]
mod support;
#[path = "../scenarios/table.rs"]
mod table;
mod up;
