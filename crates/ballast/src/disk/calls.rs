//! The calls that a store makes to a file system, and the facts that they return. Touches nothing.

use std::io;
use std::time::Duration;

/// The kind of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, which only `follow` follows.
    Symlink,
    /// A FIFO, a device or a socket.
    Special,
}

/// Facts of one inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Number of hard links.
    pub links: u64,
    /// Device and inode.
    pub id: (u64, u64),
    /// Last change of content, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of the inode, nanoseconds since 1970.
    pub ctime_ns: i64,
}

/// The way in which a new file gets its name. A modern kernel uses only the first way; tests force the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// `O_TMPFILE`, then `linkat` with `AT_EMPTY_PATH`.
    TmpfileEmptyPath,
    /// `O_TMPFILE`, then `linkat` through `/proc/self/fd`.
    TmpfileProc,
    /// Creates a file with a random name by `O_EXCL` in the same directory, then renames it.
    Named,
}

/// The calls that a store makes. Paths are checked names below the root; `""` is the root.
pub trait Disk: Sync {
    /// An open directory.
    type Dir: Sync;
    /// An open file.
    type File: Sync;

    /// Returns the number of files that may be open at once, at least 1.
    fn files_at_once(&self) -> usize {
        FILES_AT_ONCE
    }
    /// Opens a directory below the root; never through a symlink.
    ///
    /// # Errors
    /// The errors of `openat2(2)`.
    fn open_dir(&self, rel: &str) -> io::Result<Self::Dir>;
    /// Opens the directory of this one name in an open directory; never a symlink.
    ///
    /// # Errors
    /// The errors of `open_dir`; `EXDEV` for another mount or device, on a disk in mode `sticky`.
    fn open_below(&self, dir: &Self::Dir, name: &str) -> io::Result<Self::Dir>;
    /// Makes a directory with these permission bits, and with this group if one is given.
    ///
    /// # Errors
    /// The errors of `mkdirat(2)`.
    fn make_dir(&self, parent: &Self::Dir, name: &str, mode: u32, group: Option<u32>) -> io::Result<()>;
    /// Facts of an entry; of a symlink, those of the link itself.
    ///
    /// # Errors
    /// The errors of `fstatat(2)`.
    fn stat(&self, dir: &Self::Dir, name: &str) -> io::Result<Stat>;
    /// Facts of an open directory.
    ///
    /// # Errors
    /// The errors of `fstat(2)`.
    fn stat_dir(&self, dir: &Self::Dir) -> io::Result<Stat>;
    /// Returns whether this process may make and remove names in the directory.
    fn writable(&self, dir: &Self::Dir) -> bool;
    /// Opens an entry for reading, through no symlink and without blocking. Returns facts of the open file.
    ///
    /// # Errors
    /// The errors of `openat(2)`; `ELOOP` for a symlink, `ENXIO` for a FIFO or socket.
    fn open(&self, dir: &Self::Dir, name: &str) -> io::Result<(Self::File, Stat)>;
    /// Opens the file that a path below the root leads to, for reading. The disk follows relative
    /// links that stay below the root and on its file system; with `beyond`, it follows any link.
    /// This call never blocks and opens no device.
    ///
    /// # Errors
    /// `EXDEV` for a link that leaves the root, `ELOOP` if this disk follows no link, `ENXIO` if
    /// the file is not regular, and those of `openat2(2)`.
    fn follow(&self, _path: &str, _beyond: bool) -> io::Result<(Self::File, Stat)> {
        Err(io::Error::from_raw_os_error(libc::ELOOP))
    }
    /// Reads at an offset; 0 is the end. Callers use [`Disk::read`], which checks the number.
    ///
    /// # Errors
    /// The errors of `pread(2)`.
    fn read_at(&self, file: &Self::File, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    /// Reads at an offset and returns the bytes that were read; none at the end.
    ///
    /// # Errors
    /// The errors of `read_at`; `EIO` if a disk claims more bytes than the buffer can contain.
    fn read<'b>(&self, file: &Self::File, buffer: &'b mut [u8], at: u64) -> io::Result<&'b [u8]> {
        let got = self.read_at(file, buffer, at)?;
        buffer.get(..got).ok_or_else(|| io::Error::from_raw_os_error(libc::EIO))
    }
    /// Starts a file without a visible name, with room for `size` bytes.
    ///
    /// # Errors
    /// The errors of `openat(2)` and `fallocate(2)`: `ENOSPC` if the disk is full.
    fn stage(&self, dir: &Self::Dir, size: u64) -> io::Result<Self::File>;
    /// Opens or makes the part of this name: a file whose unfinished bytes outlive this process.
    /// Locks the part, reserves room for `size` bytes, and returns the part's length. The caller
    /// writes, syncs and publishes it as a staged file. A disk without parts stages a file instead.
    ///
    /// # Errors
    /// `EWOULDBLOCK` while another process has locked the part; those of `stage`.
    fn part(&self, dir: &Self::Dir, _name: &str, size: u64) -> io::Result<(Self::File, u64)> {
        Ok((self.stage(dir, size)?, 0))
    }
    /// Empties a staged file or a part, with room for `size` bytes again.
    ///
    /// # Errors
    /// `Unsupported` by a disk without parts.
    fn empty(&self, _file: &Self::File, _size: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Writes all bytes at an offset of a staged file.
    ///
    /// # Errors
    /// The errors of `pwrite(2)`.
    fn write_at(&self, file: &Self::File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Starts write-back of a range, so that no single sync is long.
    ///
    /// # Errors
    /// The errors of `sync_file_range(2)`.
    fn push(&self, file: &Self::File, at: u64, len: u64) -> io::Result<()>;
    /// Sets the final mode and makes content durable.
    ///
    /// # Errors
    /// The errors of `fchmod(2)` and `fsync(2)`.
    fn sync_file(&self, file: &Self::File, mode: u32) -> io::Result<()>;
    /// Gives a synced file its name, and returns its facts. An entry of that name is replaced whole.
    ///
    /// # Errors
    /// The errors of `linkat(2)` or `renameat2(2)`.
    fn publish(&self, file: Self::File, dir: &Self::Dir, name: &str) -> io::Result<Stat>;
    /// Renames within one directory, replacing a file of the new name.
    ///
    /// # Errors
    /// The errors of `renameat2(2)`.
    fn rename(&self, dir: &Self::Dir, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name that is no directory.
    ///
    /// # Errors
    /// The errors of `unlinkat(2)`.
    fn remove(&self, dir: &Self::Dir, name: &str) -> io::Result<()>;
    /// Removes a staged name, unless a living process still writes it.
    ///
    /// # Errors
    /// The errors of `unlinkat(2)`.
    fn remove_abandoned(&self, dir: &Self::Dir, name: &str) -> io::Result<()>;
    /// The names of a directory's first entries, at most `most`.
    ///
    /// # Errors
    /// The errors of `getdents64(2)`.
    fn names(&self, dir: &Self::Dir, most: usize) -> io::Result<Vec<String>>;
    /// Makes the directory's names durable.
    ///
    /// # Errors
    /// The errors of `fsync(2)`.
    fn sync_dir(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Waits for the store's advisory lock, at most this long. `false`: the caller continues
    /// without the lock.
    fn lock(&self, wait: Duration) -> bool;
    /// Releases the lock.
    fn unlock(&self);
}

/// Files open at once at most.
pub const FILES_AT_ONCE: usize = 64;

/// The beginning of every staged file's name; the rest is random.
pub const STAGED_PREFIX: &str = ".ballast-staged.";
