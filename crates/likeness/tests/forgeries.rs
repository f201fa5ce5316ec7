//! What must not compile: verdicts, proofs and embeddings without what they are made of.
//!
//! Each forgery has a twin that differs in one word and compiles, so that the forgery fails for the
//! right reason and for no other.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Compiled with this test: each twin is a module of it.
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

#[test]
fn no_forgery_compiles() {
    let cases = trybuild::TestCases::new();
    sources("refused").into_iter().for_each(|path| cases.compile_fail(path));
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
        let expected = fs::read_to_string(forgery.with_extension("stderr")).unwrap_or_default();
        if !expected.contains("error[E0") {
            wrong.push(format!("{}: no error code is expected", forgery.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
