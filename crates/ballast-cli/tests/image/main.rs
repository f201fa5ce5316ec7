//! Tests the image of the service in a real engine: its build, its contents, and the acceptance plan.
//! These tests write its rows of `docs/scenarios.md`.
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
mod podman;
#[path = "../support/server.rs"]
mod server;
mod ship;
mod source;
#[path = "../support/mod.rs"]
mod support;
#[path = "../scenarios/table.rs"]
mod table;
mod up;
