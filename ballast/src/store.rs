//! A store: weights below one root, verified, staged and published by numbered steps.
//!
//! The steps, cited from `docs/store.md`:
//! S1 open beneath the root, S2 judge the inode, S3 verify bytes, S4 stage with room reserved,
//! S5 copy while hashing, S6 settle, S7 set the bad copy aside, S8 publish and sync the names.
//!
//! Promise: at every moment, and after a crash at any call, a weight's name is absent, or an
//! entry that was there before, or a file whose every byte was checked while it was written.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::disk::{Disk, Kind, STAGED_PREFIX, Stat};
use crate::index::{CHUNK, Leaf, Tree, chunks};
use crate::lock::{RelPath, Weight};

/// Bytes read at a time; each hashing thread owns one buffer of this size.
const BUFFER: usize = 256 << 10;
/// Bytes after which write-back of a copy is started.
const PUSH: u64 = 4 << 20;
/// How the one bad copy of a weight that is kept is named.
pub const ASIDE_PREFIX: &str = ".ballast-aside.";

/// What the bytes under a weight's name turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Every byte checked, and right.
    Right,
    /// Nothing of that name.
    Missing,
    /// The content of a former pin.
    Stale,
    /// Something else: why, and which chunks are still good.
    Damaged(Damage),
    /// The kernel refused to show it.
    Unreadable(i32),
}

/// Why an entry is not the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Not a regular file.
    Kind(Kind),
    /// More than one hard link: somebody else holds the same inode.
    Links(u64),
    /// Setuid or setgid bits.
    Mode(u32),
    /// A length that differs from the pinned one.
    Size {
        /// The pinned length.
        expected: u64,
        /// The length found.
        found: u64,
    },
    /// Other bytes. Chunks are known where an index was used, the digest where none was.
    Bytes {
        /// Chunks that differ.
        bad: Vec<u64>,
        /// The SHA-256 found.
        found: Option<Digest>,
    },
}

/// How an entry of a store is judged before its bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A volume that others write: links and setuid bits are damage.
    Volume,
    /// An image layer: storage drivers may link.
    Layer,
}

/// One weight as a store sees it: the pin, and the tree if one was made for that pin.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The lock file's entry.
    pub weight: &'a Weight,
    /// Its tree, where a trusted index has it.
    pub tree: Option<&'a Tree>,
}

impl Wanted<'_> {
    /// The length, where the lock file or the index knows it.
    pub fn size(&self) -> Option<u64> {
        self.weight.size.or(self.tree.map(Tree::size))
    }
}

/// Opens a weight's entry and judges its inode (S1, S2).
///
/// # Errors
/// [`Found`] says what is there instead of a readable regular file of the right length.
fn open<D: Disk>(disk: &D, wanted: &Wanted, strict: Strictness) -> Result<(D::File, Stat), Found> {
    let path = &wanted.weight.path;
    open_at(disk, path.parent(), path.file_name(), wanted, strict)
}

fn open_at<D: Disk>(
    disk: &D,
    parent: &str,
    name: &str,
    wanted: &Wanted,
    strict: Strictness,
) -> Result<(D::File, Stat), Found> {
    let dir = disk.open_dir(parent).map_err(|error| unopened(&error))?;
    let before = disk.stat(&dir, name).map_err(|error| unopened(&error))?;
    judge(&before, wanted, strict)?;
    let (file, stat) = disk.open(&dir, name).map_err(|error| unopened(&error))?;
    // Judged again on the descriptor: the name may have changed hands since.
    judge(&stat, wanted, strict)?;
    Ok((file, stat))
}

fn unopened(error: &io::Error) -> Found {
    match error.raw_os_error() {
        Some(libc::ENOENT) => Found::Missing,
        Some(libc::ELOOP) => Found::Damaged(Damage::Kind(Kind::Symlink)),
        Some(libc::ENOTDIR) => Found::Damaged(Damage::Kind(Kind::File)),
        Some(libc::ENXIO) => Found::Damaged(Damage::Kind(Kind::Special)),
        code => Found::Unreadable(code.unwrap_or(libc::EIO)),
    }
}

