//! Disks and origins that lie. Whatever they return, a wrong file never gets the weight's name, and
//! the next heal on an honest disk repairs it.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use ballast::disk::{Disk, LinuxDisk, Staging};
use ballast::fault::InstallFault;
use ballast::heal::{Done, Outcome, heal};
use ballast::install::Origin;
use ballast::store::{ExpectedWeight, Strictness, WeightState};
use support::lying::{Call, ChangesAfterVerifying, ClaimsMore, Lie, LiesAboutTheSize, Lying, ReadsShort, Refuses};
use support::{NAME, STAGINGS, World, aside, lock_of, options, pattern, pin_of};

const SIZE: usize = (2 << 20) + 5;
/// Reads of one verification: the size in pieces of 256 KiB.
const READS: usize = SIZE.div_ceil(256 << 10);

/// The required result of a heal on a false disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// The lie is harmless, or goes away.
    Heal,
    /// Reported as a failure.
    Fail,
    /// Healed if a wrong file was there, whose room is freed for another attempt; otherwise a failure.
    HealWhatWasWrong,
    /// The result depends on the order of calls; each result is honest.
    Either,
}

type MakeLie = fn() -> Box<dyn Lie>;

fn once(call: Call, errno: i32, from: usize) -> Box<dyn Lie> {
    Box::new(Refuses::once_at(call, errno, from))
}

fn always(call: Call, errno: i32) -> Box<dyn Lie> {
    Box::new(Refuses::always(call, errno))
}

/// Reports the writes of the second chunk as done, and makes none of them.
struct DropsWrites;

impl Lie for DropsWrites {
    fn drops(&self, at: u64) -> bool {
        (1 << 20..2 << 20).contains(&at)
    }
}

/// A heal hashes the bytes that it passes to the disk. SECURITY.md names the limit: this boot does
/// not see what the disk stored; the next boot reads every byte.
#[test]
fn a_write_that_is_claimed_and_not_made_is_found_by_the_next_boot() {
    for indexed in [true, false] {
        let world = World::new(SIZE);
        let disk = Lying { disk: world.disk("cache"), lie: DropsWrites };
        let claimed = world.heal_from(&disk, &world.disk("baked"), indexed, &options(1));
        assert!(claimed.is_right() && !world.is_right(), "indexed {indexed}: {claimed:?}");
        let next = world.heal_with(Staging::TmpfileEmptyPath, indexed);
        assert!(matches!(next.found, WeightState::Damaged(_)), "indexed {indexed}: {next:?}");
        assert!(next.is_right() && world.is_right(), "indexed {indexed}: {next:?}");
    }
}

