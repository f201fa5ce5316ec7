//! A store: weights below one root, judged and verified by numbered steps.
//!
//! The first steps of `docs/store.md`: S1 open beneath the root, S2 judge the inode, S3 verify
//! bytes. `place` has the others.
//!
//! Promise: right means that every byte was read from one descriptor and checked.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::disk::{Disk, Kind, Stat};
use crate::index::{CHUNK, Leaf, Tree, chunks};
use crate::kept;
use crate::lock::Weight;
use crate::receipt::Receipt;

/// Bytes read at a time; each hashing thread owns one buffer of this size.
pub(crate) const BUFFER: usize = 256 << 10;

/// How many threads may hash at once: asked only where there is work to share, since the answer
/// may take several files of the kernel's.
pub type Threads = fn() -> NonZeroUsize;

/// What the bytes under a weight's name turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightState {
    /// Every byte checked, and right.
    Right,
    /// Not read: a receipt says that this very inode was right, and nothing has changed since.
    Vouched,
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
    /// A file that its owner, or anybody, could change: root keeps only its own.
    Owner(u32),
    /// Setuid or setgid bits; a weight that root keeps and the app can't read.
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
        /// Chunks that differ, in order.
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
    /// A volume that root keeps from the app: only root's own unwritable files count.
    Kept {
        /// The app's group, which may make files beside the weights.
        gid: u32,
    },
}

impl Strictness {
    /// Permission bits of a new weight.
    pub fn file_mode(self) -> u32 {
        match self {
            Self::Volume | Self::Layer => 0o644,
            Self::Kept { .. } => 0o444,
        }
    }

    /// Permission bits of a new directory, and its group where that is not the maker's.
    pub fn dir_mode(self) -> (u32, Option<u32>) {
        match self {
            Self::Volume | Self::Layer => (0o755, None),
            Self::Kept { gid } => (0o1775, Some(gid)),
        }
    }

    /// Whether a directory may stay on the way to a weight. In one that root keeps, the app removes no
    /// entry of root's, and finds the weights.
    pub fn accepts_dir(self, stat: &Stat, writable: bool) -> bool {
        match self {
            Self::Volume | Self::Layer => writable,
            Self::Kept { gid } => {
                let search = if stat.gid == gid { 0o010 } else { 0o001 };
                stat.uid == 0 && stat.mode & search != 0 && (stat.mode & 0o1000 != 0 || stat.mode & 0o022 == 0)
            }
        }
    }
}

/// One weight as a store sees it: the pin, and the tree if one was made for that pin.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedWeight<'a> {
    /// The lock file's entry.
    pub weight: &'a Weight,
    /// Its tree, where a trusted index has it.
    pub tree: Option<&'a Tree>,
    /// What vouches for its bytes, where the operator asked for that and the file is kept firmly.
    pub receipt: Option<&'a Receipt>,
}

impl<'a> ExpectedWeight<'a> {
    /// A weight that only its SHA-256 speaks for.
    pub fn by_pin(weight: &'a Weight) -> Self {
        Self { weight, tree: None, receipt: None }
    }

    fn vouched(&self, stat: &Stat) -> bool {
        self.receipt.is_some_and(|receipt| receipt.vouches(&self.weight.sha256, stat))
    }

    /// The length, where the lock file or the index knows it.
    pub fn size(&self) -> Option<u64> {
        self.weight.size.or(self.tree.map(Tree::size))
    }
}

/// What examining a weight's entry brought.
#[derive(Debug, Clone)]
pub struct Examined {
    /// What it is.
    pub found: WeightState,
    /// Facts of the inode, where one of the right kind could be opened.
    pub stat: Option<Stat>,
}

