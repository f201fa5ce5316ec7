//! Installs a weight: the second half of a store's steps, after `store` has examined the weight's entry.
//!
//! S4 stage with room reserved, S5 copy while hashing, S6 sync, S7 quarantine the bad copy, S8
//! publish and sync the names. `docs/store.md` explains each. A crash at any call leaves the old
//! entry, no entry, or the right one.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::copy::{ChunkCounts, Opened, copy_chunks, copy_whole};
use crate::digest::Digest;
use crate::disk::{Disk, Kind, Stat};
use crate::fault::{InstallFault, at, full};
use crate::index::{Tree, chunks};
use crate::lock::RelPath;
use crate::open::{open, open_at};
use crate::quarantine::{self, QUARANTINE_PREFIX, collect_staged, move_aside};
use crate::store::{self, Damage, ExpectedWeight, Strictness, Threads, WeightState};
use crate::ways::Ways;

/// A store that may supply right bytes, and how strictly its entries are checked.
pub struct Origin<'a, D: Disk> {
    /// Its root, for messages.
    pub root: &'a Path,
    /// The other store.
    pub disk: &'a D,
    /// How strictly entries of this store are checked.
    pub strict: Strictness,
}

impl<D: Disk> Origin<'_, D> {
    /// Opens the weight by its own path, otherwise by its bare name, otherwise by its digest.
    ///
    /// # Errors
    /// The state of the entry; [`WeightState::Unreadable`] if a call failed.
    fn open(&self, wanted: &ExpectedWeight) -> Result<(D::File, Stat), WeightState> {
        let bare = |name: &str| open_at(self.disk, "", name, wanted, self.strict);
        let mut failed = None;
        let by_path = || open(self.disk, wanted, self.strict);
        let by_name = || bare(wanted.weight.path.file_name());
        let by_digest = || bare(&wanted.weight.sha256.to_string());
        for try_open in [&by_path as &dyn Fn() -> _, &by_name, &by_digest] {
            match try_open() {
                Ok(opened) => return Ok(opened),
                Err(state @ WeightState::Unreadable(_)) => failed = failed.or(Some(state)),
                Err(_) => {}
            }
        }
        Err(failed.unwrap_or(WeightState::Missing))
    }
}

/// The files that the sources have for a weight, and the first source that could not be read.
fn open_all<'a, D: Disk>(
    origins: &'a [Origin<'a, D>],
    wanted: &ExpectedWeight,
) -> (Vec<Opened<'a, D>>, Option<InstallFault>) {
    let fits = |stat: &Stat| wanted.size().is_none_or(|size| size == stat.size);
    let (mut opened, mut failed) = (Vec::new(), None);
    for origin in origins {
        match origin.open(wanted) {
            Ok((file, stat)) if fits(&stat) => opened.push((origin.disk, (file, stat))),
            Err(WeightState::Unreadable(errno)) if failed.is_none() => {
                let error = io::Error::from_raw_os_error(errno);
                failed = Some(InstallFault::Source(origin.root.to_owned(), error));
            }
            Ok(_) | Err(_) => {}
        }
    }
    (opened, failed)
}

/// Returns whether one origin has every byte of the weight right, so that the damaged file is not needed.
pub(crate) fn has_whole_origin<O: Disk>(wanted: &ExpectedWeight, origins: &[Origin<O>], threads: Threads) -> bool {
    let whole = |origin: &Origin<O>| {
        let found = store::verify(origin.disk, std::slice::from_ref(wanted), origin.strict, threads);
        found.first().is_some_and(|examined| examined.found == WeightState::Right)
    };
    origins.iter().any(whole)
}

/// Right bytes without a name yet, and the directories whose names must become durable.
pub struct Staged<D: Disk> {
    pub(crate) dir: D::Dir,
    pub(crate) file: D::File,
    pub(crate) placed: ChunkCounts,
    /// The chunks that came from an origin, where they were copied one by one.
    pub(crate) replaced: Vec<u64>,
    /// Parents of the directories that staging made.
    pub(crate) made_in: Vec<D::Dir>,
}

