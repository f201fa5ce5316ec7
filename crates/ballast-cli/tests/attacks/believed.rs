//! Attacks on what a boot trusts or writes: receipts, indexes, lock files, reports.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use crate::scene::{APP, Scene, everywhere, set_acl};
use crate::support::{PAIR, TREE, bytes_of, is_root, pin_of, stderr, stdout};

#[test]
fn attack_11_a_forged_receipt_vouches_for_nothing() {
    everywhere("attack_11", |hold| {
        let scene = Scene::new();
        let mut wrong_bytes = bytes_of(&PAIR[0]);
        wrong_bytes[5] ^= 1;
        fs::write(scene.dirs(), &wrong_bytes).unwrap();
        let meta = fs::metadata(scene.target()).unwrap();
        let reported: serde_json::Value = serde_json::json!({
            "version": format!("ballast-receipts-1/{}", env!("CARGO_PKG_VERSION")),
            "entries": [{
                "pin": pin_of(&bytes_of(&PAIR[0])), "device": meta.dev(), "inode": meta.ino(),
                "size": meta.size(), "mtime_ns": meta.mtime() * 1_000_000_000 + meta.mtime_nsec(),
                "ctime_ns": meta.ctime() * 1_000_000_000 + meta.ctime_nsec(),
            }],
        });
        fs::create_dir(scene.world.cache().join(".ballast")).unwrap();
        let receipts = scene.world.cache().join(".ballast/receipts.json");
        fs::write(&receipts, reported.to_string()).unwrap();
        scene.give_all();
        let output = scene.boot(hold, &["--trust", "receipt", "--receipts", receipts.to_str().unwrap()]);
        let mut wrong = scene.judge(&output);
        let found = scene.world.reported()["weights"][0]["found"].as_str().unwrap().to_owned();
        if found == "vouched" {
            wrong.push(format!("the forged receipt was believed: {found}"));
        }
        wrong
    });
}

#[test]
fn attack_11b_a_lock_file_or_index_that_an_access_list_opens_is_not_believed() {
    if !is_root("attack_11b") {
        return;
    }
    let scene = Scene::new();
    let index = scene.world.baked().join(".ballast/weights.index");
    set_acl(&index, "system.posix_acl_access", 6, 4);
    let output = scene.boot("owned", &[]);
    assert!(stderr(&output).contains("index ignored"), "{output:?}");
    assert_eq!(scene.judge(&output), Vec::<String>::new());
    set_acl(&scene.world.lock(), "system.posix_acl_access", 6, 4);
    let output = scene.boot("owned", &[]);
    assert_eq!(output.status.code(), Some(11), "{output:?}");
}

#[test]
fn a_weight_that_an_access_list_opens_is_not_called_firm() {
    if !is_root("a_weight_that_an_access_list_opens") {
        return;
    }
    let scene = Scene::new();
    for weight in &PAIR {
        chown(scene.world.baked().join(TREE).join(weight.name), Some(0), Some(0)).unwrap();
    }
    set_acl(&scene.world.baked().join(TREE).join("large.bin"), "system.posix_acl_access", 6, 4);
    let nowhere = scene.world.path("nowhere");
    fs::write(&nowhere, b"no directory").unwrap();
    let output = scene.boot("owned", &["--store", nowhere.to_str().unwrap(), "--seal", "off"]);
    let reported = scene.world.reported();
    let protection = |at: usize| reported["weights"][at]["firmness"].clone();
    assert_eq!((protection(0), protection(1)), ("owned".into(), "image-layer".into()), "{output:?}");
}

#[test]
fn attack_16_an_odd_lock_file_is_refused_before_anything_is_touched() {
    if !is_root("attack_16") {
        return;
    }
    let scene = Scene::new();
    let text = fs::read_to_string(scene.world.lock()).unwrap();
    let pin = pin_of(&bytes_of(&PAIR[0]));
    let name = format!("{TREE}/large.bin");
    let mut wrong = Vec::new();
    for (what, from, to) in [
        ("parent", name.as_str(), "../outside/etc/passwd"),
        ("parent within", name.as_str(), "a/../../outside/etc/passwd"),
        ("absolute", name.as_str(), "/etc/passwd"),
        ("dot", name.as_str(), "./large.bin"),
        ("empty part", name.as_str(), "a//large.bin"),
        ("control character", name.as_str(), "a\\nb"),
        ("short digest", pin.as_str(), "abcd"),
        ("digest of letters", pin.as_str(), &"g".repeat(64)),
        ("digest with a path", pin.as_str(), &format!("../{}", &pin[3..])),
        ("loader variable", "MODEL_HOME", "LD_PRELOAD"),
    ] {
        fs::write(scene.world.lock(), text.replace(from, to)).unwrap();
        let output = scene.boot("owned", &[]);
        if output.status.code() != Some(10) || fs::read_dir(scene.world.cache()).unwrap().count() != 0 {
            wrong.push(format!("{what}: {output:?}"));
        }
    }
    wrong.extend(scene.canary.changes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_report_through_the_apps_symlink_is_not_written_by_root() {
    everywhere("a_report_through_the_apps_symlink", |hold| {
        let scene = Scene::new();
        let logs = scene.world.path("logs");
        fs::create_dir(&logs).unwrap();
        chown(&logs, Some(APP), Some(101)).unwrap();
        symlink(scene.outside("etc"), logs.join("ballast")).unwrap();
        let report = logs.join("ballast/passwd");
        let args = ["run", "--hold", hold, "--report", report.to_str().unwrap(), "--", "/bin/sh", "-c", "echo started"];
        let output = scene.world.ballast(&args);
        let mut wrong = scene.canary.changes();
        if stdout(&output) != "started" || !stderr(&output).contains("report: ") {
            wrong.push(format!("{output:?}"));
        }
        wrong
    });
}
