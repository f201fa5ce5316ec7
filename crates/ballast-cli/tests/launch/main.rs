//! The launch as real processes: what the command finds, beside what gosu gives it.
//!
//! Most tests need root; without it each prints SKIP and is counted.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod accounts;
mod handed_on;
mod privilege;
mod stage;
#[path = "../support/mod.rs"]
mod support;
