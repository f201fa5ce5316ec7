//! Every situation that a shell entrypoint fails, for the shell and for Ballast side by side.
//!
//! Tiers, from cheap to dear: plain processes in a mount namespace of their own, `runc` for exact
//! capability sets, rootless podman, Docker with docker-compose. Each row of `docs/scenarios.md`
//! is what one of these tests saw; `BALLAST_WRITE_SCENARIOS=1` writes the page anew, and without
//! it a row that no longer says what is seen is a failure.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod cases;
mod docker;
mod ground;
mod image;
mod kills;
mod plain;
mod podman;
mod races;
mod reader;
mod runc;
mod seen;
#[path = "../support/mod.rs"]
mod support;
mod table;