/// Opens a weight's entry and judges its inode (S1, S2).
///
/// # Errors
/// [`WeightState`] says what is there instead of a readable regular file of the right length.
pub(crate) fn open<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    strict: Strictness,
) -> Result<(D::File, Stat), WeightState> {
    let path = &wanted.weight.path;
    match open_at(disk, path.parent(), path.file_name(), wanted, strict) {
        // A directory's link is no directory to the kernel.
        Err(WeightState::Damaged(Damage::Kind(kind @ (Kind::Symlink | Kind::File)))) => {
            linked(disk, wanted, strict, kind)
        }
        opened => opened,
    }
}

/// Opens and judges what a weight's name leads to through links that stay below the root: a Hugging Face cache's
/// snapshots are such links. Root keeps no link of others.
fn linked<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    strict: Strictness,
    kind: Kind,
) -> Result<(D::File, Stat), WeightState> {
    let in_the_way = WeightState::Damaged(Damage::Kind(kind));
    if matches!(strict, Strictness::Kept { .. }) {
        return Err(in_the_way);
    }
    let (file, stat) = disk.follow(wanted.weight.path.as_str(), false).map_err(|error| match error.raw_os_error() {
        Some(libc::EACCES) => WeightState::Unreadable(libc::EACCES),
        _ => in_the_way,
    })?;
    judge(&stat, wanted, strict)?;
    Ok((file, stat))
}

/// What the app reads under a weight's name where the entry itself is no weight, whoever owns it and however it is
/// linked: its bytes may still be right. `None` where they were read already, or can't be.
pub(crate) fn reached<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    found: &WeightState,
    strict: Strictness,
) -> Option<(D::File, Stat)> {
    let WeightState::Damaged(
        Damage::Links(_) | Damage::Owner(_) | Damage::Mode(_) | Damage::Kind(Kind::Symlink | Kind::File),
    ) = found
    else {
        return None;
    };
    let beyond = !matches!(strict, Strictness::Kept { .. });
    let reached = disk.follow(wanted.weight.path.as_str(), beyond).ok()?;
    wanted.size().is_none_or(|size| size == reached.1.size).then_some(reached)
}

/// Whether the bytes that a name leads to are the weight's, though its entry is not as it should be.
pub(crate) fn leads_to_right_bytes<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    found: &WeightState,
    strict: Strictness,
) -> bool {
    reached(disk, wanted, found, strict).is_some_and(|(file, stat)| {
        let read = sha256(disk, &file, stat.size, &mut Buffer::new(BUFFER));
        read.is_ok_and(|digest| digest == Some(wanted.weight.sha256))
    })
}

pub(crate) fn open_at<D: Disk>(
    disk: &D,
    parent: &str,
    name: &str,
    wanted: &ExpectedWeight,
    strict: Strictness,
) -> Result<(D::File, Stat), WeightState> {
    let dir = kept::descend(disk, parent, strict)?;
    let before = disk.stat(&dir, name).map_err(|error| unopened(&error))?;
    judge(&before, wanted, strict)?;
    let (file, stat) = disk.open(&dir, name).map_err(|error| unopened(&error))?;
    // Judged again on the descriptor: the name may have changed hands since.
    judge(&stat, wanted, strict)?;
    Ok((file, stat))
}

pub(crate) fn unopened(error: &io::Error) -> WeightState {
    match error.raw_os_error() {
        Some(libc::ENOENT) => WeightState::Missing,
        Some(libc::ELOOP) => WeightState::Damaged(Damage::Kind(Kind::Symlink)),
        Some(libc::ENOTDIR) => WeightState::Damaged(Damage::Kind(Kind::File)),
        Some(libc::ENXIO) => WeightState::Damaged(Damage::Kind(Kind::Special)),
        code => WeightState::Unreadable(code.unwrap_or(libc::EIO)),
    }
}

