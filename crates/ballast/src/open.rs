//! S1 and S2 of `docs/store.md`: open a weight below the store's root, and check its inode before a
//! byte is read.
//!
//! Promise: the checks hold for the returned descriptor itself.

use std::io;

use crate::disk::{Disk, Kind, Stat};
use crate::state::{Damage, Examined, ExpectedWeight, Strictness, WeightState};
use crate::ways::Ways;

/// Opens one weight's entry and checks its inode (S1, S2).
///
/// # Errors
/// [`WeightState`] describes the entry if it is not a readable regular file of the right length.
pub(crate) fn open<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    strict: Strictness,
) -> Result<(D::File, Stat), WeightState> {
    Opener::new(disk, strict).open(wanted)
}

/// Opens weights one after the other. In mode `sticky`, weights of one directory share its descriptor: an accepted
/// directory can't leave its name (`root_owned.rs`).
pub(crate) struct Opener<'a, D: Disk> {
    disk: &'a D,
    strict: Strictness,
    last: Option<(&'a str, D::Dir)>,
}

impl<'a, D: Disk> Opener<'a, D> {
    pub(crate) fn new(disk: &'a D, strict: Strictness) -> Self {
        Self { disk, strict, last: None }
    }

    /// Opens a weight's entry and checks its inode (S1, S2).
    ///
    /// # Errors
    /// [`WeightState`] describes the entry if it is not a readable regular file of the right length.
    pub(crate) fn open(&mut self, wanted: &'a ExpectedWeight) -> Result<(D::File, Stat), WeightState> {
        match self.entry(wanted) {
            // For a link to a directory, the kernel returns the same error as for a file: "not a directory".
            Err(WeightState::Damaged(Damage::Kind(kind @ (Kind::Symlink | Kind::File)))) => {
                linked(self.disk, wanted, self.strict, kind)
            }
            opened => opened,
        }
    }

    fn entry(&mut self, wanted: &'a ExpectedWeight) -> Result<(D::File, Stat), WeightState> {
        let (parent, name) = (wanted.weight.path.parent(), wanted.weight.path.file_name());
        let dir = match self.last.take().filter(|(known, _)| *known == parent) {
            Some((_, dir)) => dir,
            None => descend(self.disk, parent, self.strict)?,
        };
        let opened = open_in(self.disk, &dir, name, wanted, self.strict);
        self.last = matches!(self.strict, Strictness::RootOwned { .. }).then_some((parent, dir));
        opened
    }
}

/// Opens and checks the file that a weight's name leads to through links that stay below the root:
/// a Hugging Face cache's snapshots are such links. In mode `sticky` no link is accepted.
fn linked<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    strict: Strictness,
    kind: Kind,
) -> Result<(D::File, Stat), WeightState> {
    let in_the_way = WeightState::Damaged(Damage::Kind(kind));
    if matches!(strict, Strictness::RootOwned { .. }) {
        return Err(in_the_way);
    }
    let (file, stat) = disk.follow(wanted.weight.path.as_str(), false).map_err(|error| match error.raw_os_error() {
        // The link leads out of the store, to nothing, or to what is no regular file; or this system can't follow it.
        Some(
            libc::EXDEV
            | libc::ELOOP
            | libc::ENOENT
            | libc::ENOTDIR
            | libc::ENAMETOOLONG
            | libc::ENXIO
            | libc::ENOSYS
            | libc::EPERM
            | libc::EINVAL,
        ) => in_the_way,
        // The call failed, which says nothing about the link.
        code => WeightState::Unreadable(code.unwrap_or(libc::EIO)),
    })?;
    judge(&stat, wanted, strict)?;
    Ok((file, stat))
}

