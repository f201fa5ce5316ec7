//! Placing: the second half of a store's steps, after `store` has judged what is there.
//!
//! S4 stage with room reserved, S5 copy while hashing, S6 settle, S7 set the bad copy aside,
//! S8 publish and sync the names. `docs/store.md` explains each. A crash at any call leaves the
//! entry that was there, no entry, or the right one.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::disk::{Disk, Kind, STAGED_PREFIX, Stat};
use crate::index::{CHUNK, Leaf, Tree, chunks};
use crate::lock::RelPath;
use crate::store::{BUFFER, Damage, Found, Strictness, Wanted, each_piece, open, open_at};

/// Bytes after which write-back of a copy is started.
const PUSH: u64 = 4 << 20;
/// How the one bad copy of a weight that is kept is named.
pub const ASIDE_PREFIX: &str = ".ballast-aside.";

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
    strict: Strictness,
    threads: NonZeroUsize,
) -> Result<Placed, PlaceFault> {
    let path = &wanted.weight.path;
    let dir = ensure_dir(disk, path, strict)?;
    let own = matches!(found, Found::Damaged(Damage::Bytes { .. } | Damage::Size { .. } | Damage::Owner(_)))
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
    disk.settle(&staged, strict.file_mode()).map_err(at("S6 settle"))?;
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
        Found::Missing | Found::Stale | Found::Right | Found::Vouched => Ok(()),
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
fn ensure_dir<D: Disk>(disk: &D, path: &RelPath, strict: Strictness) -> Result<D::Dir, PlaceFault> {
    let mut rel = String::new();
    let mut here = disk.open_dir("").map_err(at("S1 open the root"))?;
    for name in path.parent().split('/').filter(|name| !name.is_empty()) {
        rel = if rel.is_empty() { name.to_owned() } else { format!("{rel}/{name}") };
        here = match disk.open_dir(&rel) {
            Ok(dir) if accepted(disk, &dir, strict) => dir,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => make_dir(disk, &here, name, &rel, strict)?,
            Ok(_) | Err(_) => {
                let aside = format!("{ASIDE_PREFIX}{name}");
                disk.rename(&here, name, &aside).map_err(at("S7 set a directory aside"))?;
                make_dir(disk, &here, name, &rel, strict)?
            }
        };
    }
    Ok(here)
}

fn accepted<D: Disk>(disk: &D, dir: &D::Dir, strict: Strictness) -> bool {
    disk.stat_dir(dir).is_ok_and(|stat| strict.accepts_dir(&stat, disk.writable(dir)))
}

fn make_dir<D: Disk>(
    disk: &D,
    parent: &D::Dir,
    name: &str,
    rel: &str,
    strict: Strictness,
) -> Result<D::Dir, PlaceFault> {
    let (mode, group) = strict.dir_mode();
    match disk.make_dir(parent, name, mode, group) {
        // Another replica was first.
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
        made => made.map_err(at("S1 make a directory"))?,
    }
    disk.open_dir(rel).map_err(at("S1 open a directory"))
}

type Opened<'a, D> = (&'a D, (<D as Disk>::File, Stat));

/// S5 with a tree: every chunk hashed as it is copied, and taken from elsewhere when it is bad.
fn copy_chunks<D: Disk, O: Disk>(
    disk: &D,
    staged: &D::File,
    tree: &Tree,
    own: Option<&D::File>,
    origins: &[Opened<O>],
    threads: NonZeroUsize,
) -> Result<Placed, PlaceFault> {
    let copy = Copying {
        disk,
        staged,
        tree,
        own,
        origins,
        next: AtomicU64::new(0),
        kept: AtomicU64::new(0),
        copied: AtomicU64::new(0),
        fault: Mutex::new(None),
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get().min(2) {
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, || copy.work());
        }
        copy.work();
    });
    match copy.fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(fault) => Err(fault),
        None => Ok(Placed { kept: copy.kept.into_inner(), copied: copy.copied.into_inner() }),
    }
}

/// One copy by chunks, shared among threads.
struct Copying<'a, D: Disk, O: Disk> {
    disk: &'a D,
    staged: &'a D::File,
    tree: &'a Tree,
    own: Option<&'a D::File>,
    origins: &'a [Opened<'a, O>],
    next: AtomicU64,
    kept: AtomicU64,
    copied: AtomicU64,
    fault: Mutex<Option<PlaceFault>>,
}

impl<D: Disk, O: Disk> Copying<'_, D, O> {
    fn work(&self) {
        let mut buffer = Buffer::new(BUFFER);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= chunks(self.tree.size()) {
                return;
            }
            if let Err(fault) = self.chunk(number, &mut buffer) {
                // The other threads stop at their next chunk.
                self.next.store(u64::MAX / 2, Ordering::Relaxed);
                self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
                return;
            }
            if number % (PUSH / CHUNK) == PUSH / CHUNK - 1 {
                let _ = self.disk.push(self.staged, (number + 1) * CHUNK - PUSH, PUSH);
            }
        }
    }

    /// Copies one chunk from the first file that has it right: the damaged one, then the origins.
    fn chunk(&self, number: u64, buffer: &mut [u8]) -> Result<(), PlaceFault> {
        if let Some(file) = self.own
            && self.chunk_from(self.disk, file, number, buffer)?
        {
            self.kept.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        for (origin, (file, _)) in self.origins {
            if self.chunk_from(*origin, file, number, buffer)? {
                self.copied.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
        Err(PlaceFault::NoSource)
    }

    /// Copies and hashes; `false` when the bytes were wrong or unreadable, to be written over.
    fn chunk_from<F: Disk>(
        &self,
        from: &F,
        file: &F::File,
        at_chunk: u64,
        buffer: &mut [u8],
    ) -> Result<bool, PlaceFault> {
        let (start, mut leaf, mut written) = (at_chunk * CHUNK, Leaf::start(at_chunk), Ok(()));
        let end = (start + CHUNK).min(self.tree.size());
        let whole = each_piece(from, file, start, end, buffer, |piece, offset| {
            leaf.update(piece);
            written = self.disk.write_at(self.staged, piece, offset).map_err(at("S5 write"));
            if written.is_ok() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
        });
        written?;
        Ok(whole.unwrap_or(false) && self.tree.holds(at_chunk, &leaf.finish()))
    }
}

/// S5 without a tree: the first origin whose SHA-256 is the pin.
fn copy_whole<D: Disk, O: Disk>(
    disk: &D,
    staged: &D::File,
    pin: Digest,
    origins: &[Opened<O>],
) -> Result<Placed, PlaceFault> {
    let mut buffer = Buffer::new(BUFFER);
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