fn judge(stat: &Stat, wanted: &Wanted, strict: Strictness) -> Result<(), Found> {
    let damage = match (stat.kind, strict) {
        (Kind::File, Strictness::Volume) if stat.links > 1 => Damage::Links(stat.links),
        (Kind::File, Strictness::Volume) if stat.mode & 0o6000 != 0 => Damage::Mode(stat.mode),
        (Kind::File, _) => match wanted.size() {
            // A former pin may have any length: only its digest tells stale from damaged.
            Some(expected) if expected != stat.size && wanted.weight.previous.is_empty() => {
                Damage::Size { expected, found: stat.size }
            }
            _ => return Ok(()),
        },
        (kind, _) => Damage::Kind(kind),
    };
    Err(Found::Damaged(damage))
}

/// Verifies every byte of these weights (S1 to S3), all chunks shared among the threads.
/// The answers are in the order of the weights.
pub fn verify<D: Disk>(disk: &D, wanted: &[Wanted], strict: Strictness, threads: NonZeroUsize) -> Vec<Found> {
    let opened: Vec<_> = wanted.iter().map(|w| open(disk, w, strict)).collect();
    let jobs: Vec<Job<D>> = opened
        .iter()
        .zip(wanted)
        .enumerate()
        .filter_map(|(at, (open, wanted))| {
            let (file, stat) = open.as_ref().ok()?;
            let tree = wanted.tree.filter(|tree| tree.size() == stat.size);
            Some(Job { at, file, tree, steps: tree.map_or(1, |tree| chunks(tree.size())), size: stat.size })
        })
        .collect();
    let answers = run(disk, &jobs, threads);
    let mut found: Vec<Found> =
        opened.iter().map(|open| open.as_ref().err().cloned().unwrap_or(Found::Right)).collect();
    for (at, answer) in answers {
        found[at] = sentence(disk, answer, &wanted[at], opened[at].as_ref().ok());
    }
    found
}

/// One file to hash: a tree's chunks one by one, or the whole file against its pin.
struct Job<'a, D: Disk> {
    at: usize,
    file: &'a D::File,
    tree: Option<&'a Tree>,
    steps: u64,
    size: u64,
}

/// What hashing one file brought.
#[derive(Default)]
struct Answer {
    bad: Vec<u64>,
    digest: Option<Digest>,
    errno: Option<i32>,
}

fn run<D: Disk>(disk: &D, jobs: &[Job<D>], threads: NonZeroUsize) -> Vec<(usize, Answer)> {
    let answers: Vec<_> = jobs.iter().map(|job| Mutex::new((job.at, Answer::default()))).collect();
    let next = AtomicUsize::new(0);
    let steps: Vec<(usize, u64)> = order(jobs);
    let work = || {
        let mut buffer = vec![0; BUFFER];
        while let Some(&(job, chunk)) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = step(disk, &jobs[job], chunk, &mut buffer);
            let mut answer = answers[job].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match result {
                Ok(Step::Good) => {}
                Ok(Step::Bad) => answer.1.bad.push(chunk),
                Ok(Step::Digest(digest)) => answer.1.digest = Some(digest),
                Err(error) => answer.1.errno = Some(error.raw_os_error().unwrap_or(libc::EIO)),
            }
        }
    };
    let helpers = threads.get().min(steps.len()).saturating_sub(1);
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            // A refused thread costs speed, never an answer.
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, work);
        }
        work();
    });
    answers.into_iter().map(|answer| answer.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)).collect()
}

