//! One pinned weight, a cache, a baked layer, and the entries that an attacker, an accident or an
//! operator leaves under the weight's name.
#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod lying;
pub mod model;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use ballast::disk::{Disk, LinuxDisk, Staging};
use ballast::heal::{Options, Outcome, heal};
use ballast::index::Index;
use ballast::install::Origin;
use ballast::lock::Lock;
use ballast::store::{self, ExpectedWeight, Strictness};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The weight's path below a root.
pub const NAME: &str = ".deepface/weights/model.bin";
/// Every way of staging.
pub const STAGINGS: [Staging; 3] = [Staging::TmpfileEmptyPath, Staging::TmpfileProc, Staging::Named];

pub struct World {
    pub dir: TempDir,
    pub lock: Lock,
    pub index: Index,
    pub bytes: Vec<u8>,
}

/// Bytes that differ from megabyte to megabyte; made once for each size.
pub fn pattern(size: usize) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<usize, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("no thread died holding it");
    made.entry(size).or_insert_with(|| (0..size).map(|i| (i * 31 % 251 + i / 65_536) as u8).collect()).clone()
}

pub fn pin_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A temporary directory, in memory if possible, because tests sync thousands of times.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("temporary directory")
}

impl World {
    pub fn new(size: usize) -> Self {
        Self::of(pattern(size))
    }

    pub fn of(bytes: Vec<u8>) -> Self {
        let dir = scratch();
        let (pin, size) = (pin_of(&bytes), bytes.len());
        let lock = lock_of(&format!("sha256 = \"{pin}\"\nsize = {size}\n"));
        for root in ["cache", "baked/.deepface/weights"] {
            fs::create_dir_all(dir.path().join(root)).expect("mkdir");
        }
        fs::write(dir.path().join("baked").join(NAME), &bytes).expect("bake");
        let mut world = Self { dir, lock, index: Index::default(), bytes };
        let tree = store::tree_of(&world.disk("baked"), &ExpectedWeight::by_pin(&world.lock.weights[0])).expect("tree");
        world.index.add(world.lock.weights[0].sha256, tree);
        world
    }

    pub fn disk(&self, root: &str) -> LinuxDisk {
        LinuxDisk::open(&self.dir.path().join(root)).expect("open")
    }

    /// The weight, with its tree or without.
    pub fn wanted(&self, indexed: bool) -> ExpectedWeight<'_> {
        let weight = &self.lock.weights[0];
        let tree = indexed.then(|| self.index.tree(&weight.sha256)).flatten();
        ExpectedWeight { tree, ..ExpectedWeight::by_pin(weight) }
    }

    pub fn heal_with(&self, staging: Staging, indexed: bool) -> Outcome {
        self.heal_on(&self.disk("cache").with_staging(staging), indexed)
    }

    /// Heals any disk from the honest baked layer.
    pub fn heal_on<D: Disk>(&self, disk: &D, indexed: bool) -> Outcome {
        self.heal_from(disk, &self.disk("baked"), indexed, &options(2))
    }

    pub fn heal_from<D: Disk, O: Disk>(&self, disk: &D, baked: &O, indexed: bool, options: &Options) -> Outcome {
        let origins = [Origin { root: Path::new("source"), disk: baked, strict: Strictness::Layer }];
        heal(disk, &[self.wanted(indexed)], &origins, options).remove(0)
    }

    pub fn target(&self) -> PathBuf {
        self.dir.path().join("cache").join(NAME)
    }

    pub fn plant(&self, bytes: &[u8]) {
        fs::create_dir_all(self.target().parent().expect("parent")).expect("mkdir");
        fs::write(self.target(), bytes).expect("plant");
    }

    fn plant_nothing(&self) {
        self.plant(b"");
        fs::remove_file(self.target()).expect("rm");
    }

    pub fn is_right(&self) -> bool {
        fs::symlink_metadata(self.target()).is_ok_and(|meta| meta.is_file())
            && fs::read(self.target()).is_ok_and(|bytes| bytes == self.bytes)
    }

    /// Everything in the cache, by path: what it is, its size and inode.
    pub fn tree(&self) -> BTreeMap<String, (char, u64, u64)> {
        let mut found = BTreeMap::new();
        list(&self.dir.path().join("cache"), "", &mut found);
        found
    }

    /// Names that a finished heal must not leave.
    pub fn litter(&self) -> Vec<String> {
        let known = |path: &&String| {
            let name = path.rsplit('/').next().unwrap_or(path);
            [".deepface", "weights", "model.bin"].contains(&name) || path.contains(".ballast-aside.")
        };
        self.tree().into_keys().filter(|path| !known(&path)).collect()
    }
}

