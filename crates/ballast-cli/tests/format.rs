//! Tests that commands end with the same exit codes on a lock file and a layer of version 0.1. The files are
//! those of the library's test of formats.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::program;

const LOCK: &str = include_str!("../../ballast/tests/format/weights.lock");
const INDEX: &str = include_str!("../../ballast/tests/format/weights.index.hex");

/// Writes the two weights.
fn lay(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let large: Vec<u8> = (0..(2_usize << 20) + 5).map(|at| (at * 7 % 251) as u8).collect();
    fs::write(dir.join("a.bin"), large).unwrap();
    fs::write(dir.join("b.bin"), "two").unwrap();
}

fn spoil(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[0] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn each_verdict_on_files_of_0_1_has_the_exit_code_that_it_had() {
    /// A name; a change; the arguments; a variable; the exit code.
    type Row<'a> = (&'a str, fn(&Path), &'a [&'a str], Option<(&'a str, &'a str)>, i32);
    const VERIFY: &[&str] = &["verify", "cache"];
    const RUN: &[&str] = &["run", "--store", "cache", "--baked", "layer", "--report", "r.json", "--", "true"];
    const OTHER: (&str, &str) = ("A_SHA256", "abababababababababababababababababababababababababababababababab");
    let rows: [Row; 11] = [
        ("right", |_| {}, VERIFY, None, 0),
        ("a required weight is wrong", |dir| spoil(&dir.join("cache/a.bin")), VERIFY, None, 14),
        ("another one is missing", |dir| fs::remove_file(dir.join("cache/b.bin")).unwrap(), VERIFY, None, 0),
        ("a start on a right cache", |_| {}, RUN, None, 0),
        ("a start repairs", |dir| spoil(&dir.join("cache/a.bin")), RUN, None, 0),
        (
            "without a source",
            |dir| ["cache/a.bin", "layer/a.bin"].iter().for_each(|name| spoil(&dir.join(name))),
            RUN,
            None,
            14,
        ),
        ("a damaged index", |dir| spoil(&dir.join("layer/.ballast/weights.index")), RUN, None, 0),
        ("a pin of the environment", |_| {}, RUN, Some(OTHER), 12),
        ("a pin that has to be set", |_| {}, RUN, Some(("PINS_REQUIRED", "yes")), 12),
        ("another version", |dir| edit(dir, "version = 1", "version = 2"), VERIFY, None, 10),
        ("an unknown key", |dir| edit(dir, "[pins]", "[pins]\nsigned = true"), RUN, None, 10),
    ];
    let mut wrong = Vec::new();
    for (name, change, words, env, code) in rows {
        let dir = testkit::ground::folder("scratch");
        ["cache", "layer"].iter().for_each(|root| lay(&dir.path().join(root)));
        let digits: String = INDEX.split_whitespace().collect();
        let index: Vec<_> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
        fs::create_dir(dir.path().join("layer/.ballast")).unwrap();
        fs::write(dir.path().join("layer/.ballast/weights.index"), index).unwrap();
        // The test's own user is the app.
        fs::write(dir.path().join("weights.lock"), LOCK.replace("owner =", "# owner =")).unwrap();
        change(dir.path());
        let mut command = Command::new(program());
        command.current_dir(dir.path()).env_clear().env("PATH", "/usr/bin:/bin").args(words).envs(env);
        let output = command.env("BALLAST_LOCK", "weights.lock").output().unwrap();
        if output.status.code() != Some(code) {
            wrong.push(format!("{name}: expected {code}, {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn edit(dir: &Path, from: &str, to: &str) {
    fs::write(dir.join("weights.lock"), LOCK.replace(from, to)).unwrap();
}