/// A staged file, where its chunks came from, and the chunks from an origin if they were copied one by one.
type Filled<D> = (<D as Disk>::File, ChunkCounts, Vec<u64>);

/// Stages right bytes for a weight's name (S4, S5), whatever the entry is now.
///
/// If the weight has a tree, good chunks of the damaged file are reused and only bad ones are read
/// from the origins; every chunk is verified as it is copied. Without a tree, a whole origin is
/// copied while its SHA-256 is computed. `reached` is the file that the name led to, if its bytes
/// may be right although the entry is wrong.
///
/// # Errors
/// [`InstallFault`]; the name is then as before.
pub(crate) fn stage<D: Disk, O: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    found: &WeightState,
    reached: Option<(D::File, Stat)>,
    ways: &mut Ways,
    origins: &[Origin<O>],
    (strict, threads): (Strictness, Threads),
) -> Result<Staged<D>, InstallFault> {
    let (dir, made_in) = ensure_dir(disk, &wanted.weight.path, strict, ways)?;
    let here = disk.stat_dir(&dir).ok().map(|stat| stat.id);
    if here.is_none() || here != ways.collected {
        collect_staged(disk, &dir);
        ways.collected = here;
    }
    let copy = || fill(disk, &dir, wanted, found, reached, origins, threads);
    match quarantine::replacing(disk, &dir, wanted.weight.path.file_name(), found, copy) {
        Ok((file, placed, replaced)) => Ok(Staged { dir, file, placed, replaced, made_in }),
        Err(fault) => {
            keep_made(disk, &made_in);
            Err(fault)
        }
    }
}

fn fill<D: Disk, O: Disk>(
    disk: &D,
    dir: &D::Dir,
    wanted: &ExpectedWeight,
    found: &WeightState,
    reached: Option<(D::File, Stat)>,
    origins: &[Origin<O>],
    threads: Threads,
) -> Result<Filled<D>, InstallFault> {
    let path = &wanted.weight.path;
    let damaged = matches!(found, WeightState::Damaged(Damage::Bytes { .. } | Damage::Size { .. }))
        .then(|| disk.open(dir, path.file_name()).ok())
        .flatten()
        .filter(|(_, stat)| stat.kind == Kind::File);
    let (opened, failed) = open_all(origins, wanted);
    let room = Room { disk, dir, path };
    let filled = match wanted.tree.filter(|tree| wanted.size() == Some(tree.size())) {
        Some(tree) => {
            let bad = match found {
                WeightState::Damaged(Damage::Bytes { bad, .. }) => bad.as_slice(),
                _ => &[],
            };
            let own = reached.as_ref().or(damaged.as_ref()).map(|(file, _)| (file, bad));
            by_chunks(&room, tree, own, &opened, threads)
        }
        None => {
            let own = reached.map(|own| [(disk, own)]);
            let kept = own.map(|own| by_digest(&room, wanted.weight.sha256, &own));
            match kept {
                Some(Ok((file, placed, _))) => Ok((file, ChunkCounts { kept: placed.copied, copied: 0 }, Vec::new())),
                _ => by_digest(&room, wanted.weight.sha256, &opened),
            }
        }
    };
    filled.map_err(|fault| match (fault, failed) {
        // A source that can't be read may have the weight.
        (InstallFault::NoSource, Some(failed)) => failed,
        (fault, _) => fault,
    })
}

/// Syncs the directories that a failed weight made: other weights of the same boot may lie in them.
fn keep_made<D: Disk>(disk: &D, made_in: &[D::Dir]) {
    for dir in made_in.iter().rev() {
        let _ = disk.sync_dir(dir);
    }
}

impl<D: Disk> Staged<D> {
    /// S6: final mode, durable content.
    ///
    /// # Errors
    /// [`InstallFault::Call`]; the caller then drops the staged file.
    pub fn sync_file(&self, disk: &D, strict: Strictness) -> Result<(), InstallFault> {
        disk.sync_file(&self.file, strict.file_mode()).map_err(at("S6 sync"))
    }

    /// Removes the staged file.
    pub fn abandon(self, disk: &D) {
        drop(self.file);
        collect_staged(disk, &self.dir);
        keep_made(disk, &self.made_in);
    }

