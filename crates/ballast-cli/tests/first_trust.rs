//! Tests what `pin` and `adopt` refuse or report before bytes get their first pin, and which parts of an
//! address they write.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use server::Server;
use support::scratch::Scratch;
use support::{pin_of, stderr, stdout};

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4000000000\n";
/// A header that announces four bytes, which are missing.
const CUT: &[u8] = b"\x29\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"I8\",\"data_offsets\":[0,4]}}";
const INDEX: &[u8] =
    br#"{"weight_map":{"a":"model-00001-of-00003.bin","b":"model-00002-of-00003.bin","c":"model-00003-of-00003.bin"}}"#;

fn ballast(world: &Scratch, args: &[&str]) -> Output {
    world.command(args).env("SIGNATURE", "hunter2").output().unwrap()
}

fn pin(world: &Scratch, source: &str) -> Output {
    ballast(world, &["pin", "--lock", "w.lock", "--store", "/srv/models", "--into", "m", "--retries", "0", source])
}

fn lock(world: &Scratch) -> String {
    fs::read_to_string(world.path("w.lock")).unwrap_or_default()
}

fn said(output: &Output) -> String {
    stdout(output) + &stderr(output)
}

/// The files of a folder; the exit code; the files with an entry; words of the report.
type Row<'a> = (&'a str, &'a [(&'a str, &'a [u8])], i32, &'a [&'a str], &'a [&'a str]);

#[test]
fn adopt_pins_what_is_right_and_names_what_is_not() {
    let blob = pin_of(b"weights");
    let (right, wrong) = (format!("blobs/sha256-{blob}"), format!("blobs/sha256-{}", "ab".repeat(32)));
    let rows: [Row; 11] = [
        ("right", &[("a.bin", b"a"), ("d/b.bin", b"b")], 0, &["a.bin", "d/b.bin"], &["2 files"]),
        ("a pointer", &[("a.bin", POINTER), ("c.json", b"{}")], 14, &["c.json"], &["refused: a.bin: lfs-pointer"]),
        ("pointers alone", &[("a.bin", POINTER)], 14, &[], &["no weight to pin"]),
        ("a page", &[("a.bin", b"<html>"), ("c", b"{}")], 14, &["c"], &["refused: a.bin: html"]),
        ("a cut file", &[("a.safetensors", CUT), ("c", b"{}")], 14, &["c"], &["refused: a.safetensors: wrong length"]),
        ("a right blob", &[(&right, b"weights")], 0, &[&right], &["first trust"]),
        ("a wrong blob", &[(&wrong, b"weights"), ("c", b"{}")], 14, &["c"], &["damaged: its name says", &blob]),
        (
            "a shard is missing",
            &[("model.bin.index.json", INDEX), ("model-00001-of-00003.bin", b"a"), ("model-00003-of-00003.bin", b"c")],
            14,
            &["model-00001-of-00003.bin", "model-00003-of-00003.bin", "model.bin.index.json"],
            &["incomplete: ", "model-00002-of-00003.bin: not in the cache"],
        ),
        (
            "a numbered shard is missing",
            &[("d/m-00001-of-00002.gguf", b"a")],
            14,
            &["d/m-00001-of-00002.gguf"],
            &["d/m-00002-of-00002.gguf"],
        ),
        (
            "only the index of another format",
            &[("pytorch_model.bin.index.json", INDEX), ("model.bin", b"a")],
            0,
            &["model.bin", "pytorch_model.bin.index.json"],
            &["warning: pytorch_model.bin.index.json needs"],
        ),
        (
            "the files of tools",
            &[
                ("config.json", b"{}"),
                (".git/HEAD", b"x"),
                (".cache/huggingface/download/config.json.metadata", b"x"),
                ("config.json.metadata", b"x"),
                ("a.lock", b"x"),
                ("__pycache__/a.pyc", b"x"),
                (".DS_Store", b"x"),
                ("token", b"hf_secret"),
            ],
            0,
            &["config.json"],
            &["left out       7 names", ".git: Git's own", "token: it holds secrets"],
        ),
    ];
    let mut failures = Vec::new();
    for (name, files, code, entries, words) in rows {
        let world = Scratch::new("first-trust");
        files.iter().for_each(|(path, bytes)| drop(world.put(&format!("c/{path}"), bytes)));
        let output = ballast(&world, &["adopt", "--lock", "w.lock", "c"]);
        let (lock, said) = (lock(&world), said(&output));
        let mut found: Vec<_> = lock.lines().filter_map(|line| line.strip_prefix("path = \"")).skip(1).collect();
        found.sort_unstable();
        let expected: Vec<_> = entries.iter().map(|path| format!("{path}\"")).collect();
        if output.status.code() != Some(code) || found != expected || !words.iter().all(|word| said.contains(word)) {
            failures.push(format!("{name}: {:?}, {found:?}\n{said}", output.status.code()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_hub_whose_links_all_lead_nowhere_is_no_success() {
    let world = Scratch::new("first-trust");
    let repository = "h/hub/models--org--m";
    world.put(&format!("{repository}/refs/main"), REVISION.as_bytes());
    let snapshot = world.path(&format!("{repository}/snapshots/{REVISION}"));
    fs::create_dir_all(&snapshot).unwrap();
    symlink("../../blobs/gone", snapshot.join("model.safetensors")).unwrap();
    let output = ballast(&world, &["adopt", "--lock", "w.lock", "h"]);
    assert_eq!((output.status.code(), lock(&world).as_str()), (Some(14), ""), "{output:?}");
}

#[test]
fn a_small_file_whose_blob_has_another_git_name_is_refused() {
    let world = Scratch::new("first-trust");
    let repository = "h/hub/models--org--m";
    world.put(&format!("{repository}/refs/main"), REVISION.as_bytes());
    // The names that `git hash-object` gives; the second one is the name of other bytes.
    let files = [
        ("config.json", "9e26dfeeb6e641a33dae4961196235bdb965b21b", &b"{}"[..]),
        ("merges.txt", "9e26dfeeb6e641a33dae4961196235bdb965b21c", b"a b"),
    ];
    for (name, blob, bytes) in files {
        world.put(&format!("{repository}/blobs/{blob}"), bytes);
        let snapshot = world.path(&format!("{repository}/snapshots/{REVISION}"));
        fs::create_dir_all(&snapshot).unwrap();
        symlink(format!("../../blobs/{blob}"), snapshot.join(name)).unwrap();
    }
    let output = ballast(&world, &["adopt", "--lock", "w.lock", "h"]);
    let lock = lock(&world);
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    assert!(lock.contains("/config.json\"") && !lock.contains("/merges.txt\""), "{lock}");
    assert!(said(&output).contains("its name says Git's sha1"), "{output:?}");
}

/// The argument; the endpoint; the exit code; the lock file's source; words of the report.
type HubRow<'a> = (&'a str, &'a str, i32, &'a str, &'a str);

#[test]
fn a_file_of_the_hub_is_pinned_at_its_commit_and_fetched_by_it() {
    let server = Server::start(b"weights of a model");
    let fixed = format!("hf:org/m@{REVISION}/sub/w v1.bin");
    let dataset = format!("hf:datasets/org/m@{REVISION}/w.bin");
    let rows: [HubRow; 10] = [
        ("hf:org/m@main/sub/w v1.bin", "large", 0, &fixed, "first trust"),
        ("hf:org/m/sub/w v1.bin", "large", 0, &fixed, "first trust"),
        (&fixed, "large", 0, &fixed, "first trust"),
        (&fixed, "hub", 0, &fixed, "first trust"),
        (&dataset, "hub", 0, &dataset, "first trust"),
        ("hf:datasets/org/m/w.bin", "large", 0, &dataset, "first trust"),
        ("hf:org/m@main/w.bin", "hub", 17, "", "expected the hub to name the commit of \"main\""),
        (&fixed, "lies", 17, "", "contradiction"),
        ("hf:org/m@main", "large", 2, "", "expected hf:ORG/NAME@COMMIT/FILE"),
        ("hf:org/m@main/../w.bin", "large", 2, "", "expected hf:ORG/NAME@COMMIT/FILE"),
    ];
    let mut failures = Vec::new();
    for (typed, endpoint, code, source, word) in rows {
        let world = Scratch::new("first-trust");
        let at_hub = |args: &[&str]| world.command(args).env("HF_ENDPOINT", server.url(endpoint)).output().unwrap();
        let pin = at_hub(&["pin", "--lock", "w.lock", "--store", "/srv/m", "--into", "m", "--retries", "0", typed]);
        let lock = lock(&world);
        let written = if code == 0 { lock.contains(&format!("[\"{source}\"]")) } else { lock.is_empty() };
        let fetched = code != 0 || at_hub(&["fetch", "--lock", "w.lock", "--into", "n"]).status.success();
        if pin.status.code() != Some(code) || !written || !fetched || !said(&pin).contains(word) {
            failures.push(format!("{typed} at {endpoint}: {:?}, fetched: {fetched}\n{lock}\n{pin:?}", pin.status));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_hub_that_announces_another_digest_than_the_pin_sends_no_byte_of_it() {
    let server = Server::start(b"weights of a model");
    let world = Scratch::new("first-trust");
    let pin = pin_of(b"weights of a model");
    world.put(
        "w.lock",
        format!("version = 1\n[store]\npath = \"/srv/m\"\n[[weight]]\npath = \"w.bin\"\nsha256 = \"{pin}\"\nsources = [\"hf:org/m@{REVISION}/w.bin\"]\n").as_bytes(),
    );
    let fetch = |endpoint: &str| {
        let mut command = world.command(&["fetch", "--lock", "w.lock", "--into", "m"]);
        command.env("HF_ENDPOINT", server.url(endpoint)).output().unwrap()
    };
    let output = fetch("lies");
    assert!(output.status.code() == Some(17) && stderr(&output).contains(&pin_of(b"other bytes")), "{output:?}");
    assert!(!world.path("m/w.bin").exists());
    let output = fetch("large");
    assert!(output.status.success() && world.path("m/w.bin").exists(), "{output:?}");
}

#[test]
fn above_twenty_files_adopt_prints_folders_and_the_lock_file_is_obeyed() {
    let world = Scratch::new("first-trust");
    for at in 0..300 {
        world.put(&format!("c/d{}/f{at}.bin", at % 2), at.to_string().as_bytes());
    }
    let output = ballast(&world, &["adopt", "--lock", "w.lock", "c"]);
    let lines = stdout(&output).lines().count();
    assert!(output.status.success() && lines < 12 && stdout(&output).contains("150 files"), "{output:?}");
    let verified = ballast(&world, &["verify", "--lock", "w.lock"]);
    assert!(verified.status.success(), "{verified:?}");
}

/// The source's path on the server; the exit code; the lock file's text; words of the report.
type Address<'a> = (&'a str, i32, &'a str, &'a [&'a str]);

#[test]
fn pin_writes_no_secret_fixes_what_moves_where_the_host_tells_how_and_says_what_is_encoded() {
    let server = Server::start(b"weights of a model");
    let digest = pin_of(b"weights of a model");
    let whisper = format!("right/{}/tiny.pt", "ab".repeat(32));
    let promised = format!("right/{digest}/tiny.pt");
    let fixed = format!("/commit/o/m/resolve/{REVISION}/w.bin\"]");
    let queried = format!("/resolve/{REVISION}/w?sig=${{SIGNATURE}}&a=1\"]");
    let rows: [Address; 17] = [
        ("right/w.bin", 0, "/right/w.bin\"]", &["first trust"]),
        ("right/my%20model.bin", 0, "path = \"my model.bin\"", &["my model.bin: first trust"]),
        ("right/w.bin?X-Amz-Signature=hunter2&versionId=7", 0, "/right/w.bin?versionId=7\"]", &["X-Amz-Signature"]),
        ("right/w.bin?sig=${SIGNATURE}", 0, "/right/w.bin?sig=${SIGNATURE}\"]", &["first trust"]),
        ("right/w.bin?sig=${NOT_SET_HERE}", 17, "", &["variable: expected the variable NOT_SET_HERE"]),
        ("right/o/m/resolve/main/w.bin", 0, "/resolve/main/", &["may change: \"main\"", "/resolve/COMMIT/w.bin"]),
        ("commit/o/m/resolve/main/w.bin", 0, &fixed, &["may change: \"main\"", "written at the version"]),
        ("commit/o/m/resolve/main/w?sig=${SIGNATURE}&a=1", 0, &queried, &["written at the version"]),
        ("commit-without-file/o/m/resolve/main/w", 0, "/resolve/main/w\"]", &["a fixed address", REVISION]),
        ("commit-of-other/o/m/resolve/main/w", 0, "/resolve/main/w\"]", &["a fixed address", REVISION]),
        ("commit-of-same-size/o/m/resolve/main/w", 0, "/resolve/main/w\"]", &["a fixed address", REVISION]),
        (
            "latest/o/r/releases/latest/download/w.bin",
            0,
            "/releases/download/v1.2/w.bin\"]",
            &["may change: \"latest\""],
        ),
        ("gzip/w.onnx", 17, "", &["content-encoding", "gzip"]),
        ("identity/w.onnx", 0, "w.onnx", &["first trust"]),
        ("lfs/w.bin", 17, "", &["lfs-pointer"]),
        (&whisper, 17, "", &["damaged: its name says", &digest]),
        (&promised, 0, "tiny.pt", &["first trust"]),
    ];
    let mut failures = Vec::new();
    for (path, code, entry, words) in rows {
        let world = Scratch::new("first-trust");
        let url = server.url(path).replacen("://", "://joe:hunter2@", 1);
        let output = pin(&world, &url);
        let (lock, said) = (lock(&world), said(&output));
        let right = output.status.code() == Some(code)
            && lock.contains(entry)
            && lock.is_empty() == entry.is_empty()
            && words.iter().all(|word| said.contains(word));
        if !right || lock.contains("hunter2") || said.contains("hunter2") {
            failures.push(format!("{path}: {:?}\n{lock}\n{said}", output.status.code()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let requests = server.requests();
    assert!(
        requests.iter().any(|request| request.path == "right/w.bin?sig=hunter2"),
        "the variable was not put in: {requests:?}"
    );
}

#[test]
fn pin_refuses_a_file_that_contradicts_itself_and_keeps_nothing_of_it() {
    let world = Scratch::new("first-trust");
    world.put("a.safetensors", CUT);
    let output = pin(&world, "a.safetensors");
    assert_eq!(output.status.code(), Some(17), "{output:?}");
    assert!(stderr(&output).contains("contradiction: wrong length") && lock(&world).is_empty(), "{output:?}");
    assert!(!world.path("m/a.safetensors").exists());
    world.put("model.bin.index.json", INDEX);
    let output = pin(&world, "model.bin.index.json");
    assert!(output.status.success() && stderr(&output).contains("needs 3 files that have no entry yet"), "{output:?}");
}
