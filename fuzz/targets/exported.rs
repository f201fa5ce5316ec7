//! Any bytes as an exported network: read to the end of its graph, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likeness::engine::KernelSet;
use likeness::net::{Digest, Embedder, SpoofV1Se, SpoofV2, WeightFile};

fuzz_target!(|file: &[u8]| {
    // The first byte of each ONNX model, so that no other reader is called.
    let file = || WeightFile::verified([&[0x08], file].concat(), Digest([0; 32]));
    let kernels = KernelSet::best();
    assert!(SpoofV2::load(file(), kernels).is_err() || SpoofV1Se::load(file(), kernels).is_err());
    let _ = Embedder::load(file(), kernels);
});