    /// S7 and the first half of S8: the synced file gets its name, which [`Named::sync`] then
    /// makes durable.
    ///
    /// # Errors
    /// [`InstallFault::Call`]; the name is then as before, or absent.
    pub fn publish(self, disk: &D, path: &RelPath, found: &WeightState) -> Result<Named<D>, InstallFault> {
        let name = path.file_name();
        let moved = if quarantine::keeps(found) { move_aside(disk, &self.dir, name).map(drop) } else { Ok(()) };
        // Publishing replaces any entry but a directory, so it continues if the bad copy can't be kept.
        let published = disk.publish(self.file, &self.dir, name).map_err(|error| {
            keep_made(disk, &self.made_in);
            match moved {
                Err(first) => InstallFault::Call("S7 quarantine", first),
                Ok(()) => InstallFault::Call("S8 publish", error),
            }
        })?;
        let Self { dir, placed, replaced, made_in, .. } = self;
        Ok(Named { dir, stat: published, placed, replaced, made_in })
    }
}

/// A published weight whose name is not yet durable.
pub struct Named<D: Disk> {
    dir: D::Dir,
    /// Facts of the inode that got the name.
    pub stat: Stat,
    /// Where its chunks came from.
    pub placed: ChunkCounts,
    /// The chunks that came from an origin, where they were copied one by one.
    pub(crate) replaced: Vec<u64>,
    made_in: Vec<D::Dir>,
}

impl<D: Disk> Named<D> {
    /// The second half of S8: makes the name durable, and each new directory's name.
    ///
    /// # Errors
    /// [`InstallFault::Call`].
    pub fn sync(&self, disk: &D) -> Result<(), InstallFault> {
        let dirs = std::iter::once(&self.dir).chain(self.made_in.iter().rev());
        for dir in dirs {
            disk.sync_dir(dir).map_err(at("S8 sync the directory"))?;
        }
        Ok(())
    }

    /// Returns whether one sync makes both names durable.
    pub fn beside(&self, other: &Self, disk: &D) -> bool {
        let id = |named: &Self| disk.stat_dir(&named.dir).ok().map(|stat| stat.id);
        other.made_in.is_empty() && id(self).is_some() && id(self) == id(other)
    }
}

/// The directory and the disk on which a weight is being staged.
struct Room<'a, D: Disk> {
    disk: &'a D,
    dir: &'a D::Dir,
    path: &'a RelPath,
}

impl<D: Disk> Room<'_, D> {
    fn stage(&self, size: u64) -> Result<D::File, InstallFault> {
        with_room(self.disk, self.dir, self.path, || self.disk.stage(self.dir, size))
    }

    /// Drops a failed staged file; a file with a temporary name is removed.
    fn abandon(&self, staged: D::File) {
        drop(staged);
        collect_staged(self.disk, self.dir);
    }
}

/// S4: reserves room; if the disk is full, first removes the quarantined copy.
pub(crate) fn with_room<D: Disk, T>(
    disk: &D,
    dir: &D::Dir,
    path: &RelPath,
    open: impl Fn() -> io::Result<T>,
) -> Result<T, InstallFault> {
    match open() {
        Err(error) if full(&error) => {
            collect_staged(disk, dir);
            let _ = disk.remove(dir, &format!("{QUARANTINE_PREFIX}{}", path.file_name()));
            open().map_err(at("S4 stage"))
        }
        opened => opened.map_err(at("S4 stage")),
    }
}

/// Opens a weight's directory. Creates a missing component, and quarantines one that is not a
/// directory or that can't be written. Each component is opened in its parent's descriptor, so that
/// the checked directory is the one in use.
///
/// Also returns the parents of the new directories, whose entries are not durable yet.
pub(crate) fn ensure_dir<D: Disk>(
    disk: &D,
    path: &RelPath,
    strict: Strictness,
    ways: &mut Ways,
) -> Result<(D::Dir, Vec<D::Dir>), InstallFault> {
    let mut made_in = Vec::new();
    let mut here = disk.open_dir("").map_err(at("S1 open the root"))?;
    let mut way = String::new();
    for name in path.parent().split('/').filter(|name| !name.is_empty()) {
        way.push_str(name);
        way.push('/');
        let (below, made) = enter(disk, &here, (name, &way), strict, ways)?;
        let above = std::mem::replace(&mut here, below);
        made_in.extend(made.then_some(above));
    }
    Ok((here, made_in))
}

