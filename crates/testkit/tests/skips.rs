//! The summary lists every skip, and names a suite that ran nothing in capitals.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use testkit::{need, summary};

/// The reasons with which the planted tests skip, and the reason that the summary must name.
const PLANTED: [(&str, &str); 6] = [
    ("planted_tool", "no-such-program (apt-get install it)"),
    ("planted_file", "/no/such/file (make it)"),
    ("planted_data", "the shared test data"),
    ("planted_ask", "NO_SUCH_VARIABLE=1 (8 GB)"),
    ("planted_tier", "the full tier: an engine"),
    ("planted_root", "the full tier: root"),
];

#[test]
#[ignore = "skips on purpose, for the test below"]
fn planted_tool() {
    assert!(!need::tool("planted_tool", "no-such-program", "apt-get install it"));
}

#[test]
#[ignore = "skips on purpose, for the test below"]
fn planted_file() {
    assert!(!need::file("planted_file", Path::new("/no/such/file"), "make it"));
}

#[test]
#[ignore = "skips on purpose, for the test below"]
fn planted_data() {
    assert_eq!(need::shared_data("planted_data"), None);
}

#[test]
#[ignore = "skips on purpose, for the test below"]
fn planted_ask() {
    assert!(!need::requested("planted_ask", "NO_SUCH_VARIABLE", "8 GB"));
}

#[test]
#[ignore = "skips on purpose, for the test below"]
fn planted_tier() {
    assert!(!need::full_tier("planted_tier", "an engine") && need::static_program("planted_tier", "full").is_none());
}

#[test]
#[ignore = "skips on purpose, for the test below"]
fn planted_root() {
    assert!(!need::root("planted_root"));
}

/// Runs planted tests as `./test quick` would, with cargo's line before them; the log and the record.
fn run(filter: &[&str]) -> (String, String) {
    let (program, dir) = (std::env::current_exe().unwrap(), tempfile::tempdir().unwrap());
    let record = dir.path().join("skips");
    let mut tests = Command::new(&program);
    tests.args(["--ignored", "--exact"]).args(filter).env(need::RECORD, &record).env(need::TIER, "quick");
    let output = tests.env(testkit::paths::SHARED_DATA, "/no/such/folder").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let log =
        format!("     Running tests/skips.rs ({})\n{}", program.display(), String::from_utf8_lossy(&output.stdout));
    (log, std::fs::read_to_string(record).unwrap_or_default())
}

#[test]
fn every_kind_of_skip_is_listed_with_its_reason_and_counted() {
    let names: Vec<_> = PLANTED.iter().map(|(name, _)| *name).collect();
    let (log, record) = run(&names);
    let text = summary::text(&summary::suites(&log), &summary::skips(&record));
    let as_root = rustix::process::geteuid().is_root();
    let missing: Vec<_> = PLANTED
        .iter()
        .map(|(name, reason)| match (*name, as_root) {
            ("planted_root", false) => format!("needs root: {name}"),
            _ => (*reason).to_owned(),
        })
        .filter(|reason| !text.contains(reason.as_str()))
        .collect();
    assert!(missing.is_empty(), "missing {missing:?} in:\n{text}");
    assert!(text.ends_with("0 passed, 0 failed, 6 skipped\n"), "{text}");
    assert!(text.contains("TESTKIT SKIPS, THE WHOLE SUITE: 6 of 6 tests"), "{text}");
}

#[test]
fn a_suite_that_ran_in_part_is_not_in_capitals_and_one_that_ran_whole_is_not_listed() {
    let (log, record) = run(&["planted_tool"]);
    let log = log.replace("1 passed", "3 passed");
    let text = summary::text(&summary::suites(&log), &summary::skips(&record));
    assert!(text.contains("not tested: testkit skips: 1 of 3 tests\n"), "{text}");
    assert!(text.ends_with("2 passed, 0 failed, 1 skipped\n"), "{text}");
    let text = summary::text(&summary::suites(&log), &[]);
    assert_eq!(text, "3 passed, 0 failed, 0 skipped\n");
}

#[test]
fn failures_are_named_and_a_skip_that_is_not_allowed_fails_the_run() {
    let log = "     Running tests/boot.rs (target/debug/deps/boot-0123)\n\
               test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n   Doc-tests ballast\n\
               test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
    let text = summary::text(&summary::suites(log), &[]);
    assert_eq!(text, "failed: 2 of 9 in boot\n8 passed, 2 failed, 0 skipped\n");
    let skips = summary::skips("boot-0123\tballast-cli\tone\troot\nboot-0123\tballast-cli\ttwo\tstrace (apt-get)\n");
    let refused = |allowed: &[&str]| summary::unexpected(&skips, allowed).len();
    assert_eq!((refused(&[]), refused(&["root"]), refused(&["root", "strace"])), (2, 1, 0));
}
