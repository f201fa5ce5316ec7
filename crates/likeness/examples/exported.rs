//! Writes the four weight files that DeepFace 0.0.103 opens: `exported WEIGHTS EMBEDDER FOLDER`, from a folder that has
//! them in upstream's forms and the name of its embedder. For `tools/deepface-answers`.

#![allow(clippy::unwrap_used, reason = "a tool for the tests: a panic says what failed")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let [weights, embedder, folder] = env::args_os().skip(1).collect::<Vec<_>>().try_into().unwrap();
    let (weights, folder) = (PathBuf::from(weights), PathBuf::from(folder));
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in support::exported::weights(&weights, embedder.to_str().unwrap()) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    fs::copy(weights.join(support::CENTERFACE), folder.join(support::CENTERFACE)).unwrap();
}
