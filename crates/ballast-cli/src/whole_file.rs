//! Writes a file whole: its name has the old bytes or all of the new ones.
//!
//! Promise: only a regular file or a free name is written, through no symlink, and never a file that the caller reads.
//! An older file's mode stays, and its owner if the process may set it; a new file has mode 0644. Touches the file and its folder.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Error, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use tempfile::NamedTempFile;

use crate::foreign;

/// A name that may be written.
pub struct Target<'a>(&'a Path);

impl<'a> Target<'a> {
    /// Examines a name; `kept` are the files that it must not be, by name or by inode.
    ///
    /// # Errors
    /// `InvalidInput` for a directory, device, FIFO, socket or symlink, and for a file of `kept`.
    pub fn at(path: &'a Path, kept: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        foreign::must_be_regular_at(CWD, path.as_os_str())?;
        let inode = |path: &Path| fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()));
        let (name, place, itself) = (path.file_name(), place(path), inode(path));
        let is_same = |kept: &PathBuf| {
            (itself.is_some() && inode(kept) == itself)
                || (kept.file_name() == name && place.is_some() && self::place(kept) == place)
        };
        match kept.into_iter().find(is_same) {
            Some(kept) => {
                Err(Error::new(ErrorKind::InvalidInput, format!("it is {}, which Ballast reads", kept.display())))
            }
            None => Ok(Self(path)),
        }
    }

    /// Writes the text.
    ///
    /// # Errors
    /// Those of [`Target::fill`].
    pub fn replace(&self, text: &str) -> io::Result<()> {
        self.fill(|file| file.write_all(text.as_bytes()))
    }

    /// Writes the text, if the name is still free.
    ///
    /// # Errors
    /// Those of [`Target::fill`]; `AlreadyExists` if the name has a file by now.
    pub fn create(&self, text: &str) -> io::Result<()> {
        let staged = self.staged(|file| file.write_all(text.as_bytes()))?;
        staged.persist_noclobber(self.0).map_err(|error| error.error)?;
        self.sync()
    }

    /// Writes what the function writes into an empty file of another name, and gives that file the target's name.
    ///
    /// # Errors
    /// Those of the calls, and of a name that is no regular file by now. The name then has what it had.
    pub fn fill(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        self.staged(write)?.persist(self.0).map_err(|error| error.error)?;
        self.sync()
    }

    /// A durable file that does not have the target's name yet.
    fn staged(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<NamedTempFile> {
        foreign::must_be_regular_at(CWD, self.0.as_os_str())?;
        let before = fs::symlink_metadata(self.0).ok();
        let mut staged =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder(self.0))?;
        before.map_or(Ok(()), |before| keep(staged.as_file(), &before))?;
        write(staged.as_file_mut())?;
        staged.as_file().sync_all()?;
        Ok(staged)
    }

    /// Makes the name durable. A folder that can't be read may still be written.
    fn sync(&self) -> io::Result<()> {
        File::open(folder(self.0)).map_or(Ok(()), |dir| dir.sync_all())
    }
}

/// Gives a file the owner and the mode of the one that it replaces. In a folder that several users share, only root can
/// give a file to another user: the file then belongs to the one who writes it.
fn keep(file: &File, before: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid())).or_else(|error| match error.kind() {
            ErrorKind::PermissionDenied => Ok(()),
            _ => Err(error),
        })?;
    }
    file.set_permissions(before.permissions())
}

/// The folder of a file; `.` for a bare name.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name in its folder, without symlinks above it.
fn place(path: &Path) -> Option<PathBuf> {
    Some(fs::canonicalize(folder(path)).ok()?.join(path.file_name()?))
}

#[cfg(test)]
#[path = "whole_file_tests.rs"]
mod tests;