fn list(dir: &Path, prefix: &str, into: &mut BTreeMap<String, (char, u64, u64)>) {
    for entry in fs::read_dir(dir).expect("list").flatten() {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let meta = fs::symlink_metadata(entry.path()).expect("stat");
        let kind = match meta.file_type() {
            kind if kind.is_dir() => 'd',
            kind if kind.is_symlink() => 'l',
            kind if kind.is_file() => 'f',
            _ => 's',
        };
        let size = if kind == 'd' { 0 } else { meta.size() };
        into.insert(path.clone(), (kind, size, meta.ino()));
        if kind == 'd' {
            list(&entry.path(), &format!("{path}/"), into);
        }
    }
}

pub fn lock_of(rest: &str) -> Lock {
    let head = format!("version = 1\n[store]\npath = \"/srv/cache\"\n[[weight]]\npath = \"{NAME}\"\n");
    Lock::parse(&(head + rest)).expect("lock")
}

pub fn options(threads: usize) -> Options {
    Options {
        threads: match threads {
            1 => || NonZeroUsize::MIN,
            2 => || NonZeroUsize::new(2).expect("not zero"),
            _ => panic!("one or two"),
        },
        lock_wait: Duration::from_millis(20),
        strict: Strictness::Volume,
        dry_run: false,
    }
}

type Plant = fn(&World, &Path);

/// Starting entries, named for what an attacker, an accident or an operator leaves there.
pub const ENTRIES: &[(&str, Plant)] = &[
    ("missing", |_, _| {}),
    ("missing-in-its-directory", |w, _| w.plant_nothing()),
    ("truncated", |w, _| w.plant(&w.bytes[..w.bytes.len() / 2])),
    ("empty", |w, _| w.plant(b"")),
    ("one-bit-flipped", |w, _| {
        let mut bytes = w.bytes.clone();
        bytes[w.bytes.len() - 3] ^= 4;
        w.plant(&bytes);
    }),
    ("too-long", |w, _| w.plant(&[w.bytes.as_slice(), b"x"].concat())),
    ("foreign-file", |w, _| w.plant(&vec![9; w.bytes.len()])),
    ("symlink-to-a-right-file", |w, t| {
        w.plant_nothing();
        symlink(w.dir.path().join("baked").join(NAME), t).expect("ln");
    }),
    ("dangling-symlink", |w, t| {
        w.plant_nothing();
        symlink("/nonexistent", t).expect("ln");
    }),
    ("symlink-loop", |w, t| {
        w.plant_nothing();
        symlink(t, t).expect("ln");
    }),
    ("fifo", |w, t| {
        w.plant_nothing();
        rustix::fs::mknodat(rustix::fs::CWD, t, rustix::fs::FileType::Fifo, 0o644.into(), 0).expect("mkfifo");
    }),
    ("socket", |w, t| {
        w.plant_nothing();
        drop(std::os::unix::net::UnixListener::bind(t).expect("bind"));
        assert!(fs::symlink_metadata(t).expect("stat").file_type().is_socket());
    }),
    ("empty-directory", |w, t| {
        w.plant_nothing();
        fs::create_dir(t).expect("mkdir");
    }),
    ("directory", |w, t| {
        w.plant_nothing();
        fs::create_dir_all(t.join("inner")).expect("mkdir");
    }),
    ("file-where-a-directory-is-kept-aside", |w, t| {
        w.plant(b"wrong");
        fs::create_dir_all(aside(t).join("inner")).expect("mkdir");
    }),
    ("directory-where-a-file-is-kept-aside", |w, t| {
        w.plant_nothing();
        fs::create_dir_all(t.join("inner")).expect("mkdir");
        fs::write(aside(t), b"former evidence").expect("write");
    }),
    ("directory-where-a-directory-is-kept-aside", |w, t| {
        w.plant_nothing();
        fs::create_dir_all(t.join("inner")).expect("mkdir");
        fs::create_dir_all(aside(t).join("inner")).expect("mkdir");
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
    ("staged-by-one-who-died", |w, t| {
        w.plant(b"wrong");
        fs::write(t.with_file_name(".ballast-staged.00"), &w.bytes[..7]).expect("write");
    }),
];

/// The quarantine path of a weight's bad copy.
pub fn aside(target: &Path) -> PathBuf {
    let name = target.file_name().expect("a name").to_str().expect("plain");
    target.with_file_name(format!(".ballast-aside.{name}"))
}
