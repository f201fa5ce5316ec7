//! How firmly files are kept from the app, each directory on the way looked at once.
//!
//! One of these lives for one look: what is found is true of that moment and no later one.
//! Reads inodes, changes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ballast::disk::Stat;
use ballast::firmness::{self, Firmness};
use ballast::plan::Ids;

use crate::facts;

/// A look at who could change what.
pub struct Custody<'a> {
    app: Ids,
    groups: &'a [u32],
    /// No hash map: one asks the kernel for random bytes, which may be refused.
    above: RefCell<BTreeMap<PathBuf, Rc<[Stat]>>>,
}

impl<'a> Custody<'a> {
    /// A fresh look, for the user that is to be kept out.
    pub fn new(app: Ids, groups: &'a [u32]) -> Self {
        Self { app, groups, above: RefCell::default() }
    }

    /// How firmly a file is kept; `None` where nothing is there.
    pub fn firmness(&self, path: &Path) -> Option<Firmness> {
        let file = facts::reach(path)?;
        Some(firmness::judge(&file, &self.above(path), facts::read_only(path), self.app, self.groups))
    }

    /// Whether the app can neither write, replace nor rename the file through any ancestor.
    pub fn is_firm(&self, path: &Path) -> bool {
        matches!(self.firmness(path), Some(Firmness::ImageLayer | Firmness::Sticky))
    }

    /// The directories above, from the nearest to `/`.
    fn above(&self, path: &Path) -> Rc<[Stat]> {
        let dir = path.parent().unwrap_or(path);
        let mut known = self.above.borrow_mut();
        Rc::clone(known.entry(dir.to_owned()).or_insert_with(|| facts::ancestors(path).into()))
    }
}
