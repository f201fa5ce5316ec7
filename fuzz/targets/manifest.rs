//! Manifests of others: any bytes are an answer, and what is read keeps to its bounds.
#![no_main]

use ballast_cli::fuzzing::{LAYERS, MANIFEST, manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if data.len() as u64 > MANIFEST {
        return;
    }
    let Ok(named) = manifest::read(data) else { return };
    assert!(named.layers.len() <= LAYERS);
});
