//! A report that is read back: any bytes are an answer.
#![no_main]

use ballast_cli::fuzzing::Written;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(written) = serde_json::from_slice::<Written>(data) else { return };
    assert!(written.boot.len() <= data.len(), "more than was read");
});
