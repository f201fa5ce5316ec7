//! The only code that opens and reads files that the program did not make itself, such as a lock
//! file, a signature or a photograph.
//!
//! Promise: a file that is not regular is refused before it is opened, so that a FIFO can't block
//! the program and no device is opened; the descriptor is checked again. A file longer than its
//! bound is refused before a byte is read. A file that changes while it is read is refused.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Error, ErrorKind, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::lock::ListName;
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Opens a regular file to read. A symlink under its name is refused.
///
/// # Errors
/// The errors of opening; `InvalidInput` for anything but a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::NOFOLLOW)
}

/// Opens a regular file that the user named to read: through symlinks.
///
/// # Errors
/// The errors of [`open`].
pub fn open_named(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::empty())
}

/// Returns a function that opens the lists beside a lock file, or beside the link's target if it is
/// a symlink, for [`Lock::parse_with`](crate::lock::Lock::parse_with). A symlink under a list's
/// name is refused.
pub fn beside(lock: &Path) -> impl FnMut(&ListName) -> io::Result<Box<dyn Read>> {
    let lock = std::fs::canonicalize(lock).unwrap_or_else(|_| lock.to_owned());
    move |name| Ok(Box::new(open(&lock.with_file_name(name.as_str()))?))
}

fn open_with(path: &Path, follow: OFlags) -> io::Result<File> {
    let at = if follow.is_empty() { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    regular(&fs::statat(CWD, path, at)?)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | follow;
    let file = fs::openat(CWD, path, flags, Mode::empty())?;
    regular(&fs::fstat(&file)?)?;
    Ok(file.into())
}

/// Checks, before a name is opened, that it is a regular file or absent.
///
/// # Errors
/// `InvalidInput` for any other kind of file, a symlink included.
pub fn must_be_regular_at(dir: impl AsFd, name: &OsStr) -> io::Result<()> {
    match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        found => regular(&found?),
    }
}

/// Checks that an open file is regular.
///
/// # Errors
/// `InvalidInput` for any other kind of file.
pub fn must_be_regular(file: &File) -> io::Result<()> {
    regular(&fs::fstat(file)?)
}

fn regular(stat: &Stat) -> io::Result<()> {
    let found = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Symlink => "a symlink",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    Err(Error::new(ErrorKind::InvalidInput, format!("expected a regular file, found {found}")))
}

/// The bytes of a file of at most `most` bytes. A symlink under its name is refused.
///
/// # Errors
/// The errors of opening and reading; `InvalidData` for a longer file, or one that changes meanwhile.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_from(&open(path)?, most)
}

/// The bytes of a file that the user named, through symlinks.
///
/// # Errors
/// The errors of [`read`].
pub fn read_named(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_from(&open_named(path)?, most)
}

/// The text of a file that the user named, through symlinks.
///
/// # Errors
/// The errors of [`read`]; `InvalidData` for text that is not UTF-8.
pub fn text_named(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read_named(path, most)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// The bytes of a file of secrets that the user named, which no other user may open.
///
/// # Errors
/// The errors of [`read`]; `PermissionDenied` if another user may open the file.
pub fn read_secret(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_named(path)?;
    let facts = file.metadata()?;
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&facts.uid());
    if ours && facts.mode() & 0o077 == 0 {
        return read_from(&file, most);
    }
    let (uid, mode) = (facts.uid(), facts.mode() & 0o7777);
    let what =
        format!("it holds secrets: expected mode 0600 and this user as its owner, found {mode:04o} and uid {uid}");
    Err(Error::new(ErrorKind::PermissionDenied, what))
}

/// The bytes of an open regular file of at most `most` bytes, from its beginning.
///
/// # Errors
/// The errors of [`read`].
pub fn read_from(mut file: &File, most: u64) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let wrong = |what: String| Error::new(ErrorKind::InvalidData, what);
    let before = fs::fstat(file)?;
    regular(&before)?;
    let size = before.st_size.unsigned_abs();
    if size > most {
        return Err(wrong(format!("expected at most {most} bytes, found {size}")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    (&mut file).take(size + 1).read_to_end(&mut bytes)?;
    let after = fs::fstat(file)?;
    let times = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    if bytes.len() as u64 != size || times(&before) != times(&after) {
        return Err(wrong("it changed while it was read".into()));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