/// Whole-file steps first and longest first, since they can't be shared.
fn order<D: Disk>(jobs: &[Job<D>]) -> Vec<(usize, u64)> {
    let mut steps: Vec<(u64, usize, u64)> = Vec::new();
    for (at, job) in jobs.iter().enumerate() {
        let weight = if job.tree.is_some() { CHUNK } else { job.size };
        steps.extend((0..job.steps).map(|chunk| (weight, at, chunk)));
    }
    steps.sort_by_key(|(weight, at, chunk)| (std::cmp::Reverse(*weight), *at, *chunk));
    steps.into_iter().map(|(_, at, chunk)| (at, chunk)).collect()
}

enum Step {
    Good,
    Bad,
    Digest(Digest),
}

fn step<D: Disk>(disk: &D, job: &Job<D>, chunk: u64, buffer: &mut [u8]) -> io::Result<Step> {
    let Some(tree) = job.tree else {
        return Ok(sha256(disk, job.file, job.size, buffer)?.map_or(Step::Bad, Step::Digest));
    };
    let mut leaf = Leaf::start(chunk);
    let start = chunk * CHUNK;
    let whole = each_piece(disk, job.file, start, (start + CHUNK).min(job.size), buffer, |piece, _| {
        leaf.update(piece);
        Ok(())
    })?;
    Ok(if whole && tree.holds(chunk, &leaf.finish()) { Step::Good } else { Step::Bad })
}

/// The SHA-256 of a file that must be exactly `size` long; `None` when it is shorter.
fn sha256<D: Disk>(disk: &D, file: &D::File, size: u64, buffer: &mut [u8]) -> io::Result<Option<Digest>> {
    let mut hasher = Sha256::new();
    let whole = each_piece(disk, file, 0, size, buffer, |piece, _| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(whole.then(|| Digest::from_bytes(hasher.finalize().into())))
}

/// Reads a range piece by piece; `false` when the file ends early.
fn each_piece<D: Disk>(
    disk: &D,
    file: &D::File,
    start: u64,
    end: u64,
    buffer: &mut [u8],
    mut use_piece: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<bool> {
    let mut at = start;
    while at < end {
        let want = buffer.len().min(usize::try_from(end - at).unwrap_or(buffer.len()));
        let got = disk.read_at(file, &mut buffer[..want], at)?;
        if got == 0 {
            return Ok(false);
        }
        use_piece(&buffer[..got], at)?;
        at += got as u64;
    }
    Ok(true)
}

/// Turns hashes into a finding, and tells stale from damaged.
fn sentence<D: Disk>(disk: &D, answer: Answer, wanted: &Wanted, open: Option<&(D::File, Stat)>) -> Found {
    if let Some(errno) = answer.errno {
        return Found::Unreadable(errno);
    }
    let Some((file, stat)) = open else {
        return Found::Missing;
    };
    let clean = answer.bad.is_empty();
    let by_tree = answer.digest.is_none();
    if clean && (by_tree || answer.digest == Some(wanted.weight.sha256)) {
        return Found::Right;
    }
    let found = match answer.digest {
        None if !wanted.weight.previous.is_empty() => {
            sha256(disk, file, stat.size, &mut vec![0; BUFFER]).ok().flatten()
        }
        known => known,
    };
    if found.is_some_and(|digest| wanted.weight.previous.contains(&digest)) {
        return Found::Stale;
    }
    match wanted.size() {
        Some(expected) if expected != stat.size => Found::Damaged(Damage::Size { expected, found: stat.size }),
        _ => Found::Damaged(Damage::Bytes { bad: answer.bad, found }),
    }
}

/// Why a weight could not be placed.
#[derive(Debug)]
pub enum PlaceFault {
    /// No source had the right bytes.
    NoSource,
    /// A call failed: the step of `docs/store.md`, and the kernel's answer.
    Call(&'static str, io::Error),
}

fn at(step: &'static str) -> impl FnOnce(io::Error) -> PlaceFault {
    move |error| PlaceFault::Call(step, error)
}

/// Where right bytes may come from: a store and how it is judged.
pub struct Origin<'a, D: Disk> {
    /// The other store.
    pub disk: &'a D,
    /// How its entries are judged.
    pub strict: Strictness,
}

impl<D: Disk> Origin<'_, D> {
    /// Opens the weight at its own path, else by its bare name, else by its digest.
    fn open(&self, wanted: &Wanted) -> Option<(D::File, Stat)> {
        let bare = |name: &str| open_at(self.disk, "", name, wanted, self.strict).ok();
        open(self.disk, wanted, self.strict)
            .ok()
            .or_else(|| bare(wanted.weight.path.file_name()))
            .or_else(|| bare(&wanted.weight.sha256.to_string()))
    }
}

/// How a weight was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Chunks that came from the damaged file itself.
    pub kept: u64,
    /// Chunks that came from an origin.
    pub copied: u64,
}

