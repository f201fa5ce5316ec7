//! What the tests of likeness share: the folder of test data, golden answers, NumPy arrays.

#![allow(dead_code, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub mod deepface;
pub mod world;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use likeness::net::WeightFile;
use serde_json::Value;

/// The folder of test data, from `LIKENESS_TESTDATA`, or beside the checkout; where it is absent
/// the test is skipped, said and counted.
pub fn testdata(test: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = std::env::var_os("LIKENESS_TESTDATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if folder.join("weights").is_dir() {
        return Some(folder);
    }
    told(test, &format!("no test data in {}", folder.display()));
    None
}

/// Says and counts a skipped test; refuses to skip without BALLAST_ALLOW_SKIP=1.
pub fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("BALLAST_ALLOW_SKIP").is_some(), "{test}: {why}; install it, or BALLAST_ALLOW_SKIP=1");
    told(test, why);
}

/// Past the harness, which keeps what a passing test prints to itself: `./test` counts these lines.
pub fn told(test: &str, why: &str) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    std::io::stderr().write_all(format!("SKIP {test}: {why} (skipped so far: {count})\n").as_bytes()).unwrap();
}

pub const CENTERFACE: &str = "centerface.onnx";
pub const SPOOF_V2: &str = "2.7_80x80_MiniFASNetV2.pth";
pub const SPOOF_V1SE: &str = "4_0_0_80x80_MiniFASNetV1SE.pth";
pub const FACENET512: &str = "facenet512_synthetic.h5";

/// The bytes of a weight file.
pub fn bytes(folder: &std::path::Path, name: &str) -> Vec<u8> {
    fs::read(folder.join("weights").join(name)).unwrap()
}

/// A weight file, hashed.
pub fn weights(folder: &std::path::Path, name: &str) -> WeightFile {
    WeightFile::new(bytes(folder, name))
}

/// A golden file. Python writes an infinite distance as a bare word, which is no JSON: null here.
pub fn golden(folder: &std::path::Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join("golden").join(name)).unwrap();
    serde_json::from_str(&text.replace(": Infinity", ": null")).unwrap()
}

/// The names of the golden arrays that end so, without that ending.
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

/// The greatest difference of two lists of the same length.
pub fn farthest(left: &[f32], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(l, r)| (f64::from(*l) - r).abs()).fold(0.0, f64::max)
}

/// The Python that `./test` makes, if it has these modules; otherwise the test is skipped.
pub fn python(test: &str, modules: &str) -> Option<PathBuf> {
    let venv = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-venv/bin/python");
    let import = std::process::Command::new(&venv).args(["-c", &format!("import {modules}")]).status();
    let has = import.is_ok_and(|status| status.success());
    if !has {
        skip(test, &format!("no {modules} in {}", venv.display()));
    }
    has.then_some(venv)
}
