//! Tests that `outdated` compares each source with its pin without fetching, and that `pin --refresh` accepts
//! the new bytes.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;

use super::server::Server;
use super::support::{pin_of, program, stderr, stdout};
use super::{QUICK, World, bytes};

fn ballast(world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(program());
    for variable in ["BALLAST_MIRRORS", "BALLAST_TOKENS", "BALLAST_LOCK", "SSL_CERT_FILE", "HF_TOKEN", "HF_ENDPOINT"] {
        command.env_remove(variable);
    }
    for variable in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command.current_dir(world.dir.path()).arg(args[0]).args(QUICK).args(&args[1..]).output().unwrap()
}

/// The behaviour of a source, and the expected state.
const HOSTS: [(&str, &str); 16] = [
    ("digest/w.bin", "same"),
    ("digest-of-other/w.bin", "changed"),
    ("right/only-a-size", "unknown"),
    ("announces-less/w.bin", "changed"),
    ("missing/w.bin", "gone"),
    ("gone/w.bin", "gone"),
    ("moved/w.bin", "moved"),
    ("moved-and-changed/w.bin", "changed"),
    ("large/o/m/resolve/main/w.bin", "same"),
    ("lies/o/m/resolve/main/w.bin", "changed"),
    ("no-head/w.bin", "same"),
    ("denied/w.bin", "unknown"),
    ("circle/w.bin", "unknown"),
    ("digest-in-gzip/w.bin", "unknown"),
    ("two-digests/w.bin", "changed"),
    ("commit-without-file/o/m/resolve/main/w", "unknown"),
];

