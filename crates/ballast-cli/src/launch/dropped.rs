//! The proof of a drop. Only `launch` and its modules make and use one. Touches nothing.

use std::path::PathBuf;

/// The proof that the process has the ids that it should have. Only this module makes one.
#[must_use = "privilege was dropped in order to exec"]
#[derive(Debug)]
pub struct Dropped {
    pub(super) uid: u32,
    pub(super) home: Option<PathBuf>,
}

impl Dropped {
    /// Returns whether the command will run as root, because --user says so.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }
}
