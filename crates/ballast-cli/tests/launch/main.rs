//! Tests the launch with real processes, compared with gosu.
//!
//! Most tests need root; otherwise each prints SKIP and is recorded.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod accounts;
mod handed_on;
mod privilege;
mod stage;
#[path = "../support/mod.rs"]
mod support;