/// The most times that one component is opened, created or quarantined while a peer changes it.
const TURNS: u32 = 16;
/// The pause grows by this much with each turn that fails.
const PAUSE: Duration = Duration::from_micros(50);

/// Opens one component, and returns whether it was made here. A directory that another process made
/// meanwhile is checked like any other.
fn enter<D: Disk>(
    disk: &D,
    here: &D::Dir,
    (name, way): (&str, &str),
    strict: Strictness,
    ways: &mut Ways,
) -> Result<(D::Dir, bool), InstallFault> {
    let (mode, group) = strict.dir_mode();
    let mut made = false;
    for turn in 0..TURNS {
        match disk.open_below(here, name) {
            Ok(below) if accepted(disk, &below, strict) => return Ok((below, made)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            // Ballast writes nothing through a link, and right bytes keep their names.
            Err(error) if ways.stays(way) => {
                return Err(InstallFault::Call("S1 open a directory that must keep its name", error));
            }
            Ok(_) if ways.stays(way) => {
                let refused = io::Error::from_raw_os_error(libc::EACCES);
                return Err(InstallFault::Call("S1 write a directory that must keep its name", refused));
            }
            Ok(_) | Err(_) => {
                let moved = move_aside(disk, here, name).map_err(at("S7 quarantine a directory"))?;
                moved.iter().for_each(|name| ways.moved(way, name));
            }
        }
        match disk.make_dir(here, name, mode, group) {
            // A peer that keeps renaming its directory could collide with every one of several
            // immediate calls.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => std::thread::sleep(PAUSE * turn),
            done => {
                done.map_err(at("S1 make a directory"))?;
                made = true;
            }
        }
    }
    Err(InstallFault::Call("S1 open a directory", io::Error::from_raw_os_error(libc::EBUSY)))
}

fn accepted<D: Disk>(disk: &D, dir: &D::Dir, strict: Strictness) -> bool {
    disk.stat_dir(dir).is_ok_and(|stat| strict.accepts_dir(&stat, disk.writable(dir)))
}

/// S4 and S5 with a tree: each chunk is hashed as it is copied; a bad chunk is copied from the next file.
fn by_chunks<D: Disk, O: Disk>(
    room: &Room<D>,
    tree: &Tree,
    own: Option<(&D::File, &[u64])>,
    origins: &[Opened<O>],
    threads: Threads,
) -> Result<Filled<D>, InstallFault> {
    if origins.is_empty() && own.is_none() {
        return Err(InstallFault::NoSource);
    }
    let staged = room.stage(tree.size())?;
    match copy_chunks(room.disk, &staged, tree, own, origins, threads) {
        Ok((placed, replaced)) => Ok((staged, placed, replaced)),
        Err(fault) => {
            room.abandon(staged);
            Err(fault)
        }
    }
}

/// S4 and S5 without a tree: the first origin whose SHA-256 is the pin. Each origin is copied into
/// a new file, so that no bytes of a longer wrong origin remain.
fn by_digest<D: Disk, O: Disk>(room: &Room<D>, pin: Digest, origins: &[Opened<O>]) -> Result<Filled<D>, InstallFault> {
    let mut fault = InstallFault::NoSource;
    for (origin, (file, stat)) in origins {
        let copied = room.stage(stat.size).and_then(|staged| {
            let copied = copy_whole(room.disk, &staged, *origin, file, stat.size);
            if copied.as_ref().is_ok_and(|digest| *digest == Some(pin)) {
                return Ok(Some(staged));
            }
            room.abandon(staged);
            copied.map(|_| None)
        });
        match copied {
            Ok(Some(staged)) => return Ok((staged, ChunkCounts { kept: 0, copied: chunks(stat.size) }, Vec::new())),
            Ok(None) => {}
            Err(call) => fault = call,
        }
    }
    Err(fault)
}
