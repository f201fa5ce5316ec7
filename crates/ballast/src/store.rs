//! A store: weights below one root, verified by numbered steps.
//!
//! S3 of `docs/store.md`: verify bytes. `open` has S1 and S2, `install` the others.
//!
//! Promise: a right weight's bytes were all read from one descriptor and checked.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::disk::{Disk, Stat};
use crate::index::{CHUNK, Leaf, Tree, chunks};
use crate::open::{open, reached};
use crate::ways::Ways;

pub use crate::state::{Damage, Examined, ExpectedWeight, ReadError, Strictness, WeightState};

/// Bytes read at a time; each hashing thread owns one buffer of this size.
pub(crate) const BUFFER: usize = 256 << 10;

/// Returns how many threads may hash at once. The function is called only if there is work to share,
/// since it may read several files of the kernel.
pub type Threads = fn() -> NonZeroUsize;

/// Returns whether a name leads to the weight's bytes although its entry is wrong.
pub(crate) fn leads_to_right_bytes<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    found: &WeightState,
    strict: Strictness,
) -> bool {
    reached(disk, wanted, found, strict, &Ways::new(|_| true)).is_some_and(|(file, stat)| {
        let read = sha256(disk, &file, stat.size, &mut Buffer::new(BUFFER));
        read.is_ok_and(|digest| digest == Some(wanted.weight.sha256))
    })
}

/// Returns whether a weight's name leads a reader to the right bytes, whatever its entry is.
pub(crate) fn leads_right<D: Disk>(disk: &D, wanted: &ExpectedWeight, strict: Strictness) -> bool {
    let found = verify(disk, std::slice::from_ref(wanted), strict, || NonZeroUsize::MIN);
    found.iter().any(|Examined { found, .. }| {
        matches!(found, WeightState::Right | WeightState::Vouched) || leads_to_right_bytes(disk, wanted, found, strict)
    })
}

/// Verifies every byte of these weights (S1 to S3), all chunks shared among the threads. No more files are open at once
/// than the disk allows. The results are in the order of the weights.
pub fn verify<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness, threads: Threads) -> Vec<Examined> {
    examine(disk, wanted, strict, threads, Extent::Whole)
}

/// The part of a wrong file to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The whole file: every wrong chunk is then known.
    Whole,
    /// Up to the first wrong chunk, for a repair: the copy hashes every chunk that it takes.
    UntilWrong,
}

/// [`verify`], which reads this much of a wrong file.
pub(crate) fn examine<D: Disk>(
    disk: &D,
    wanted: &[ExpectedWeight],
    strict: Strictness,
    threads: Threads,
    extent: Extent,
) -> Vec<Examined> {
    let at_once = |some: &[ExpectedWeight]| examine_at_once(disk, some, strict, threads, extent);
    wanted.chunks(disk.files_at_once()).flat_map(at_once).collect()
}

fn examine_at_once<D: Disk>(
    disk: &D,
    wanted: &[ExpectedWeight],
    strict: Strictness,
    threads: Threads,
    extent: Extent,
) -> Vec<Examined> {
    let opened: Vec<_> = wanted.iter().map(|w| open(disk, w, strict)).collect();
    let vouched = |at: usize| opened[at].as_ref().is_ok_and(|(_, stat)| wanted[at].vouched(stat));
    let jobs = jobs(&opened, wanted, vouched);
    let answers = run(disk, &jobs, threads, extent);
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

/// The result of hashing one file.
#[derive(Default)]
struct Answer {
    bad: Vec<u64>,
    digest: Option<Digest>,
    errno: Option<i32>,
}

fn run<D: Disk>(disk: &D, jobs: &[Job<D>], threads: Threads, extent: Extent) -> Vec<(usize, Answer)> {
    let answers: Vec<_> = jobs.iter().map(|job| Mutex::new((job.at, Answer::default()))).collect();
    let next = AtomicUsize::new(0);
    let steps: Vec<(usize, u64)> = order(jobs);
    if steps.is_empty() {
        return answers.into_iter().map(into_answer).collect();
    }
    let longest = jobs.iter().map(|job| usize::try_from(job.size).unwrap_or(BUFFER)).max();
    let work = || {
        let mut buffer = Buffer::new(longest.unwrap_or(0).min(BUFFER));
        while let Some(&(job, chunk)) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = || answers[job].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if extent == Extent::UntilWrong && !answer().1.bad.is_empty() {
                continue;
            }
            let result = step(disk, &jobs[job], chunk, &mut buffer);
            let mut answer = answer();
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
            // If a thread can't be started, hashing is slower and still complete.
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, work);
        }
        work();
    });
    answers.into_iter().map(into_answer).collect()
}

fn into_answer<T>(answer: Mutex<T>) -> T {
    answer.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Orders whole files first, the longest first, since threads can't share one.
fn order<D: Disk>(jobs: &[Job<D>]) -> Vec<(usize, u64)> {
    let length = |job: &Job<D>| if job.tree.is_some() { CHUNK } else { job.size };
    let mut longest: Vec<_> = jobs.iter().enumerate().map(|(at, job)| (std::cmp::Reverse(length(job)), at)).collect();
    longest.sort_unstable();
    longest.into_iter().flat_map(|(_, at)| (0..jobs[at].steps).map(move |chunk| (at, chunk))).collect()
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

/// Turns hashes into a state, and distinguishes stale from damaged.
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

/// Computes the tree of a file whose SHA-256 is its pin, in one reading.
///
/// # Errors
/// [`ReadError`] says what was found instead of the weight.
pub fn tree_of<D: Disk>(disk: &D, wanted: &ExpectedWeight) -> Result<Tree, ReadError> {
    hashed_tree(disk, wanted).map_err(ReadError::of)
}

fn hashed_tree<D: Disk>(disk: &D, wanted: &ExpectedWeight) -> Result<Tree, WeightState> {
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
