//! Tests how a user is resolved, compared with gosu, and without a name service.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::stage::{Stage, out, output, status, zero};
use testkit::need::{self, skip};

/// Compares the process status and HOME of Ballast and gosu for one user.
fn compare(stage: &Stage, spec: &str) -> Vec<String> {
    let script = "cat /proc/self/status; echo \"Home: $HOME\"; exit 0";
    // gosu's runtime resets an ignored SIGQUIT, which background jobs have, so both start without it.
    let plain = ["env", "--default-signal"];
    let program = stage.ballast();
    let ours = [&plain[..], &[&program, "run", "--user", spec, "--", "/bin/sh", "-c", script]].concat();
    let theirs = [&plain[..], &["gosu", spec, "/bin/sh", "-c", script]].concat();
    let (ours, theirs) = (stage.with_accounts(&ours), stage.with_accounts(&theirs));
    if !ours.status.success() || !theirs.status.success() {
        return Vec::from_iter(
            (ours.status.success() != theirs.status.success()).then(|| format!("{spec}: {ours:?} {theirs:?}")),
        );
    }
    let home = |output: &Output| out(output).lines().last().map(str::to_owned);
    let (our_home, their_home) = (home(&ours), home(&theirs));
    let (ours, theirs) = (status(&ours), status(&theirs));
    let mut wrong: Vec<String> = ours
        .iter()
        .filter(|(name, value)| !agrees(name, value, &theirs))
        .map(|(name, value)| format!("{spec} {name}: ours {value}, gosu's {}", theirs[name]))
        .collect();
    if our_home != their_home {
        wrong.push(format!("{spec}: ours {our_home:?}, gosu's {their_home:?}"));
    }
    wrong
}

/// Equal, but for what `user.rs` and `launch.rs` document: the primary group is listed, and
/// a user that is not root has empty inheritable and bounding sets. Signals 32 and 33 are the C
/// library's own: spawning ignores both, and gosu's runtime loses the second.
fn agrees(name: &str, ours: &str, theirs: &BTreeMap<String, String>) -> bool {
    let root = theirs["Uid"].starts_with("0 ");
    match name {
        "CapInh" | "CapBnd" if !root => zero(ours),
        "SigIgn" => {
            let public = |set: &str| u64::from_str_radix(set, 16).unwrap() & !(3 << 31);
            public(ours) == public(&theirs[name])
        }
        "Groups" => {
            let with_primary = |groups: &str| {
                let all = format!("{groups} {}", theirs["Gid"].split(' ').next().unwrap());
                let mut all: Vec<u32> = all.split_whitespace().map(|id| id.parse().unwrap()).collect();
                all.sort_unstable();
                all.dedup();
                all
            };
            with_primary(ours) == with_primary(&theirs["Groups"])
        }
        _ => ours == theirs[name],
    }
}

#[test]
fn gosu_gives_the_same() {
    let name = "gosu_gives_the_same";
    let Some(stage) = Stage::root(name) else { return };
    if Command::new("gosu").arg("--version").output().is_err() {
        skip(name, "gosu");
        return;
    }
    if !stage.with_accounts(&["true"]).status.success() {
        skip(name, "a mount namespace");
        return;
    }
    let specs = [
        "root",
        "0",
        "0:0",
        "0:5",
        "root:wheel",
        "app",
        "100",
        "0100",
        "app:app",
        "app:video",
        "app:44",
        "100:101",
        "100:video",
        "100:9999",
        "lone",
        "300",
        "lone:root",
        "300:0",
        "600",
        "1234",
        "1234:1235",
        "1234:audio",
        "2147483647:2147483647",
        "nosuch",
        "app:nosuch",
        "nosuch:app",
        "-1",
        "4294967295",
        "4294967296",
        "100:-1",
        " 100",
        "555",
    ];
    let wrong: Vec<String> = specs.iter().flat_map(|spec| compare(&stage, spec)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn gosu_takes_these_and_ballast_refuses_them() {
    let Some(stage) = Stage::root("gosu_takes_these_and_ballast_refuses_them") else {
        return;
    };
    for spec in ["", ":", ":101", "100:", "100:101:102", "+5"] {
        let output = stage.run(&["--user", spec], "echo started");
        assert!(!output.status.success() && output.stdout.is_empty(), "{spec:?}: {output:?}");
    }
}

#[test]
fn home_is_the_users() {
    let Some(stage) = Stage::root("home_is_the_users") else {
        return;
    };
    if !stage.with_accounts(&["true"]).status.success() {
        skip("home_is_the_users", "a mount namespace");
        return;
    }
    let mut wrong = Vec::new();
    for (spec, wanted) in
        [(Some("app"), "/home/app"), (Some("100:44"), "/home/app"), (Some("1234"), "/"), (None, "/as/found")]
    {
        let program = stage.ballast();
        let user = spec.map(|spec| ["--user", spec]);
        let mut line = vec!["env", "HOME=/as/found", &program, "run"];
        line.extend(user.iter().flatten());
        line.extend(["--", "/bin/sh", "-c", "echo $HOME"]);
        let found = out(&stage.with_accounts(&line));
        if found != wanted {
            wrong.push(format!("{spec:?}: wanted {wanted}, found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_static(program: &Path) -> bool {
    let found = Command::new("ldd").arg(program).output();
    found.is_ok_and(|found| !String::from_utf8_lossy(&found.stdout).contains("=>"))
}

#[test]
fn no_name_service_is_used() {
    let name = "no_name_service_is_used";
    let Some(stage) = Stage::root(name) else { return };
    if output(&["sh", "-c", "command -v strace"]).stdout.is_empty() {
        skip(name, "strace");
        return;
    }
    if !stage.with_accounts(&["true"]).status.success() {
        skip(name, "a mount namespace");
        return;
    }
    let trace = stage.path("trace");
    // Images contain the static build.
    let Some(built) = need::static_program(name, "entrypoint") else { return };
    assert!(Command::new("cp").arg("-f").arg(built).arg(stage.ballast()).status().unwrap().success());
    let program = stage.ballast();
    let traced = ["strace", "-f", "-e", "trace=%file,%network", "-o", trace.to_str().unwrap(), &program];
    // The command does not exist, so every line of the trace is of Ballast.
    let line = [&traced[..], &["run", "--user", "app", "--", "/nosuch/command"]].concat();
    assert_eq!(stage.with_accounts(&line).status.code(), Some(127));
    let text = fs::read_to_string(&trace).unwrap();
    assert!(text.contains("/etc/passwd") && text.contains("/etc/group"), "{text}");
    let linked = is_static(&stage.path("ballast"));
    let own = ["ld.so.cache", "ld.so.preload", "libc.so.6", "libgcc_s.so.1", "libm.so.6"];
    let foreign: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(".so") || line.contains("nss") || line.contains("socket("))
        .filter(|line| linked || !own.iter().any(|own| line.contains(own)))
        .collect();
    assert!(foreign.is_empty(), "{}", foreign.join("\n"));
    if !linked {
        skip(name, "the static build for its strict half (tools/static)");
    }
}
