//! Checks in the program's sources which file may use which type or function.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every source file without its tests: the path below `src`, and the code.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (inner, found): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
        folders.extend(inner);
        files.extend(found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")));
    }
    let named = files.into_iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (name, lines.collect::<Vec<_>>().join("\n"))
    });
    let tests = ["tests.rs", "store/suite.rs", "store/suite_index.rs", "store/bench.rs"];
    named.filter(|(name, _)| !tests.iter().any(|test| name.ends_with(test))).collect()
}

#[test]
fn each_word_stays_where_it_belongs() {
    // (word, the files that may contain it)
    let table: [(&str, &[&str]); 5] = [
        // Only `weights.rs` uses Ballast's types, to turn verified bytes into the library's. The other files
        // open a named file with `ballast::foreign`, print text of others with `ballast::escape`, or name the build with
        // `ballast::version`.
        (
            "ballast::",
            &[
                "models/weights.rs",
                "calibration.rs",
                "certificates.rs",
                "command/calibrate.rs",
                "command/enroll.rs",
                "command/explain.rs",
                "command/journal.rs",
                "command/photograph.rs",
                "config/policy.rs",
                "lib.rs",
                "print.rs",
                "record/document.rs",
                "report.rs",
                "secrets.rs",
                "series.rs",
                "store/archive.rs",
                "store/beside.rs",
                "store/residue.rs",
            ],
        ),
        // Only the code that opens sealed templates creates one for the library.
        ("Template::opened", &["store/person.rs"]),
        // One place reads the settings of the policy, and one place compares a distance with a threshold.
        ("VERIFICATION_THRESHOLD\"", &["config/policy.rs", "config/names.rs"]),
        ("Metric::Cosine", &[]),
        // The pipeline has one home: the program has no steps of its own.
        ("image::decode(", &[]),
    ];
    let sources = sources();
    let mut wrong = Vec::new();
    for (word, allowed) in table {
        let holders: Vec<_> = sources.iter().filter(|(_, text)| text.contains(word)).map(|(name, _)| name).collect();
        wrong.extend(
            holders.iter().filter(|name| !allowed.contains(&name.as_str())).map(|name| format!("{name}: {word}")),
        );
        wrong.extend(
            allowed
                .iter()
                .filter(|name| !holders.iter().any(|holder| holder == *name))
                .map(|name| format!("{name} no longer holds {word}: correct this table")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_library_can_t_name_ballast() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../likeness/Cargo.toml");
    let text = fs::read_to_string(manifest).unwrap();
    let names: Vec<_> = text.lines().filter(|line| line.starts_with("ballast")).collect();
    assert!(names.is_empty(), "{names:?}");
}
