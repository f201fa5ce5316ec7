//! Quarantine: wrong entries are renamed and kept for the operator. Abandoned staged files are removed.

use std::io;

use crate::bounds::COLLECT;
use crate::disk::{Disk, STAGED_PREFIX};
use crate::open::descend;
use crate::store::{self, ExpectedWeight, Strictness, WeightState};

/// The prefix of the name of a weight's quarantined copy.
pub const QUARANTINE_PREFIX: &str = ".ballast-aside.";
/// The number of further names to try if a quarantined entry already has the first one.
const MORE_NAMES: u32 = 9;

/// S7: renames an entry to its quarantine name, where it replaces the last one. More names are used only if a directory
/// has that name, because no rename replaces it. Returns the quarantine name; none if there is no entry.
pub(crate) fn move_aside<D: Disk>(disk: &D, dir: &D::Dir, name: &str) -> io::Result<Option<String>> {
    let mut refused = None;
    for turn in 0..=MORE_NAMES {
        let kept = match turn {
            0 => format!("{QUARANTINE_PREFIX}{name}"),
            _ => format!("{QUARANTINE_PREFIX}{name}.{turn}"),
        };
        let mut moved = disk.rename(dir, name, &kept);
        if moved.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ENOTDIR)) {
            // The entry is a directory, the earlier copy is not.
            moved = disk.remove(dir, &kept).and_then(|()| disk.rename(dir, name, &kept));
        }
        match moved {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            Err(error) if occupied(&error) => refused = Some(error),
            done => return done.map(|()| Some(kept)),
        }
    }
    refused.map_or(Ok(None), Err)
}

/// Returns whether the entry is kept for the operator; the content of a former pin is not damage, and is removed.
pub(crate) fn keeps(found: &WeightState) -> bool {
    matches!(found, WeightState::Damaged(_) | WeightState::Unreadable(_))
}

/// S7, begun while the new file is staged: does `work`, and meanwhile removes the copy that [`move_aside`] is about to
/// replace. Freeing a large file takes as long as hashing it, and `work` waits for the disk.
pub(crate) fn replacing<D: Disk, T>(
    disk: &D,
    dir: &D::Dir,
    name: &str,
    found: &WeightState,
    work: impl FnOnce() -> T,
) -> T {
    let last = format!("{QUARANTINE_PREFIX}{name}");
    if !keeps(found) || disk.stat(dir, &last).is_err() {
        return work();
    }
    std::thread::scope(|scope| {
        let remove = || disk.remove(dir, &last);
        // If no thread can be started, the rename frees the old copy.
        let helper = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, remove).ok();
        let done = work();
        if let Some(Err(panic)) = helper.map(std::thread::ScopedJoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        done
    })
}

fn occupied(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EISDIR | libc::ENOTEMPTY | libc::EEXIST | libc::EBUSY))
}

/// Removes a wrong file's name if no right file can replace it: a missing file is safer than a wrong one. A file that
/// could not be read for lack of memory or rights keeps its name, and so does a wrong entry that leads to the right
/// bytes. A file that the disk can't read loses it.
pub(crate) fn withdraw<D: Disk>(disk: &D, wanted: &ExpectedWeight, found: &WeightState, strict: Strictness) {
    let name = wanted.weight.path.file_name();
    if store::leads_to_right_bytes(disk, wanted, found, strict) {
        return;
    }
    let Ok(dir) = descend(disk, wanted.weight.path.parent(), strict) else { return };
    let gone = match found {
        WeightState::Stale => disk.remove(&dir, name),
        WeightState::Damaged(_) | WeightState::Unreadable(libc::EIO) => {
            move_aside(disk, &dir, name).map(drop).or_else(|_| disk.remove(&dir, name))
        }
        WeightState::Right | WeightState::Vouched | WeightState::Missing | WeightState::Unreadable(_) => return,
    };
    let _ = gone.and_then(|()| disk.sync_dir(&dir));
}

/// Removes staged names that no living process has locked, a bounded number of them, because the app
/// can leave any number of names there. A failure costs space, never correctness.
pub(crate) fn collect_staged<D: Disk>(disk: &D, dir: &D::Dir) {
    let (looked_at, removed) = COLLECT;
    let names = disk.names(dir, looked_at).unwrap_or_default();
    for name in names.iter().filter(|name| name.starts_with(STAGED_PREFIX)).take(removed) {
        let _ = disk.remove_abandoned(dir, name);
    }
}
