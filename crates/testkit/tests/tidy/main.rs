//! The rules of the house, as tests of its sources and documents. Each rule is a function from files to faults; one
//! test runs it on a small tree that breaks it, and one on this repository. Reads files, changes nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod cycles;
mod documents;
mod figures;
mod layers;
mod names;
mod root;
mod sizes;
mod tree;
mod unsafe_code;
mod words;

use tree::Tree;

type Rule = fn(&Tree) -> Vec<String>;

/// The rules by name.
const RULES: [(&str, Rule); 14] = [
    ("file and function sizes", sizes::faults),
    ("a type name has one definition in a crate", names::faults),
    ("imports between files form no cycle", cycles::faults),
    ("what a file may touch", layers::capabilities),
    ("which crate may use which", layers::crates),
    ("links lead somewhere", documents::dead_links),
    ("sentences are short", documents::long_sentences),
    ("no program prints a file of the repository", documents::unshipped),
    ("words that the house does not use", words::faults),
    ("a figure has one home", figures::faults),
    ("unsafe code is argued", unsafe_code::faults),
    ("SECURITY.md names unsafe code", unsafe_code::unnamed),
    ("cargo is started in one place", layers::cargo),
    ("names at the root", root::faults),
];

/// A small tree for each rule that breaks it once; each is otherwise in order.
const PLANTED: [(&str, &[(&str, &str)]); 20] = [
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
    (
        "no program prints a file of the repository",
        &[
            ("docs/a.md", "\n"),
            ("crates/ballast-cli/src/a.rs", "// docs/a.md\nfn f() { hint(\"docs/a.md has it\") }\n"),
        ],
    ),
    ("words that the house does not use", &[("crates/a/src/a.rs", "//! The report is told.\n")]),
    (
        "a figure has one home",
        &[
            ("docs/speed.md", "| drop and exec, nothing to heal | gosu | 0.66 |\n"),
            ("README.md", "| drop and exec, nothing to heal | gosu | 0.7 |\n"),
        ],
    ),
    ("unsafe code is argued", &[("crates/a/src/a.rs", "fn f() {\n    unsafe { g() }\n}\n")]),
    ("unsafe code is argued", &[("crates/a/src/a.rs", "unsafe impl Send for A {}\n")]),
    (
        "SECURITY.md names unsafe code",
        &[
            ("SECURITY.md", "Exceptions: `b/one.rs`, `crates/a/src/deep/`.\n"),
            ("crates/a/src/b/one.rs", "fn f() { unsafe { g() } }\n"),
            ("crates/a/src/deep/two.rs", "fn f() { unsafe { g() } }\n"),
            ("crates/a/src/three.rs", "fn f() { unsafe { g() } }\n"),
        ],
    ),
    ("cargo is started in one place", &[("crates/a/tests/a.rs", tree::STARTS_CARGO)]),
    ("names at the root", &[("notes.md", "\n")]),
];

#[test]
fn the_house_keeps_its_rules() {
    let tree = Tree::of_this_repository();
    let named = |(name, rule): &(&str, Rule)| rule(&tree).into_iter().map(|fault| format!("{name}: {fault}")).collect();
    let faults: Vec<String> = RULES.iter().flat_map(|rule| -> Vec<String> { named(rule) }).collect();
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
