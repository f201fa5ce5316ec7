//! Kills the process before every call of a heal, for every starting entry and every way of
//! staging. The weight's name is always absent, right, or unchanged; the next heal repairs it and
//! leaves only the quarantined copy.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::Ordering;

use ballast::disk::Staging;
use ballast::heal::{Options, Outcome, heal};
use ballast::install::Origin;
use ballast::lock::Lock;
use ballast::store::{ExpectedWeight, Strictness};
use support::lying::{Call, CrashAt, End, Killed, Lying, Refuses};
use support::model::{Cut, ModelDisk};
use support::{ENTRIES, NAME, World, aside, options, pattern, pin_of};

/// Two chunks: the second is a stump.
const SIZE: usize = (1 << 20) + 5;

/// Heals with a disk that kills the process at a call; returns the number of calls until then.
fn heal_until(world: &World, staging: Staging, indexed: bool, crash: CrashAt) -> usize {
    let disk = Lying { disk: world.disk("cache").with_staging(staging), lie: crash };
    // With one thread the calls come in one order.
    let one = options(1);
    let healed = catch_unwind(AssertUnwindSafe(|| world.heal_from(&disk, &world.disk("baked"), indexed, &one)));
    if let Err(cause) = healed
        && !cause.is::<Killed>()
    {
        resume_unwind(cause);
    }
    disk.lie.count.load(Ordering::Relaxed)
}

/// The identity and content of whatever is under the weight's name.
fn entry(world: &World) -> Option<(u64, u64, Option<Vec<u8>>)> {
    let meta = fs::symlink_metadata(world.target()).ok()?;
    let content = meta.is_file().then(|| fs::read(world.target()).ok()).flatten();
    Some((meta.dev(), meta.ino(), content))
}

fn crash_everywhere(staging: Staging, indexed: bool, end: End) {
    let mut wrong = Vec::new();
    let mut crashes = 0;
    for (name, plant) in ENTRIES {
        let counted = World::new(SIZE);
        plant(&counted, &counted.target());
        let calls = heal_until(&counted, staging, indexed, CrashAt::never());
        assert!(calls > 10 && counted.is_right(), "{name}: {calls} calls");
        for at in 0..=calls {
            let world = World::new(SIZE);
            plant(&world, &world.target());
            let before = entry(&world);
            heal_until(&world, staging, indexed, CrashAt::new(at, end));
            crashes += 1;
            let after = entry(&world);
            if after.is_some() && after != before && !world.is_right() {
                wrong.push(format!("{name}, crash before call {at}: a wrong file is visible"));
            }
            let outcome = world.heal_with(staging, indexed);
            if !outcome.is_right() || !world.is_right() || !world.litter().is_empty() {
                wrong.push(format!("{name}, crash before call {at}: then {outcome:?}, left {:?}", world.litter()));
            }
        }
    }
    assert!(wrong.is_empty(), "{staging:?}, indexed {indexed}, {end:?}\n{}", wrong.join("\n"));
    assert!(crashes > 500, "only {crashes} crashes");
}

#[test]
fn killed_before_every_call_with_unnamed_staging() {
    crash_everywhere(Staging::TmpfileEmptyPath, true, End::Killed);
    crash_everywhere(Staging::TmpfileEmptyPath, false, End::Killed);
}

#[test]
fn killed_before_every_call_with_staging_by_proc() {
    crash_everywhere(Staging::TmpfileProc, true, End::Killed);
}

#[test]
fn killed_before_every_call_with_named_staging() {
    crash_everywhere(Staging::Named, true, End::Killed);
    crash_everywhere(Staging::Named, false, End::Killed);
}

#[test]
fn a_disk_that_dies_at_every_call_shows_nothing_wrong() {
    crash_everywhere(Staging::TmpfileEmptyPath, true, End::DiskDied);
    crash_everywhere(Staging::Named, false, End::DiskDied);
}