/// Puts right bytes under a weight's name (S4 to S8), whatever is there now.
///
/// With a tree, good chunks of the damaged file are reused and only bad ones are read from the
/// origins; every chunk is verified as it is copied. Without one, a whole origin is copied while
/// its SHA-256 is taken.
///
/// # Errors
/// [`PlaceFault`]; the name is then as before, or absent, never half written.
pub fn place<D: Disk, O: Disk>(
    disk: &D,
    wanted: &Wanted,
    found: &Found,
    origins: &[Origin<O>],
    mode: u32,
    threads: NonZeroUsize,
) -> Result<Placed, PlaceFault> {
    let path = &wanted.weight.path;
    let dir = ensure_dir(disk, path)?;
    let own = matches!(found, Found::Damaged(Damage::Bytes { .. } | Damage::Size { .. }))
        .then(|| disk.open(&dir, path.file_name()).ok())
        .flatten()
        .filter(|(_, stat)| stat.kind == Kind::File);
    let opened: Vec<_> = origins.iter().filter_map(|o| Some((o.disk, o.open(wanted)?))).collect();
    let size = wanted.size().or_else(|| opened.first().map(|(_, (_, stat))| stat.size)).ok_or(PlaceFault::NoSource)?;
    if opened.is_empty() && own.is_none() {
        return Err(PlaceFault::NoSource);
    }
    let staged = stage_with_room(disk, &dir, path, size)?;
    let placed = match wanted.tree.filter(|tree| tree.size() == size) {
        Some(tree) => copy_chunks(disk, &staged, tree, own.as_ref().map(|(file, _)| file), &opened, threads),
        None => copy_whole(disk, &staged, wanted.weight.sha256, &opened),
    };
    let placed = match placed {
        Ok(placed) => placed,
        Err(fault) => {
            abandon(disk, &dir, staged);
            return Err(fault);
        }
    };
    disk.settle(&staged, mode).map_err(at("S6 settle"))?;
    drop(own);
    set_aside(disk, &dir, path, found)?;
    disk.publish(staged, &dir, path.file_name()).map_err(at("S8 publish"))?;
    disk.sync_dir(&dir).map_err(at("S8 sync the directory"))?;
    Ok(placed)
}

/// A staged file that came to nothing vanishes; one with a temporary name is swept here.
fn abandon<D: Disk>(disk: &D, dir: &D::Dir, staged: D::File) {
    drop(staged);
    sweep(disk, dir);
}

/// Removes staged names that no living process holds. A failure costs space, never correctness.
pub fn sweep<D: Disk>(disk: &D, dir: &D::Dir) {
    for name in disk.names(dir).unwrap_or_default() {
        if name.starts_with(STAGED_PREFIX) {
            let _ = disk.remove_abandoned(dir, &name);
        }
    }
}

