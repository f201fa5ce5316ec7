//! The files that lie beside a database or a key file: SQLite's own, and the lock file of each. None of these names
//! is followed, and what is not a regular file is refused, since opening it might never end.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ballast::foreign;
use rustix::fs::{CWD, FlockOperation, OFlags};
use rustix::io::Errno;

use super::error::{Kind, Result, StoreError};

/// SQLite's write-ahead log.
pub const LOG: &str = "-wal";
/// The file that one process locks.
pub const LOCK: &str = ".lock";

/// Returns the path of the file with this ending.
pub fn name(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Refuses what is not a regular file under a name that SQLite opens.
///
/// # Errors
/// What was found under which name.
pub fn check(database: &Path) -> Result<()> {
    [LOG, "-shm", "-journal"].iter().try_for_each(|ending| {
        let name = name(database, ending);
        regular(name.as_os_str()).map_err(|why| failed(Kind::Unavailable, &name, &why))
    })
}

/// Locks `FILE.lock`, until the returned file is closed; `None` if another process holds the lock.
///
/// # Errors
/// The file can't be opened or locked, or is not a regular file.
pub fn lock(path: &Path, kind: Kind) -> Result<Option<File>> {
    let name = name(path, LOCK);
    let locked = || {
        regular(name.as_os_str())?;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).custom_flags(flags).open(&name)?;
        foreign::must_be_regular(&file)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    locked().map_err(|why| failed(kind, &name, &why))
}

/// Locks the key file for one rotation or creation of a store: of two rotations at once, each would add a key, and one
/// key would be lost.
///
/// # Errors
/// Another one runs, or the lock file can't be opened.
pub fn alone(key_file: &Path) -> Result<File> {
    let real = std::fs::canonicalize(key_file).unwrap_or_else(|_| key_file.to_owned());
    let another = || {
        let what = format!("{}: another rotation or `store init` runs", name(&real, LOCK).display());
        StoreError::new(Kind::Locked, what).hint("wait until it has ended")
    };
    lock(&real, Kind::KeyFile)?.ok_or_else(another)
}

fn regular(name: &OsStr) -> io::Result<()> {
    foreign::must_be_regular_at(CWD, name)
}

fn failed(kind: Kind, name: &Path, why: &io::Error) -> StoreError {
    StoreError::new(kind, format!("{}: {why}", name.display()))
}
