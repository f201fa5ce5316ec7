//! Checks in the library's sources which file may use which type or function.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every source file of the library without its tests: the path below `src`, and the text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let named = files.into_iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (name, lines.collect::<Vec<_>>().join("\n"))
    });
    named.filter(|(name, _)| !name.ends_with("tests.rs")).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// Returns the files that contain a word and are not allowed to.
fn holders(word: &str, allowed: &[&str]) -> Vec<String> {
    let may = |name: &str| allowed.iter().any(|allowed| name.starts_with(allowed));
    let holders = sources().into_iter().filter(|(name, text)| text.contains(word) && !may(name));
    holders.map(|(name, _)| format!("{name}: {word}")).collect()
}

#[test]
fn each_word_stays_where_it_belongs() {
    // (word, the files that may contain it)
    let table: [(&str, &[&str]); 17] = [
        ("std::fs", &[]),
        ("std::path", &[]),
        ("std::net", &[]),
        ("std::env", &[]),
        ("std::time", &[]),
        ("std::thread", &[]),
        ("std::process", &[]),
        ("println!", &[]),
        ("libjpeg_turbo_rs", &["image/jpeg.rs"]),
        ("png::", &["image/png.rs", "image/decode.rs"]),
        ("image_webp", &["image/webp.rs"]),
        ("unsafe ", &["engine/kernel/"]),
        // Only a judgement creates a `Live`, and only the table of verdicts an `Accept`. `forgeries.rs` tests
        // these types.
        ("Live(Live(", &["liveness.rs"]),
        ("Accept { ", &["verdict.rs"]),
        // Only the steps of the pipeline and the models call these functions.
        ("judge(scores", &["liveness.rs", "examine.rs"]),
        ("Quality::of(", &["quality.rs", "examine.rs"]),
        ("FaceEncoder::new(", &["embed.rs", "models.rs"]),
    ];
    let wrong: Vec<String> = table.iter().flat_map(|(word, allowed)| holders(word, allowed)).collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(sources().len() > 30 && !holders("libjpeg_turbo_rs", &[]).is_empty(), "the sources are read");
}

#[test]
fn steps_know_no_later_step() {
    // A file of the first column uses no module of the second.
    let table = [
        ("image/", ["crate::detect", "crate::net", "crate::engine", "crate::examine"]),
        ("detect.rs", ["crate::find", "crate::align", "crate::examine", "crate::verdict"]),
        ("align.rs", ["crate::net", "crate::embed", "crate::examine", "crate::verdict"]),
        ("crop.rs", ["crate::liveness", "crate::spoof", "crate::examine", "crate::verdict"]),
        ("liveness.rs", ["crate::spoof", "crate::embed", "crate::examine", "crate::verdict"]),
        ("verdict.rs", ["crate::net", "crate::spoof", "crate::find", "crate::models"]),
        ("deepface.rs", ["crate::verdict", "crate::liveness", "crate::examine", "crate::models"]),
        ("engine/", ["crate::net", "crate::image", "crate::detect", "crate::weights"]),
    ];
    let sources = sources();
    let wrong = table.iter().flat_map(|(file, words)| {
        let files = sources.iter().filter(move |(name, _)| name.starts_with(file));
        files.flat_map(move |(name, text)| {
            words.iter().filter(|w| text.contains(**w)).map(move |w| format!("{name}: {w}"))
        })
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
}
