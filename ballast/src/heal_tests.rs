//! Healing on a real file system, with real inodes: what is found, what is done, what is left.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;
use crate::disk::{LinuxDisk, Staging};
use crate::index::Index;
use crate::lock::Lock;

const NAME: &str = ".deepface/weights/model.bin";

struct World {
    dir: TempDir,
    lock: Lock,
    index: Index,
    bytes: Vec<u8>,
}

impl World {
    fn new(size: usize) -> Self {
        let dir = TempDir::new().expect("temporary directory");
        let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251 + i / 65_536) as u8).collect();
        let pin: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let text = format!(
            "version = 1\n[store]\npath = \"/srv/cache\"\n[[weight]]\npath = \"{NAME}\"\nsha256 = \"{pin}\"\nsize = {size}\n"
        );
        let lock = Lock::parse(&text).expect("lock");
        for root in ["cache", "baked/.deepface/weights"] {
            fs::create_dir_all(dir.path().join(root)).expect("mkdir");
        }
        fs::write(dir.path().join("baked").join(NAME), &bytes).expect("bake");
        let mut world = Self { dir, lock, index: Index::default(), bytes };
        let wanted = Wanted::by_pin(&world.lock.weights[0]);
        let tree = store::tree_of(&world.disk("baked"), &wanted).expect("tree");
        world.index.add(world.lock.weights[0].sha256, tree);
        world
    }

    fn disk(&self, root: &str) -> LinuxDisk {
        LinuxDisk::open(&self.dir.path().join(root)).expect("open")
    }

    fn heal_with(&self, staging: Staging, indexed: bool) -> Outcome {
        let weight = &self.lock.weights[0];
        let tree = indexed.then(|| self.index.tree(&weight.sha256)).flatten();
        let baked = self.disk("baked");
        let origins = [Origin { disk: &baked, strict: Strictness::Layer }];
        let disk = self.disk("cache").with_staging(staging);
        heal(&disk, &[Wanted { tree, ..Wanted::by_pin(weight) }], &origins, &options()).remove(0)
    }

    fn target(&self) -> std::path::PathBuf {
        self.dir.path().join("cache").join(NAME)
    }

    fn plant(&self, bytes: &[u8]) {
        fs::create_dir_all(self.target().parent().expect("parent")).expect("mkdir");
        fs::write(self.target(), bytes).expect("plant");
    }
}

fn options() -> Options {
    Options {
        threads: NonZeroUsize::new(2).expect("two"),
        lock_wait: Duration::from_millis(200),
        strict: Strictness::Volume,
        dry_run: false,
    }
}

#[test]
fn a_wiped_volume_is_healed_by_every_way_of_staging_with_and_without_an_index() {
    for size in [0, 1, 1 << 20, (3 << 20) + 5] {
        for staging in [Staging::TmpfileEmptyPath, Staging::TmpfileProc, Staging::Named] {
            for indexed in [true, false] {
                let world = World::new(size);
                let first = world.heal_with(staging, indexed);
                assert!(first.is_right() && first.found == Found::Missing, "{size} {staging:?} {indexed}: {first:?}");
                assert_eq!(fs::read(world.target()).expect("read"), world.bytes);
                let again = world.heal_with(staging, indexed);
                assert!(matches!(again.done, Done::Kept), "{size} {staging:?} {indexed}: {again:?}");
                let names = fs::read_dir(world.target().parent().expect("parent")).expect("list").count();
                assert_eq!(names, 1, "something was left beside the weight");
            }
        }
    }
}

type Plant = fn(&World, &Path);