/// If no source can repair the entry, a kill at any call leaves it or removes it, and never changes it.
#[test]
fn killed_before_every_call_without_a_source() {
    let mut wrong = Vec::new();
    for (name, plant) in ENTRIES {
        let make = || {
            let world = World::new(SIZE);
            plant(&world, &world.target());
            fs::write(world.dir.path().join("baked").join(NAME), b"spoiled").expect("spoil");
            world
        };
        let calls = heal_until(&make(), Staging::Named, true, CrashAt::never());
        for at in 0..=calls {
            let world = make();
            let before = entry(&world);
            heal_until(&world, Staging::Named, true, CrashAt::new(at, End::Killed));
            let after = entry(&world);
            if after.is_some() && after != before && !world.is_right() {
                wrong.push(format!("{name}, crash before call {at}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const FORMER: &[u8] = b"what was there before";

/// Cuts the power before every call, which loses all data that was not synced.
#[test]
fn a_power_cut_before_every_call_leaves_old_new_or_none() {
    let right = pattern(SIZE);
    let world = World::of(right.clone());
    let mut wrong = Vec::new();
    let starts: [(&str, Option<&[u8]>); 3] =
        [("missing", None), ("damaged", Some(FORMER)), ("flipped", Some(&right[1..]))];
    for (name, start) in starts {
        for indexed in [true, false] {
            for cut in [Cut::TakesAll, Cut::LeavesNames] {
                let mut at = 0;
                loop {
                    let (disk, baked) = models(start, &right);
                    let disk = Lying { disk, lie: CrashAt::new(at, End::Killed) };
                    let run = catch_unwind(AssertUnwindSafe(|| world.heal_from(&disk, &baked, indexed, &options(1))));
                    let survivor = disk.disk.after(cut);
                    let found = survivor.get(NAME);
                    let honest = found.is_none() || found.as_deref() == start || found.as_ref() == Some(&right);
                    let again = world.heal_from(&survivor, &baked, indexed, &options(1));
                    let done = run.is_ok();
                    if !honest || !again.is_right() || (done && found.as_ref() != Some(&right)) {
                        wrong.push(format!("{name}, indexed {indexed}, {cut:?}, before call {at}: {again:?}"));
                    }
                    if done {
                        break;
                    }
                    at += 1;
                }
                assert!(at > 20, "only {at} calls");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Weights that share a directory and one that does not, published together: each is old, new or
/// none after a cut at any call, and all are there once the heal has reported them.
#[test]
fn a_power_cut_while_several_are_published_together_leaves_each_old_new_or_none() {
    let files = [("a/one", pattern(9)), ("a/two", pattern(70_000)), ("b/c/three", pattern(33))];
    let weight = |(path, bytes): &(&str, Vec<u8>)| {
        format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{}\"\nsize = {}\n", pin_of(bytes), bytes.len())
    };
    let text = "version = 1\n[store]\npath = \"/srv/cache\"\n".to_owned() + &files.each_ref().map(weight).concat();
    let lock = Lock::parse(&text).expect("lock");
    let wanted: Vec<_> = lock.weights.iter().map(ExpectedWeight::by_pin).collect();
    let mut wrong = Vec::new();
    for (cut, damaged) in [(Cut::TakesAll, false), (Cut::LeavesNames, false), (Cut::TakesAll, true)] {
        for at in 0.. {
            let (disk, baked) = (ModelDisk::new(), ModelDisk::new());
            files.iter().for_each(|(path, bytes)| baked.put(path, bytes));
            if damaged {
                disk.put(files[1].0, FORMER);
            }
            let origins = [Origin { root: Path::new("source"), disk: &baked, strict: Strictness::Layer }];
            let disk = Lying { disk, lie: CrashAt::new(at, End::Killed) };
            let run = catch_unwind(AssertUnwindSafe(|| heal(&disk, &wanted, &origins, &options(1))));
            let survivor = disk.disk.after(cut);
            for (path, bytes) in &files {
                let found = survivor.get(path);
                let right = found.as_ref() == Some(bytes);
                if !(right || found.is_none() || found.as_deref() == Some(FORMER)) || (run.is_ok() && !right) {
                    wrong.push(format!(
                        "{path}, {cut:?}, damaged {damaged}, before call {at}: {:?}",
                        found.map(|f| f.len())
                    ));
                }
            }
            if !heal(&survivor, &wanted, &origins, &options(1)).iter().all(Outcome::is_right) {
                wrong.push(format!("{cut:?}, damaged {damaged}, before call {at}: the next heal does not converge"));
            }
            if run.is_ok() {
                assert!(at > 40, "only {at} calls");
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first weight makes the directories and then fails; the second weight's report must still
/// hold after a power cut.
#[test]
fn a_weight_that_fails_does_not_take_the_durability_of_the_next_one_with_it() {
    let bytes = pattern(70_000);
    let weight = |path: &str, bytes: &[u8]| {
        format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{}\"\nsize = {}\n", pin_of(bytes), bytes.len())
    };
    let head = "version = 1\n[store]\npath = \"/srv/cache\"\n".to_owned();
    let lock = Lock::parse(&(head + &weight("a/b/one", b"nowhere") + &weight("a/b/two", &bytes))).expect("lock");
    let wanted: Vec<_> = lock.weights.iter().map(ExpectedWeight::by_pin).collect();
    let mut wrong = Vec::new();
    for (what, lie) in [
        ("no source", Refuses::once_at(Call::Unlock, libc::EIO, 9)),
        ("no room", Refuses::once_at(Call::Stage, libc::EIO, 0)),
        ("not synced", Refuses::once_at(Call::SyncFile, libc::EIO, 0)),
        ("not published", Refuses::once_at(Call::Publish, libc::EIO, 0)),
    ] {
        let (disk, baked) = (ModelDisk::new(), ModelDisk::new());
        if what != "no source" {
            baked.put("a/b/one", b"nowhere");
        }
        baked.put("a/b/two", &bytes);
        let origins = [Origin { root: Path::new("source"), disk: &baked, strict: Strictness::Layer }];
        let disk = Lying { disk, lie };
        let outcomes = heal(&disk, &wanted, &origins, &options(1));
        let lasts = disk.disk.after(Cut::TakesAll).get("a/b/two").as_ref() == Some(&bytes);
        let right: Vec<bool> = outcomes.iter().map(Outcome::is_right).collect();
        // Threads share the syncs: either weight may meet the fault.
        let one_failed = right.iter().filter(|right| !**right).count() == 1;
        if !one_failed || (right[1] && !lasts) {
            wrong.push(format!("{what}: {outcomes:?}, lasts: {lasts}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn models(start: Option<&[u8]>, right: &[u8]) -> (ModelDisk, ModelDisk) {
    let (disk, baked) = (ModelDisk::new(), ModelDisk::new());
    baked.put(NAME, right);
    if let Some(bytes) = start {
        disk.put(NAME, bytes);
    }
    (disk, baked)
}

#[test]
fn the_model_notices_a_disk_that_never_syncs() {
    let right = pattern(SIZE);
    let world = World::of(right.clone());
    let (mut disk, baked) = models(None, &right);
    disk.never_syncs = true;
    assert!(world.heal_from(&disk, &baked, true, &options(1)).is_right());
    assert_ne!(disk.after(Cut::LeavesNames).get(NAME), Some(right), "names without content went unnoticed");
}

#[test]
fn the_model_notices_a_name_that_was_never_synced() {
    let right = pattern(SIZE);
    let world = World::of(right.clone());
    let (disk, baked) = models(None, &right);
    let disk = Lying { disk, lie: Refuses::always(Call::SyncDir, libc::EIO) };
    let outcome = world.heal_from(&disk, &baked, true, &options(1));
    assert!(disk.disk.after(Cut::TakesAll).get(NAME).is_none(), "{outcome:?}");
}

/// A dry run makes no call that changes anything, so it can be killed at any call.
#[test]
fn a_dry_run_killed_anywhere_changed_nothing() {
    for (name, plant) in ENTRIES {
        let world = World::new(SIZE);
        plant(&world, &world.target());
        let before = world.tree();
        let dry = Options { dry_run: true, ..options(1) };
        let outcome = world.heal_from(&world.disk("cache"), &world.disk("baked"), true, &dry);
        assert_eq!(before, world.tree(), "{name}: {outcome:?}");
        assert!(!aside(&world.target()).exists() || name.contains("aside"), "{name}");
    }
}