/// S4: reserves the room; the copy kept aside is the first to go when there is none.
fn stage_with_room<D: Disk>(disk: &D, dir: &D::Dir, path: &RelPath, size: u64) -> Result<D::File, PlaceFault> {
    match disk.stage(dir, size) {
        Err(error) if full(&error) => {
            let aside = format!("{ASIDE_PREFIX}{}", path.file_name());
            sweep(disk, dir);
            let _ = disk.remove(dir, &aside);
            disk.stage(dir, size).map_err(at("S4 stage"))
        }
        staged => staged.map_err(at("S4 stage")),
    }
}

fn full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

/// S7: keeps at most one bad copy; a stale one is no evidence of anything.
fn set_aside<D: Disk>(disk: &D, dir: &D::Dir, path: &RelPath, found: &Found) -> Result<(), PlaceFault> {
    match found {
        Found::Missing | Found::Stale | Found::Right => Ok(()),
        Found::Damaged(_) | Found::Unreadable(_) => {
            let aside = format!("{ASIDE_PREFIX}{}", path.file_name());
            match disk.rename(dir, path.file_name(), &aside) {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                done => done.map_err(at("S7 set aside")),
            }
        }
    }
}

/// Takes a wrong file's name away when nothing right can take its place: absent is honest.
pub fn quarantine<D: Disk>(disk: &D, wanted: &Wanted, found: &Found) {
    if let (Found::Damaged(_) | Found::Stale, Ok(dir)) = (found, disk.open_dir(wanted.weight.path.parent())) {
        let aside = format!("{ASIDE_PREFIX}{}", wanted.weight.path.file_name());
        let moved = disk.rename(&dir, wanted.weight.path.file_name(), &aside);
        let _ = moved.and_then(|()| disk.sync_dir(&dir));
    }
}

/// Opens a weight's directory, making what is missing and moving aside what is no directory
/// or can't be written.
fn ensure_dir<D: Disk>(disk: &D, path: &RelPath) -> Result<D::Dir, PlaceFault> {
    let mut rel = String::new();
    let mut here = disk.open_dir("").map_err(at("S1 open the root"))?;
    for name in path.parent().split('/').filter(|name| !name.is_empty()) {
        rel = if rel.is_empty() { name.to_owned() } else { format!("{rel}/{name}") };
        here = match disk.open_dir(&rel) {
            Ok(dir) if disk.writable(&dir) => dir,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => make_dir(disk, &here, name, &rel)?,
            Ok(_) | Err(_) => {
                let aside = format!("{ASIDE_PREFIX}{name}");
                disk.rename(&here, name, &aside).map_err(at("S7 set a directory aside"))?;
                make_dir(disk, &here, name, &rel)?
            }
        };
    }
    Ok(here)
}

fn make_dir<D: Disk>(disk: &D, parent: &D::Dir, name: &str, rel: &str) -> Result<D::Dir, PlaceFault> {
    match disk.make_dir(parent, name, 0o755) {
        // Another replica was first.
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
        made => made.map_err(at("S1 make a directory"))?,
    }
    disk.open_dir(rel).map_err(at("S1 open a directory"))
}

type Opened<'a, D> = (&'a D, (<D as Disk>::File, Stat));

/// S5 with a tree: chunk by chunk, each verified before it is written.
fn copy_chunks<D: Disk, O: Disk>(
    disk: &D,
    staged: &D::File,
    tree: &Tree,
    own: Option<&D::File>,
    origins: &[Opened<O>],
    threads: NonZeroUsize,
) -> Result<Placed, PlaceFault> {
    let (next, kept, copied) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let total = chunks(tree.size());
    let fault = Mutex::new(None);
    let work = || {
        let mut chunk = vec![0; usize::try_from(CHUNK.min(tree.size())).unwrap_or(0)];
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                return;
            }
            let start = number * CHUNK;
            let len = usize::try_from(CHUNK.min(tree.size() - start)).unwrap_or(0);
            let piece = &mut chunk[..len];
            let from_own = own.is_some_and(|file| good(disk, file, tree, number, piece));
            let good = from_own || origins.iter().any(|(o, (file, _))| good(*o, file, tree, number, piece));
            let written = if good {
                disk.write_at(staged, piece, start).map_err(at("S5 write"))
            } else {
                Err(PlaceFault::NoSource)
            };
            match written {
                Ok(()) => (if from_own { &kept } else { &copied }).fetch_add(1, Ordering::Relaxed),
                Err(error) => {
                    fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                    return;
                }
            };
            if number % (PUSH / CHUNK) == PUSH / CHUNK - 1 {
                let _ = disk.push(staged, start + CHUNK - PUSH, PUSH);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get().min(2) {
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, work);
        }
        work();
    });
    match fault.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(fault) => Err(fault),
        None => Ok(Placed { kept: kept.into_inner(), copied: copied.into_inner() }),
    }
}

