//! Helpers that the tests of likeness share: the folder of test data, golden answers, NumPy arrays.

#![allow(dead_code, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; tables are for --nocapture")]

pub mod deepface;
pub mod exported;
pub mod recorded;
pub mod synthetic;
pub mod table;
pub mod world;

use std::fs;
use std::path::PathBuf;

use likeness::engine::Scratch;
use likeness::net::facenet512::SIDE;
use likeness::net::{Embedder, WeightFile};
use likeness::selftest::picture;
use serde_json::Value;

pub use testkit::need::shared_data as testdata;

pub const CENTERFACE: &str = "centerface.onnx";
pub const SPOOF_V2: &str = "2.7_80x80_MiniFASNetV2.pth";
pub const SPOOF_V1SE: &str = "4_0_0_80x80_MiniFASNetV1SE.pth";
pub const FACENET512: &str = "facenet512_synthetic.h5";

/// Returns whether every size is tested (`LIKENESS_SIZES=all`, which `just parity` sets), or only a part with each
/// kind.
pub fn all_sizes() -> bool {
    std::env::var_os("LIKENESS_SIZES").is_some_and(|sizes| sizes == "all")
}

/// The bytes of a weight file.
pub fn bytes(folder: &std::path::Path, name: &str) -> Vec<u8> {
    fs::read(folder.join("weights").join(name)).unwrap()
}

/// A weight file, hashed.
pub fn weights(folder: &std::path::Path, name: &str) -> WeightFile {
    WeightFile::new(bytes(folder, name))
}

/// Returns the test data's embedder's difference from its recorded result for the self-test's picture. The
/// shipped library contains no result for files of the test data.
pub fn synthetic_error(embedder: &Embedder) -> f32 {
    let input: Vec<f32> = picture(SIDE, SIDE).into_iter().map(|number| number / 255.0).collect();
    let mut scratch = Scratch::default();
    let Ok(numbers) = embedder.embed(&mut scratch, &input) else { return f32::INFINITY };
    let means = numbers.chunks(8).map(|eight| eight.iter().sum::<f32>() / 8.0);
    means.zip(synthetic::FACENET512_SYNTHETIC).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max)
}

/// The largest allowed difference, as in the self-test of a published embedder.
pub const SYNTHETIC_TOLERANCE: f32 = 1e-4;

/// Reads a golden file. Python writes an infinite distance as a bare word, which is no JSON and becomes null
/// here.
pub fn golden(folder: &std::path::Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join("golden").join(name)).unwrap();
    serde_json::from_str(&text.replace(": Infinity", ": null")).unwrap()
}

/// Returns the names of the golden arrays with this ending, without the ending.
pub fn arrays(folder: &std::path::Path, ending: &str) -> Vec<String> {
    let names = fs::read_dir(folder.join("golden/arrays")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> =
        names.filter_map(|name| name.to_str()?.strip_suffix(ending).map(str::to_owned)).collect();
    names.sort();
    names
}

/// A NumPy array: shape and numbers (u8 or little-endian f32, C order).
pub struct Array {
    pub shape: Vec<usize>,
    pub numbers: Vec<f32>,
}

/// Reads a golden array.
pub fn array(folder: &std::path::Path, name: &str) -> Array {
    let file = fs::read(folder.join("golden/arrays").join(name)).unwrap();
    assert_eq!(&file[..6], b"\x93NUMPY", "{name}");
    let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
    let header = str::from_utf8(&file[10..10 + length]).unwrap();
    assert!(header.contains("'fortran_order': False"), "{name}: {header}");
    let data = &file[10 + length..];
    let numbers = if header.contains("'|u1'") {
        data.iter().map(|&byte| f32::from(byte)).collect()
    } else {
        assert!(header.contains("'<f4'"), "{name}: {header}");
        data.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    };
    let inside = header.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let shape = inside.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    Array { shape, numbers }
}

/// A JSON list of numbers.
pub fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Returns the largest difference of two lists of the same length.
pub fn farthest(left: &[f32], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(l, r)| (f64::from(*l) - r).abs()).fold(0.0, f64::max)
}

/// Returns a Python environment with these packages; if it can't be installed, the test is skipped.
pub fn python(test: &str, packages: &[&str]) -> Option<PathBuf> {
    Some(testkit::need::python(test, packages)?.join("bin/python"))
}
