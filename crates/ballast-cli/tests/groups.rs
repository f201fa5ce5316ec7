//! Tests a sharded model or a folder as one entry: `adopt` writes it, reports have one line for it, and each
//! of its files is verified.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Output;

use support::{World, pin_of, stderr, stdout};

const SHARDS: usize = 121;
const SNAPSHOT: &str = "hub/models--org--big/snapshots/0123456789abcdef0123456789abcdef01234567";

/// Creates a hub cache of many shards, a lock file from `adopt`, and the layer baked from it.
fn sharded() -> World {
    let world = World::new(&support::PAIR);
    fs::remove_file(world.lock()).unwrap();
    fs::remove_dir_all(world.baked()).unwrap();
    let (snapshot, blobs) = (world.path("home").join(SNAPSHOT), world.path("home/hub/models--org--big/blobs"));
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(&blobs).unwrap();
    for at in 0..SHARDS {
        let bytes = format!("shard {at}");
        let pin = pin_of(bytes.as_bytes());
        fs::write(blobs.join(&pin), bytes).unwrap();
        symlink(format!("../../blobs/{pin}"), snapshot.join(format!("shard {at:03}.bin"))).unwrap();
    }
    adopt(&world, "home", &["--store", world.cache().to_str().unwrap()]);
    let text = fs::read_to_string(world.lock()).unwrap();
    let (store, more) = (format!("path = \"{}\"\n", world.cache().display()), world.baked());
    let more = format!("{store}baked = \"{}\"\n", more.display());
    fs::write(world.lock(), text.replace(&store, &more)).unwrap();
    let home = world.path("home");
    let baked = world.ballast(&["bake", "--from", home.to_str().unwrap(), world.baked().to_str().unwrap()]);
    assert!(baked.status.success(), "{}", stderr(&baked));
    world
}

fn adopt(world: &World, dir: &str, more: &[&str]) {
    let dir = world.path(dir);
    let mut args = vec!["adopt", dir.to_str().unwrap()];
    args.extend(more);
    let adopted = world.ballast(&args);
    assert!(adopted.status.success(), "{}", stderr(&adopted));
}

fn shard(world: &World, at: usize) -> PathBuf {
    world.cache().join(SNAPSHOT).join(format!("shard {at:03}.bin"))
}

fn boot(world: &World) -> Output {
    world.ballast(&["run", "--report", world.report().to_str().unwrap(), "--", "/bin/true"])
}

fn status(world: &World) -> Output {
    world.ballast(&["status", "--report", world.report().to_str().unwrap()])
}

#[test]
fn a_hub_s_snapshot_of_many_shards_is_one_entry_and_one_line() {
    let world = sharded();
    let text = fs::read_to_string(world.lock()).unwrap();
    let base = "https://huggingface.co/org/big/resolve/0123456789abcdef0123456789abcdef01234567/";
    assert!(text.contains("[[group]]") && !text.contains("[[weight]]") && text.contains(base), "{text}");
    let first = boot(&world);
    assert!(first.status.success(), "{}", stderr(&first));
    let (again, healthy) = (boot(&world), format!("{SNAPSHOT}/  121 of 121 files right, 121 kept"));
    let said = stderr(&again);
    assert!(said.contains(&healthy) && said.lines().count() < 10, "{said}");
    let report = world.reported();
    assert_eq!((report["weights"].as_array().unwrap().len(), report["groups"][0]["right"].as_u64()), (0, Some(121)));
    assert!(status(&world).status.success(), "{}", stdout(&status(&world)));
    let verified = world.ballast(&["verify", world.cache().to_str().unwrap()]);
    let lines = stdout(&verified);
    assert!(lines.contains("121 of 121 files right") && lines.lines().count() == 1, "{lines}");
}

