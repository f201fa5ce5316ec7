//! Heals on a real file system, with real inodes, and checks findings, actions and the files that remain.

mod support;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ballast::copy::ChunkCounts;
use ballast::disk::{Disk, LinuxDisk, Staging};
use ballast::fault::InstallFault;
use ballast::heal::{Done, Options, heal};
use ballast::install::Origin;
use ballast::lock::Lock;
use ballast::store::{Damage, ExpectedWeight, Strictness, WeightState};
use sha2::{Digest as _, Sha256};
use support::lying::{Call, Lie, Lying, Refuses};
use support::{ENTRIES, NAME, STAGINGS, World, options, pin_of};

#[test]
fn a_wiped_volume_is_healed_by_every_way_of_staging_with_and_without_an_index() {
    for size in [0, 1, 1 << 20, (3 << 20) + 5] {
        for staging in STAGINGS {
            for indexed in [true, false] {
                let world = World::new(size);
                let first = world.heal_with(staging, indexed);
                assert!(
                    first.is_right() && first.found == WeightState::Missing,
                    "{size} {staging:?} {indexed}: {first:?}"
                );
                assert_eq!(fs::read(world.target()).expect("read"), world.bytes);
                let again = world.heal_with(staging, indexed);
                assert!(matches!(again.done, Done::Kept), "{size} {staging:?} {indexed}: {again:?}");
                let names = fs::read_dir(world.target().parent().expect("parent")).expect("list").count();
                assert_eq!(names, 1, "something was left beside the weight");
            }
        }
    }
}

