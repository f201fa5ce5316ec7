//! The rules of the house, as tests of its sources and documents. Each rule is a function from files to faults; one
//! test runs it on a small tree that breaks it, one on this repository. Reads files, changes nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod cycles;
mod documents;
mod layers;
mod names;
mod sizes;
mod tree;
mod words;

use tree::Tree;

type Rule = fn(&Tree) -> Vec<String>;

/// The rules by name.
const RULES: [(&str, Rule); 8] = [
    ("file and function sizes", sizes::faults),
    ("a type name has one definition in a crate", names::faults),
    ("imports between files form no cycle", cycles::faults),
    ("what a file may touch", layers::capabilities),
    ("which crate may use which", layers::crates),
    ("links lead somewhere", documents::dead_links),
    ("sentences are short", documents::long_sentences),
    ("words that the house does not use", words::faults),
];

/// A small tree for each rule that breaks it once; each is otherwise in order.
const PLANTED: [(&str, &[(&str, &str)]); 13] = [
    ("file and function sizes", &[("crates/a/src/long.rs", tree::LONG)]),
    (
        "a type name has one definition in a crate",
        &[("crates/a/src/one.rs", "pub struct Held;\n"), ("crates/a/src/two.rs", "enum Held { A }\n")],
    ),
    (
        "imports between files form no cycle",
        &[("crates/a/src/one.rs", "use crate::two::B;\n"), ("crates/a/src/two.rs", "fn f() { crate::one::f() }\n")],
    ),
    (
        "imports between files form no cycle",
        &[
            ("crates/a/src/deep/mod.rs", "mod leaf;\nuse leaf::f;\n"),
            ("crates/a/src/deep/leaf.rs", "use super::{Other, Type};\n"),
        ],
    ),
    ("what a file may touch", &[("crates/likeness/src/a.rs", "use std::net::TcpStream;\n")]),
    ("what a file may touch", &[("crates/ballast/src/a.rs", "fn f() { std::fs::write(\"a\", \"b\"); }\n")]),
    ("what a file may touch", &[("crates/ballast-cli/src/a.rs", "fn f() { setresuid(1, 1, 1) }\n")]),
    ("which crate may use which", &[("crates/likeness/Cargo.toml", "[dependencies]\nballast.workspace = true\n")]),
    ("which crate may use which", &[("crates/ballast/Cargo.toml", "[dependencies]\ntestkit.workspace = true\n")]),
    ("links lead somewhere", &[("docs/a.md", "See [the lock](lock.md).\n")]),
    ("links lead somewhere", &[("docs/a.md", "It is in `crates/a/src/gone.rs`.\n")]),
    ("sentences are short", &[("docs/a.md", tree::WORDY)]),
    ("words that the house does not use", &[("crates/a/src/a.rs", "//! The report is told.\n")]),
];

/// Faults that are older than their rule, a line each. The list only gets shorter.
const KNOWN: &str = include_str!("known.txt");

#[test]
fn the_house_keeps_its_rules() {
    let tree = Tree::of_this_repository();
    let found: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| rule(&tree).into_iter().map(move |fault| format!("{name}: {fault}")))
        .collect();
    let mut faults: Vec<String> =
        found.iter().filter(|fault| !KNOWN.lines().any(|known| known == *fault)).cloned().collect();
    let gone = KNOWN.lines().filter(|known| !found.iter().any(|fault| fault == known));
    faults.extend(gone.map(|known| format!("no longer so, take it off crates/testkit/tests/tidy/known.txt: {known}")));
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn each_rule_finds_what_breaks_it() {
    let mut wrong = Vec::new();
    for (name, files) in PLANTED {
        let (_, rule) = RULES.iter().find(|(rule, _)| *rule == name).unwrap();
        let found = rule(&Tree::of(files)).len();
        if found != 1 {
            wrong.push(format!("{name}: expected one fault in {files:?}, found {found}"));
        }
    }
    wrong.extend(
        RULES
            .iter()
            .filter(|(name, _)| !PLANTED.iter().any(|(planted, _)| planted == name))
            .map(|(name, _)| format!("{name}: no case breaks it")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