fn judge(stat: &Stat, wanted: &ExpectedWeight, strict: Strictness) -> Result<(), WeightState> {
    let damage = match (stat.kind, strict) {
        (Kind::File, Strictness::Volume | Strictness::Kept { .. }) if stat.links > 1 => Damage::Links(stat.links),
        (Kind::File, Strictness::Volume | Strictness::Kept { .. }) if stat.mode & 0o6000 != 0 => {
            Damage::Mode(stat.mode)
        }
        // Another uid may still have it open: only a fresh inode can be blessed.
        (Kind::File, Strictness::Kept { .. }) if stat.uid != 0 || stat.mode & 0o022 != 0 => Damage::Owner(stat.uid),
        // The app can't read it, whatever its bytes are.
        (Kind::File, Strictness::Kept { .. }) if stat.mode & 0o044 != 0o044 => Damage::Mode(stat.mode),
        (Kind::File, _) => match wanted.size() {
            // A former pin may have any length: only its digest tells stale from damaged.
            Some(expected) if expected != stat.size && wanted.weight.previous.is_empty() => {
                Damage::Size { expected, found: stat.size }
            }
            _ => return Ok(()),
        },
        (kind, _) => Damage::Kind(kind),
    };
    Err(WeightState::Damaged(damage))
}

/// Whether the file whose bytes were found wrong is still under the weight's name, as it was then.
pub(crate) fn unchanged<D: Disk>(disk: &D, wanted: &ExpectedWeight, seen: &Examined, strict: Strictness) -> bool {
    let (WeightState::Damaged(Damage::Bytes { .. }), Some(then)) = (&seen.found, &seen.stat) else { return false };
    open(disk, wanted, strict).is_ok_and(|(_, now)| now == *then)
}

/// The inode for which a receipt speaks as it is now, so that neither its bytes nor its tree are
/// called for.
pub(crate) fn vouched<D: Disk>(disk: &D, wanted: &ExpectedWeight, strict: Strictness) -> Option<Stat> {
    wanted.receipt?;
    open(disk, wanted, strict).ok().map(|(_, stat)| stat).filter(|stat| wanted.vouched(stat))
}

/// Verifies every byte of these weights (S1 to S3), all chunks shared among the threads. No more files are open at once
/// than the disk allows. The answers are in the order of the weights.
pub fn verify<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness, threads: Threads) -> Vec<Examined> {
    wanted.chunks(disk.files_at_once()).flat_map(|some| verify_at_once(disk, some, strict, threads)).collect()
}

fn verify_at_once<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness, threads: Threads) -> Vec<Examined> {
    let opened: Vec<_> = wanted.iter().map(|w| open(disk, w, strict)).collect();
    let vouched = |at: usize| opened[at].as_ref().is_ok_and(|(_, stat)| wanted[at].vouched(stat));
    let jobs = jobs(&opened, wanted, vouched);
    let answers = run(disk, &jobs, threads);
    let judged = |opened: &Opened<D>| match opened {
        Err(found) => Examined { found: found.clone(), stat: None },
        Ok((_, stat)) => Examined { found: WeightState::Vouched, stat: Some(*stat) },
    };
    let mut found: Vec<Examined> = opened.iter().map(judged).collect();
    for (at, answer) in answers {
        found[at].found = sentence(disk, answer, &wanted[at], opened[at].as_ref().ok());
    }
    found
}

type Opened<D> = Result<(<D as Disk>::File, Stat), WeightState>;

fn jobs<'a, D: Disk>(
    opened: &'a [Opened<D>],
    wanted: &[ExpectedWeight<'a>],
    done: impl Fn(usize) -> bool,
) -> Vec<Job<'a, D>> {
    let unread = (0..wanted.len()).filter(|at| !done(*at));
    unread
        .filter_map(|at| {
            let (file, stat) = opened[at].as_ref().ok()?;
            let tree = wanted[at].tree.filter(|tree| tree.size() == stat.size);
            Some(Job { at, file, tree, steps: tree.map_or(1, |tree| chunks(tree.size())), size: stat.size })
        })
        .collect()
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

