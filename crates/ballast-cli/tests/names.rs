//! Tests that a weight's name with right bytes still has right bytes after every command, whatever is on its
//! path and whatever else is wrong.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use support::scratch::Scratch;
use support::{pin_of, stderr};

const PATHS: [&str; 4] = ["snapshots/main/a.bin", "snapshots/main/b.bin", "snapshots/other/c.bin", "d.bin"];
/// The kind of the directory above two weights.
const WAYS: [&str; 4] = ["a directory", "a relative link", "an absolute link", "a link out of the store"];
/// The state of the second weight; the others are right.
const SECONDS: [&str; 3] = ["missing", "wrong", "a dangling link"];
/// Whether every weight has a source, or none.
const SOURCES: [bool; 2] = [true, false];
/// Each command that works in a store, and whether it repairs the store if there is a source.
const COMMANDS: [(&[&str], bool); 9] = [
    (&["run", "--report", "report.json", "--", "/bin/true"], true),
    (&["heal"], true),
    (&["fetch", "--into", "cache", "--retries", "0"], true),
    (&["import", "models.tar", "--into", "cache"], true),
    (&["pin", "--into", "cache", "--path", "snapshots/main/new.bin", "new.bin"], false),
    (&["adopt", "--lock", "adopted.lock", "cache"], false),
    (&["verify"], false),
    (&["status"], false),
    (&["doctor"], false),
];

fn bytes(path: &str) -> Vec<u8> {
    path.bytes().cycle().take(70_000 + path.len()).collect()
}

/// Returns a lock file for a store and its layer.
fn lock(scratch: &Scratch, layer: &Path, sourced: bool) -> String {
    let store = scratch.path("cache");
    let head =
        format!("version = 1\n[store]\npath = {store:?}\nbaked = {layer:?}\nenv = \"MODELS\"\nowner = \"100:101\"\n");
    let entry = |path: &&str| {
        let (pin, size) = (pin_of(&bytes(path)), bytes(path).len());
        let sources = if sourced { vec![layer.join(path)] } else { Vec::new() };
        format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{pin}\"\nsize = {size}\nsources = {sources:?}\n")
    };
    head + &PATHS.iter().map(entry).collect::<String>()
}

/// Creates a layer and an archive with every weight.
fn whole() -> Scratch {
    let scratch = Scratch::new("names");
    PATHS.iter().for_each(|path| drop(scratch.put(&format!("source/{path}"), &bytes(path))));
    scratch.put("weights.lock", lock(&scratch, &scratch.path("baked"), true).as_bytes());
    for args in [["bake", "--from", "source", "baked"], ["export", "models.tar", "--from", "source"]] {
        let output = scratch.ballast(&args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    }
    scratch
}

/// Creates a store of four weights with its lock file, and a layer and an archive if there is a source.
fn store(way: &str, second: &str, source: Option<&Scratch>) -> Scratch {
    let scratch = Scratch::new("names");
    let layer = source.unwrap_or(&scratch).path("baked");
    scratch.put("weights.lock", lock(&scratch, &layer, source.is_some()).as_bytes());
    scratch.put("new.bin", b"a new weight");
    if let Some(source) = source {
        scratch.link(source.path("models.tar"), "models.tar");
    }
    let main = match way {
        "a directory" => "cache/snapshots/main",
        "a link out of the store" => "elsewhere",
        _ => "cache/snapshots/0123abcd",
    };
    scratch.put(&format!("{main}/a.bin"), &bytes(PATHS[0]));
    match second {
        "wrong" => drop(scratch.put(&format!("{main}/b.bin"), &vec![7; bytes(PATHS[1]).len()])),
        "a dangling link" => scratch.link("nowhere", &format!("{main}/b.bin")),
        _ => {}
    }
    scratch.put("cache/snapshots/other/c.bin", &bytes(PATHS[2]));
    scratch.put("cache/d.bin", &bytes(PATHS[3]));
    match way {
        "a directory" => {}
        "a relative link" => scratch.link("0123abcd", "cache/snapshots/main"),
        _ => scratch.link(scratch.path(main), "cache/snapshots/main"),
    }
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // The app owns the volume, so no command has to change the owner first.
        let chown = Command::new("chown").args(["-Rh", "100:101", "cache"]).current_dir(scratch.dir.path()).status();
        assert!(chown.is_ok_and(|status| status.success()));
    }
    scratch
}

/// Returns the weights for which a reader gets right bytes.
fn led(scratch: &Scratch) -> Vec<&'static str> {
    let right = |path: &&str| fs::read(scratch.path("cache").join(path)).is_ok_and(|read| read == bytes(path));
    PATHS.into_iter().filter(right).collect()
}

#[test]
fn no_command_takes_a_name_from_right_bytes() {
    let mut rows = Vec::new();
    for way in WAYS {
        for second in SECONDS {
            for sourced in SOURCES {
                rows.extend(COMMANDS.map(|(args, makes_right)| (way, second, sourced, args, makes_right)));
            }
        }
    }
    let whole = whole();
    let wrong = testkit::rows::wrong(&rows, |&(way, second, sourced, args, makes_right)| {
        let scratch = store(way, second, sourced.then_some(&whole));
        let before = led(&scratch);
        assert_eq!(before.len(), 3, "{way}, {second}: not the store that is to be tested");
        let output = scratch.ballast(args);
        let after = led(&scratch);
        let lost = before.iter().any(|path| !after.contains(path));
        // No command writes through a link.
        let healed = !(makes_right && sourced && way == "a directory") || after.len() == PATHS.len();
        if !lost && healed {
            return Vec::new();
        }
        vec![format!(
            "{way}, the second {second}, sourced {sourced}, {args:?}: led {before:?}, now {after:?}, {}\n{}",
            output.status,
            stderr(&output)
        )]
    });
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
}
