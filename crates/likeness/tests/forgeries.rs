//! Checks that forged verdicts, proofs and embeddings do not compile.
//!
//! Each forgery has a twin that differs in one word and compiles, so that the forgery fails only for
//! the expected reason.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each twin is a module of this test, so it is compiled.
#[path = "forgeries/twins"]
mod twins {
    mod accept_from_similarity;
    mod accept_literal;
    mod decision_changed;
    mod decision_literal;
    mod direction_literal;
    mod embedding_literal;
    mod embedding_new;
    mod live_constructor;
    mod similarity_changed;
    mod similarity_literal;
    mod spoof_scores_constructor;
    mod template_as_probe;
    mod template_literal;
    mod threshold_literal;
    mod trusted_embedder_literal;
    mod verdict_without_embedding;
    mod verdict_without_liveness;
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forgeries").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    files.sort();
    files
}

fn words(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let spaced: String =
        text.chars().flat_map(|c| if c.is_alphanumeric() || c == '_' { vec![c] } else { vec![' ', c, ' '] }).collect();
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Returns the library that cargo built for this test.
fn library() -> PathBuf {
    let arguments = ["test", "--workspace", "--test", "forgeries", "--no-run", "--locked", "--message-format=json"];
    let output = testkit::paths::cargo().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let is_ours = |message: &Value| {
        let (target, profile) = (&message["target"], &message["profile"]);
        target["name"] == "likeness" && target["kind"][0] == "lib" && profile["test"] == false
    };
    let files = messages.filter(is_ours).flat_map(|message| message["filenames"].as_array().unwrap().clone());
    let mut files = files.map(|file| PathBuf::from(file.as_str().unwrap()));
    files.find(|file| file.extension().is_some_and(|end| end == "rlib")).expect("cargo names the library")
}

/// Returns the compiler's errors for a source, one a line: code, message and marked text.
fn errors(library: &Path, source: &Path) -> String {
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "--crate-type=bin", "--crate-name=forgery", "--error-format=json"]);
    rustc.arg("--emit=metadata").arg("--out-dir").arg(env!("CARGO_TARGET_TMPDIR"));
    rustc.arg("--extern").arg(format!("likeness={}", library.display()));
    rustc.arg("-L").arg(format!("dependency={}", library.parent().unwrap().display()));
    let output = rustc.arg(source).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{text}")));
    let line = |message: Value| {
        let spans = message["spans"].as_array()?.clone();
        let labels = spans.iter().filter(|span| span["is_primary"] == true).filter_map(|span| span["label"].as_str());
        let labels = labels.map(|label| format!(": {label}")).collect::<String>();
        Some(format!("{}: {}{labels}\n", message["code"]["code"].as_str()?, message["message"].as_str()?))
    };
    assert_eq!(output.status.success(), text.is_empty(), "{text}");
    messages.filter_map(line).collect()
}

#[test]
fn no_forgery_compiles() {
    let library = library();
    let mut wrong = Vec::new();
    for source in sources("refused") {
        let expected = fs::read_to_string(source.with_extension("expected")).unwrap_or_default();
        let found = errors(&library, &source);
        if found.is_empty() || found != expected {
            wrong.push(format!("{}: expected {expected}found {found}", source.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_forgery_differs_from_its_twin_in_one_word_and_names_its_error() {
    let (refused, twins) = (sources("refused"), sources("twins"));
    assert_eq!(
        refused.iter().map(|path| path.file_name()).collect::<Vec<_>>(),
        twins.iter().map(|path| path.file_name()).collect::<Vec<_>>()
    );
    let own = include_str!("forgeries.rs");
    let compiled = |path: &&PathBuf| own.contains(&format!("mod {};", path.file_stem().unwrap().to_str().unwrap()));
    assert_eq!(twins.iter().filter(compiled).count(), twins.len(), "every twin is a module of this test");
    assert!(refused.len() >= 10, "{refused:?}");
    let mut wrong = Vec::new();
    for (forgery, twin) in refused.iter().zip(&twins) {
        let (a, b) = (words(forgery), words(twin));
        let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
        if a.len() != b.len() || differ != 1 {
            wrong.push(format!("{}: {differ} words differ", forgery.display()));
        }
        let expected = fs::read_to_string(forgery.with_extension("expected")).unwrap_or_default();
        if !expected.starts_with("E0") {
            wrong.push(format!("{}: no error code is expected", forgery.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
