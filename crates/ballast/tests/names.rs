//! A name that led to right bytes never leads to none, or to others, at the end: a property of
//! random trees of links, hard links, wrong types and wrong bytes, healed with and without a
//! source, with and without an index.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use ballast::disk::LinuxDisk;
use ballast::heal::{Options, Outcome, heal};
use ballast::index::Index;
use ballast::install::Origin;
use ballast::lock::Lock;
use ballast::receive::Receiver;
use ballast::store::{self, ExpectedWeight, Strictness, WeightState};
use support::lying::{Lie, Lying};
use support::{options, pattern, pin_of};
use tempfile::TempDir;
use testkit::random::Random;

/// A disk with this limit of open files.
struct AtOnce(usize);

impl Lie for AtOnce {
    fn files_at_once(&self) -> Option<usize> {
        Some(self.0)
    }
}

const PATHS: [&str; 4] = ["snapshots/main/a.bin", "snapshots/main/b.bin", "snapshots/other/c.bin", "d.bin"];
const WAYS: [&str; 4] = ["a directory", "a relative link", "an absolute link", "a link out"];
/// Trees of one test.
const SEEDS: u64 = 200;
const SIZE: usize = (1 << 20) + 17;

/// A cache of four weights, each in a random state, and where it lies.
struct Tree {
    dir: TempDir,
    lock: Lock,
    bytes: BTreeMap<&'static str, Vec<u8>>,
}

/// An entry that may lie under a weight's name, and the function that makes it from the weight's bytes.
type Form = (&'static str, fn(&Path, &Path, &[u8]));

fn write(at: &Path, bytes: &[u8]) {
    fs::create_dir_all(at.parent().expect("a parent")).expect("mkdir");
    fs::write(at, bytes).expect("write");
}

/// A relative path from a file of the cache to a blob of the cache.
fn up(name: &Path, cache: &Path, blob: &str) -> PathBuf {
    let depth = name.strip_prefix(cache).expect("below the cache").components().count() - 1;
    Path::new(&"../".repeat(depth)).join("blobs").join(blob)
}

const FORMS: [Form; 13] = [
    ("a file", |name, _, bytes| write(name, bytes)),
    ("no file", |_, _, _| {}),
    ("another file's bytes", |name, _, bytes| write(name, &vec![7; bytes.len()])),
    ("a cut file", |name, _, bytes| write(name, &bytes[..bytes.len() / 2])),
    ("a hard link", |name, cache, bytes| {
        let blob = cache.join(format!("blobs/hard-{}", pin_of(bytes)));
        write(&blob, bytes);
        fs::hard_link(blob, name).expect("ln");
    }),
    ("setuid", |name, _, bytes| {
        write(name, bytes);
        fs::set_permissions(name, fs::Permissions::from_mode(0o4755)).expect("chmod");
    }),
    ("a link to a blob", |name, cache, bytes| {
        write(&cache.join("blobs").join(pin_of(bytes)), bytes);
        symlink(up(name, cache, &pin_of(bytes)), name).expect("ln");
    }),
    ("a link to a link", |name, cache, bytes| {
        write(&cache.join("blobs").join(pin_of(bytes)), bytes);
        symlink(pin_of(bytes), cache.join(format!("blobs/by-{}", pin_of(bytes)))).expect("ln");
        symlink(up(name, cache, &format!("by-{}", pin_of(bytes))), name).expect("ln");
    }),
    ("an absolute link", |name, cache, bytes| {
        write(&cache.join("blobs").join(pin_of(bytes)), bytes);
        symlink(cache.join("blobs").join(pin_of(bytes)), name).expect("ln");
    }),
    ("a link out of the cache", |name, cache, bytes| {
        let outside = cache.with_file_name(format!("outside-{}", pin_of(bytes)));
        write(&outside, bytes);
        symlink(outside, name).expect("ln");
    }),
    ("a link to wrong bytes", |name, cache, bytes| {
        write(&cache.join("blobs").join(format!("wrong-{}", pin_of(bytes))), &vec![9; bytes.len()]);
        symlink(up(name, cache, &format!("wrong-{}", pin_of(bytes))), name).expect("ln");
    }),
    ("a dangling link", |name, _, _| symlink("nowhere", name).expect("ln")),
    ("a directory", |name, _, _| fs::create_dir_all(name.join("inner")).expect("mkdir")),
];

impl Tree {
    fn new(dice: &mut Random) -> (Self, Vec<&'static str>) {
        let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
        let made = PATHS.iter().enumerate().map(|(at, path)| (*path, pattern(SIZE + at)));
        let bytes: BTreeMap<_, _> = made.collect();
        let entry = |(path, bytes): (&&str, &Vec<u8>)| {
            let (pin, size) = (pin_of(bytes), bytes.len());
            format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{pin}\"\nsize = {size}\n")
        };
        let entries: String = bytes.iter().map(entry).collect();
        let text = format!("version = 1\n[store]\npath = \"/srv/cache\"\n{entries}");
        let lock = Lock::parse(&text).expect("the lock file of this test");
        let tree = Self { dir, lock, bytes };
        fs::create_dir_all(tree.cache().join("blobs")).expect("mkdir");
        fs::create_dir_all(tree.cache().join("snapshots/other")).expect("mkdir");
        let way = WAYS[dice.below(WAYS.len())];
        tree.make_way(way);
        let mut forms = vec![way];
        for (path, bytes) in &tree.bytes {
            let (form, make) = FORMS[dice.below(FORMS.len())];
            // Through the directory's link a file is where its directory is.
            make(&tree.cache().join(path), &tree.cache(), bytes);
            forms.push(form);
        }
        (tree, forms)
    }

    /// The directory on the way to two weights, which may be a link too.
    fn make_way(&self, way: &str) {
        let (main, inner) = (self.cache().join("snapshots/main"), self.cache().join("snapshots/0123abcd"));
        let target = match way {
            "a relative link" => inner.clone(),
            "an absolute link" => inner.clone(),
            "a link out" => self.elsewhere(),
            _ => main.clone(),
        };
        fs::create_dir_all(&target).expect("mkdir");
        match way {
            "a relative link" => symlink("0123abcd", main).expect("ln"),
            "an absolute link" | "a link out" => symlink(target, main).expect("ln"),
            _ => {}
        }
    }

    fn elsewhere(&self) -> PathBuf {
        self.dir.path().join("elsewhere")
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// The weights whose names lead a reader to right bytes.
    fn led(&self) -> Vec<&'static str> {
        let right = |path: &&str| fs::read(self.cache().join(path)).is_ok_and(|read| read == self.bytes[*path]);
        self.bytes.keys().copied().filter(right).collect()
    }

    /// Files outside of the weights' names, which no heal may write.
    fn others(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let blobs = fs::read_dir(self.cache().join("blobs")).expect("list");
        let outside = fs::read_dir(self.dir.path()).expect("list");
        let elsewhere = fs::read_dir(self.elsewhere()).into_iter().flatten();
        let files = blobs.chain(outside).chain(elsewhere).map(|entry| entry.expect("an entry").path());
        files.filter_map(|path| Some((path.clone(), fs::read(path).ok()?))).collect()
    }

    fn heal(&self, sourced: bool, indexed: bool, dry_run: bool, at_once: usize) -> Vec<Outcome> {
        let source = self.dir.path().join("source");
        fs::create_dir(&source).expect("mkdir");
        self.bytes.iter().for_each(|(path, bytes)| write(&source.join(path), bytes));
        let open = |root: &Path| LinuxDisk::open(root).expect("open");
        let (cache, source) = (Lying { disk: open(&self.cache()), lie: AtOnce(at_once) }, open(&source));
        let mut index = Index::default();
        for weight in &self.lock.weights {
            index.add(weight.sha256, store::tree_of(&source, &ExpectedWeight::by_pin(weight)).expect("tree"));
        }
        let wanted = self.lock.weights.iter().map(|weight| {
            let tree = indexed.then(|| index.tree(&weight.sha256)).flatten();
            ExpectedWeight { tree, ..ExpectedWeight::by_pin(weight) }
        });
        let wanted: Vec<_> = wanted.collect();
        let origins = [Origin { root: Path::new("source"), disk: &source, strict: Strictness::Layer }];
        heal(&cache, &wanted, if sourced { &origins } else { &[] }, &Options { dry_run, ..options(2) })
    }
}