#[test]
fn each_source_has_its_state_and_no_file_is_fetched() {
    let all = bytes();
    let server = Server::start(&all);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut rows: Vec<(String, &str)> = HOSTS.iter().map(|(path, state)| (server.url(path), *state)).collect();
    rows.extend([
        (format!("http://127.0.0.1:{closed}/w.bin"), "unknown"),
        ("there.bin".into(), "unknown"),
        ("shorter.bin".into(), "changed"),
        ("absent.bin".into(), "gone"),
        ("data:,word".into(), "changed"),
        (format!("{}!w.bin", server.url("digest/a.zip")), "unknown"),
        (format!("{}!w.bin", server.url("gone/a.zip")), "gone"),
    ]);
    let sources: Vec<_> = rows.iter().map(|(source, _)| source.clone()).collect();
    let world = World::sized(&sources, &all);
    fs::write(world.dir.path().join("there.bin"), &all).unwrap();
    fs::write(world.dir.path().join("shorter.bin"), b"x").unwrap();
    let output = ballast(&world, &["outdated", "--json"]);
    assert_eq!(output.status.code(), Some(43), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = found["sources"].as_array().unwrap();
    assert_eq!(found.len(), rows.len());
    let wrong: Vec<_> = rows
        .iter()
        .zip(found)
        .filter(|((source, state), row)| row["state"] != *state || row["source"] != **source)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(found[6]["moved_to"], server.url("digest/w.bin"));
    let commit = server.url("large/o/m/resolve/0123456789abcdef0123456789abcdef01234567/w.bin");
    assert_eq!(found[8]["fixed_address"], commit);
    assert!(found[15]["fixed_address"].is_null(), "no file is there: {}", found[15]);
    let requests = server.requests();
    let got = requests.iter().filter(|request| !request.line.starts_with("HEAD ")).map(|request| &request.path);
    let kinds = ["missing/", "gone/", "no-head/", "denied/", "commit-without-file/"];
    let refused = |path: &str| kinds.iter().any(|kind| path.starts_with(kind));
    let fetched: Vec<_> = got.filter(|path| !refused(path)).collect();
    assert!(fetched.is_empty(), "requested by GET: {fetched:?}");
    assert!(!world.dir.path().join("mirror").exists(), "a store was made");
}

#[test]
fn the_exit_code_says_drift_before_doubt_and_zero_only_for_proof() {
    let all = bytes();
    let server = Server::start(&all);
    let rows: [(&[&str], i32); 5] = [
        (&["digest/w.bin", "no-head/w.bin"], 0),
        (&["digest/w.bin", "right/w.bin"], 44),
        (&["right/w.bin", "gone/w.bin"], 43),
        (&["digest/w.bin", "moved/w.bin"], 43),
        (&[], 44),
    ];
    let mut wrong = Vec::new();
    for (paths, code) in rows {
        let sources: Vec<_> = paths.iter().map(|path| server.url(path)).collect();
        let output = ballast(&World::sized(&sources, &all), &["outdated"]);
        if output.status.code() != Some(code) {
            wrong.push(format!("{paths:?}: expected {code}, found {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refresh_moves_the_old_digest_to_previous_shows_both_and_keeps_the_rest() {
    let (all, old) = (bytes(), b"old bytes");
    let server = Server::start(&all);
    let world = World::sized(&[server.url("gone/w.bin"), server.url("right/w.bin")], old);
    let lock = world.dir.path().join("weights.lock");
    let (before, now) = (pin_of(old), pin_of(&all));
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, text.replace(&format!("{before}\"\n"), &format!("{before}\" # kept\n"))).unwrap();
    let refresh = |more: &[&str]| ballast(&world, &[&["pin", "--refresh"], more].concat());
    let output = refresh(&["w.bin"]);
    let (said, text) = (stdout(&output), fs::read_to_string(&lock).unwrap());
    assert!(output.status.success() && said.contains(&before) && said.contains(&now), "{output:?}");
    let expected = format!("sha256 = \"{now}\" # kept\nsize = {}\n", all.len());
    assert!(text.contains(&expected) && text.contains(&format!("previous = [\"{before}\"]")), "{text}");
    let again = refresh(&["m/w.bin"]);
    assert!(again.status.success() && stdout(&again).contains("still has the pinned bytes"), "{again:?}");
    assert_eq!(fs::read_to_string(&lock).unwrap(), text);
    // Pins the old bytes again from another place, which is then the only source.
    fs::write(world.dir.path().join("old.bin"), old).unwrap();
    let back = refresh(&["w.bin", "old.bin"]);
    let text = fs::read_to_string(&lock).unwrap();
    assert!(back.status.success() && text.contains("/old.bin\"]"), "{back:?} {text}");
    assert!(text.contains(&format!("previous = [\"{now}\"]")), "{text}");
    let fetched = ballast(&world, &["fetch"]);
    assert!(fetched.status.success(), "{fetched:?}");
    for (wrong, code) in [(vec!["other.bin"], 2), (vec!["w.bin", "absent.bin"], 17), (vec!["w.bin", "a", "b"], 2)] {
        let output = refresh(&wrong);
        assert!(output.status.code() == Some(code) && stderr(&output).contains("error: "), "{wrong:?}: {output:?}");
    }
    assert_eq!(fs::read_to_string(&lock).unwrap(), text);
}

#[test]
fn the_lines_for_update_bots_refresh_what_changed_and_nothing_else() {
    let test = "the_lines_for_update_bots_refresh_what_changed_and_nothing_else";
    if !testkit::need::tool(test, "jq", "apt-get install jq") {
        return;
    }
    let page = include_str!("../../../../docs/updates.md");
    let lines = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let all = bytes();
    let server = Server::start(&all);
    let bot = |world: &World| {
        let links = world.dir.path().join("bin");
        fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(program(), links.join("ballast")).unwrap();
        let path =
            std::env::join_paths([links].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
        let mut command = Command::new("sh");
        command
            .args(["-euc", lines])
            .current_dir(world.dir.path())
            .env("PATH", path.unwrap())
            .env_remove("BALLAST_LOCK");
        command.output().unwrap()
    };
    let lock = |world: &World| fs::read_to_string(world.dir.path().join("weights.lock")).unwrap();
    let changed = World::sized(&[server.url("digest/w.bin")], b"old bytes");
    let output = bot(&changed);
    let text = lock(&changed);
    let right = text.contains(&pin_of(&all)) && text.contains(&format!("previous = [\"{}\"]", pin_of(b"old bytes")));
    assert!(output.status.success() && right, "{output:?} {text}");
    for (source, code) in [("digest/w.bin", 0), ("right/w.bin", 44)] {
        let world = World::sized(&[server.url(source)], &all);
        let (before, output) = (lock(&world), bot(&world));
        assert!(output.status.code() == Some(code) && lock(&world) == before, "{source}: {output:?}");
    }
    let gone = World::sized(&[server.url("gone/w.bin")], &all);
    let (before, output) = (lock(&gone), bot(&gone));
    assert!(output.status.success() && lock(&gone) == before, "{output:?}");
}
