//! The fetch store around a first trust: which file has the weight's name already, and folders that were made for
//! nothing. Touches these folders, and only reads the file.

use std::io;
use std::path::{Path, PathBuf};

use ballast::digest::Digest;
use ballast::lock::RelPath;
use ballast::store::WeightState;

use crate::exit::{Exit, Failure};
use crate::foreign;
use crate::image::Measured;

/// The way out if another file has the name.
pub const MOVE: &str = "move it away, or name another folder with --into DIR";

/// What a first trust does with its file.
#[derive(Debug, PartialEq, Eq)]
pub enum Placing {
    /// The name is free.
    New,
    /// The name has a former pin's bytes, which are replaced.
    Former,
    /// The name has these bytes already, and stays as it is.
    Kept,
}

impl Placing {
    /// Compares the file at the weight's name, if any, with the new pin and the former ones.
    ///
    /// # Errors
    /// [`Exit::FetchFailed`] for any other file, which stays.
    pub fn of(root: &Path, path: &RelPath, pin: Digest, former: &[Digest]) -> Result<Self, Failure> {
        let file = root.join(path.as_str());
        let measured = foreign::open(&file).and_then(|mut open| Measured::of_file(&mut open));
        let found = match measured {
            Ok(measured) if measured.digest == pin => return Ok(Self::Kept),
            Ok(measured) if former.contains(&measured.digest) => return Ok(Self::Former),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::New),
            Ok(measured) => format!("found {}", measured.digest),
            Err(error) => error.to_string(),
        };
        let what = format!(
            "{}: this file has the weight's name and is not the pinned one: it stays\n  {found}",
            file.display()
        );
        Err(Failure::new(Exit::FetchFailed, what).hint(MOVE))
    }

    /// The state of the name, for the store; none if nothing is to be done.
    pub fn replaces(&self) -> Option<WeightState> {
        match self {
            Self::New => Some(WeightState::Missing),
            Self::Former => Some(WeightState::Stale),
            Self::Kept => None,
        }
    }
}

/// Folders that did not exist before; those that are still empty are removed at the end.
pub struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// The folders that a weight of a store will need.
    pub fn of(store: &Path, path: &RelPath) -> Self {
        let folder = store.join(path.parent());
        Self(folder.ancestors().take_while(|dir| dir.symlink_metadata().is_err()).map(Path::to_owned).collect())
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        // The deepest one is first; a folder with an entry is not removed.
        self.0.iter().filter(|dir| !dir.as_os_str().is_empty()).for_each(|dir| drop(std::fs::remove_dir(dir)));
    }
}