#[test]
fn a_name_that_led_to_right_bytes_never_ends_leading_to_none_or_to_others() {
    let mut wrong = Vec::new();
    for seed in 1..=SEEDS {
        let mut dice = Random::new(seed);
        let (tree, forms) = Tree::new(&mut dice);
        let (sourced, indexed, dry_run) = (dice.coin(), dice.coin(), dice.below(8) == 0);
        let (linked, at_once) = (forms[0] != WAYS[0], [1, 3, 64][dice.below(3)]);
        let (before, others) = (tree.led(), tree.others());
        let outcomes = tree.heal(sourced, indexed, dry_run, at_once);
        let after = tree.led();
        let scene =
            format!("seed {seed}, {forms:?}, source {sourced}, index {indexed}, dry {dry_run}, at once {at_once}");
        let lost: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
        if !lost.is_empty() {
            wrong.push(format!("{scene}: lost {lost:?}: {outcomes:?}"));
        }
        let claimed: Vec<_> = tree.bytes.keys().zip(&outcomes).filter(|(_, one)| one.is_right()).collect();
        if let Some((name, _)) = claimed.iter().find(|(name, _)| !after.contains(*name)) {
            wrong.push(format!("{scene}: {name} is called right and is not"));
        }
        // No write goes through a directory's link, and a link that leads to a right weight stays.
        if sourced && !dry_run && !linked && claimed.len() < tree.bytes.len() {
            wrong.push(format!("{scene}: not healed: {outcomes:?}"));
        }
        if let Some((path, _)) = others.iter().find(|(path, bytes)| fs::read(path).ok().as_ref() != Some(*bytes)) {
            wrong.push(format!("{scene}: {} was written", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {SEEDS}\n{}", wrong.len(), wrong[..wrong.len().min(6)].join("\n"));
}

#[test]
fn what_is_received_takes_no_other_name_from_right_bytes() {
    let (mut wrong, mut published) = (Vec::new(), 0);
    for seed in 1..=SEEDS {
        let mut dice = Random::new(seed);
        let (tree, forms) = Tree::new(&mut dice);
        let (before, others) = (tree.led(), tree.others());
        let disk = LinuxDisk::open(&tree.cache()).expect("open");
        let wanted: Vec<_> = tree.lock.weights.iter().map(ExpectedWeight::by_pin).collect();
        let found = store::verify(&disk, &wanted, Strictness::Volume, options(1).threads);
        for (weight, examined) in tree.lock.weights.iter().zip(found) {
            if examined.found == WeightState::Right {
                continue;
            }
            let (pin, size) = (Some(weight.sha256), weight.size);
            let Ok(mut receiver) = Receiver::open(&disk, &weight.path, pin, size, &tree.lock.weights) else { continue };
            if dice.coin() {
                receiver.give_up();
                continue;
            }
            receiver.write(&tree.bytes[weight.path.as_str()]).expect("write");
            receiver.publish(weight.sha256, &examined.found).expect("publish");
            published += 1;
        }
        let after = tree.led();
        let lost: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
        let changed = others.iter().find(|(path, bytes)| fs::read(path).ok().as_ref() != Some(*bytes));
        if !lost.is_empty() || changed.is_some() {
            wrong.push(format!("seed {seed}, {forms:?}: lost {lost:?}, changed {:?}", changed.map(|(path, _)| path)));
        }
    }
    assert!(wrong.is_empty(), "{} of {SEEDS}\n{}", wrong.len(), wrong[..wrong.len().min(6)].join("\n"));
    assert!(published > SEEDS, "only {published} files were published");
}

/// Root takes a directory from the app: its weights are the only source of their bytes.
#[test]
fn a_directory_that_root_replaces_stays_a_source_for_the_weights_of_later_turns() {
    if !testkit::need::root("a_directory_that_root_replaces_stays_a_source") {
        return;
    }
    let names: Vec<String> = (0..5).map(|at| format!("models/{at}.bin")).collect();
    let bytes = |at: usize| pattern(70_000 + at);
    let entry = |(at, path): (usize, &String)| {
        format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{}\"\nsize = {}\n", pin_of(&bytes(at)), 70_000 + at)
    };
    let entries: String = names.iter().enumerate().map(entry).collect();
    let lock = Lock::parse(&format!("version = 1\n[store]\npath = \"/srv/cache\"\n{entries}")).expect("lock");
    let dir = TempDir::new().expect("a directory");
    fs::create_dir(dir.path().join("models")).expect("mkdir");
    for (at, path) in names.iter().enumerate() {
        fs::write(dir.path().join(path), bytes(at)).expect("write");
        chown(dir.path().join(path), Some(100), Some(101)).expect("chown");
    }
    chown(dir.path().join("models"), Some(100), Some(101)).expect("chown");
    let disk = Lying { disk: LinuxDisk::open(dir.path()).expect("open"), lie: AtOnce(2) };
    let wanted: Vec<_> = lock.weights.iter().map(ExpectedWeight::by_pin).collect();
    let none: [Origin<LinuxDisk>; 0] = [];
    let outcomes = heal(&disk, &wanted, &none, &Options { strict: Strictness::RootOwned { gid: 101 }, ..options(1) });
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_right()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_relative_link_below_the_root_is_right_where_it_ends_in_the_pinned_bytes() {
    let mut wrong = Vec::new();
    for (name, form) in FORMS {
        let right = ["a file", "a link to a blob", "a link to a link"].contains(&name);
        let mut dice = Random::new(4);
        let (tree, _) = Tree::new(&mut dice);
        for path in PATHS {
            let at = tree.cache().join(path);
            let _ = fs::remove_dir_all(&at).or_else(|_| fs::remove_file(&at));
        }
        let _ = fs::remove_dir_all(tree.cache().join("blobs"));
        fs::create_dir(tree.cache().join("blobs")).expect("mkdir");
        form(&tree.cache().join("d.bin"), &tree.cache(), &tree.bytes["d.bin"]);
        let disk = LinuxDisk::open(&tree.cache()).expect("open");
        let weight = tree.lock.weights.iter().find(|weight| weight.path.as_str() == "d.bin").expect("d.bin");
        for strict in [Strictness::Volume, Strictness::Layer] {
            let found =
                store::verify(&disk, &[ExpectedWeight::by_pin(weight)], strict, options(1).threads).remove(0).found;
            let allowed = right || (strict == Strictness::Layer && ["a hard link", "setuid"].contains(&name));
            if (found == WeightState::Right) != allowed {
                wrong.push(format!("{name}, {strict:?}: found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
