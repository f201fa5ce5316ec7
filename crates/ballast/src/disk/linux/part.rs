//! Parts: unfinished files that outlive their process under a name of their own, so that an
//! interrupted fetch can continue.
//!
//! A part is not trusted: the caller hashes it before continuing it. Only its owner writes a part,
//! under its lock, and only while the part still has its name: a process that waited for the lock
//! may have an inode open that was published meanwhile.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{self, AtFlags, FallocateFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

const FLAGS: OFlags = OFlags::CREATE
    .union(OFlags::RDWR)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Opens or makes a part under its lock, with room for `size` bytes, and returns its length.
pub(super) fn open(dir: &OwnedFd, name: &str, size: u64) -> io::Result<(OwnedFd, u64)> {
    for _ in 0..8 {
        let fd = match fs::openat(dir, name, FLAGS, Mode::from_raw_mode(0o600)) {
            Ok(fd) => fd,
            // A symlink, a FIFO, a socket, or another user's file.
            Err(Errno::LOOP | Errno::NXIO | Errno::ACCESS) => {
                fs::unlinkat(dir, name, AtFlags::empty())?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        match judge(&fd, dir, name)? {
            Judged::Ours(len) => {
                if let Err(error) = reserve(&fd, size) {
                    if len == 0 {
                        let _ = fs::unlinkat(dir, name, AtFlags::empty());
                    }
                    return Err(error.into());
                }
                return Ok((fd, len));
            }
            Judged::Foreign => fs::unlinkat(dir, name, AtFlags::empty())?,
            Judged::Moved => {}
        }
    }
    Err(Errno::EXIST.into())
}

enum Judged {
    /// A plain file of this length that only this user can write.
    Ours(u64),
    /// A file of another kind, or of another user: its name is removed, the file itself is not changed.
    Foreign,
    /// The name now belongs to another inode.
    Moved,
}

fn judge(fd: &OwnedFd, dir: &OwnedFd, name: &str) -> io::Result<Judged> {
    let stat = fs::fstat(fd)?;
    match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) if (named.st_dev, named.st_ino) == (stat.st_dev, stat.st_ino) => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(Judged::Moved),
        Err(error) => return Err(error.into()),
    }
    let plain = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let alone = stat.st_nlink == 1 && stat.st_mode & 0o022 == 0;
    let own = stat.st_uid == rustix::process::geteuid().as_raw();
    Ok(if plain && alone && own { Judged::Ours(stat.st_size.unsigned_abs()) } else { Judged::Foreign })
}

/// Empties the part, and reserves its room again.
pub(super) fn empty(fd: &OwnedFd, size: u64) -> io::Result<()> {
    fs::ftruncate(fd, 0)?;
    Ok(reserve(fd, size)?)
}

/// Reserves room without changing the length: a part's length is the number of bytes that arrived.
fn reserve(fd: &OwnedFd, size: u64) -> Result<(), Errno> {
    if size == 0 {
        return Ok(());
    }
    match fs::fallocate(fd, FallocateFlags::KEEP_SIZE, 0, size) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        done => done,
    }
}
