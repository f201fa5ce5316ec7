//! Attack: the app owns the parent of the directory that root changes, and renames another directory to that
//! name. Root must not change a directory that is not the app's; volumes are still given to the app.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::scene::HOLDS;
use crate::support::{PAIR, World, is_root, program, stderr, stdout};

/// What names the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Lock,
    Environment,
}

/// A layout: its name, what names the store, the store, the set-up, the examined directory, and that
/// directory's owner and mode after a boot in mode owned and in mode sticky.
type Layout = (&'static str, By, &'static str, &'static str, &'static str, [&'static str; 2]);

const AS_APP: &str = "setpriv --reuid 100 --regid 101 --clear-groups";
/// The three capabilities that the documents require, and no others.
const THREE: &str = "setpriv --bounding-set=-all,+chown,+setuid,+setgid";

/// A private directory with a secret, and the app's directory `data` with `models` in it.
const GIVEN: &str = "mkdir data data/models data/private && echo secret > data/private/secret && chmod 644 \
    data/private/secret && chmod 700 data/private && chown 100:101 data data/models";
const SWAP: &str = "$AS_APP mv data/models data/m0 && $AS_APP mv data/private data/models";

/// A mount of root's and one of another service's, which have the same name in two directories of the app.
const TWO: &str = "mkdir -p data/hf/models data/pg/models own other && chown 100:101 data/hf data/pg && \
    echo secret > other/secret && chown -R 999:999 other && chmod 700 other && chmod 644 other/secret && \
    mount --bind own data/hf/models && mount --bind other data/pg/models";

const LAYOUTS: &[Layout] = &[
    ("root's secret, renamed", By::Environment, "data/models", "$SWAP", "data/models", ["0:0:700"; 2]),
    ("root's secret, renamed, in the lock file", By::Lock, "data/models", "$SWAP", "data/models", ["0:0:700"; 2]),
    (
        "another service's secret, renamed",
        By::Environment,
        "data/models",
        "chown -R 999:999 data/private && $SWAP",
        "data/models",
        ["999:999:700"; 2],
    ),
    (
        "another service's secret, renamed, in the lock file",
        By::Lock,
        "data/models",
        "chown -R 999:999 data/private && $SWAP",
        "data/models",
        ["999:999:700"; 2],
    ),
    (
        "a symlink to the secret",
        By::Lock,
        "data/models",
        "$AS_APP rmdir data/models && $AS_APP ln -s private data/models",
        "data/private",
        ["0:0:700"; 2],
    ),
    (
        "a symlink above the secret",
        By::Lock,
        "data/models/private",
        "$AS_APP rmdir data/models && $AS_APP ln -s . data/models",
        "data/private",
        ["0:0:700"; 2],
    ),
    (
        "a secret in the app's volume",
        By::Lock,
        "vol/models",
        "mkdir vol && mount -t tmpfs -o uid=100,gid=101,mode=0755 tmpfs vol && mkdir vol/private && chmod 700 \
         vol/private && $AS_APP mv vol/private vol/models",
        "vol/models",
        ["0:0:700"; 2],
    ),
    (
        "root's directory in one that all may write",
        By::Lock,
        "open/models",
        "mkdir -p open/models && chmod 777 open",
        "open/models",
        ["0:0:755"; 2],
    ),
    (
        "root's directory that only the environment names",
        By::Environment,
        "home/x/.ssh",
        "mkdir -p home/x/.ssh",
        "home/x/.ssh",
        ["0:0:755"; 2],
    ),
    (
        "a user's directory that only the environment names",
        By::Environment,
        "home/x/.ssh",
        "mkdir -p home/x/.ssh && chown -R 1000:1000 home/x && chmod 700 home/x/.ssh",
        "home/x/.ssh",
        ["1000:1000:700"; 2],
    ),
    (
        "a directory of a user's, in the lock file",
        By::Lock,
        "home/x/cache",
        "mkdir -p home/x/cache && chown -R 1000:1000 home/x",
        "home/x/cache",
        ["1000:1000:755"; 2],
    ),
    (
        "root's directory that the lock file names",
        By::Lock,
        "var/models",
        "mkdir -p var/models",
        "var/models",
        ["100:101:755", "0:101:1775"],
    ),
    (
        "root's directory in a sticky one",
        By::Lock,
        "tmp/models",
        "mkdir -p tmp/models && chmod 1777 tmp",
        "tmp/models",
        ["100:101:755", "0:101:1775"],
    ),
    ("the app's own directory", By::Environment, "data/models", "true", "data/models", ["100:101:755", "0:101:1775"]),
    (
        "a bind mount in the app's directory",
        By::Environment,
        "data/models",
        "mkdir other && mount --bind other data/models",
        "data/models",
        // The app owns `data`, so it can change everything below: the layer serves, and root keeps the mount.
        ["100:101:755", "0:101:1775"],
    ),
    (
        "another service's mount of the same name, moved there with its directory",
        By::Environment,
        "data/hf/models",
        "$TWO && $AS_APP mv data/hf data/x && $AS_APP mv data/pg data/hf",
        "data/hf/models",
        ["999:999:700"; 2],
    ),
    (
        "another service's mount of the same name, moved there, in the lock file",
        By::Lock,
        "data/hf/models",
        "$TWO && $AS_APP mv data/hf data/x && $AS_APP mv data/pg data/hf",
        "data/hf/models",
        ["999:999:700"; 2],
    ),
    (
        "another service's mount of the same name that was not moved",
        By::Environment,
        "models",
        "$TWO && mkdir models && mount --bind own models",
        "models",
        ["100:101:755", "0:101:1775"],
    ),
    (
        "a mount of its own name below the app's directories",
        By::Environment,
        "data/hf/hub",
        "mkdir -p data/hf/hub own && chown 100:101 data/hf && mount --bind own data/hf/hub",
        "data/hf/hub",
        ["100:101:755", "0:101:1775"],
    ),
    (
        "root's volume below a sticky tmpfs",
        By::Lock,
        "tmp/.deepface",
        "mkdir tmp && mount -t tmpfs -o mode=1777 tmpfs tmp && mkdir tmp/.deepface volume && \
         mount --bind volume tmp/.deepface",
        "tmp/.deepface",
        ["100:101:755", "0:101:1775"],
    ),
    (
        "a drifted uid's volume below a sticky tmpfs",
        By::Environment,
        "tmp/.deepface",
        "mkdir tmp && mount -t tmpfs -o mode=1777 tmpfs tmp && mkdir tmp/.deepface volume && \
         chown 999:999 volume && mount --bind volume tmp/.deepface",
        "tmp/.deepface",
        ["100:101:755", "0:101:1775"],
    ),
];

#[test]
fn root_gives_the_app_no_directory_that_the_app_put_under_the_stores_name() {
    if !is_root("root_gives_the_app_no_directory") {
        return;
    }
    let mut wrong = Vec::new();
    for (name, by, store, setup, judged, expected) in LAYOUTS {
        for (hold, expected) in HOLDS.iter().zip(expected) {
            let world = World::new(&PAIR);
            let output = boot(&world, *by, store, setup, judged, hold);
            let found = stdout(&output).lines().last().unwrap_or_default().to_owned();
            if found != *expected || !output.status.success() || stdout(&output).contains("secret") {
                wrong.push(format!("{name}, {hold}: expected {expected}, found {found}\n{}", stderr(&output)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Boots in a new mount namespace; the last line of the output is the examined directory's owner and mode.
fn boot(world: &World, by: By, store: &str, setup: &str, judged: &str, hold: &str) -> Output {
    let place = world.path(store).display().to_string();
    if by == By::Lock {
        let lock = fs::read_to_string(world.lock()).unwrap();
        let cache = format!("path = \"{}\"", world.cache().display());
        fs::write(world.lock(), lock.replacen(&cache, &format!("path = \"{place}\""), 1)).unwrap();
    }
    let setup = setup.replace("$SWAP", SWAP).replace("$TWO", TWO).replace("$AS_APP", AS_APP);
    let script = format!(
        "cd {} && umask 022 && {GIVEN} && {setup} && {{ {THREE} \"$0\" run --hold {hold} --report {} -- \
         /bin/sh -c 'cat {place}/secret; true'; rc=$?; stat -c %u:%g:%a {judged}; exit $rc; }}",
        world.dir.path().display(),
        world.report().display(),
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", &script]).arg(program());
    if by == By::Environment {
        command.env("BALLAST_STORE", &place);
    }
    command.env("BALLAST_LOCK", world.lock()).output().unwrap()
}

#[test]
fn reports_and_receipts_are_made_in_no_directory_that_the_app_put_there() {
    if !is_root("reports_and_receipts_are_made_in_no_directory") {
        return;
    }
    let world = World::new(&PAIR);
    let setup = GIVEN.replace("models", "log");
    let mut wrong = Vec::new();
    for (what, file, options) in [
        ("a report", "data/log/report.json", ["--report", "data/log/report.json"]),
        ("receipts", "data/log/receipts.json", ["--receipts", "data/log/receipts.json"]),
        ("receipts in a new directory", "data/log/new", ["--receipts", "data/log/new/receipts.json"]),
    ] {
        let script = format!(
            "cd {} && rm -rf data && umask 022 && {setup} && echo precious > data/private/report.json && {AS_APP} mv data/log data/l0 && \
             {AS_APP} mv data/private data/log && \"$0\" run --trust receipt {} $PWD/{} -- /bin/true; \
             cat data/log/report.json; ls -A data/log",
            world.dir.path().display(),
            options[0],
            options[1],
        );
        let mut command = Command::new("sh");
        let output = command.args(["-c", &script]).arg(program()).env("BALLAST_LOCK", world.lock()).output().unwrap();
        if stdout(&output) != "precious\nreport.json\nsecret" {
            wrong.push(format!("{what} at {file}: {}\n{}", stdout(&output), stderr(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_report_in_the_apps_own_directory_is_still_written() {
    if !is_root("a_report_in_the_apps_own_directory") {
        return;
    }
    let world = World::new(&PAIR);
    let logs = world.path("logs");
    fs::create_dir(&logs).unwrap();
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&logs, Some(100), Some(101)).unwrap();
    let report = logs.join("report.json");
    let output = world.ballast(&["run", "--report", report.to_str().unwrap(), "--", "/bin/true"]);
    assert!(output.status.success() && fs::metadata(&report).unwrap().len() > 0, "{output:?}");
}
