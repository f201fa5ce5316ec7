//! Attacks by the program's inputs, outputs and environment: special files, output that no process reads,
//! endless responses, inherited secrets, and terminal control sequences.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod files;
mod memory;
mod output;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
