//! Tests whole boots as real processes: every class of weight, mode and outcome; pins of the environment;
//! directories; ownership, receipts and the seal; the report and `status`.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use support::{PAIR, TREE, Weight, World, bytes_of, is_root, pin_of, stderr, stdout};

fn one(need: &'static str, baked: bool) -> [Weight; 2] {
    [
        Weight { name: "sure.bin", need: "required", size: 4096, baked: true },
        Weight { name: "w.bin", need, size: 9000, baked },
    ]
}

#[test]
fn each_class_in_each_mode_has_its_own_outcome() {
    if !is_root("each_class_in_each_mode_has_its_own_outcome") {
        return;
    }
    let mut wrong = Vec::new();
    for (need, baked, mode, code) in [
        ("required", true, "stop", 0),
        ("required", true, "start", 0),
        ("required", false, "stop", 14),
        ("required", false, "start", 0),
        ("degraded-ok", true, "stop", 0),
        ("degraded-ok", true, "start", 0),
        ("degraded-ok", false, "stop", 0),
        ("degraded-ok", false, "start", 0),
        ("optional", true, "stop", 0),
        ("optional", true, "start", 0),
        ("optional", false, "stop", 0),
        ("optional", false, "start", 0),
    ] {
        let world = World::new(&one(need, baked));
        let output = world.run(&["--on-failure", mode]);
        let started = stdout(&output).starts_with("started 100:101");
        let ready = world.reported()["ready"] == (need != "required" || baked);
        let reported = baked || stderr(&output).contains("w.bin");
        if output.status.code() != Some(code) || started != (code == 0) || !ready || !reported {
            wrong.push(format!("{need}, baked {baked}, --on-failure {mode}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pin_of_the_environment_that_differs_stops_in_both_modes_before_anything_is_done() {
    if !is_root("a_pin_of_the_environment_that_differs") {
        return;
    }
    let world = World::new(&PAIR);
    let right: Vec<String> = PAIR.iter().map(|weight| pin_of(&bytes_of(weight))).collect();
    let zeros = "0".repeat(64);
    let both = [("PIN_LARGE_BIN", right[0].as_str()), ("PIN_SMALL_BIN", right[1].as_str())];
    type Variables<'a> = Vec<(&'a str, &'a str)>;
    let rows: Vec<(&str, Variables, i32)> = vec![
        ("wrong", vec![("PIN_LARGE_BIN", &zeros)], 12),
        ("no digest", vec![("PIN_LARGE_BIN", "latest")], 12),
        ("required, one missing", vec![both[0], ("PINS_REQUIRED", "true")], 12),
        ("required, one empty", vec![both[0], ("PIN_SMALL_BIN", ""), ("PINS_REQUIRED", "yes")], 12),
        ("odd truth word", vec![("PINS_REQUIRED", "perhaps")], 12),
        ("required, all right", vec![both[0], both[1], ("PINS_REQUIRED", "1")], 0),
        ("not required", vec![("PINS_REQUIRED", "")], 0),
    ];
    let mut wrong = Vec::new();
    for (name, env, code) in rows {
        for mode in ["stop", "start"] {
            fs::remove_dir_all(world.cache()).unwrap();
            fs::create_dir(world.cache()).unwrap();
            let output = world.run_with(&["--on-failure", mode], &env);
            let touched = fs::read_dir(world.cache()).unwrap().count() != 0;
            if output.status.code() != Some(code) || touched != (code == 0) || output.stdout.is_empty() != (code != 0) {
                wrong.push(format!("{name}, {mode}: {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_lock_file_that_the_app_could_rewrite_is_not_obeyed_by_root() {
    if !is_root("a_lock_file_that_the_app_could_rewrite") {
        return;
    }
    let world = World::new(&PAIR);
    let mut wrong = Vec::new();
    for (name, uid, mode, parent) in
        [("its own", 100, 0o444, 0), ("writable by all", 0, 0o666, 0), ("in its directory", 0, 0o444, 100)]
    {
        chown(world.lock(), Some(uid), None).unwrap();
        fs::set_permissions(world.lock(), fs::Permissions::from_mode(mode)).unwrap();
        chown(world.dir.path(), Some(parent), None).unwrap();
        let output = world.run(&[]);
        if output.status.code() != Some(11) || !stderr(&output).contains("hint: ") {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_index_that_the_app_could_rewrite_is_left_aside_and_sha256_is_used() {
    if !is_root("an_index_that_the_app_could_rewrite") {
        return;
    }
    let world = World::new(&PAIR);
    let index = world.baked().join(".ballast/weights.index");
    assert!(world.run(&[]).status.success());
    chown(&index, Some(100), None).unwrap();
    let output = world.run(&[]);
    assert!(output.status.success() && stderr(&output).contains("index ignored, SHA-256 used"), "{output:?}");
    chown(&index, Some(0), None).unwrap();
    fs::set_permissions(&index, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(&index).unwrap();
    bytes[40] ^= 1;
    fs::write(&index, bytes).unwrap();
    let output = world.run(&[]);
    assert!(output.status.success() && stderr(&output).contains("its checksum differs"), "{output:?}");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    if !is_root("a_dry_run") {
        return;
    }
    let world = World::new(&PAIR);
    let before = fs::metadata(world.cache()).unwrap().uid();
    let output = world.ballast(&["heal", "--dry-run"]);
    assert!(output.status.success() && stderr(&output).contains("would be healed"), "{output:?}");
    assert_eq!(fs::read_dir(world.cache()).unwrap().count(), 0);
    assert_eq!(fs::metadata(world.cache()).unwrap().uid(), before);
}

#[test]
fn directories_are_made_or_pointed_elsewhere_or_named() {
    if !is_root("directories_are_made") {
        return;
    }
    let scratch = testkit::ground::folder("scratch");
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let open = scratch.path().join("made");
    let other = scratch.path().join("fallback");
    let dir = |path: &str, fallback: Option<&str>| {
        let fallback = fallback.map(|path| format!("fallback = \"{path}\"\n")).unwrap_or_default();
        format!("[[dir]]\npath = \"{path}\"\nenv = \"CACHE_DIR\"\n{fallback}")
    };
    let rows = [
        ("made", dir(open.to_str().unwrap(), None), 0, open.to_str().unwrap()),
        ("pointed elsewhere", dir("/opt/never/there", other.to_str()), 0, other.to_str().unwrap()),
        ("named", dir("/opt/never/there", None), 15, ""),
    ];
    let mut wrong = Vec::new();
    for (name, lines, code, place) in rows {
        let world = World::with(&PAIR, &lines);
        let args = ["run", "--", "/bin/sh", "-c", "touch $CACHE_DIR/x && echo $CACHE_DIR"];
        let output = world.ballast(&args);
        if output.status.code() != Some(code) || stdout(&output) != place {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sticky_weights_can_be_read_by_the_app_and_neither_changed_nor_moved() {
    if !is_root("sticky_weights") {
        return;
    }
    let world = World::new(&PAIR);
    let report = world.report();
    let attack = "cd $MODEL_HOME/.deepface/weights && cat large.bin > /dev/null || exit 9; \
        echo x >> large.bin; chmod u+w large.bin; rm -f large.bin; mv large.bin y; \
        mv ../weights ../w2; mv ../../.deepface ../../d2; ln -f small.bin large.bin; \
        touch own.txt && rm own.txt && echo unharmed";
    let args = ["run", "--hold", "sticky", "--report", report.to_str().unwrap(), "--", "/bin/sh", "-c", attack];
    let output = world.ballast(&args);
    assert_eq!(stdout(&output), "unharmed", "{output:?}");
    assert!(world.all_right(&world.cache(), &PAIR));
    assert_eq!(world.reported()["weights"][0]["firmness"], "sticky");
    for path in ["", ".deepface", TREE] {
        let meta = fs::metadata(world.cache().join(path)).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (0, 101, 0o1775), "{path}");
    }
}

#[test]
fn sticky_never_blesses_what_it_did_not_make() {
    if !is_root("sticky_never_blesses") {
        return;
    }
    let world = World::new(&PAIR);
    assert!(world.run(&[]).status.success());
    let inode = fs::metadata(world.cache().join(TREE).join("large.bin")).unwrap().ino();
    let output = world.run(&["--hold", "sticky"]);
    assert!(output.status.success(), "{output:?}");
    let meta = fs::metadata(world.cache().join(TREE).join("large.bin")).unwrap();
    assert_ne!(meta.ino(), inode, "the app may still have the old inode open");
    assert_eq!((meta.uid(), meta.mode() & 0o7777), (0, 0o444));
    assert!(world.all_right(&world.cache(), &PAIR));
}

#[test]
fn receipts_shorten_a_boot_only_where_nothing_could_have_changed() {
    if !is_root("receipts_shorten_a_boot") {
        return;
    }
    let world = World::new(&PAIR);
    let keep = ["--hold", "sticky", "--trust", "receipt"];
    let found = |world: &World| world.reported()["weights"][0]["found"].as_str().unwrap().to_owned();
    assert!(world.run(&keep).status.success());
    let weight = world.cache().join(TREE).join("large.bin");
    wait_until_settled(&weight);
    assert!(world.run(&keep).status.success());
    assert_eq!(found(&world), "right", "the first boot's file was too young for a receipt");
    assert!(world.run(&keep).status.success());
    assert_eq!(found(&world), "vouched");
    fs::write(&weight, vec![0; fs::metadata(&weight).unwrap().len() as usize]).unwrap();
    assert!(world.run(&keep).status.success());
    assert!(found(&world).starts_with("damaged"), "{}", found(&world));
    assert!(world.all_right(&world.cache(), &PAIR));
    let loose = world.run(&["--trust", "receipt", "--receipts", world.path("receipts/r.json").to_str().unwrap()]);
    assert!(loose.status.success());
    assert_eq!(found(&world), "right", "root's own file in mode sticky, but another file's receipt");
    let receipts = world.cache().join(".ballast/receipts.json");
    chown(receipts.parent().unwrap(), Some(100), None).unwrap();
    let output = world.run(&keep);
    assert!(stderr(&output).contains("every byte was verified"), "{output:?}");
    assert_eq!(found(&world), "right");
}

#[test]
fn an_index_is_judged_only_where_receipts_do_not_speak_for_every_weight() {
    if !is_root("an_index_is_judged") {
        return;
    }
    let world = World::new(&PAIR);
    let keep = ["--hold", "sticky", "--trust", "receipt"];
    let found = |world: &World| world.reported()["weights"][0]["found"].as_str().unwrap().to_owned();
    assert!(world.run(&keep).status.success());
    let weight = world.cache().join(TREE).join("large.bin");
    let index = world.baked().join(".ballast/weights.index");
    let right = fs::read(&index).unwrap();
    let rows = [
        ("a cut index, receipts", &right[..9], false, "vouched", false),
        ("a cut index, damage", &right[..9], true, "damaged: other bytes", true),
        ("the index, damage", &right[..], true, "damaged: 1 wrong chunk", false),
    ];
    let mut wrong = Vec::new();
    for (row, bytes, damage, wanted, aside) in rows {
        fs::write(&index, &right).unwrap();
        wait_until_settled(&weight);
        assert!(world.run(&keep).status.success());
        fs::write(&index, bytes).unwrap();
        if damage {
            let file = fs::File::options().write(true).open(&weight).unwrap();
            file.write_all_at(b"another", 1_500_000).unwrap();
        }
        let output = world.run(&keep);
        let reported = stderr(&output).contains("index ignored");
        if (found(&world).as_str(), reported) != (wanted, aside) || !world.all_right(&world.cache(), &PAIR) {
            wrong.push(format!("{row}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Waits until the inode is older than two seconds: a receipt is refused before that.
fn wait_until_settled(path: &std::path::Path) {
    let settled = |meta: fs::Metadata| {
        let changed = std::time::UNIX_EPOCH + std::time::Duration::new(meta.ctime() as u64, meta.ctime_nsec() as u32);
        changed.elapsed().is_ok_and(|age| age > std::time::Duration::from_millis(2050))
    };
    while !settled(fs::metadata(path).unwrap()) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn the_seal_keeps_the_owner_from_its_own_weight_and_from_nothing_else() {
    if !is_root("the_seal") {
        return;
    }
    let world = World::new(&PAIR);
    let attack = "cd $MODEL_HOME/.deepface/weights && cat large.bin > /dev/null || exit 9; chmod u+w large.bin; \
        echo x >> large.bin; truncate -s 1 large.bin; rm -f large.bin; \
        echo > /dev/null && touch /tmp/sealed-$$ && rm /tmp/sealed-$$ && echo unharmed";
    let nowhere = world.path("nowhere");
    fs::write(&nowhere, "a file where the cache should be").unwrap();
    let report = world.report();
    let (report, nowhere) = (report.to_str().unwrap(), nowhere.to_str().unwrap());
    let tail = ["--store", nowhere, "--report", report, "--", "/bin/sh", "-c", attack];
    let sealed = world.ballast(&[&["run", "--no-new-privs", "--seal", "require"][..], &tail].concat());
    assert_eq!(stdout(&sealed), "unharmed", "{sealed:?}");
    assert_eq!(world.reported()["weights"][0]["firmness"], "landlock");
    assert!(world.all_right(&world.baked(), &PAIR));
    let refused = world.ballast(&[&["run", "--seal", "require"][..], &tail].concat());
    assert_eq!(refused.status.code(), Some(16), "{refused:?}");
    assert!(stderr(&refused).contains("no_new_privs"));
    let auto = world.ballast(&["run", "--no-new-privs", "--", "/bin/true"]);
    assert!(stderr(&auto).contains("no seal: uid 100 can write"), "{auto:?}");
}

type Change = fn(&World, &Path);

#[test]
fn status_is_not_ready_once_a_file_that_the_app_reads_has_changed() {
    if !is_root("status_is_not_ready_once") {
        return;
    }
    let rows: [(&str, Change, bool); 7] = [
        ("nothing", |_, _| (), true),
        (
            "another byte, at once",
            |_, path| fs::File::options().write(true).open(path).unwrap().write_all_at(b"E", 7).unwrap(),
            false,
        ),
        ("removed", |_, path| fs::remove_file(path).unwrap(), false),
        (
            "replaced by the same bytes",
            |_, path| {
                fs::copy(path, path.with_extension("new")).unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            },
            false,
        ),
        (
            "a symlink to the layer",
            |world, path| {
                fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink(world.baked().join(TREE).join("large.bin"), path).unwrap();
            },
            false,
        ),
        ("the layer, which the app does not read", |world, _| fs::remove_dir_all(world.baked()).unwrap(), true),
        ("the cache's directory, moved", |world, _| fs::rename(world.cache(), world.path("elsewhere")).unwrap(), false),
    ];
    let mut wrong = Vec::new();
    for (name, change, ready) in rows {
        let world = World::new(&PAIR);
        assert!(world.run(&[]).status.success());
        change(&world, &world.cache().join(TREE).join("large.bin"));
        let output = world.ballast(&["status", "--report", world.report().to_str().unwrap()]);
        if output.status.code() != Some(if ready { 0 } else { 14 }) {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn verify_tells_owner_mode_and_digest_and_fails_on_one_wrong_byte() {
    if !is_root("verify_tells") {
        return;
    }
    let world = World::new(&PAIR);
    assert!(world.run(&[]).status.success());
    let cache = world.cache();
    let output = world.ballast(&["verify", "--long", cache.to_str().unwrap()]);
    let pin = pin_of(&bytes_of(&PAIR[0]));
    assert!(
        output.status.success() && stdout(&output).contains(&format!("ok     100:101   0644  {pin}")),
        "{output:?}"
    );
    let weight = cache.join(TREE).join("small.bin");
    let mut bytes = fs::read(&weight).unwrap();
    bytes[17] ^= 1;
    fs::write(&weight, bytes).unwrap();
    let damaged = pin_of(&fs::read(cache.join(TREE).join("small.bin")).unwrap());
    let long = stdout(&world.ballast(&["verify", "--long", cache.to_str().unwrap()]));
    let lines = format!("       expected {}\n       found    {damaged}", pin_of(&bytes_of(&PAIR[1])));
    assert!(long.contains(&lines), "{long}");
    let output = world.ballast(&["verify", "--json", cache.to_str().unwrap()]);
    let reported: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &reported["ready"]), (Some(14), &serde_json::Value::Bool(false)), "{output:?}");
}

#[test]
fn a_layer_is_baked_the_same_way_twice() {
    let world = World::new(&PAIR);
    let again = world.path("again");
    let source = world.path("source");
    let output = world.ballast(&["bake", "--from", source.to_str().unwrap(), again.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let listing = |root: std::path::PathBuf| {
        let lines = std::process::Command::new("find")
            .args([".", "-printf", "%p %m %U:%G %s %T@\n"])
            .current_dir(root)
            .output()
            .unwrap();
        let mut lines: Vec<_> = stdout(&lines).lines().filter(|l| !l.contains(" d ")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(listing(world.baked()), listing(again));
}

#[test]
fn a_mirror_directory_gives_the_chunk_that_cache_and_layer_have_wrong() {
    if !is_root("a_mirror_directory_gives_the_chunk") {
        return;
    }
    let world = World::new(&PAIR);
    assert!(world.run(&[]).status.success());
    for root in [world.cache(), world.baked()] {
        let weight = root.join(TREE).join("large.bin");
        let mut bytes = fs::read(&weight).unwrap();
        bytes[1_500_000] ^= 1;
        fs::set_permissions(&weight, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&weight, bytes).unwrap();
    }
    let without = world.run(&[]);
    assert_eq!(without.status.code(), Some(14), "{without:?}");
    assert!(!world.cache().join(TREE).join("large.bin").exists(), "absent is honest");
    let output = world.run(&["--mirror", world.path("source").to_str().unwrap()]);
    assert!(output.status.success() && world.all_right(&world.cache(), &PAIR), "{output:?}");
}

#[test]
fn the_termination_log_has_why_a_boot_failed_or_what_heal_did_and_is_the_commands_after_a_start() {
    let right = [Weight { name: "w.bin", need: "required", size: 9000, baked: true }];
    let absent = [Weight { baked: false, ..right[0] }];
    let mut wrong = Vec::new();
    for (name, weights, args, expected) in [
        ("healed", &right, &["heal"][..], "1 of 1 right in "),
        ("not healed", &absent, &["heal"], "error: a required weight is missing or wrong"),
        ("a dry run", &absent, &["heal", "--dry-run"], "before"),
        ("started", &right, &["run", "--", "/bin/true"], "before"),
        ("started all the same", &absent, &["run", "--on-failure", "start", "--", "/bin/true"], "before"),
        ("not started", &absent, &["run", "--", "/bin/true"], "error: a required weight is missing or wrong"),
        ("no command", &right, &["run", "--", "/absent"], "error: "),
        ("a wrong pin", &right, &["heal"], "error: a pin in the environment"),
    ] {
        let world = World::new(weights);
        let log = world.path("termination-log");
        fs::write(&log, "before").unwrap();
        fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).unwrap();
        let pin = if name == "a wrong pin" { "0".repeat(64) } else { String::new() };
        let output = world.command(args).env("PIN_W_BIN", pin).env("BALLAST_TERMINATION_LOG", &log).output().unwrap();
        let found = fs::read_to_string(&log).unwrap();
        let whole = !found.starts_with("error: ") || stderr(&output).ends_with(&found);
        if !found.starts_with(expected) || !whole {
            wrong.push(format!("{name}: expected {expected}, found {found}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
