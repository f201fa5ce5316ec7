//! Tests modes, owners and rights from inside the hardened container.

use crate::build::tell;
use crate::ship::{Builder, Ship, TREE, WEIGHTS};
use crate::support::docker::find;
use crate::support::{stderr, stdout};

/// Runs a busybox command in a container with the options of `deploy/compose.prod.yaml`.
fn inside(ship: &Ship, words: &[&str]) -> (Option<i32>, String) {
    let busybox = format!("{}:/busybox:ro", find("busybox").display());
    let mut run = ship.docker.command("docker");
    run.args(["run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL"]);
    run.args(["--security-opt=no-new-privileges:true", "--tmpfs=/tmp", "--tmpfs=/var/log:mode=1777"]);
    run.args(["--volume=modes:/tmp/.deepface", "--volume", &busybox, "--entrypoint=/busybox", "likeness"]);
    let output = run.args(words).output().unwrap();
    let said = stdout(&output) + &stderr(&output);
    (output.status.code(), said.lines().filter(|line| !line.starts_with("WARNING")).collect::<Vec<_>>().join("\n"))
}

#[test]
fn every_mode_and_owner_inside_the_hardened_container_is_as_written() {
    let Some(ship) = Ship::new("every_mode_and_owner_inside_the_hardened_container_is_as_written") else { return };
    ship.image(Builder::Classic, "likeness");
    let mut rows: Vec<(String, &str)> = [
        ("/", "755 0:0"),
        ("/etc/ballast", "755 0:0"),
        ("/etc/ballast/weights.lock", "444 0:0"),
        ("/etc/passwd", "644 0:0"),
        ("/etc/group", "644 0:0"),
        ("/opt/baked-models", "755 0:0"),
        ("/opt/baked-models/.ballast", "755 0:0"),
        ("/opt/baked-models/.ballast/weights.index", "444 0:0"),
        ("/opt/baked-models/.deepface", "755 0:0"),
        ("/opt/baked-models/.deepface/weights", "755 0:0"),
        ("/tmp", "1777 0:0"),
        ("/tmp/.deepface", "755 100:101"),
        ("/usr/local/bin", "755 0:0"),
        ("/usr/local/bin/ballast", "755 0:0"),
        ("/usr/local/bin/likeness", "755 0:0"),
        ("/var/lib", "755 0:0"),
        ("/var/lib/likeness", "700 100:101"),
        ("/var/lib/likeness-key", "700 100:101"),
        ("/var/log", "1777 0:0"),
    ]
    .map(|(path, mode)| (path.to_owned(), mode))
    .into();
    rows.extend(WEIGHTS.map(|name| (format!("/opt/baked-models/{TREE}/{name}"), "444 100:101")));
    let paths: Vec<&str> = rows.iter().map(|(path, _)| path.as_str()).collect();
    let (_, said) = inside(&ship, &[&["stat", "-c", "%n %a %u:%g"], paths.as_slice()].concat());
    let missing = |(path, mode): &&(String, &str)| !said.lines().any(|line| line == format!("{path} {mode}"));
    let mut wrong: Vec<_> = rows.iter().filter(missing).map(|(path, mode)| format!("expected {path} {mode}")).collect();
    if !wrong.is_empty() {
        wrong.push(said.clone());
    }
    tell(&format!("modes read inside the hardened container: {}", rows.len()));
    wrong.extend(rights(&ship));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks the rights of the process, and that certain files are missing.
fn rights(ship: &Ship) -> Vec<String> {
    let weight = format!("/opt/baked-models/{TREE}/{}", WEIGHTS[1]);
    let status: [(&[&str], &str); 9] = [
        (&["id"], "uid=100(app) gid=101(app) groups=101(app)"),
        (&["grep", "CapEff", "/proc/self/status"], "CapEff:\t0000000000000000"),
        (&["grep", "NoNewPrivs", "/proc/self/status"], "NoNewPrivs:\t1"),
        (&["touch", "/new"], "Read-only file system"),
        (&["chmod", "644", &weight], "Read-only file system"),
        (&["touch", "/etc/ballast/weights.lock"], "Read-only file system"),
        (&["ls", "/bin"], "No such file or directory"),
        (&["find", "/usr", "/sbin", "-name", "sh"], "/sbin: No such file or directory"),
        // No file of the building machine: neither its authorities nor those of its network.
        (&["ls", "/etc/ssl"], "No such file or directory"),
    ];
    let wrong = status.iter().filter_map(|(words, expected)| {
        let (_, said) = inside(ship, words);
        let right = said.contains(expected) && !said.contains("bin/sh");
        (!right).then(|| format!("{words:?}: expected {expected:?}, found {said:?}"))
    });
    wrong.collect()
}
