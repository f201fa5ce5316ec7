//! Tests `doctor` in real environments: it names each fault by its code, changes nothing, and predicts what
//! `run` then does.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Output};

use serde_json::Value;
use support::{PAIR, TREE, World, is_root, program, stdout};

const PLAIN: &str = "setpriv --reuid 100 --regid 101 --clear-groups";
const FOREIGN: &str = "setpriv --reuid 1000650000 --regid 0 --clear-groups";
const NO_DROP: &str = "setpriv --bounding-set=-setuid,-setgid";
const NO_CHOWN: &str = "setpriv --bounding-set=-chown";
const THREE: &str = "setpriv --bounding-set=-all,+chown,+setuid,+setgid";

/// Runs the program in a new mount namespace, after `setup` in the world's folder.
fn ballast(world: &World, setup: &str, wrapper: &str, args: &str) -> Output {
    let script = format!("cd {} && {setup} && exec {wrapper} \"$0\" {args}", world.dir.path().display());
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", &script]).arg(program()).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/tmp");
    command.env("BALLAST_LOCK", world.lock()).output().unwrap()
}

fn examine(world: &World, setup: &str, wrapper: &str, args: &str) -> (Option<i32>, Value) {
    let output = ballast(world, setup, wrapper, &format!("doctor --json {args}"));
    let reported = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), reported)
}

/// Returns the codes of the findings, except those about defaults of cache variables.
fn codes(reported: &Value) -> Vec<String> {
    let findings = reported["findings"].as_array().unwrap();
    let all = findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned());
    all.filter(|code| code != "variable-unwritable").collect()
}

