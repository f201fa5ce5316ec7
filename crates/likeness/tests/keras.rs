//! Tests rewritten copies of the Keras file: forms that Keras may write are read, others are refused by name.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;

use likeness::engine::KernelSet;
use likeness::net::{Digest, Embedder, Refusal, WeightFile};
use support::python;
use support::recorded::{EMBEDDING_TOLERANCE, embedder_error};
use testkit::data::{EMBEDDER, OwnData, own_data};

/// Loads a rewritten copy under the original's digest.
fn load(python: &Path, variant: &str) -> Result<Embedder, Refusal> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/keras_copies.py");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.h5", variant.replace(' ', "-")));
    let source = own_data().weights().join(EMBEDDER);
    let status = Command::new(python).arg(script).arg(source).arg(variant).arg(&copy).status().unwrap();
    assert!(status.success(), "{variant}: {status}");
    let bytes = std::fs::read(&copy).unwrap();
    std::fs::remove_file(&copy).unwrap();
    Embedder::load(WeightFile::verified(bytes, Digest::hex(OwnData::sha256(EMBEDDER))), KernelSet::best())
}

#[test]
fn what_keras_may_write_is_read() {
    let Some(python) = python("rewritten Keras files", &["h5py==3.16.0"]) else { return };
    let variants = [
        "as it was",
        "layers renamed",
        "fixed strings",
        "under model_weights",
        "lists in pieces",
        "everything at once",
        "latest HDF5 structures",
    ];
    let mut failures = Vec::new();
    for variant in variants {
        match load(&python, variant).map(|embedder| embedder_error(&embedder)) {
            Ok(error) if error <= EMBEDDING_TOLERANCE => println!("{variant}: {error:.1e}"),
            wrong => failures.push(format!("{variant}: {wrong:?}")),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn what_no_reader_should_take_is_refused_by_name() {
    let Some(python) = python("broken Keras files", &["h5py==3.16.0"]) else { return };
    let kernel = "Conv2d_2a_3x3/Conv2d_2a_3x3/kernel:0";
    let variants = [
        ("a layer left out", "expected 245 layers with weights, found 244"),
        ("two layers swapped", "Conv2d_2b_3x3/kernel:0: expected shape [3, 3, 32, 32], found [3, 3, 32, 64]"),
        ("a layer listed twice", "layer Conv2d_2a_3x3: expected in the file"),
        ("one long name four thousand times", "bytes of structure to read, found more"),
        ("five thousand layers", "expected a list of at most 4096 names, found 5000"),
        ("no list of layers", "attribute layer_names of / or /model_weights: expected"),
        ("doubles", kernel),
        ("halves", kernel),
        ("big-endian", "BigEndian"),
        ("integers", kernel),
        ("compressed", "Chunked"),
        ("transposed", "expected shape [3, 3, 32, 32], found [16, 32, 3, 3]"),
        ("bytes in another file", kernel),
        ("a link to another file", kernel),
        ("a link to itself", kernel),
        ("a tensor gone", kernel),
        ("not a number", "kernel:0: expected finite numbers, found"),
        ("infinite", "kernel:0: expected finite numbers, found"),
        ("negative variance", "moving_variance:0: expected variances of zero or more, found -0.000001 at element 0"),
    ];
    let mut failures = Vec::new();
    for (variant, expected) in variants {
        match load(&python, variant) {
            Err(why) if why.to_string().contains(expected) => println!("{variant}: {why}"),
            Err(why) => failures.push(format!("{variant}: {why}")),
            Ok(_) => failures.push(format!("{variant}: loaded")),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
