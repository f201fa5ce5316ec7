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

/// `ballast export` of version 0.1 (commit de215e1) wrote this image of three small weights.
const IMAGE: &[u8] = include_bytes!("../../ballast/tests/format/image.tar");
const IMAGE_LOCK: &str = include_str!("../../ballast/tests/format/image.lock");

#[test]
fn an_image_of_0_1_is_imported_and_a_damaged_one_refused_as_0_1_did() {
    let place = |text: &str| IMAGE.windows(text.len()).position(|bytes| bytes == text.as_bytes()).unwrap();
    let flipped = |at: usize| {
        let mut bytes = IMAGE.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    // Each with the exit code of 0.1, and whether the weights are there then.
    let rows: [(&str, Vec<u8>, i32, bool); 7] = [
        ("whole", IMAGE.to_vec(), 0, true),
        ("a byte of a weight", flipped(place("three")), 17, false),
        ("a byte of the manifest", flipped(place("schemaVersion")), 17, false),
        ("the name of the layers", flipped(place("layers")), 17, false),
        ("cut in the middle", IMAGE[..9000].to_vec(), 17, false),
        ("without the zeros at its end", IMAGE[..IMAGE.len() - 1024].to_vec(), 0, true),
        ("empty", Vec::new(), 17, false),
    ];
    let mut wrong = Vec::new();
    for (name, image, code, there) in rows {
        let dir = testkit::ground::folder("scratch");
        fs::write(dir.path().join("image.tar"), image).unwrap();
        fs::write(dir.path().join("weights.lock"), IMAGE_LOCK.replace("owner =", "# owner =")).unwrap();
        let mut command = Command::new(program());
        command.current_dir(dir.path()).env_clear().env("PATH", "/usr/bin:/bin").env("BALLAST_LOCK", "weights.lock");
        let output = command.args(["import", "image.tar", "--into", "into"]).output().unwrap();
        let read = |path: &str| fs::read_to_string(dir.path().join("into").join(path)).ok();
        let found = ["a.bin", "b.json", "sub/c.onnx"].map(read);
        let expected =
            if there { ["one", "two", "three"].map(|text| Some(text.to_owned())) } else { [const { None }; 3] };
        if output.status.code() != Some(code) || found != expected {
            wrong.push(format!("{name}: expected {code}, {found:?}, {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