fn run<D: Disk>(disk: &D, jobs: &[Job<D>], threads: Threads) -> Vec<(usize, Answer)> {
    let answers: Vec<_> = jobs.iter().map(|job| Mutex::new((job.at, Answer::default()))).collect();
    let next = AtomicUsize::new(0);
    let steps: Vec<(usize, u64)> = order(jobs);
    if steps.is_empty() {
        return answers.into_iter().map(settled).collect();
    }
    let longest = jobs.iter().map(|job| usize::try_from(job.size).unwrap_or(BUFFER)).max();
    let work = || {
        let mut buffer = Buffer::new(longest.unwrap_or(0).min(BUFFER));
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
    let helpers = if steps.len() > 1 { threads().get().min(steps.len()) - 1 } else { 0 };
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            // A refused thread costs speed, never an answer.
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, work);
        }
        work();
    });
    answers.into_iter().map(settled).collect()
}

fn settled<T>(answer: Mutex<T>) -> T {
    answer.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
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
pub(crate) fn each_piece<D: Disk>(
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
        let piece = disk.read(file, &mut buffer[..want], at)?;
        if piece.is_empty() {
            return Ok(false);
        }
        use_piece(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(true)
}

/// Turns hashes into a finding, and tells stale from damaged.
fn sentence<D: Disk>(
    disk: &D,
    mut answer: Answer,
    wanted: &ExpectedWeight,
    open: Option<&(D::File, Stat)>,
) -> WeightState {
    if let Some(errno) = answer.errno {
        return WeightState::Unreadable(errno);
    }
    let Some((file, stat)) = open else {
        return WeightState::Missing;
    };
    answer.bad.sort_unstable();
    let clean = answer.bad.is_empty();
    let by_tree = answer.digest.is_none();
    if clean && (by_tree || answer.digest == Some(wanted.weight.sha256)) {
        return WeightState::Right;
    }
    let found = match answer.digest {
        None if !wanted.weight.previous.is_empty() => {
            sha256(disk, file, stat.size, &mut Buffer::new(BUFFER)).ok().flatten()
        }
        known => known,
    };
    if found.is_some_and(|digest| wanted.weight.previous.contains(&digest)) {
        return WeightState::Stale;
    }
    match wanted.size() {
        Some(expected) if expected != stat.size => WeightState::Damaged(Damage::Size { expected, found: stat.size }),
        _ => WeightState::Damaged(Damage::Bytes { bad: answer.bad, found }),
    }
}

/// Takes the tree of a file whose SHA-256 is its pin: both in one reading.
///
/// # Errors
/// What was found instead of the weight.
pub fn tree_of<D: Disk>(disk: &D, wanted: &ExpectedWeight) -> Result<Tree, WeightState> {
    let (file, stat) = open(disk, wanted, Strictness::Layer)?;
    let (mut hasher, mut leaves, mut buffer) = (Sha256::new(), Vec::new(), Buffer::new(BUFFER));
    let unread = |error: io::Error| WeightState::Unreadable(error.raw_os_error().unwrap_or(libc::EIO));
    for number in 0..chunks(stat.size) {
        let (start, mut leaf) = (number * CHUNK, Leaf::start(number));
        let whole = each_piece(disk, &file, start, (start + CHUNK).min(stat.size), &mut buffer, |piece, _| {
            hasher.update(piece);
            leaf.update(piece);
            Ok(())
        });
        if !whole.map_err(unread)? {
            return Err(WeightState::Damaged(Damage::Bytes { bad: vec![number], found: None }));
        }
        leaves.push(leaf.finish());
    }
    let found = Digest::from_bytes(hasher.finalize().into());
    if found != wanted.weight.sha256 {
        return Err(WeightState::Damaged(Damage::Bytes { bad: Vec::new(), found: Some(found) }));
    }
    Tree::new(stat.size, leaves).map_err(|_| WeightState::Unreadable(libc::EFBIG))
}
