//! Tests that the documented update of a source ends with an entry for which `outdated` reports no drift.

use std::fs;
use std::process::Output;

use super::server::Server;
use super::support::{program, stdout};
use super::{QUICK, World, bytes};

const NEW: &str = "hf:org/m@0123456789abcdef0123456789abcdef01234567/w.bin";
const PAGE: &str = "https://huggingface.co/org/m/resolve/0123456789abcdef0123456789abcdef01234567/w.bin";
/// A commit with other bytes.
const OLD: &str = "hf:org/m@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/w.bin";

fn ballast(world: &World, server: &Server, args: &[&str]) -> Output {
    let mut command = std::process::Command::new(program());
    for variable in ["BALLAST_MIRRORS", "BALLAST_TOKENS", "BALLAST_LOCK", "HF_TOKEN", "ALL_PROXY", "HTTP_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command.current_dir(world.dir.path()).env("HF_ENDPOINT", server.url("large"));
    command.arg(args[0]).args(QUICK).args(&args[1..]).output().unwrap()
}

/// Its name; the entry's sources; whether the pin is an old one; the source on the command line; the sources afterwards;
/// the exit code of `outdated`; a word of the output. `%` is the server's address.
type Row<'a> = (&'a str, &'a [&'a str], bool, &'a [&'a str], &'a [&'a str], i32, &'a str);

/// Refreshes.
const REFRESHES: [Row; 12] = [
    ("changed", &["%digest/w"], true, &[], &["%digest/w"], 0, "first trust"),
    (
        "a second one changed",
        &["%digest/w", "%digest-of-other/w"],
        true,
        &[],
        &["%digest/w"],
        0,
        "it has other bytes: %digest-of-other/w",
    ),
    ("gone", &["%gone/w"], false, &["%digest/w"], &["%digest/w"], 0, "it is gone: %gone/w"),
    ("gone, and changed", &["%gone/w"], true, &["%digest/w"], &["%digest/w"], 0, "it is gone: %gone/w"),
    ("the first one is gone", &["%gone/w", "%digest/w"], false, &[], &["%digest/w"], 0, "still has the pinned bytes"),
    ("moved", &["%moved/w"], false, &[], &["%digest/w.bin"], 0, "moved to %digest/w.bin"),
    ("moved, and changed", &["%moved/w"], true, &[], &["%digest/w.bin"], 0, "moved to %digest/w.bin"),
    (
        "moved to another source",
        &["%moved/w", "%digest/w.bin"],
        false,
        &[],
        &["%digest/w.bin"],
        0,
        "moved to %digest/w.bin",
    ),
    ("a commit of the hub", &[OLD], true, &["hf:org/m/w.bin"], &[NEW], 0, "it has other bytes"),
    ("two spellings of the hub", &[NEW, PAGE], true, &[], &[NEW], 0, "another spelling"),
    (
        "a source that says nothing",
        &["%right/w", "%digest/w"],
        true,
        &[],
        &["%right/w", "%digest/w"],
        44,
        "first trust",
    ),
    (
        "a fixed address that says nothing",
        &["%right/o/m/raw/0123456/w", "%digest/w"],
        true,
        &["%digest/w"],
        &["%digest/w"],
        0,
        "a fixed address",
    ),
];

#[test]
fn after_a_refresh_every_source_leads_to_the_new_digest_and_outdated_agrees() {
    let all = bytes();
    let server = Server::start(&all);
    let whole = |text: &&str| text.replace('%', &server.url(""));
    let mut wrong = Vec::new();
    for (name, own, is_old, given, expected, code, word) in REFRESHES {
        let own: Vec<_> = own.iter().map(whole).collect();
        let world = World::sized(&own, if is_old { b"old bytes" } else { &all });
        let given: Vec<_> = given.iter().map(whole).collect();
        let given: Vec<_> = given.iter().map(String::as_str).collect();
        let refreshed = ballast(&world, &server, &[&["pin", "--refresh", "w.bin"], &given[..]].concat());
        let outdated = ballast(&world, &server, &["outdated"]);
        let text = fs::read_to_string(world.dir.path().join("weights.lock")).unwrap();
        let list: Vec<_> = expected.iter().map(whole).map(|text| format!("\"{text}\"")).collect();
        let has = text.contains(&format!("sources = [{}]", list.join(", ")));
        if !has || outdated.status.code() != Some(code) || !stdout(&refreshed).contains(&whole(&word)) {
            wrong.push(format!("{name}: {refreshed:?}\n{outdated:?}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_of_this_machine_is_one_source_in_every_spelling_and_its_whole_path_is_written() {
    let all = bytes();
    let server = Server::start(&all);
    let world = World::sized(&["new.bin".into(), "old.bin".into()], b"old bytes");
    let dir = fs::canonicalize(world.dir.path()).unwrap();
    fs::write(dir.join("new.bin"), &all).unwrap();
    fs::write(dir.join("old.bin"), b"old bytes").unwrap();
    let file = format!("file://{}/new.bin", dir.display());
    let refreshed = ballast(&world, &server, &["pin", "--refresh", "w.bin", &file]);
    let text = fs::read_to_string(dir.join("weights.lock")).unwrap();
    assert!(text.contains(&format!("sources = [\"{}/new.bin\"]", dir.display())), "{refreshed:?} {text}");
    // Another folder is the current one.
    fs::create_dir(dir.join("elsewhere")).unwrap();
    let mut command = std::process::Command::new(program());
    command.args(["fetch", "--lock", "../weights.lock"]).current_dir(dir.join("elsewhere"));
    let fetched = command.output().unwrap();
    assert!(fetched.status.success(), "{fetched:?}");
}