/// Opens the file that the app reads under a weight's name although the entry is wrong, whatever
/// its owner and links: its bytes may still be right. `None` if they were read already, or can't be
/// read.
pub(crate) fn reached<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    found: &WeightState,
    strict: Strictness,
    ways: &Ways,
) -> Option<(D::File, Stat)> {
    let WeightState::Damaged(
        Damage::Links(_) | Damage::Owner(_) | Damage::Mode(_) | Damage::Kind(Kind::Symlink | Kind::File),
    ) = found
    else {
        return None;
    };
    let beyond = !matches!(strict, Strictness::RootOwned { .. });
    let mut reached = ways.paths(wanted.weight.path.as_str()).filter_map(|path| disk.follow(&path, beyond).ok());
    reached.find(|(_, stat)| wanted.size().is_none_or(|size| size == stat.size))
}

pub(crate) fn open_at<D: Disk>(
    disk: &D,
    parent: &str,
    name: &str,
    wanted: &ExpectedWeight,
    strict: Strictness,
) -> Result<(D::File, Stat), WeightState> {
    open_in(disk, &descend(disk, parent, strict)?, name, wanted, strict)
}

fn open_in<D: Disk>(
    disk: &D,
    dir: &D::Dir,
    name: &str,
    wanted: &ExpectedWeight,
    strict: Strictness,
) -> Result<(D::File, Stat), WeightState> {
    let before = disk.stat(dir, name).map_err(|error| unopened(&error))?;
    judge(&before, wanted, strict)?;
    let (file, stat) = disk.open(dir, name).map_err(|error| unopened(&error))?;
    // Checked again on the descriptor: the name may now lead to another file.
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
        (Kind::File, Strictness::Volume | Strictness::RootOwned { .. }) if stat.links > 1 => Damage::Links(stat.links),
        (Kind::File, Strictness::Volume | Strictness::RootOwned { .. }) if stat.mode & 0o6000 != 0 => {
            Damage::Mode(stat.mode)
        }
        // Another user may still have the file open, so only a new inode can be accepted.
        (Kind::File, Strictness::RootOwned { .. }) if stat.uid != 0 || stat.mode & 0o022 != 0 => {
            Damage::Owner(stat.uid)
        }
        // The app can't read this file, whatever its bytes are.
        (Kind::File, Strictness::RootOwned { .. }) if stat.mode & 0o044 != 0o044 => Damage::Mode(stat.mode),
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

/// Returns whether the file with the wrong bytes is still under the weight's name and unchanged.
pub(crate) fn unchanged<D: Disk>(disk: &D, wanted: &ExpectedWeight, seen: &Examined, strict: Strictness) -> bool {
    let (WeightState::Damaged(Damage::Bytes { .. }), Some(then)) = (&seen.found, &seen.stat) else { return false };
    open(disk, wanted, strict).is_ok_and(|(_, now)| now == *then)
}

/// Facts of each inode, if receipts cover the present state of all of them, so that neither their bytes nor their
/// trees are needed.
pub(crate) fn vouched<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness) -> Option<Vec<Stat>> {
    let mut opener = Opener::new(disk, strict);
    let vouched = wanted.iter().map(|wanted| {
        wanted.receipt?;
        opener.open(wanted).ok().map(|(_, stat)| stat).filter(|stat| wanted.vouched(stat))
    });
    vouched.collect()
}

/// Opens the directory of a weight below a store's root, as strictly as entries are checked.
pub(crate) fn descend<D: Disk>(disk: &D, parent: &str, strict: Strictness) -> Result<D::Dir, WeightState> {
    let Strictness::RootOwned { .. } = strict else {
        return disk.open_dir(parent).map_err(|error| unopened(&error));
    };
    let unopened = |error: io::Error| unopened(&error);
    let mut here = disk.open_dir("").map_err(unopened)?;
    for name in parent.split('/').filter(|name| !name.is_empty()) {
        here = disk.open_below(&here, name).map_err(unopened)?;
        let stat = disk.stat_dir(&here).map_err(unopened)?;
        if !strict.accepts_dir(&stat, true) {
            return Err(WeightState::Damaged(Damage::Owner(stat.uid)));
        }
    }
    Ok(here)
}
