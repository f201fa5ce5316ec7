//! The serial of a signed lock file never goes back: below the one of the baked layer, or below the
//! one in the file of `--serial-file`, it is refused.
//!
//! The file is one number in decimal, written in place as 21 bytes at once under a lock on itself:
//! it contains the old number or the new one. No symlink is followed. A file without a readable
//! number is refused.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::exit::{Exit, Failure};
use crate::{bounds, foreign, walk};

/// The path at which `bake` stores the serial in a layer.
pub const BAKED: &str = ".ballast/serial";

/// How long to wait for another process's lock: the number of attempts, and the pause between them.
const PATIENCE: (u32, Duration) = (20, Duration::from_millis(100));

/// The file's text for a number.
pub fn line(serial: u64) -> String {
    format!("{serial:020}\n")
}

/// Refuses a serial below the stored one; a missing file refuses nothing.
///
/// # Errors
/// [`Exit::SerialBack`]; also if the file does not contain a number.
pub fn check(serial: Option<u64>, path: &Path, lock_path: &Path) -> Result<(), Failure> {
    let file = match open(path, OFlags::RDONLY) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(path, &error.to_string())),
    };
    let remembered = read(&file).map_err(|why| unreadable(path, &why))?;
    compare(serial, remembered, path, lock_path)
}

/// Stores a serial; returns a remark if the file exists and can only be read.
///
/// # Errors
/// [`Exit::SerialBack`] for a lower serial, and if no serial can be stored.
pub fn remember(serial: Option<u64>, path: &Path, lock_path: &Path) -> Result<Option<String>, Failure> {
    let refused = |error: &io::Error| {
        let what = format!("no serial can be remembered in {}: {error}", path.display());
        Failure::new(Exit::SerialBack, what).hint("a file in a root-owned directory that outlives the container")
    };
    let file = match open(path, OFlags::RDWR | OFlags::CREATE) {
        Ok(file) => file,
        Err(error) if only_readable(&error) && open(path, OFlags::RDONLY).is_ok() => {
            check(serial, path, lock_path)?;
            return Ok(Some(format!("{} is read-only: it is compared, and not updated", path.display())));
        }
        Err(error) => return Err(refused(&error)),
    };
    hold(&file).map_err(|error| refused(&error))?;
    let remembered = read(&file).map_err(|why| unreadable(path, &why))?;
    compare(serial, remembered, path, lock_path)?;
    if serial > remembered {
        let line = line(serial.unwrap_or_default());
        file.write_all_at(line.as_bytes(), 0).and_then(|()| file.sync_all()).map_err(|error| refused(&error))?;
    }
    Ok(None)
}

fn compare(serial: Option<u64>, remembered: Option<u64>, path: &Path, lock_path: &Path) -> Result<(), Failure> {
    if serial >= remembered {
        return Ok(());
    }
    let words = |serial: Option<u64>| serial.map_or("none".to_owned(), |serial| serial.to_string());
    let (lock, path) = (lock_path.display(), path.display());
    let what = format!("{lock} is older than one that was used before ({path})");
    let reported = format!("{what}\n  expected serial {} or more\n  found    {}", words(remembered), words(serial));
    Err(Failure::new(Exit::SerialBack, reported)
        .hint("to return to older weights, sign a lock file that has them and a higher serial"))
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new(Exit::SerialBack, format!("the remembered serial in {} can't be read: {why}", path.display()))
        .hint("one number in decimal; to forget it on purpose, remove the file")
}

fn only_readable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ROFS | Errno::ACCESS | Errno::PERM))
}

/// Opens a file by descriptors: no component of the path may be a symlink.
fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let path = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let parent = walk::walk(parent).map_err(|fault| fault.errno)?.dir;
    foreign::must_be_regular_at(&parent, name)?;
    let file = fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))?.into();
    foreign::must_be_regular(&file)?;
    Ok(file)
}

/// Empty is a file that was just made.
fn read(file: &File) -> Result<Option<u64>, String> {
    // Meanwhile another process may store a serial, in one write.
    let read = || foreign::read_from(file, bounds::SERIAL);
    let bytes = read().or_else(|_| read()).or_else(|_| read()).map_err(|error| error.to_string())?;
    match String::from_utf8_lossy(&bytes).trim() {
        "" => Ok(None),
        number => number.parse().map(Some).map_err(|_| format!("expected a number, found {number:?}")),
    }
}

/// Another process locks the file for the length of one write.
fn hold(file: &File) -> io::Result<()> {
    for _ in 0..PATIENCE.0 {
        match fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PATIENCE.1),
            file => return Ok(file?),
        }
    }
    Err(io::Error::other("another process has locked it"))
}