/// Fixtures, named for what an attacker, an accident or an operator leaves there.
const ENTRIES: &[(&str, Plant)] = &[
    ("truncated", |w, _| w.plant(&w.bytes[..w.bytes.len() / 2])),
    ("empty", |w, _| w.plant(b"")),
    ("one-bit-flipped", |w, _| {
        let mut bytes = w.bytes.clone();
        bytes[2_000_000] ^= 4;
        w.plant(&bytes);
    }),
    ("too-long", |w, _| w.plant(&[w.bytes.as_slice(), b"x"].concat())),
    ("foreign-file", |w, _| w.plant(&vec![9; w.bytes.len()])),
    ("symlink-to-a-right-file", |w, t| {
        w.plant(b"");
        fs::remove_file(t).expect("rm");
        symlink(w.dir.path().join("baked").join(NAME), t).expect("ln");
    }),
    ("dangling-symlink", |w, t| {
        w.plant(b"");
        fs::remove_file(t).expect("rm");
        symlink("/nonexistent", t).expect("ln");
    }),
    ("symlink-loop", |w, t| {
        w.plant(b"");
        fs::remove_file(t).expect("rm");
        symlink(t, t).expect("ln");
    }),
    ("fifo", |w, t| {
        w.plant(b"");
        fs::remove_file(t).expect("rm");
        rustix::fs::mknodat(rustix::fs::CWD, t, rustix::fs::FileType::Fifo, 0o644.into(), 0).expect("mkfifo");
    }),
    ("socket", |w, t| {
        w.plant(b"");
        fs::remove_file(t).expect("rm");
        drop(std::os::unix::net::UnixListener::bind(t).expect("bind"));
        assert!(fs::symlink_metadata(t).expect("stat").file_type().is_socket());
    }),
    ("directory", |w, t| {
        w.plant(b"");
        fs::remove_file(t).expect("rm");
        fs::create_dir(t).expect("mkdir");
    }),
    ("hard-link", |w, t| {
        w.plant(&w.bytes);
        fs::hard_link(t, w.dir.path().join("other-name")).expect("ln");
    }),
    ("setuid", |w, t| {
        w.plant(&w.bytes);
        fs::set_permissions(t, fs::Permissions::from_mode(0o4755)).expect("chmod");
    }),
    ("directory-symlink", |w, _| {
        fs::create_dir(w.dir.path().join("victim")).expect("mkdir");
        symlink(w.dir.path().join("victim"), w.dir.path().join("cache/.deepface")).expect("ln");
    }),
    ("file-for-a-directory", |w, _| fs::write(w.dir.path().join("cache/.deepface"), b"x").expect("write")),
];

#[test]
fn whatever_stands_under_the_weights_name_the_outcome_is_the_right_file() {
    let mut wrong = Vec::new();
    for (name, plant) in ENTRIES {
        for indexed in [true, false] {
            let world = World::new((3 << 20) + 5);
            plant(&world, &world.target());
            let outcome = world.heal_with(Staging::TmpfileEmptyPath, indexed);
            let right = fs::symlink_metadata(world.target()).is_ok_and(|m| m.is_file())
                && fs::read(world.target()).is_ok_and(|bytes| bytes == world.bytes);
            if !outcome.is_right() || !right {
                wrong.push(format!("{name}, indexed {indexed}: {outcome:?}, right bytes: {right}"));
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
    assert!(matches!(outcome.done, Done::Repaired(Placed { kept: 4, copied: 1 })), "{outcome:?}");
    assert_ne!(fs::metadata(world.target()).expect("stat").ino(), before);
    let aside = world.target().with_file_name(".ballast-aside.model.bin");
    assert_eq!(fs::read(aside).expect("aside"), bytes, "the one bad copy is kept for the operator");
}

#[test]
fn without_any_right_source_a_wrong_file_loses_its_name() {
    let world = World::new(2 << 20);
    world.plant(&vec![1; 2 << 20]);
    fs::write(world.dir.path().join("baked").join(NAME), vec![2; 2 << 20]).expect("spoil");
    for indexed in [true, false] {
        let outcome = world.heal_with(Staging::TmpfileEmptyPath, indexed);
        assert!(matches!(outcome.done, Done::Failed(PlaceFault::NoSource)), "{outcome:?}");
        assert!(!world.target().exists());
    }
}

#[test]
fn a_former_pin_is_stale_and_leaves_no_copy_aside() {
    let mut world = World::new(2 << 20);
    let old = vec![7; 3 << 20];
    world.lock.weights[0].previous = vec![crate::digest::Digest::from_bytes(Sha256::digest(&old).into())];
    world.plant(&old);
    let outcome = world.heal_with(Staging::TmpfileEmptyPath, true);
    assert!(outcome.is_right() && outcome.found == Found::Stale, "{outcome:?}");
    assert_eq!(fs::read_dir(world.target().parent().expect("parent")).expect("list").count(), 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let world = World::new(1 << 20);
    let weight = &world.lock.weights[0];
    let baked = world.disk("baked");
    let origins = [Origin { disk: &baked, strict: Strictness::Layer }];
    let dry = Options { dry_run: true, ..options() };
    let outcome = heal(&world.disk("cache"), &[Wanted::by_pin(weight)], &origins, &dry).remove(0);
    assert!(matches!(outcome.done, Done::WouldHeal));
    assert_eq!(fs::read_dir(world.dir.path().join("cache")).expect("list").count(), 0);
}

#[test]
fn a_held_lock_delays_but_never_stops_a_heal() {
    let world = World::new(1 << 20);
    let holder = world.disk("cache");
    assert!(holder.lock(Duration::ZERO));
    assert!(world.heal_with(Staging::TmpfileEmptyPath, true).is_right());
}