/// Lies of the volume's disk.
const VOLUMES: &[(&str, MakeLie, Must)] = &[
    ("reads-short", || Box::new(ReadsShort), Must::Heal),
    ("claims-more-than-the-buffer-holds", || Box::<ClaimsMore>::default(), Must::Heal),
    ("eio-at-the-first-read", || once(Call::Read, libc::EIO, 0), Must::Either),
    ("eio-at-the-last-read-of-the-verification", || once(Call::Read, libc::EIO, READS - 1), Must::Either),
    ("eio-at-a-read-of-the-copy", || once(Call::Read, libc::EIO, READS + 1), Must::Either),
    ("eio-at-every-read", || always(Call::Read, libc::EIO), Must::Either),
    ("no-space-at-stage", || always(Call::Stage, libc::ENOSPC), Must::Fail),
    ("no-space-at-the-first-stage", || once(Call::Stage, libc::ENOSPC, 0), Must::Heal),
    ("no-quota-at-stage", || always(Call::Stage, libc::EDQUOT), Must::Fail),
    ("no-space-at-the-first-write", || always(Call::Write, libc::ENOSPC), Must::Fail),
    ("no-space-in-the-middle", || once(Call::Write, libc::ENOSPC, READS / 2), Must::HealWhatWasWrong),
    ("eio-at-write", || always(Call::Write, libc::EIO), Must::Fail),
    ("eio-at-sync", || always(Call::SyncFile, libc::EIO), Must::Fail),
    ("no-inode", || always(Call::MakeDir, libc::ENOSPC), Must::Either),
    ("publish-that-fails", || always(Call::Publish, libc::EIO), Must::Fail),
    ("rename-that-fails", || always(Call::Rename, libc::EIO), Must::Either),
    ("directory-that-can't-be-synced", || always(Call::SyncDir, libc::EIO), Must::Either),
    ("write-back-that-can't-be-started", || always(Call::Push, libc::ENOSYS), Must::Heal),
    ("locks-that-don't-work", || always(Call::Lock, libc::ENOLCK), Must::Heal),
    ("directory-that-can't-be-listed", || always(Call::Names, libc::EIO), Must::Heal),
    ("collection-that-fails", || always(Call::RemoveAbandoned, libc::EIO), Must::Heal),
    ("remove-that-fails", || always(Call::Remove, libc::EPERM), Must::Heal),
    ("read-only", || always(Call::Stage, libc::EROFS), Must::Fail),
    ("says-one-byte-more", || Box::new(LiesAboutTheSize { more: 1 }), Must::Either),
    ("says-one-byte-less", || Box::new(LiesAboutTheSize { more: -1 }), Must::Either),
    (
        "other-bytes-after-the-verification",
        || Box::new(ChangesAfterVerifying { verified: READS, count: AtomicUsize::new(0) }),
        Must::Either,
    ),
];

/// Lies of the origin's disk.
const ORIGINS: &[(&str, MakeLie, Must)] = &[
    ("reads-short", || Box::new(ReadsShort), Must::Heal),
    ("eio-at-read", || always(Call::Read, libc::EIO), Must::Fail),
    ("eio-in-the-middle", || once(Call::Read, libc::EIO, READS / 2), Must::Either),
    ("can't-be-opened", || always(Call::Open, libc::EACCES), Must::Fail),
    ("has-no-directory", || always(Call::OpenDir, libc::ENOENT), Must::Fail),
    (
        "other-bytes-from-the-first",
        || Box::new(ChangesAfterVerifying { verified: 0, count: AtomicUsize::new(0) }),
        Must::Fail,
    ),
    (
        "other-bytes-from-the-middle",
        || Box::new(ChangesAfterVerifying { verified: READS / 2, count: AtomicUsize::new(0) }),
        Must::Either,
    ),
    ("says-one-byte-more", || Box::new(LiesAboutTheSize { more: 1 }), Must::Fail),
    ("says-one-byte-less", || Box::new(LiesAboutTheSize { more: -1 }), Must::Fail),
];

const STARTS: &[&str] = &["missing", "one bit flipped at the end", "truncated"];

fn world_at(start: &str) -> World {
    let world = World::new(SIZE);
    match start {
        "one bit flipped at the end" => {
            let mut bytes = world.bytes.clone();
            bytes[SIZE - 3] ^= 1;
            world.plant(&bytes);
        }
        "truncated" => world.plant(&world.bytes[..SIZE / 2]),
        _ => {}
    }
    world
}

/// Checks that no wrong file became visible or counted as right, and that an honest disk is healed next.
fn judge(world: &World, before: Option<&Vec<u8>>, outcome: &Outcome, must: Must, indexed: bool) -> Result<(), String> {
    let after = fs::read(world.target()).ok();
    if after.is_some() && after.as_ref() != before && !world.is_right() {
        return Err(format!("a wrong file is visible after {outcome:?}"));
    }
    if outcome.is_right() && !world.is_right() {
        return Err(format!("called right and is not: {outcome:?}"));
    }
    let healed = must == Must::Heal || must == Must::HealWhatWasWrong && before.is_some();
    if must != Must::Either && outcome.is_right() != healed {
        return Err(format!("expected {must:?}, found {outcome:?}"));
    }
    let again = world.heal_on(&world.disk("cache"), indexed);
    match again.is_right() && world.is_right() && world.litter().is_empty() {
        true => Ok(()),
        false => Err(format!("an honest disk does not converge: {again:?}, left {:?}", world.litter())),
    }
}

