//! Decides which directories root may change: the cache, `[[dir]]` entries, and those of reports
//! and receipts.
//!
//! The app may have renamed any directory below one of its own, so a path proves nothing. Root changes a directory only
//! if the facts of its descriptor, and of the descriptors above it, prove one of the reasons in [`Permit`]. A marker
//! file in a directory would prove nothing, because a rename moves it too. `walk` collects the facts. Touches nothing;
//! the table is in `permit_tests.rs`.

use std::path::Path;

use crate::boot::plan::Ids;
use crate::boot::protection;
use ballast::disk::Stat;

/// One directory of a path, with the facts that its descriptor showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Owner and mode; the mode includes what an access list grants.
    pub stat: Stat,
    /// Whether a mount begins here.
    pub mount_root: bool,
}

/// The reason why root may change a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// A mount begins here: a volume that the operator put here for the app, of any owner.
    MountRoot,
    /// The directory belongs to the app already.
    AppOwned,
    /// The directory is root's, and the app can replace neither it nor a directory above it.
    RootPath,
}

/// Whether [`Permit::RootPath`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootPaths {
    /// The directory counts: the lock file names it, or root only makes its own files there.
    Allowed,
    /// The directory does not count: the environment names a directory that root would give away.
    Refused,
}

/// The reason why root leaves a directory unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// Root's directory, or another user's, that only the environment names.
    NotNamedByLock {
        /// Its owner.
        uid: u32,
    },
    /// The directory belongs to another user than root and the app.
    NotRoots {
        /// Its owner.
        uid: u32,
    },
    /// The app could replace the component of this number, where `/` is number 0.
    Replaceable {
        /// Which component.
        at: usize,
    },
}

/// Decides from the components of a path: `/` first, the directory itself last.
///
/// # Errors
/// [`Denial`]: then root changes nothing there.
pub fn decide(path: &[Component], root_paths: RootPaths, app: Ids, groups: &[u32]) -> Result<Permit, Denial> {
    let Some(dir) = path.last() else { return Err(Denial::Replaceable { at: 0 }) };
    let uid = dir.stat.uid;
    if dir.mount_root {
        return Ok(Permit::MountRoot);
    }
    if uid == app.uid {
        return Ok(Permit::AppOwned);
    }
    if root_paths == RootPaths::Refused {
        return Err(Denial::NotNamedByLock { uid });
    }
    if uid != 0 {
        return Err(Denial::NotRoots { uid });
    }
    irreplaceable(path, app, groups).map(|()| Permit::RootPath)
}

/// Returns whether the app can rename or remove no component of a path, the last one included.
///
/// # Errors
/// [`Denial::Replaceable`] for the first component that it could.
pub fn irreplaceable(path: &[Component], app: Ids, groups: &[u32]) -> Result<(), Denial> {
    let closed = |one: &Component| one.stat.uid == 0 && !protection::writable(&one.stat, app, groups);
    let sticky = |one: &Component| one.stat.uid == 0 && one.stat.mode & 0o1000 != 0;
    let kept = |pair: &[Component]| closed(&pair[0]) || (sticky(&pair[0]) && closed(&pair[1]));
    match path.windows(2).position(|pair| !kept(pair)) {
        Some(above) => Err(Denial::Replaceable { at: above + 1 }),
        None => Ok(()),
    }
}

impl Denial {
    /// The reason and the way out, for this path.
    pub fn words(&self, path: &Path, app: Ids) -> String {
        let path_at = |at: usize| path.ancestors().nth(path.components().count().saturating_sub(at + 1));
        let mount = "mount a volume at this very path";
        match self {
            Self::NotNamedByLock { uid } => format!(
                "it belongs to uid {uid}, is not the root of a mount, and the lock file does not name it: {mount}, or name it in \
                 the lock file"
            ),
            Self::NotRoots { uid } => format!("it belongs to uid {uid}, and is not the root of a mount: {mount}"),
            Self::Replaceable { at } => format!(
                "uid {} could put another directory at {}: {mount}, or keep every directory above it root's",
                app.uid,
                path_at(*at).unwrap_or(path).display()
            ),
        }
    }
}

#[cfg(test)]
#[path = "permit_tests.rs"]
mod tests;