fn listing(world: &World) -> String {
    let output = Command::new("find").arg(world.dir.path()).args(["-printf", "%p %m %U:%G %s %T@ %C@\n"]).output();
    let mut lines: Vec<_> = stdout(&output.unwrap()).lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn each_fault_of_an_environment_is_named_and_nothing_is_changed() {
    if !is_root("each_fault_of_an_environment") {
        return;
    }
    let dir = "[[dir]]\npath = \"/opt/never-there\"\nenv = \"CACHE_DIR\"\n";
    let tiny = "mount -t tmpfs -o size=64k,mode=0755,uid=100,gid=101 tmpfs cache";
    // name, more lock, setup, wrapper, codes, exit
    type Row = (&'static str, &'static str, &'static str, &'static str, Vec<&'static str>, i32);
    let rows: Vec<Row> = vec![
        ("root, all capabilities", "", "true", "", vec![], 0),
        ("root, three capabilities", "", "true", THREE, vec![], 0),
        ("the app, its own volume", "", "chown 100:101 cache", PLAIN, vec![], 0),
        ("root that can't drop", "", "true", NO_DROP, vec!["cannot-drop"], 18),
        ("the app, root's volume", "", "true", PLAIN, vec!["not-healed"], 0),
        ("root without CHOWN, root's volume", "", "true", NO_CHOWN, vec!["not-healed"], 0),
        ("arbitrary uid, root's volume", "", "true", FOREIGN, vec!["not-healed"], 0),
        (
            "read-only volume",
            "",
            "mount --bind -o ro cache cache && mount -o remount,ro,bind cache",
            "",
            vec!["not-healed"],
            0,
        ),
        ("no room", "", tiny, "", vec!["not-healed"], 0),
        ("no layer", "", "rm -rf baked", "", vec!["weights-missing", "index-left-aside"], 18),
        (
            "lock that the app could write",
            "",
            "chmod 0666 weights.lock",
            "",
            vec!["lock-untrusted", "index-left-aside"],
            18,
        ),
        ("index of the app's", "", "chown 100 baked/.ballast/weights.index", "", vec!["index-left-aside"], 0),
        ("pin that differs", "", "export PIN_LARGE_BIN=latest", "", vec!["pin-mismatch"], 18),
        ("directory", dir, "true", "", vec!["dir-unwritable"], 18),
        ("no lock file", "", "export BALLAST_LOCK=/nowhere", "", vec!["bad-lock"], 18),
        ("unknown user", "", "true", "", vec!["unknown-user", "index-left-aside"], 18),
    ];
    let mut wrong = Vec::new();
    for (name, more, setup, wrapper, expected, exit) in rows {
        let world = World::with(&PAIR, more);
        // A setup that changes the disk runs first, so that both listings are made after it.
        let persistent = !setup.contains("mount") && !setup.contains("export");
        if persistent {
            ballast(&world, setup, "", "--version");
        }
        let before = listing(&world);
        let args = if name == "unknown user" { "--user no-such-user-here" } else { "" };
        let (code, reported) = examine(&world, if persistent { "true" } else { setup }, wrapper, args);
        if code != Some(exit) || codes(&reported) != expected || listing(&world) != before {
            wrong.push(format!("{name}: {code:?} {:?}\n{}", codes(&reported), reported["findings"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_doctor_foresees_is_what_run_does() {
    if !is_root("what_doctor_foresees") {
        return;
    }
    let damage = |world: &World| {
        let cache = world.cache().join(TREE);
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("small.bin"), "wrong").unwrap();
    };
    let mut wrong = Vec::new();
    for (owner, mode) in [(0, 0o755), (100, 0o755), (33, 0o700)] {
        for wrapper in ["", THREE, NO_CHOWN, PLAIN, FOREIGN] {
            for setup in ["true", "mount --bind -o ro cache cache && mount -o remount,ro,bind cache"] {
                for damaged in [false, true] {
                    let world = World::new(&PAIR);
                    if damaged {
                        damage(&world);
                    }
                    chown(world.cache(), Some(owner), Some(owner)).unwrap();
                    fs::set_permissions(world.cache(), fs::Permissions::from_mode(mode)).unwrap();
                    let (_, reported) = examine(&world, setup, wrapper, "");
                    // Every user may write there, but only root can replace the directory.
                    let reports = world.path("reports");
                    fs::create_dir(&reports).unwrap();
                    fs::set_permissions(&reports, fs::Permissions::from_mode(0o777)).unwrap();
                    let file = reports.join("r.json");
                    let run = format!("run --report {} -- /bin/true", file.display());
                    let output = ballast(&world, setup, wrapper, &run);
                    let done: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
                    let same = reported["serve"] == done["served"]["from"]
                        && reported["app"] == done["ids"]
                        && (0..2).all(|at| reported["weights"][at]["firmness"] == done["weights"][at]["firmness"]);
                    if !same || !output.status.success() {
                        let foreseen = (&reported["serve"], &reported["app"], &reported["weights"]);
                        wrong.push(format!("{owner} {mode:o} {wrapper:?} {setup} {damaged}: {foreseen:?}\n{output:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_cache_variable_that_leads_nowhere_is_named_with_its_line() {
    if !is_root("every_cache_variable") {
        return;
    }
    let world = World::with(&PAIR, "[[dir]]\npath = \"/tmp/ballast-doctor-torch\"\nenv = \"TORCH_HOME\"\n");
    let setup = "mount -t tmpfs -o ro,mode=1777 tmpfs source && export NUMBA_CACHE_DIR=$PWD/source/numba HF_HOME=$PWD/source \
                 XDG_CACHE_HOME=/tmp MPLCONFIGDIR=/proc/nowhere XDG_CONFIG_HOME= TORCH_HOME=/proc/nowhere";
    let (code, reported) = examine(&world, setup, "", "");
    let finding = |name: &str| {
        let all = reported["findings"].as_array().unwrap();
        all.iter().find(|finding| finding["place"] == name).map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            (text("severity"), text("what"), text("fix"))
        })
    };
    let rows = [
        ("NUMBA_CACHE_DIR", "error", "(EROFS)"),
        ("HF_HOME", "warning", "(EROFS)"),
        ("MPLCONFIGDIR", "error", "set to /proc/nowhere"),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(name, severity, says)| {
            let line = format!("{name}=/tmp/{}", name.to_lowercase());
            !finding(name).is_some_and(|(found, what, fix)| found == *severity && what.contains(says) && fix == line)
        })
        .map(|(name, ..)| (name, finding(name)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((code, finding("TORCH_HOME"), finding("TORCH_EXTENSIONS_DIR")), (Some(18), None, None));
    assert_eq!(finding("HF_HUB_CACHE"), None, "it is not set, and does not lead below the store");
    let output = ballast(&world, setup, "", "doctor");
    let line = "NUMBA_CACHE_DIR: error [variable-unwritable] set to ";
    assert!(
        stdout(&output).contains(line) && stdout(&output).contains("\n  write: NUMBA_CACHE_DIR=/tmp/"),
        "{output:?}"
    );
}
