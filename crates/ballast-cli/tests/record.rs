//! Tests that `status` and `verify` agree with the boot's report and with the lock file, or say why not.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::Output;

use support::{PAIR, TREE, Weight, World, bytes_of, is_root, stderr, stdout};

fn status(world: &World, more: &[&str]) -> Output {
    let report = world.report();
    world.ballast(&[&["status", "--report", report.to_str().unwrap()], more].concat())
}

fn statement(world: &World, format: &str) -> Output {
    world.ballast(&["statement", "--report", world.report().to_str().unwrap(), "--format", format])
}

/// Changes the report in a way that its writer never does.
fn forge(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(world.report()).unwrap();
    assert!(text.contains(from), "{text}");
    fs::remove_file(world.report()).unwrap();
    fs::write(world.report(), text.replacen(from, to, 1)).unwrap();
}

fn rewrite_lock(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(world.lock()).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(world.lock(), text.replacen(from, to, 1)).unwrap();
}

fn weight(world: &World, name: &str) -> std::path::PathBuf {
    world.cache().join(TREE).join(name)
}

/// A change after the boot: its name, the change, and what `status` then reports.
type Change = (&'static str, fn(&World), &'static str);

const CHANGES: [Change; 17] = [
    ("another boot's report", |w| forge(w, "\"boot\": \"", "\"boot\": \"x"), "it is from another boot"),
    ("another version's report", |w| forge(w, "\"version\": 2", "\"version\": 1"), "expected version 2, found 1"),
    ("an empty report", |w| fs::write(w.report(), "").unwrap(), "it is not a report"),
    ("no report", |w| fs::remove_file(w.report()).unwrap(), "no report of this boot"),
    ("a stranger's report", |w| chown(w.report(), Some(100), None).unwrap(), "uid 100 wrote it"),
    (
        "a report that others can write",
        |w| fs::set_permissions(w.report(), fs::Permissions::from_mode(0o664)).unwrap(),
        "others can write it",
    ),
    ("another pin", |w| rewrite_lock(w, "sha256 = \"", "sha256 = \"0000"), "expected 64 hex digits"),
    ("another digest of the same length", another_digest, "differ\n  expected"),
    ("another path", |w| rewrite_lock(w, "large.bin\"", "larger.bin\""), "differ\n  expected"),
    ("another need", |w| rewrite_lock(w, "need = \"required\"", "need = \"optional\""), "differ"),
    ("a weight more", a_weight_more, "the boot had 2 entries, the lock file has 3"),
    ("another store of the same weights", |w| rewrite_lock(w, "/cache\"", "/other\""), "differ: the boot served"),
    ("no lock file", |w| fs::remove_file(w.lock()).unwrap(), "can't read"),
    ("a weight removed", |w| fs::remove_file(weight(w, "small.bin")).unwrap(), "was removed after this boot"),
    ("a weight replaced by equal bytes", replaced, "was replaced or changed since"),
    ("one byte changed, the time set back", changed_in_place, "was replaced or changed since"),
    ("the whole cache removed", |w| fs::remove_dir_all(w.cache()).unwrap(), "was removed after this boot"),
];

fn another_digest(world: &World) {
    let pin = support::pin_of(&bytes_of(&PAIR[1]));
    rewrite_lock(world, &pin, &support::pin_of(b"other"));
}

fn a_weight_more(world: &World) {
    let more = format!("[[weight]]\npath = \"more.bin\"\nsha256 = \"{}\"\n", support::pin_of(b"more"));
    let text = fs::read_to_string(world.lock()).unwrap();
    fs::write(world.lock(), text + &more).unwrap();
}

fn replaced(world: &World) {
    let path = weight(world, "small.bin");
    fs::copy(&path, path.with_extension("new")).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
}

fn changed_in_place(world: &World) {
    let path = weight(world, "small.bin");
    let before = fs::metadata(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[17] ^= 1;
    fs::write(&path, bytes).unwrap();
    let times = fs::FileTimes::new().set_modified(before.modified().unwrap());
    fs::File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mtime_nsec(), before.mtime_nsec());
}

