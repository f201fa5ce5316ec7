//! Manifests of others: any bytes are an answer, and what is read keeps to its bounds.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the program's modules are included whole")]

#[path = "../../crates/ballast-cli/src/bounds.rs"]
mod bounds;
#[path = "../../crates/ballast-cli/src/image"]
mod image {
    pub mod blob;
    pub mod manifest;
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if data.len() as u64 > bounds::MANIFEST {
        return;
    }
    let Ok(named) = image::manifest::read(data) else { return };
    assert!(named.layers.len() <= bounds::LAYERS);
});
