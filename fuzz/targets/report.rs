//! A report that is read back: any bytes are an answer.
#![no_main]
#![allow(dead_code, reason = "the program's module is included whole")]

#[path = "../../crates/ballast-cli/src/report/written.rs"]
mod written;

use libfuzzer_sys::fuzz_target;
use written::Written;

fuzz_target!(|data: &[u8]| {
    let Ok(written) = serde_json::from_slice::<Written>(data) else { return };
    assert!(written.boot.len() <= data.len(), "more than was read");
});