#[test]
fn status_is_ready_only_while_report_lock_file_and_files_agree() {
    if !is_root("status_is_ready_only_while") {
        return;
    }
    let mut wrong = Vec::new();
    for (name, change, says) in CHANGES {
        let world = World::new(&PAIR);
        assert!(world.run(&[]).status.success(), "{name}");
        let before = status(&world, &[]);
        if !(before.status.success() && stdout(&before).starts_with("ready: ")) {
            wrong.push(format!("{name}: before it: {before:?}"));
        }
        change(&world);
        let after = status(&world, &[]);
        let text = format!("{}{}", stdout(&after), stderr(&after));
        if ![Some(14), Some(10)].contains(&after.status.code()) || !text.contains(says) {
            wrong.push(format!("{name}: expected {says:?}, found {after:?}"));
        }
        // What `status` refuses, `statement` refuses too, for the same reason.
        let stated = statement(&world, "in-toto");
        // Metrics replace those of the boot that was ready.
        let metrics = statement(&world, "prometheus");
        let is_bad_lock = after.status.code() == Some(10);
        let lines = stdout(&metrics);
        let says_so = is_bad_lock || (lines.contains("ballast_ready 0") && lines.contains("} 0"));
        if cfg!(feature = "full") && !(says_so && metrics.status.code() == after.status.code()) {
            wrong.push(format!("{name}: metrics: {metrics:?}"));
        }
        if cfg!(feature = "full") && !(stated.stdout.is_empty() && stderr(&stated).contains(says)) {
            wrong.push(format!("{name}: stated: {stated:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn status_verify_hashes_what_the_boot_served_and_believes_no_stamp() {
    if !is_root("status_verify_hashes") {
        return;
    }
    let world = World::new(&PAIR);
    let all = |more: &[&str]| status(&world, &[&["--verify"], more].concat());
    assert!(stdout(&all(&[])).contains("the baked layer: no report of this boot"), "{:?}", all(&[]));
    assert!(world.run(&[]).status.success());
    replaced(&world);
    assert!(all(&[]).status.success(), "equal bytes are right: {:?}", all(&[]));
    changed_in_place(&world);
    fs::remove_dir_all(world.baked()).unwrap();
    assert_eq!(all(&["--json"]).status.code(), Some(14));
}

/// Runs a script in a mount namespace with an empty /run, where programs search the report by default.
fn in_one_container(world: &World, script: &str) -> Output {
    let prelude =
        "mount -t tmpfs -o mode=0755 tmpfs /run && mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /var/log\n";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "sh", "-euc", &format!("{prelude}{script}")]);
    command.env("BALLAST_LOCK", world.lock()).env("B", support::program()).output().unwrap()
}

#[test]
fn verify_without_a_folder_examines_what_this_boot_serves_and_says_which() {
    if !is_root("verify_without_a_folder") {
        return;
    }
    let nothing_baked: [Weight; 1] = [Weight { name: "large.bin", need: "optional", size: 5000, baked: false }];
    let rows: [(&str, &[Weight], &str, &str, i32); 6] = [
        ("a cache that the boot healed", &PAIR, "$B run -- true 2>/dev/null\n", "/cache: this boot serves it", 0),
        ("no boot, an empty cache", &PAIR, "", "/baked: the baked layer: no report of this boot", 0),
        (
            "a cache that cannot be written: the layer serves",
            &PAIR,
            "mount -t tmpfs -o ro tmpfs \"${BALLAST_LOCK%/*}/cache\"\n$B run -- true 2>/dev/null\n",
            "/baked: this boot serves it",
            0,
        ),
        ("no cache at all", &PAIR, "rmdir \"${BALLAST_LOCK%/*}/cache\"\n", "/baked: the baked layer: no report", 0),
        (
            "a damaged weight in the cache, no boot",
            &PAIR,
            "mkdir -p \"${BALLAST_LOCK%/*}/cache/.deepface/weights\"\n\
             echo x > \"${BALLAST_LOCK%/*}/cache/.deepface/weights/small.bin\"\n",
            "/cache: the cache: no report of this boot",
            14,
        ),
        ("a layer without the weight", &nothing_baked, "", "/baked: the baked layer: no report of this boot", 0),
    ];
    let mut wrong = Vec::new();
    for (name, weights, before, says, code) in rows {
        let world = World::new(weights);
        let output = in_one_container(&world, &format!("{before}$B verify"));
        let right = stderr(&output).contains(&format!("ballast: verifying {}{says}", world.dir.path().display()));
        if !right || output.status.code() != Some(code) {
            wrong.push(format!("{name}: expected {says:?} and {code}, found {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn verify_status_and_boot_agree_in_every_situation() {
    if !is_root("verify_status_and_boot_agree") {
        return;
    }
    let mut wrong = Vec::new();
    for (name, before) in [
        ("healed", ""),
        ("served from the layer", "mount -t tmpfs -o ro tmpfs \"${BALLAST_LOCK%/*}/cache\"\n"),
        ("no cache", "rmdir \"${BALLAST_LOCK%/*}/cache\"\n"),
        ("nothing to serve", "mount -t tmpfs tmpfs \"${BALLAST_LOCK%/*}/baked\"\n"),
    ] {
        let world = World::new(&PAIR);
        let script = "$B heal >/dev/null 2>&1; boot=$?; $B verify >/dev/null 2>&1; verify=$?; \
                      $B status >/dev/null 2>&1; status=$?; $B status --verify >/dev/null 2>&1; echo $boot $verify $status $?";
        let output = in_one_container(&world, &format!("{before}set +e\n{script}"));
        let codes: Vec<_> = stdout(&output).split(' ').map(str::to_owned).collect();
        if codes.len() != 4 || codes.iter().any(|code| *code != codes[0]) {
            wrong.push(format!("{name}: heal, verify, status, status --verify: {codes:?} {}", stderr(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[cfg(feature = "full")]
fn a_statement_names_the_verified_weights_and_no_other() {
    if !is_root("a_statement_names_the_verified_weights") {
        return;
    }
    let optional = |name, baked| Weight { name, need: "optional", size: 3000, baked };
    let weights = [
        Weight { name: "large.bin", need: "required", size: 5000, baked: true },
        optional("changed.bin", true),
        optional("absent.bin", false),
    ];
    let world = World::new(&weights);
    assert!(world.run(&[]).status.success());
    let path = |name: &str| format!("{TREE}/{name}");
    let named = || {
        let output = statement(&world, "in-toto");
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let lock = support::pin_of(&fs::read(world.lock()).unwrap());
        assert_eq!(value["predicate"]["lockFile"]["digest"]["sha256"], lock.as_str());
        let subjects = value["subject"].as_array().unwrap().iter();
        subjects.map(|one| (one["name"].clone(), one["digest"]["sha256"].clone())).collect::<Vec<_>>()
    };
    let row = |weight: &Weight| (path(weight.name).into(), support::pin_of(&bytes_of(weight)).into());
    assert_eq!(named(), [row(&weights[0]), row(&weights[1])]);
    fs::write(weight(&world, "changed.bin"), "x").unwrap();
    assert_eq!(named(), [row(&weights[0])]);
    let text = stdout(&statement(&world, "cyclonedx"));
    assert!(text.contains(&path("large.bin")) && !text.contains("changed.bin"), "{text}");
    let text = stdout(&statement(&world, "prometheus"));
    let line = |name: &str| text.lines().find(|line| line.contains(name)).map(|line| line.ends_with("} 1"));
    let found = ["large.bin", "changed.bin", "absent.bin"].map(line);
    assert_eq!(found, [Some(true), Some(false), Some(false)], "{text}");
}

#[test]
#[cfg(feature = "full")]
fn a_statement_is_written_to_a_file_whole_and_into_a_mounted_one_in_place() {
    if !is_root("a_statement_is_written_to_a_file_whole") {
        return;
    }
    let world = World::new(&PAIR);
    assert!(world.run(&[]).status.success());
    let report = world.report();
    let to = |format: &str, file: &str| {
        let file = world.path(file);
        let args = ["statement", "--report", report.to_str().unwrap(), "--format", format, "--to"];
        world.ballast(&[&args[..], &[file.to_str().unwrap()]].concat())
    };
    for format in ["in-toto", "cyclonedx", "prometheus"] {
        // The second time, a file of that name exists.
        for turn in [1, 2] {
            let output = to(format, "kept");
            assert!(output.status.success() && stdout(&output).is_empty(), "{format} {turn}: {output:?}");
            let kept = fs::read(world.path("kept")).unwrap();
            assert!(kept == statement(&world, format).stdout, "{format} {turn}");
        }
    }
    for wrong in ["absent/kept", "cache"] {
        let output = to("in-toto", wrong);
        assert!(output.status.code() == Some(2) && stderr(&output).contains("can't write"), "{wrong}: {output:?}");
    }
    fs::write(world.path("log"), "of Kubernetes").unwrap();
    fs::write(world.path("mounted"), "").unwrap();
    let script = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-euc", script, "sh"]).arg(world.path("log")).arg(world.path("mounted"));
    command.arg(support::program()).args(["statement", "--report"]).arg(&report).arg("--to").arg(world.path("mounted"));
    let output = command.env("BALLAST_LOCK", world.lock()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(fs::read(world.path("log")).unwrap() == statement(&world, "in-toto").stdout);
}

#[test]
#[cfg(feature = "full")]
fn a_statement_replaces_no_file_that_a_boot_needs_and_nothing_that_is_no_file() {
    if !is_root("a_statement_replaces_no_file_that_a_boot_needs") {
        return;
    }
    let world = World::new(&PAIR);
    assert!(world.run(&[]).status.success());
    let here = world.dir.path();
    std::os::unix::fs::symlink("/proc/self/fd/1", here.join("stdout")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, here.join("fifo"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let weight = |root: std::path::PathBuf| root.join(TREE).join("small.bin");
    let rows = [
        ("the lock file", world.lock(), "which Ballast reads"),
        ("a weight", weight(world.cache()), "which Ballast reads"),
        ("a weight of the layer", weight(world.baked()), "which Ballast reads"),
        ("the index", world.baked().join(".ballast/weights.index"), "which Ballast reads"),
        ("the boot's report", world.report(), "which Ballast reads"),
        ("a link to stdout", here.join("stdout"), "found a symlink"),
        ("a FIFO", here.join("fifo"), "found a FIFO"),
        ("a device", "/dev/null".into(), "found a device"),
    ];
    let facts = |path: &std::path::Path| fs::symlink_metadata(path).map(|it| (it.ino(), it.mode(), it.len())).ok();
    let mut wrong = Vec::new();
    for (what, path, says) in rows {
        let before = facts(&path);
        let args = ["statement", "--report", world.report().to_str().unwrap(), "--to", path.to_str().unwrap()]
            .map(str::to_owned);
        let output = world.ballast(&args.each_ref().map(String::as_str));
        if output.status.code() != Some(2) || !stderr(&output).contains(says) || facts(&path) != before {
            wrong.push(format!("{what}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_boot_replaces_no_lock_file_and_no_device_by_its_report() {
    if !is_root("a_boot_replaces_no_lock_file") {
        return;
    }
    let world = World::new(&PAIR);
    let device = world.path("device");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(rustix::fs::CWD, &device, kind, mode, rustix::fs::makedev(1, 3)).unwrap();
    let mut wrong = Vec::new();
    for (path, says) in [(world.lock(), "one that the boot obeys"), (device, "found a device")] {
        let before = fs::symlink_metadata(&path).unwrap().ino();
        let output = world.ballast(&["run", "--report", path.to_str().unwrap(), "--", "/bin/true"]);
        let is_there = fs::symlink_metadata(&path).is_ok_and(|now| now.ino() == before);
        if !output.status.success() || !stderr(&output).contains(says) || !is_there {
            wrong.push(format!("{}: {output:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[cfg(feature = "full")]
fn a_statement_is_made_only_of_what_this_boot_recorded() {
    if !is_root("a_statement_is_made_only_of_what_this_boot_recorded") {
        return;
    }
    let rows: [Change; 6] = [
        ("another serial", |w| rewrite_lock(w, "serial = 5", "serial = 99"), "was changed after this boot"),
        ("another license", |w| rewrite_lock(w, "need =", "license = \"MIT\"\nneed ="), "was changed after this boot"),
        ("a comment", |w| rewrite_lock(w, "serial", "# edited\nserial"), "was changed after this boot"),
        ("a report of an older version", |w| forge(w, "\"lock\"", "\"other\""), "an older Ballast wrote it"),
        ("a report without its time", |w| forge(w, "\"time\"", "\"other\""), "an older Ballast wrote it"),
        ("another time of the report's file", later, ""),
    ];
    let mut wrong = Vec::new();
    for (name, change, says) in rows {
        let world = World::new(&PAIR);
        rewrite_lock(&world, "version = 1", "version = 1\nserial = 5");
        assert!(world.run(&[]).status.success(), "{name}");
        let before = statement(&world, "in-toto");
        let made: serde_json::Value = serde_json::from_slice(&before.stdout).unwrap();
        assert_eq!(
            (&made["predicate"]["lockFile"]["serial"], &made["predicate"]["report"]["uid"]),
            (&5.into(), &0.into())
        );
        change(&world);
        let (after, ready) = (statement(&world, "in-toto"), status(&world, &[]).status.success());
        let is_refused = after.status.code() == Some(14) && after.stdout.is_empty() && stderr(&after).contains(says);
        if !ready || !(if says.is_empty() { after.stdout == before.stdout } else { is_refused }) {
            wrong.push(format!("{name}: ready {ready}, {after:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(feature = "full")]
fn later(world: &World) {
    let times = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    fs::File::open(world.report()).unwrap().set_times(times).unwrap();
}

#[test]
#[cfg(feature = "full")]
fn the_recorded_statement_is_valid_by_its_schema_and_the_bill_of_materials_by_cyclonedx_s() {
    let test = "the_recorded_statement_is_valid_by_its_schema";
    let Some(python) = testkit::need::python(test, &["cyclonedx-python-lib[json-validation]==11.12.0"]) else { return };
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/statement-schemas");
    let output = std::process::Command::new(python.join("bin/python")).arg(script).output().unwrap();
    assert!(output.status.success() && stdout(&output).contains("are valid"), "{output:?}");
}

#[test]
fn the_signer_of_a_model_is_in_the_report_and_must_be_the_lock_file_s() {
    if !is_root("the_signer_of_a_model_is_in_the_report") {
        return;
    }
    let world = World::new(&PAIR);
    let [signer, other, bundle] = ["signer", "other", "bundle"].map(|text| support::pin_of(text.as_bytes()));
    let lines = format!("{bundle} 9 w.bin\n");
    let files = support::pin_of(format!("signed {}", support::pin_of(lines.as_bytes())).as_bytes());
    let group = format!(
        "\n[[group]]\npath = \"signed\"\nneed = \"optional\"\nfiles = \"\"\"\n{lines}\"\"\"\nsigned = \"key {signer} {bundle} {files}\"\n"
    );
    fs::write(world.lock(), fs::read_to_string(world.lock()).unwrap() + &group).unwrap();
    assert!(world.run(&[]).status.success());
    let report = fs::read_to_string(world.report()).unwrap();
    assert!(report.contains(&format!("key {signer}")) && report.contains(&bundle), "{report}");
    assert!(status(&world, &[]).status.success());
    rewrite_lock(&world, &signer, &other);
    let found = status(&world, &[]);
    assert!(found.status.code() == Some(14) && stdout(&found).contains("differ in the signer of signed"), "{found:?}");
}