#[test]
fn shards_that_are_wrong_are_named_and_mended_and_no_others() {
    let world = sharded();
    assert!(boot(&world).status.success());
    fs::remove_file(shard(&world, 7)).unwrap();
    fs::write(shard(&world, 8), "other bytes").unwrap();
    let (verified, probed) = (world.ballast(&["verify", world.cache().to_str().unwrap()]), status(&world));
    let foreseen = world.ballast(&["heal", "--dry-run"]);
    let healed = boot(&world);
    let mut wrong = Vec::new();
    for (name, output, code, words) in [
        ("verify", &verified, 14, "119 of 121 files right"),
        ("dry run", &foreseen, 0, "119 of 121 files right, 119 kept"),
        ("boot", &healed, 0, "121 of 121 files right, 119 kept"),
    ] {
        let said = stdout(output) + &stderr(output);
        let names = [7, 8].iter().all(|at| said.contains(&format!("shard {at:03}.bin")));
        if output.status.code() != Some(code) || !said.contains(words) || !names || said.contains("shard 009") {
            wrong.push(format!("{name}: expected {code} and {words}, found {:?}\n{said}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(probed.status.code(), Some(14), "{}", stdout(&probed));
    assert!(status(&world).status.success(), "{}", stdout(&status(&world)));
    assert_eq!(fs::read(shard(&world, 8)).unwrap(), b"shard 8");
}

#[test]
fn a_required_shard_that_no_origin_has_ends_the_boot_by_name() {
    let world = sharded();
    fs::remove_file(world.baked().join(SNAPSHOT).join("shard 003.bin")).unwrap();
    let boot = boot(&world);
    let said = stderr(&boot);
    assert!(boot.status.code() == Some(14) && said.contains("shard 003.bin"), "{said}");
    let report = world.reported();
    assert_eq!((report["groups"][0]["right"].as_u64(), report["groups"][0]["stamp"].is_null()), (Some(120), true));
    assert_eq!(report["weights"].as_array().unwrap().len(), 1, "{report}");
}

#[test]
fn a_file_of_a_group_keeps_its_digest_when_the_cache_is_adopted_again() {
    let world = sharded();
    let before = fs::read_to_string(world.lock()).unwrap();
    adopt(&world, "home", &[]);
    assert_eq!(before, fs::read_to_string(world.lock()).unwrap());
    let name = world.path("home").join(SNAPSHOT).join("shard 003.bin");
    fs::remove_file(&name).unwrap();
    fs::write(&name, "other bytes").unwrap();
    let adopted = world.ballast(&["adopt", world.path("home").to_str().unwrap()]);
    assert!(adopted.status.code() == Some(12) && stderr(&adopted).contains("shard 003.bin"), "{}", stderr(&adopted));
}

#[test]
fn a_group_s_files_are_fetched_from_its_one_source() {
    let world = sharded();
    let base = "https://huggingface.co/org/big/resolve/0123456789abcdef0123456789abcdef01234567/";
    let text = fs::read_to_string(world.lock()).unwrap();
    let folder = format!("{}/", world.path("home").join(SNAPSHOT).display());
    fs::write(world.lock(), text.replace(base, &folder)).unwrap();
    let into = world.path("mirror");
    let fetched = world.ballast(&["fetch", "--into", into.to_str().unwrap()]);
    assert!(fetched.status.success(), "{}", stderr(&fetched));
    assert_eq!(fs::read(into.join(SNAPSHOT).join("shard 120.bin")).unwrap(), b"shard 120");
    fs::remove_dir_all(world.path("home")).unwrap();
    fs::remove_dir_all(&into).unwrap();
    let failed = world.ballast(&["fetch", "--into", into.to_str().unwrap()]);
    let said = stderr(&failed);
    let named = said.matches("not-found").count();
    assert!(failed.status.code() == Some(17) && said.contains("and 21 more") && named <= 250, "{named} {said}");
}

#[test]
fn many_files_are_in_a_list_beside_the_lock_file_which_counts_only_as_it_was_pinned() {
    let world = World::new(&support::PAIR);
    fs::remove_file(world.lock()).unwrap();
    let folder = world.path("files");
    fs::create_dir(&folder).unwrap();
    (0..2100).for_each(|at| fs::write(folder.join(format!("f{at}.bin")), format!("file {at}")).unwrap());
    adopt(&world, "files", &[]);
    let text = fs::read_to_string(world.lock()).unwrap();
    let name = text.split('"').find(|word| word.ends_with(".list")).unwrap();
    let list = world.path(name);
    let verify = || world.ballast(&["verify", folder.to_str().unwrap()]);
    assert!(stdout(&verify()).contains("2100 of 2100 files right"), "{text}\n{}", stderr(&verify()));
    // The image contains the list too, and a first trust in the image copies the list.
    let archive = world.path("weights.tar");
    let exported = world.ballast(&["export", "--from", folder.to_str().unwrap(), archive.to_str().unwrap()]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    let other = world.path("other");
    fs::create_dir(&other).unwrap();
    let into = other.join("mirror");
    let mut import = world.command(&["import", "--first-trust", "--into", into.to_str().unwrap()]);
    let lock = other.join("weights.lock");
    let imported = import.arg(&archive).env("BALLAST_LOCK", &lock).current_dir(&other).output().unwrap();
    assert!(imported.status.success(), "{}", stderr(&imported));
    assert_eq!(fs::read(into.join("f2099.bin")).unwrap(), b"file 2099");
    assert_eq!(fs::read(other.join(name)).unwrap(), fs::read(&list).unwrap());
    // Another list, no list, and a list that is no file.
    let bytes = fs::read_to_string(&list).unwrap();
    fs::write(&list, bytes.replacen("f7.bin", "f8.bin", 1)).unwrap();
    let changed = verify();
    fs::remove_file(&list).unwrap();
    let gone = verify();
    symlink("/etc/passwd", &list).unwrap();
    let linked = verify();
    let rows = [("changed", changed, "is another list"), ("gone", gone, name), ("linked", linked, "a symlink")];
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(_, found, words)| found.status.code() != Some(10) || !stderr(found).contains(words))
        .map(|(name, found, _)| format!("{name}: {:?} {}", found.status.code(), stderr(found)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refreshed_group_has_the_present_files_keeps_its_keys_and_stays_the_only_one_at_its_path() {
    let world = support::scratch::Scratch::new("groups");
    let put = |from: usize, to: usize, word: &str| {
        (from..to).for_each(|at| drop(world.put(&format!("c/f{at:02}.bin"), format!("{word} {at}").as_bytes())));
    };
    let adopt = |more: &[&str]| world.ballast(&[&["adopt", "--lock", "w.lock"], more, &["c"]].concat());
    let text = || fs::read_to_string(world.path("w.lock")).unwrap();
    put(0, 30, "file");
    assert!(adopt(&[]).status.success());
    let keys = "license = \"MIT\"\nneed = \"optional\"\nsources = [\"/srv/up/\"] # kept\n";
    let sources = text().lines().find(|line| line.starts_with("sources")).unwrap().to_owned();
    fs::write(world.path("w.lock"), text().replace(&format!("{sources}\n"), keys)).unwrap();
    // More files of the same folder belong to its group.
    put(30, 60, "file");
    assert!(adopt(&[]).status.success());
    let one_group = || text().matches("[[group]]").count() == 1 && !text().contains("[[weight]]");
    assert!(one_group() && text().contains(keys), "{}", text());
    put(7, 8, "changed");
    fs::remove_file(world.path("c/f08.bin")).unwrap();
    let before = text();
    for args in [&["adopt", "--lock", "w.lock", "c"][..], &["pin", "--lock", "w.lock", "--refresh", "f07.bin"]] {
        let refused = world.ballast(args);
        let hinted = stderr(&refused).contains("`ballast adopt --refresh DIR`");
        assert!(matches!(refused.status.code(), Some(2 | 12)) && hinted && text() == before, "{refused:?}");
    }
    let refreshed = adopt(&["--refresh"]);
    let said = stdout(&refreshed);
    let (was, now) = (pin_of(b"file 7"), pin_of(b"changed 7"));
    assert!(refreshed.status.success() && said.contains(&format!("before {was}\n  now    {now}")), "{refreshed:?}");
    assert!(said.contains("no longer in its group: f08.bin"), "{said}");
    let verified = world.ballast(&["verify", "--lock", "w.lock", "c"]);
    assert!(one_group() && text().contains(keys) && stdout(&verified).contains("59 of 59 files right"), "{verified:?}");
    // A file that contradicts itself takes no part, so the group would lose it.
    world.put("c/f09.bin", b"<!doctype html><p>Sign in");
    let before = text();
    let refused = adopt(&["--refresh"]);
    assert!(refused.status.code() == Some(14) && text() == before, "{refused:?}");
}
