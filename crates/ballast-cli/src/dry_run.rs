//! Predicts a real heal's result for weights that a dry run found wrong, from the origins and the
//! file system.
//!
//! Promise: it reports "would be healed" only if an origin contains the right bytes, the cache's
//! permissions allow the write, and the disk has room. Changes nothing.

use std::io;
use std::path::Path;

use crate::boot::plan::Ids;
use ballast::disk::LinuxDisk;
use ballast::fault::InstallFault;
use ballast::heal::{self, Done, Outcome};
use ballast::lock::DirSpec;
use ballast::store::{ExpectedWeight, Strictness, WeightState};
use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};
use rustix::io::Errno;

use crate::dirs::{self, DirLine, DirOutcome};
use crate::doctor::path_access::PathAccess;
use crate::facts;

/// Returns whether a weight is right, or a real heal would make it right.
pub fn is_right(outcome: &Outcome) -> bool {
    outcome.is_right() || matches!(outcome.done, Done::WouldHeal)
}

/// Corrects the outcomes of a dry run for the weights below a root.
///
/// `ours` is whether root hands the cache over before a real heal, so that its permissions do not count.
pub fn foresee(
    outcomes: &mut [Outcome],
    wanted: &[ExpectedWeight],
    origins: &[(&Path, LinuxDisk)],
    root: &Path,
    ours: bool,
) {
    let wrong = |outcomes: &[Outcome]| -> Vec<usize> {
        (0..outcomes.len()).filter(|at| matches!(outcomes[*at].done, Done::WouldHeal)).collect()
    };
    let (mut left, mut unreadable) = (wrong(outcomes), vec![None; wanted.len()]);
    for (source, origin) in origins {
        let missing: Vec<ExpectedWeight> = left.iter().map(|at| wanted[*at]).collect();
        let found = heal::verify(origin, &missing, Strictness::Layer, facts::threads);
        for (at, found) in left.iter().zip(&found) {
            if let WeightState::Unreadable(errno) = found.found {
                unreadable[*at].get_or_insert((*source, errno));
            }
        }
        left = left.into_iter().zip(found).filter(|(_, found)| !found.is_right()).map(|(at, _)| at).collect();
    }
    for at in left {
        let fault = unreadable[at].map_or(InstallFault::NoSource, |(source, errno)| {
            InstallFault::Source(source.to_path_buf(), io::Error::from_raw_os_error(errno))
        });
        outcomes[at].done = Done::Failed(fault);
    }
    // Missing weights must fit beside the existing files, and so must a second copy of the largest wrong one.
    let size = |at: &usize| wanted[*at].size().unwrap_or(0);
    let (missing, damaged): (Vec<_>, Vec<_>) =
        wrong(outcomes).into_iter().partition(|at| outcomes[*at].found == WeightState::Missing);
    let needed = missing.iter().map(size).sum::<u64>() + damaged.iter().map(size).max().unwrap_or(0);
    for at in wrong(outcomes) {
        let dir = root.join(wanted[at].weight.path.parent());
        if let Some(errno) = refusal(&dir, root, needed, ours) {
            outcomes[at].done = Done::Failed(InstallFault::Call("S4 stage", io::Error::from(errno)));
        }
    }
}

/// A store that is not there yet.
pub fn absent(wanted: &[ExpectedWeight]) -> Vec<Outcome> {
    wanted.iter().map(|_| Outcome { done: Done::WouldHeal, ..Outcome::missing() }).collect()
}

/// Returns for each directory of the lock file whether root would give it to the app.
pub fn given(specs: &[DirSpec], app: Ids, groups: &[u32], may_give: bool) -> Vec<bool> {
    specs.iter().map(|spec| may_give && dirs::is_due(spec.path.as_path(), app, groups)).collect()
}

/// The directories that the app could not write, nor their fallbacks; tested as the app.
pub fn unwritable(specs: &[DirSpec], given: &[bool], app: Ids, groups: &[u32]) -> Vec<DirLine> {
    let access = PathAccess { app, groups: groups.to_vec(), ask: true };
    let refused = |spec: &DirSpec| -> Option<Vec<String>> {
        let places = std::iter::once(&spec.path).chain(&spec.fallback);
        places.map(|place| access.can_write(place.as_path()).err()).collect()
    };
    let wrong = specs.iter().zip(given).filter(|(_, given)| !**given);
    let wrong = wrong.filter_map(|(spec, _)| Some((spec, refused(spec)?)));
    wrong
        .map(|(spec, refused)| DirLine {
            path: spec.path.as_path().to_owned(),
            variable: spec.env.as_ref().map(|name| name.as_str().to_owned()),
            outcome: DirOutcome::Unwritable,
            place: None,
            fallback: false,
            refused,
        })
        .collect()
}

/// The kernel's refusal of a new file in a directory, or in its nearest existing ancestor.
fn refusal(dir: &Path, root: &Path, needed: u64, ours: bool) -> Option<Errno> {
    let dir = dir.ancestors().find(|dir| dir.exists())?;
    let access = accessat(CWD, dir, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    // Entries below the root belong to the new owner, or that owner can quarantine them.
    if let Some(errno) = access.err().filter(|errno| *errno == Errno::ROFS || !(ours && dir.starts_with(root))) {
        return Some(errno);
    }
    let room = statvfs(dir).ok()?;
    (room.f_blocks > 0 && room.f_bavail.saturating_mul(room.f_frsize) < needed).then_some(Errno::NOSPC)
}
