//! Decides who may write which file, and so how well the file is protected from the app.
//!
//! A `WriteAccess` is a snapshot. Create a new one after changing any directory: cached answers may be stale then.
//! Reads inodes, changes nothing.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::boot::plan::Ids;
use crate::boot::protection::{self, Protection};
use ballast::disk::Stat;

use crate::{facts, mounts};

/// A cached answer to who could change what.
pub struct WriteAccess<'a> {
    /// The user that the weights are protected from.
    pub app: Ids,
    /// The app's supplementary groups.
    pub groups: &'a [u32],
    /// The entries are few; a hash map would ask the kernel for random bytes, which may be refused.
    known: RefCell<Vec<(PathBuf, Rc<[Stat]>)>>,
}

impl<'a> WriteAccess<'a> {
    /// A new snapshot, for the user that the weights are protected from.
    pub fn new(app: Ids, groups: &'a [u32]) -> Self {
        Self { app, groups, known: RefCell::default() }
    }

    /// Returns how well a file is protected; `None` if it is missing.
    pub fn protection(&self, path: &Path) -> Option<Protection> {
        let file = facts::reach(path)?;
        let above = self.above(path);
        // If no user could write the file, the mounts do not matter.
        Some(match protection::judge(&file, &above, self.app, self.groups) {
            Protection::ImageLayer => Protection::ImageLayer,
            _ if self.in_layer(path) => Protection::ImageLayer,
            other => other,
        })
    }

    /// Returns whether a file lies on a read-only mount that is an image's layer, and the app can't replace that mount
    /// by another directory.
    fn in_layer(&self, path: &Path) -> bool {
        // The first question is the cheapest, and most files are on a mount that can be written.
        let Some(id) = facts::read_only(path).then(|| mounts::id(path)).flatten().filter(|id| mounts::is_layer(*id))
        else {
            return false;
        };
        let outside = path.ancestors().find(|dir| mounts::id(dir) != Some(id));
        outside.is_none_or(|dir| self.has_kept_names(dir))
    }

    /// Returns whether a file can be trusted: the inode and its directory are root's and closed to the app; above them
    /// each directory is root's, and closed, sticky, or on a read-only mount (as a ConfigMap's is).
    pub fn is_trusted(&self, path: &Path) -> bool {
        let Some(dir) = path.parent() else { return false };
        let closed = |path: &Path| facts::reach(path).is_some_and(|stat| self.is_closed(&stat));
        closed(path) && self.is_trusted_dir(dir)
    }

    /// Returns the same for a directory in which such a file is made.
    pub fn is_trusted_dir(&self, dir: &Path) -> bool {
        let closed = facts::reach(dir).is_some_and(|stat| self.is_closed(&stat));
        closed && dir.parent().is_none_or(|above| self.has_kept_names(above))
    }

    /// Returns whether no name in this directory, and in those above it, can later mean another inode of root's.
    fn has_kept_names(&self, dir: &Path) -> bool {
        let kept = |dir: &Path| {
            facts::reach(dir).is_some_and(|stat| {
                self.is_closed(&stat) || (stat.uid == 0 && (stat.mode & 0o1000 != 0 || facts::read_only(dir)))
            })
        };
        dir.ancestors().all(kept)
    }

    fn is_closed(&self, stat: &Stat) -> bool {
        stat.uid == 0 && !protection::writable(stat, self.app, self.groups)
    }

    /// Returns whether the app can neither write, replace nor rename the file through any ancestor.
    pub fn is_firm(&self, path: &Path) -> bool {
        matches!(self.protection(path), Some(Protection::ImageLayer | Protection::Sticky))
    }

    /// The directories above, from the nearest to `/`.
    fn above(&self, path: &Path) -> Rc<[Stat]> {
        let Some(dir) = path.parent() else { return Rc::default() };
        let same = |(known, _): &&(PathBuf, _)| known.as_os_str() == dir.as_os_str();
        if let Some((_, known)) = self.known.borrow().iter().find(same) {
            return Rc::clone(known);
        }
        let above: Rc<[Stat]> = facts::reach(dir).into_iter().chain(self.above(dir).iter().copied()).collect();
        self.known.borrow_mut().push((dir.to_owned(), Rc::clone(&above)));
        above
    }
}
