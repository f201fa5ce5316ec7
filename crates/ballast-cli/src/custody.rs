//! How firmly files are kept from the app, each directory on the way looked at once.
//!
//! One of these lives for one look, between which and its answers nobody here changes a directory:
//! what is found is true of that moment and no later one.
//! Reads inodes, changes nothing.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ballast::disk::Stat;
use ballast::firmness::{self, Firmness};
use ballast::plan::Ids;

use crate::facts;

/// A look at who could change what.
pub struct Custody<'a> {
    /// Who is to be kept out.
    pub app: Ids,
    /// The app's supplementary groups.
    pub groups: &'a [u32],
    /// Few, and no hash map: one asks the kernel for random bytes, which may be refused.
    known: RefCell<Vec<(PathBuf, Rc<[Stat]>)>>,
}

impl<'a> Custody<'a> {
    /// A fresh look, for the user that is to be kept out.
    pub fn new(app: Ids, groups: &'a [u32]) -> Self {
        Self { app, groups, known: RefCell::default() }
    }

    /// How firmly a file is kept; `None` where nothing is there.
    pub fn firmness(&self, path: &Path) -> Option<Firmness> {
        let file = facts::reach(path)?;
        let above = self.above(path);
        let judge = |read_only| firmness::judge(&file, &above, read_only, self.app, self.groups);
        // What nobody could write is as firm on a read-only mount: then that need not be asked.
        Some(match judge(false) {
            Firmness::ImageLayer => Firmness::ImageLayer,
            _ => judge(facts::read_only(path)),
        })
    }

    /// Whether the app can neither write, replace nor rename the file through any ancestor.
    pub fn is_firm(&self, path: &Path) -> bool {
        matches!(self.firmness(path), Some(Firmness::ImageLayer | Firmness::Sticky))
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