#[test]
fn whatever_stands_under_the_weights_name_the_outcome_is_the_right_file() {
    let mut wrong = Vec::new();
    for (name, plant) in ENTRIES {
        for indexed in [true, false] {
            let world = World::new((3 << 20) + 5);
            plant(&world, &world.target());
            let outcome = world.heal_with(Staging::TmpfileEmptyPath, indexed);
            let (right, litter) = (world.is_right(), world.litter());
            if !outcome.is_right() || !right || !litter.is_empty() {
                wrong.push(format!("{name}, indexed {indexed}: {outcome:?}, right bytes: {right}, left: {litter:?}"));
            }
            let victim = world.dir.path().join("victim");
            if victim.exists() && fs::read_dir(&victim).expect("list").count() != 0 {
                wrong.push(format!("{name}: written outside the volume"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_repair_takes_good_chunks_from_the_damaged_file_and_makes_a_new_inode() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new(5 << 20);
    let mut bytes = world.bytes.clone();
    bytes[(2 << 20) + 7] ^= 1;
    world.plant(&bytes);
    let before = fs::metadata(world.target()).expect("stat").ino();
    let outcome = world.heal_with(Staging::TmpfileEmptyPath, true);
    assert!(matches!(outcome.done, Done::Repaired(ChunkCounts { kept: 4, copied: 1, .. })), "{outcome:?}");
    assert_ne!(fs::metadata(world.target()).expect("stat").ino(), before);
    let aside = world.target().with_file_name(".ballast-aside.model.bin");
    assert_eq!(fs::read(aside).expect("aside"), bytes, "the one bad copy is kept for the operator");
}

/// Counts the bytes that were read.
#[derive(Default)]
struct Reads(AtomicU64);

impl Lie for Reads {
    fn twist(&self, bytes: &mut [u8], _at: u64) -> usize {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        bytes.len()
    }
}

/// A file of `chunks` chunks of which these are wrong, its disk, and a disk of right bytes: both
/// count the bytes read.
fn counted(chunks: usize, wrong: &[usize]) -> (World, Lying<LinuxDisk, Reads>, Lying<LinuxDisk, Reads>) {
    let world = World::new(chunks << 20);
    let mut bytes = world.bytes.clone();
    wrong.iter().for_each(|chunk| bytes[(chunk << 20) + 7] ^= 1);
    world.plant(&bytes);
    let (disk, baked) = (world.disk("cache"), world.disk("baked"));
    (world, Lying { disk, lie: Reads::default() }, Lying { disk: baked, lie: Reads::default() })
}

#[test]
fn a_repair_reads_up_to_the_first_wrong_chunk_and_then_each_other_chunk_once() {
    let mut failed = Vec::new();
    for wrong in [&[0][..], &[2], &[4], &[1, 3], &[0, 4], &[3, 4]] {
        let (world, disk, baked) = counted(5, wrong);
        // With one thread the chunks are verified in order.
        let outcome = world.heal_from(&disk, &baked, true, &options(1));
        let placed = (5 - wrong.len() as u64, wrong.len() as u64);
        let expected = wrong.iter().map(|chunk| *chunk as u64).collect();
        let found = WeightState::Damaged(Damage::Bytes { bad: expected, found: None });
        let repaired = matches!(outcome.done, Done::Repaired(done) if (done.kept, done.copied) == placed);
        // The copy does not read the first wrong chunk again; it reads the others and finds them
        // wrong itself.
        let reads = (wrong[0] + 1 + 4, wrong.len());
        let read = (disk.lie.0.into_inner() as usize >> 20, baked.lie.0.into_inner() as usize >> 20);
        if !repaired || outcome.found != found || read != reads || !world.is_right() {
            failed.push(format!("{wrong:?}: {outcome:?}, read {read:?}, expected {reads:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_is_not_repaired_is_reported_with_every_wrong_chunk() {
    for (dry_run, origin_too) in [(true, false), (false, true)] {
        let (world, disk, baked) = counted(5, &[1, 3]);
        if origin_too {
            fs::write(world.dir.path().join("baked").join(NAME), vec![0; 5 << 20]).expect("spoil");
        }
        let outcome = world.heal_from(&disk, &baked, true, &Options { dry_run, ..options(1) });
        let all = WeightState::Damaged(Damage::Bytes { bad: vec![1, 3], found: None });
        assert_eq!(outcome.found, all, "dry run {dry_run}, spoiled origin {origin_too}: {outcome:?}");
    }
}

#[test]
fn without_any_right_source_a_wrong_file_loses_its_name() {
    let world = World::new(2 << 20);
    world.plant(&vec![1; 2 << 20]);
    fs::write(world.dir.path().join("baked").join(NAME), vec![2; 2 << 20]).expect("spoil");
    for indexed in [true, false] {
        let outcome = world.heal_with(Staging::TmpfileEmptyPath, indexed);
        assert!(matches!(outcome.done, Done::Failed(InstallFault::NoSource)), "{outcome:?}");
        assert!(!world.target().exists());
    }
}

#[test]
fn a_former_pin_is_stale_and_leaves_no_copy_aside() {
    let mut world = World::new(2 << 20);
    let old = vec![7; 3 << 20];
    world.lock.weights[0].previous = vec![ballast::digest::Digest::from_bytes(Sha256::digest(&old).into())];
    world.plant(&old);
    let outcome = world.heal_with(Staging::TmpfileEmptyPath, true);
    assert!(outcome.is_right() && outcome.found == WeightState::Stale, "{outcome:?}");
    assert_eq!(fs::read_dir(world.target().parent().expect("parent")).expect("list").count(), 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let world = World::new(1 << 20);
    let weight = &world.lock.weights[0];
    let baked = world.disk("baked");
    let origins = [Origin { root: Path::new("source"), disk: &baked, strict: Strictness::Layer }];
    let dry = Options { dry_run: true, ..options(2) };
    let outcome = heal(&world.disk("cache"), &[ExpectedWeight::by_pin(weight)], &origins, &dry).remove(0);
    assert!(matches!(outcome.done, Done::WouldHeal));
    assert_eq!(fs::read_dir(world.dir.path().join("cache")).expect("list").count(), 0);
}

#[test]
fn a_lock_delays_but_never_stops_a_heal() {
    let world = World::new(1 << 20);
    let holder = world.disk("cache");
    assert!(holder.lock(Duration::ZERO));
    assert!(world.heal_with(Staging::TmpfileEmptyPath, true).is_right());
}

/// Notes the calls.
#[derive(Default)]
struct Calls(Mutex<Vec<Call>>);

impl Lie for Calls {
    fn before(&self, call: Call) -> io::Result<()> {
        self.0.lock().expect("calls").push(call);
        Ok(())
    }

    fn files_at_once(&self) -> Option<usize> {
        Some(8)
    }
}

#[test]
fn many_small_files_wait_for_the_disk_and_list_their_directory_once_a_turn() {
    let world = World::new(1);
    let mut text = "version = 1\n[store]\npath = \"/srv/cache\"\n".to_owned();
    for number in 0..12 {
        let bytes = format!("file {number}");
        fs::write(world.dir.path().join(format!("baked/f{number}")), &bytes).expect("bake");
        text += &format!("[[weight]]\npath = \"f{number}\"\nsha256 = \"{}\"\n", pin_of(bytes.as_bytes()));
    }
    let lock = Lock::parse(&text).expect("lock");
    let disk = Lying { disk: world.disk("cache"), lie: Calls::default() };
    let baked = world.disk("baked");
    let origins = [Origin { root: Path::new("source"), disk: &baked, strict: Strictness::Layer }];
    let wanted: Vec<_> = lock.weights.iter().map(ExpectedWeight::by_pin).collect();
    let outcomes = heal(&disk, &wanted, &origins, &options(1));
    assert!(outcomes.iter().all(|outcome| matches!(outcome.done, Done::Copied)), "{outcomes:?}");
    let calls = disk.lie.0.into_inner().expect("calls");
    let slow = [Call::Push, Call::SyncFile, Call::SyncDir, Call::Names];
    let calls: Vec<_> = calls.into_iter().filter(|call| slow.contains(call)).collect();
    // Four of twelve in each turn: all are pushed before one is synced, and the directory is synced once.
    let turn = [&[Call::Push; 4][..], &[Call::SyncFile; 4], &[Call::SyncDir]].concat();
    assert_eq!(calls, [&[Call::Names][..], &turn, &turn, &turn].concat());
}

#[test]
fn a_right_weight_that_could_not_be_read_at_first_is_not_reported_as_repaired() {
    let mut wrong = Vec::new();
    for call in [Call::OpenDir, Call::Stat, Call::Open, Call::Read] {
        for errno in [libc::EMFILE, libc::ENFILE, libc::EIO] {
            let world = World::new(3000);
            assert!(world.heal_on(&world.disk("cache"), true).is_right());
            let disk = Lying { disk: world.disk("cache"), lie: Refuses::once_at(call, errno, 0) };
            let outcome = world.heal_on(&disk, true);
            let refused = disk.lie.count.load(Ordering::Relaxed) > 0;
            if !matches!(outcome.done, Done::Kept) || outcome.found != WeightState::Right || !refused {
                wrong.push(format!("{call:?} {errno}: {outcome:?}, refused: {refused}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