#[test]
fn a_lying_volume_never_shows_a_wrong_file() {
    let mut wrong = Vec::new();
    for (name, lie, must) in VOLUMES {
        for start in STARTS {
            for (staging, indexed) in STAGINGS.iter().flat_map(|s| [(*s, true), (*s, false)]) {
                let world = world_at(start);
                let before = fs::read(world.target()).ok();
                let disk = Lying { disk: world.disk("cache").with_staging(staging), lie: lie() };
                let outcome = world.heal_from(&disk, &world.disk("baked"), indexed, &options(1));
                drop(disk);
                if let Err(why) = judge(&world, before.as_ref(), &outcome, *must, indexed) {
                    wrong.push(format!("{name}, {start}, {staging:?}, indexed {indexed}: {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_lying_origin_never_gives_a_wrong_file() {
    let mut wrong = Vec::new();
    for (name, lie, must) in ORIGINS {
        for start in STARTS {
            for indexed in [true, false] {
                let world = world_at(start);
                let before = fs::read(world.target()).ok();
                let baked = Lying { disk: world.disk("baked"), lie: lie() };
                let outcome = world.heal_from(&world.disk("cache"), &baked, indexed, &options(1));
                // A flipped bit in the last chunk needs only that chunk of a lying origin.
                let must = if *start == "missing" { *must } else { Must::Either };
                if let Err(why) = judge(&world, before.as_ref(), &outcome, must, indexed) {
                    wrong.push(format!("{name}, {start}, indexed {indexed}: {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Changes the real disk just before its `at`-th call of one kind, like a peer that races.
struct Meanwhile<F: Fn() + Sync> {
    call: Call,
    act: F,
    done: Mutex<bool>,
}

impl<F: Fn() + Sync> Lie for Meanwhile<F> {
    fn before(&self, call: Call) -> std::io::Result<()> {
        let mut done = self.done.lock().expect("no thread died holding it");
        if call == self.call && !*done {
            *done = true;
            (self.act)();
        }
        Ok(())
    }
}

fn meanwhile<F: Fn() + Sync>(call: Call, act: F) -> Meanwhile<F> {
    Meanwhile { call, act, done: Mutex::new(false) }
}

#[test]
fn a_name_taken_just_before_publishing_is_replaced_whole() {
    for staging in STAGINGS {
        let world = World::new(SIZE);
        let lie = meanwhile(Call::Publish, || fs::write(world.target(), b"a peer's").expect("write"));
        let disk = Lying { disk: world.disk("cache").with_staging(staging), lie };
        let outcome = world.heal_on(&disk, true);
        assert!(outcome.is_right() && world.is_right() && world.litter().is_empty(), "{staging:?}: {outcome:?}");
    }
}

#[test]
fn a_directory_made_just_before_publishing_is_reported_and_repaired_next_time() {
    for staging in STAGINGS {
        let world = World::new(SIZE);
        let lie = meanwhile(Call::Publish, || fs::create_dir(world.target()).expect("mkdir"));
        let disk = Lying { disk: world.disk("cache").with_staging(staging), lie };
        let outcome = world.heal_on(&disk, true);
        assert!(!outcome.is_right(), "{staging:?}: {outcome:?}");
        let again = world.heal_with(staging, true);
        assert!(again.is_right() && world.litter().is_empty(), "{staging:?}: {again:?}, {:?}", world.litter());
    }
}

#[test]
fn a_peers_sweep_never_takes_what_is_being_staged() {
    for staging in STAGINGS {
        for call in [Call::Write, Call::SyncFile, Call::Publish] {
            let world = World::new(SIZE);
            let sweeping = || {
                let disk = world.disk("cache");
                let dir = disk.open_dir(".deepface/weights").expect("dir");
                for name in disk.names(&dir, usize::MAX).expect("names") {
                    if name.starts_with(ballast::disk::STAGED_PREFIX) {
                        assert!(disk.remove_abandoned(&dir, &name).is_err(), "{name} was removed while it was written");
                    }
                }
            };
            let disk = Lying { disk: world.disk("cache").with_staging(staging), lie: meanwhile(call, sweeping) };
            assert!(world.heal_on(&disk, true).is_right(), "{staging:?}, {call:?}");
        }
    }
}

#[test]
fn what_another_replica_repaired_meanwhile_is_not_put_aside_when_ones_own_heal_fails() {
    let world = World::new(SIZE);
    world.plant(b"wrong");
    let full = Refuses::always(Call::Stage, libc::ENOSPC);
    struct Both<'a, F: Fn() + Sync>(Meanwhile<F>, &'a Refuses);
    impl<F: Fn() + Sync> Lie for Both<'_, F> {
        fn before(&self, call: Call) -> std::io::Result<()> {
            self.0.before(call)?;
            self.1.before(call)
        }
    }
    let other = meanwhile(Call::Stage, || assert!(world.heal_on(&world.disk("cache"), true).is_right()));
    let disk = Lying { disk: world.disk("cache"), lie: Both(other, &full) };
    let outcome = world.heal_on(&disk, true);
    assert!(matches!(outcome.done, Done::RepairedByAnother) && world.is_right(), "{outcome:?}");
}

fn heal_from_two(world: &World, lock: &ballast::lock::Lock, roots: [&str; 2]) -> Outcome {
    let disks: Vec<LinuxDisk> = roots.iter().map(|root| world.disk(root)).collect();
    let origins: Vec<_> =
        disks.iter().map(|disk| Origin { root: Path::new("source"), disk, strict: Strictness::Layer }).collect();
    heal(&world.disk("cache"), &[ExpectedWeight::by_pin(&lock.weights[0])], &origins, &options(2)).remove(0)
}

/// Without an index a whole origin is copied: if a longer wrong origin is tried first, none of its bytes may remain.
#[test]
fn nothing_of_a_longer_wrong_origin_remains_below_a_shorter_right_one() {
    let right = pattern(SIZE);
    let pin = pin_of(&right);
    for (name, rest) in [
        ("size unknown", format!("sha256 = \"{pin}\"\n")),
        ("with a former pin", format!("sha256 = \"{pin}\"\nsize = {SIZE}\nprevious = [\"{}\"]\n", pin_of(b"x"))),
    ] {
        let world = World::of(right.clone());
        fs::create_dir(world.dir.path().join("mirror")).expect("mkdir");
        fs::write(world.dir.path().join("mirror/model.bin"), vec![7; SIZE * 2]).expect("mirror");
        let outcome = heal_from_two(&world, &lock_of(&rest), ["mirror", "baked"]);
        let found = fs::read(world.target()).map(|bytes| bytes.len());
        assert!(outcome.is_right() && world.is_right(), "{name}: {outcome:?}, {found:?} bytes, expected {SIZE}");
    }
}

#[test]
fn a_mirror_that_is_too_large_for_the_disk_is_passed_over() {
    let right = pattern(SIZE);
    let world = World::of(right.clone());
    fs::create_dir(world.dir.path().join("mirror")).expect("mkdir");
    let giant = fs::File::create(world.dir.path().join("mirror/model.bin")).expect("create");
    giant.set_len(1 << 42).expect("a sparse giant");
    let outcome = heal_from_two(&world, &lock_of(&format!("sha256 = \"{}\"\n", pin_of(&right))), ["mirror", "baked"]);
    assert!(outcome.is_right() && world.is_right(), "{outcome:?}");
}

#[test]
fn a_directory_mirror_repairs_the_chunk_that_the_baked_layer_has_wrong() {
    let world = World::new(SIZE);
    let spoil = |root: &str, at: usize| {
        let mut bytes = world.bytes.clone();
        bytes[at] ^= 1;
        fs::create_dir_all(world.dir.path().join(root).join(".deepface/weights")).expect("mkdir");
        fs::write(world.dir.path().join(root).join(NAME), bytes).expect("write");
    };
    spoil("cache", 5);
    spoil("baked", 9);
    spoil("mirror", (1 << 20) + 1);
    let (baked, mirror) = (world.disk("baked"), world.disk("mirror"));
    let origins = [&baked, &mirror].map(|disk| Origin { root: Path::new("source"), disk, strict: Strictness::Layer });
    let outcome = heal(&world.disk("cache"), &[world.wanted(true)], &origins, &options(2)).remove(0);
    assert!(matches!(outcome.done, Done::Repaired(placed) if (placed.kept, placed.copied) == (2, 1)), "{outcome:?}");
    assert!(world.is_right());
}

#[test]
fn the_copy_kept_aside_is_one_and_the_first_to_go_when_space_is_needed() {
    let world = World::new(SIZE);
    for content in [b"first wrong".as_slice(), b"second wrong"] {
        world.plant(content);
        assert!(world.heal_with(Staging::TmpfileEmptyPath, true).is_right());
        assert_eq!(fs::read(aside(&world.target())).expect("aside"), content);
        assert_eq!(world.tree().keys().filter(|name| name.contains("aside")).count(), 1);
    }
    fs::remove_file(world.target()).expect("rm");
    let disk = Lying { disk: world.disk("cache"), lie: Refuses::once_at(Call::Stage, libc::ENOSPC, 0) };
    assert!(world.heal_on(&disk, true).is_right());
    assert!(!aside(&world.target()).exists(), "it was to go first");
}

#[test]
fn a_former_pins_content_leaves_no_copy_even_when_nothing_new_can_be_had() {
    let mut world = World::new(SIZE);
    let old = vec![7; SIZE + 9];
    world.lock =
        lock_of(&format!("sha256 = \"{}\"\nsize = {SIZE}\nprevious = [\"{}\"]\n", pin_of(&world.bytes), pin_of(&old)));
    world.plant(&old);
    fs::remove_file(world.dir.path().join("baked").join(NAME)).expect("rm");
    let outcome = world.heal_with(Staging::TmpfileEmptyPath, false);
    assert_eq!(outcome.found, WeightState::Stale);
    assert!(matches!(outcome.done, Done::Failed(InstallFault::NoSource)), "{outcome:?}");
    assert!(!world.target().exists() && !aside(&world.target()).exists());
}

/// Write-back is started at most this late, so that no single sync is long.
const MOST_UNPUSHED: u64 = 8 << 20;

/// Watches which written bytes no write-back was started for, in pages, and how many there were
/// at the worst moment.
#[derive(Default)]
struct Unpushed(Mutex<(BTreeSet<u64>, usize)>);

struct Watched<D>(D, Unpushed);

const PAGE: u64 = 4096;

impl Unpushed {
    fn dirty(&self, at: u64, len: u64) {
        let mut state = self.0.lock().expect("no thread died holding it");
        state.0.extend(at / PAGE..(at + len).div_ceil(PAGE));
        state.1 = state.1.max(state.0.len());
    }

    fn push(&self, at: u64, len: u64) {
        self.0.lock().expect("no thread died holding it").0.retain(|page| !(at..at + len).contains(&(page * PAGE)));
    }

    fn most(&self) -> u64 {
        self.0.lock().expect("no thread died holding it").1 as u64 * PAGE
    }
}

macro_rules! forward {
    ($($name:ident(&self $(, $arg:ident: $kind:ty)*) -> $out:ty;)*) => {
        $(fn $name(&self $(, $arg: $kind)*) -> $out { self.0.$name($($arg),*) })*
    };
}

impl<D: Disk> Disk for Watched<D> {
    type Dir = D::Dir;
    type File = D::File;

    forward! {
        open_dir(&self, rel: &str) -> std::io::Result<D::Dir>;
        open_below(&self, dir: &D::Dir, name: &str) -> std::io::Result<D::Dir>;
        make_dir(&self, parent: &D::Dir, name: &str, mode: u32, group: Option<u32>) -> std::io::Result<()>;
        stat(&self, dir: &D::Dir, name: &str) -> std::io::Result<ballast::disk::Stat>;
        stat_dir(&self, dir: &D::Dir) -> std::io::Result<ballast::disk::Stat>;
        writable(&self, dir: &D::Dir) -> bool;
        open(&self, dir: &D::Dir, name: &str) -> std::io::Result<(D::File, ballast::disk::Stat)>;
        read_at(&self, file: &D::File, buffer: &mut [u8], at: u64) -> std::io::Result<usize>;
        stage(&self, dir: &D::Dir, size: u64) -> std::io::Result<D::File>;
        sync_file(&self, file: &D::File, mode: u32) -> std::io::Result<()>;
        publish(&self, file: D::File, dir: &D::Dir, name: &str) -> std::io::Result<ballast::disk::Stat>;
        rename(&self, dir: &D::Dir, from: &str, to: &str) -> std::io::Result<()>;
        remove(&self, dir: &D::Dir, name: &str) -> std::io::Result<()>;
        remove_abandoned(&self, dir: &D::Dir, name: &str) -> std::io::Result<()>;
        names(&self, dir: &D::Dir, most: usize) -> std::io::Result<Vec<String>>;
        sync_dir(&self, dir: &D::Dir) -> std::io::Result<()>;
        lock(&self, wait: std::time::Duration) -> bool;
        unlock(&self) -> ();
    }

    fn write_at(&self, file: &D::File, bytes: &[u8], at: u64) -> std::io::Result<()> {
        let written = self.0.write_at(file, bytes, at);
        self.1.dirty(at, bytes.len() as u64);
        written
    }

    fn push(&self, file: &D::File, at: u64, len: u64) -> std::io::Result<()> {
        self.1.push(at, len);
        self.0.push(file, at, len)
    }
}

#[test]
fn no_sync_ever_holds_more_than_eight_megabytes() {
    let size = (37 << 20) + 11;
    let world = World::new(size);
    for (indexed, threads) in [(true, 1), (true, 2), (false, 2)] {
        let _ = fs::remove_file(world.target());
        let disk = Watched(world.disk("cache"), Unpushed::default());
        let outcome = world.heal_from(&disk, &world.disk("baked"), indexed, &options(threads));
        assert!(outcome.is_right(), "{outcome:?}");
        let most = disk.1.most();
        assert!(most <= MOST_UNPUSHED, "indexed {indexed}, {threads} threads: {most} bytes waited for the last sync");
    }
}

/// Errors that describe the call, and not the file.
const FAILED_CALLS: [i32; 5] = [libc::EAGAIN, libc::ENFILE, libc::ENOMEM, libc::EIO, libc::EACCES];

#[test]
fn a_link_that_could_not_be_followed_is_unreadable_and_is_not_taken_for_a_wrong_link() {
    let mut wrong = Vec::new();
    for errno in FAILED_CALLS {
        let world = World::new(SIZE);
        let (blob, name) = (world.target().with_file_name("blob"), world.target());
        world.plant(&world.bytes);
        fs::rename(&name, &blob).expect("move");
        std::os::unix::fs::symlink("blob", &name).expect("link");
        let disk = Lying { disk: world.disk("cache"), lie: Refuses::always(Call::Open, errno) };
        let found =
            ballast::heal::verify(&disk, &[world.wanted(true)], Strictness::Volume, options(1).threads).remove(0).found;
        if found != WeightState::Unreadable(errno) {
            wrong.push(format!("{errno}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_source_that_could_not_be_read_is_named_and_does_not_count_as_one_without_the_weight() {
    let mut wrong = Vec::new();
    for errno in FAILED_CALLS {
        let world = World::new(SIZE);
        let baked = Lying { disk: world.disk("baked"), lie: Refuses::always(Call::Open, errno) };
        let outcome = world.heal_from(&world.disk("cache"), &baked, true, &options(1));
        if !matches!(&outcome.done, Done::Failed(InstallFault::Source(source, error)) if source == Path::new("source") && error.raw_os_error() == Some(errno))
        {
            wrong.push(format!("{errno}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