/// Reads one chunk and checks it against the tree.
fn good<D: Disk>(disk: &D, file: &D::File, tree: &Tree, number: u64, piece: &mut [u8]) -> bool {
    let mut filled = 0;
    while filled < piece.len() {
        match disk.read_at(file, &mut piece[filled..], number * CHUNK + filled as u64) {
            Ok(0) | Err(_) => return false,
            Ok(got) => filled += got,
        }
    }
    let mut leaf = Leaf::start(number);
    leaf.update(piece);
    tree.holds(number, &leaf.finish())
}

/// S5 without a tree: the first origin whose SHA-256 is the pin.
fn copy_whole<D: Disk, O: Disk>(
    disk: &D,
    staged: &D::File,
    pin: Digest,
    origins: &[Opened<O>],
) -> Result<Placed, PlaceFault> {
    let mut buffer = vec![0; BUFFER];
    for (origin, (file, stat)) in origins {
        let mut hasher = Sha256::new();
        let mut write = Ok(());
        let whole = each_piece(*origin, file, 0, stat.size, &mut buffer, |piece, offset| {
            hasher.update(piece);
            write = disk.write_at(staged, piece, offset).map_err(at("S5 write"));
            let end = offset + piece.len() as u64;
            if end / PUSH != offset / PUSH {
                let _ = disk.push(staged, (end / PUSH - 1) * PUSH, PUSH);
            }
            if write.is_ok() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
        });
        write?;
        if whole.unwrap_or(false) && Digest::from_bytes(hasher.finalize().into()) == pin {
            return Ok(Placed { kept: 0, copied: chunks(stat.size) });
        }
    }
    Err(PlaceFault::NoSource)
}

/// Takes the tree of a file whose SHA-256 is its pin: both in one reading.
///
/// # Errors
/// What was found instead of the weight.
pub fn tree_of<D: Disk>(disk: &D, wanted: &Wanted) -> Result<Tree, Found> {
    let (file, stat) = open(disk, wanted, Strictness::Layer)?;
    let (mut hasher, mut leaves, mut buffer) = (Sha256::new(), Vec::new(), vec![0; BUFFER]);
    let unread = |error: io::Error| Found::Unreadable(error.raw_os_error().unwrap_or(libc::EIO));
    for number in 0..chunks(stat.size) {
        let (start, mut leaf) = (number * CHUNK, Leaf::start(number));
        let whole = each_piece(disk, &file, start, (start + CHUNK).min(stat.size), &mut buffer, |piece, _| {
            hasher.update(piece);
            leaf.update(piece);
            Ok(())
        });
        if !whole.map_err(unread)? {
            return Err(Found::Damaged(Damage::Bytes { bad: vec![number], found: None }));
        }
        leaves.push(leaf.finish());
    }
    let found = Digest::from_bytes(hasher.finalize().into());
    if found != wanted.weight.sha256 {
        return Err(Found::Damaged(Damage::Bytes { bad: Vec::new(), found: Some(found) }));
    }
    Tree::new(stat.size, leaves).map_err(|_| Found::Unreadable(libc::EFBIG))
}
