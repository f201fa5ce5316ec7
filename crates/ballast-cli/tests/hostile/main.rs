//! Attacks by what the program reads, writes to and starts with: files that are no files, output that
//! is never read, endless answers, secrets that would be handed on, text that orders a terminal about.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod files;
mod memory;
mod output;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
