//! The files that a rule looks at: the folders of the repository that hold sources and documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use testkit::paths::repository;

/// Paths below the root, with their text.
pub struct Tree(pub BTreeMap<String, String>);

/// What the repository ignores.
const IGNORED: [&str; 6] = [".git", "target", "mirror", "found", "artifacts", "node_modules"];

impl Tree {
    /// Every file that is text.
    pub fn of_this_repository() -> Self {
        let mut files = BTreeMap::new();
        walk(&repository(), "", &mut files);
        assert!(files.len() > 300, "the sources are read: found {}", files.len());
        Self(files)
    }

    /// A made-up tree.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    /// Returns whether this tree is the repository, and not a small tree that breaks one rule.
    pub fn is_whole(&self) -> bool {
        self.0.len() > 100
    }

    /// Files whose name ends so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter(move |(name, _)| name.ends_with(end)).map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The sources of the four crates that ship, without tests and comments: crate, file below `src`, code.
    pub fn shipped(&self) -> Vec<(&str, &str, String)> {
        let mut found = Vec::new();
        for (name, text) in self.ending(".rs") {
            let Some((krate, file)) = name.strip_prefix("crates/").and_then(|rest| rest.split_once("/src/")) else {
                continue;
            };
            if krate != "testkit" && !is_test(file) {
                found.push((krate, file, code(text)));
            }
        }
        found
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let (path, kind) = (format!("{prefix}{name}"), entry.file_type().unwrap());
        if kind.is_dir() && !IGNORED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.insert(path, text);
        }
    }
}

/// Files below `src` that are compiled for tests alone, by their names.
fn is_test(file: &str) -> bool {
    let stem = file.trim_end_matches(".rs");
    stem.ends_with("tests") || ["store/suite", "store/suite_index", "store/bench"].contains(&stem)
}

/// A file without its tests and without lines of comments.
fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    shipped.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// A test that starts cargo by itself.
pub const STARTS_CARGO: &str = concat!("fn f() { Command::new(", "\"cargo\"); }\n");

/// A file of 501 lines.
pub const LONG: &str = {
    const BYTES: [u8; 501] = [b'\n'; 501];
    match str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("line ends are text"),
    }
};

/// A sentence of 31 words.
pub const WORDY: &str = "One two three four five six seven eight nine ten, one two three four five six seven eight nine \
    ten, one two three four five six seven eight nine ten eleven.\n";
