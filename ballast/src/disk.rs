//! The one place that touches a file system: a narrow set of calls on one directory handle.
//!
//! [`Disk`] is the interface; [`LinuxDisk`] its only honest implementation. Tests stack lying
//! disks on it: one that counts and crashes, one that is full, one that reads short.
//!
//! Promises of [`LinuxDisk`]: every call is relative to the descriptor of the store's root;
//! no symlink is followed below it; no call blocks on a FIFO or a device; descriptors are
//! close-on-exec; a name is made visible only by link or rename of a finished file.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{self, AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

/// What a directory entry is, as far as custody cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, followed by nobody here.
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

/// How a new file gets its name. One kernel exercises only the first; tests force the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// `O_TMPFILE`, then `linkat` with `AT_EMPTY_PATH`.
    TmpfileEmptyPath,
    /// `O_TMPFILE`, then `linkat` through `/proc/self/fd`.
    TmpfileProc,
    /// An `O_EXCL` random name in the same directory, then `rename`.
    Named,
}

/// The calls that a store makes. Paths are checked names below the root; `""` is the root.
pub trait Disk: Sync {
    /// An open directory.
    type Dir: Sync;
    /// An open file.
    type File: Sync;

    /// Opens a directory below the root; never through a symlink.
    fn open_dir(&self, rel: &str) -> io::Result<Self::Dir>;
    /// Makes a directory with these permission bits, for another group where one is named.
    fn make_dir(&self, parent: &Self::Dir, name: &str, mode: u32, group: Option<u32>) -> io::Result<()>;
    /// Facts of an entry, itself and not what it links to.
    fn stat(&self, dir: &Self::Dir, name: &str) -> io::Result<Stat>;
    /// Facts of an open directory.
    fn stat_dir(&self, dir: &Self::Dir) -> io::Result<Stat>;
    /// Whether this process may make and remove names in the directory.
    fn writable(&self, dir: &Self::Dir) -> bool;
    /// Opens an entry for reading: no symlink, no blocking. The facts are of the open file.
    fn open(&self, dir: &Self::Dir, name: &str) -> io::Result<(Self::File, Stat)>;
    /// Reads at an offset; 0 is the end.
    fn read_at(&self, file: &Self::File, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    /// Starts a file without a visible name, with room for `size` bytes.
    fn stage(&self, dir: &Self::Dir, size: u64) -> io::Result<Self::File>;
    /// Writes all bytes at an offset of a staged file.
    fn write_at(&self, file: &Self::File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Starts write-back of a range, so that no single sync is long.
    fn push(&self, file: &Self::File, at: u64, len: u64) -> io::Result<()>;
    /// Sets the final mode and makes content durable.
    fn settle(&self, file: &Self::File, mode: u32) -> io::Result<()>;
    /// Gives a settled file its name. An entry of that name is replaced whole.
    fn publish(&self, file: Self::File, dir: &Self::Dir, name: &str) -> io::Result<()>;
    /// Renames within one directory, replacing a file of the new name.
    fn rename(&self, dir: &Self::Dir, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name that is no directory.
    fn remove(&self, dir: &Self::Dir, name: &str) -> io::Result<()>;
    /// Removes a staged name, unless a living process still writes it.
    fn remove_abandoned(&self, dir: &Self::Dir, name: &str) -> io::Result<()>;
    /// The entries of a directory.
    fn names(&self, dir: &Self::Dir) -> io::Result<Vec<String>>;
    /// Makes the directory's names durable.
    fn sync_dir(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Waits for the store's advisory lock, at most this long. `false`: go on without.
    fn lock(&self, wait: Duration) -> bool;
    /// Gives the lock back.
    fn unlock(&self);
    /// Bytes that this process could still write.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A store's root on a real Linux file system.
pub struct LinuxDisk {
    root: OwnedFd,
    staging: Staging,
}

/// An open or staged file of a [`LinuxDisk`].
pub struct LinuxFile {
    fd: OwnedFd,
    /// The temporary name, where the file system has no unnamed files.
    name: Option<String>,
}

const DIR: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
/// How names of staged and set-aside files begin; the rest is the weight's own name.
pub const STAGED_PREFIX: &str = ".ballast-staged.";

impl LinuxDisk {
    /// Opens a store's root. The last component may not be a symlink.
    ///
    /// # Errors
    /// Those of `openat(2)`: `ENOENT`, `ENOTDIR`, `ELOOP`, `EACCES`.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = fs::openat(CWD, root, DIR | OFlags::RDONLY, Mode::empty())?;
        Ok(Self { root, staging: Staging::TmpfileEmptyPath })
    }

    /// Forces one way of staging.
    pub fn with_staging(mut self, staging: Staging) -> Self {
        self.staging = staging;
        self
    }

    fn walk(&self, rel: &str) -> io::Result<OwnedFd> {
        let mut here = fs::openat(&self.root, ".", DIR | OFlags::RDONLY, Mode::empty())?;
        for name in rel.split('/').filter(|name| !name.is_empty()) {
            here = fs::openat(&here, name, DIR | OFlags::RDONLY, Mode::empty())?;
        }
        Ok(here)
    }

    fn stage_named(&self, dir: &OwnedFd) -> io::Result<LinuxFile> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for turn in 0..64u32 {
            let name = format!("{STAGED_PREFIX}{}", random_name(turn));
            match fs::openat(dir, &name, flags, Mode::from_raw_mode(0o600)) {
                Ok(fd) => {
                    // Held while the file is being written: a sweep may take only what nobody holds.
                    let _ = fs::flock(&fd, FlockOperation::NonBlockingLockExclusive);
                    return Ok(LinuxFile { fd, name: Some(name) });
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    fn stage_unnamed(dir: &OwnedFd) -> Result<LinuxFile, Errno> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let fd = fs::openat(dir, ".", flags, Mode::from_raw_mode(0o600))?;
        Ok(LinuxFile { fd, name: None })
    }

    /// Links an unnamed file under a name that must be free.
    fn link(&self, file: &LinuxFile, dir: &OwnedFd, name: &str) -> Result<(), Errno> {
        let by_proc = || {
            let path = format!("/proc/self/fd/{}", file.fd.as_raw_fd());
            fs::linkat(CWD, path, dir, name, AtFlags::SYMLINK_FOLLOW)
        };
        if self.staging == Staging::TmpfileProc {
            return by_proc();
        }
        match fs::linkat(&file.fd, "", dir, name, AtFlags::EMPTY_PATH) {
            Err(Errno::NOENT | Errno::PERM | Errno::INVAL) => by_proc(),
            done => done,
        }
    }

    /// Makes an unnamed file visible under a temporary name, to be renamed over an entry.
    fn link_temporarily(&self, file: &LinuxFile, dir: &OwnedFd) -> io::Result<String> {
        for turn in 0..64u32 {
            let name = format!("{STAGED_PREFIX}{}", random_name(turn));
            match self.link(file, dir, &name) {
                Ok(()) => return Ok(name),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }
}

impl Disk for LinuxDisk {
    type Dir = OwnedFd;
    type File = LinuxFile;

    fn open_dir(&self, rel: &str) -> io::Result<OwnedFd> {
        let path = if rel.is_empty() { "." } else { rel };
        match fs::openat2(&self.root, path, DIR | OFlags::RDONLY, Mode::empty(), BENEATH) {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => self.walk(rel),
            opened => Ok(opened?),
        }
    }

    fn make_dir(&self, parent: &OwnedFd, name: &str, mode: u32, group: Option<u32>) -> io::Result<()> {
        fs::mkdirat(parent, name, Mode::from_raw_mode(0o700))?;
        let made = fs::openat(parent, name, DIR | OFlags::RDONLY, Mode::empty())?;
        if let Some(group) = group {
            fs::fchown(&made, None, Some(rustix::process::Gid::from_raw(group)))?;
        }
        // The umask must not decide who can read the weights.
        fs::fchmod(&made, Mode::from_raw_mode(mode))?;
        fs::fsync(parent)?;
        Ok(())
    }

    fn stat(&self, dir: &OwnedFd, name: &str) -> io::Result<Stat> {
        Ok(stat_of(&fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn stat_dir(&self, dir: &OwnedFd) -> io::Result<Stat> {
        Ok(stat_of(&fs::fstat(dir)?))
    }

    fn writable(&self, dir: &OwnedFd) -> bool {
        fs::accessat(dir, ".", fs::Access::WRITE_OK | fs::Access::EXEC_OK, AtFlags::EACCESS).is_ok()
    }

    fn open(&self, dir: &OwnedFd, name: &str) -> io::Result<(LinuxFile, Stat)> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = fs::openat(dir, name, flags, Mode::empty())?;
        let stat = stat_of(&fs::fstat(&fd)?);
        Ok((LinuxFile { fd, name: None }, stat))
    }

    fn read_at(&self, file: &LinuxFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&file.fd, &mut *buffer, at) {
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }

    fn stage(&self, dir: &OwnedFd, size: u64) -> io::Result<LinuxFile> {
        let file = match self.staging {
            Staging::Named => self.stage_named(dir)?,
            _ => match Self::stage_unnamed(dir) {
                Ok(file) => file,
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => self.stage_named(dir)?,
                Err(error) => return Err(error.into()),
            },
        };
        if size > 0 {
            // A full disk speaks before the copy, not in the middle of it.
            match fs::fallocate(&file.fd, fs::FallocateFlags::empty(), 0, size) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(error) => {
                    discard(dir, file);
                    return Err(error.into());
                }
            }
        }
        Ok(file)
    }

    fn write_at(&self, file: &LinuxFile, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&file.fd, bytes, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(done) => {
                    bytes = &bytes[done..];
                    at += done as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn push(&self, file: &LinuxFile, at: u64, len: u64) -> io::Result<()> {
        // Advice only: `settle` is what makes bytes durable.
        start_write_back(&file.fd, at, len);
        Ok(())
    }

    fn settle(&self, file: &LinuxFile, mode: u32) -> io::Result<()> {
        fs::fchmod(&file.fd, Mode::from_raw_mode(mode))?;
        fs::fdatasync(&file.fd)?;
        Ok(())
    }

    fn publish(&self, file: LinuxFile, dir: &OwnedFd, name: &str) -> io::Result<()> {
        let staged = match &file.name {
            Some(staged) => staged.clone(),
            None => match self.link(&file, dir, name) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => self.link_temporarily(&file, dir)?,
                Err(error) => return Err(error.into()),
            },
        };
        fs::renameat(dir, &staged, dir, name).map_err(|error| {
            let _ = fs::unlinkat(dir, &staged, AtFlags::empty());
            error.into()
        })
    }

    fn rename(&self, dir: &OwnedFd, from: &str, to: &str) -> io::Result<()> {
        Ok(fs::renameat_with(dir, from, dir, to, RenameFlags::empty()).or_else(|error| match error {
            Errno::NOSYS | Errno::INVAL => fs::renameat(dir, from, dir, to),
            _ => Err(error),
        })?)
    }

    fn remove(&self, dir: &OwnedFd, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(dir, name, AtFlags::empty())?)
    }

    fn remove_abandoned(&self, dir: &OwnedFd, name: &str) -> io::Result<()> {
        let (file, _) = self.open(dir, name)?;
        fs::flock(&file.fd, FlockOperation::NonBlockingLockExclusive)?;
        self.remove(dir, name)
    }

    fn names(&self, dir: &OwnedFd) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(dir)? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn sync_dir(&self, dir: &OwnedFd) -> io::Result<()> {
        Ok(fs::fsync(dir)?)
    }

    fn lock(&self, wait: Duration) -> bool {
        let start = Instant::now();
        loop {
            match fs::flock(&self.root, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return true,
                Err(Errno::WOULDBLOCK) if start.elapsed() < wait => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => return false,
            }
        }
    }

    fn unlock(&self) {
        let _ = fs::flock(&self.root, FlockOperation::Unlock);
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let facts = fs::fstatvfs(&self.root)?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }
}

fn discard(dir: &OwnedFd, file: LinuxFile) {
    if let Some(name) = file.name {
        let _ = fs::unlinkat(dir, &name, AtFlags::empty());
    }
}

#[expect(unsafe_code, reason = "no safe wrapper of sync_file_range exists in the crates used here")]
fn start_write_back(fd: &OwnedFd, at: u64, len: u64) {
    let (Ok(at), Ok(len)) = (i64::try_from(at), i64::try_from(len)) else {
        return;
    };
    // SAFETY: the call takes a live descriptor and three integers, and touches no memory of ours.
    let _ = unsafe { libc::sync_file_range(fd.as_raw_fd(), at, len, libc::SYNC_FILE_RANGE_WRITE) };
}

fn random_name(turn: u32) -> String {
    let mut bytes = [0u8; 8];
    if rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK).is_err() {
        // O_EXCL keeps a collision harmless; uniqueness only saves a turn.
        let seed = (u64::from(std::process::id()) << 32) | u64::from(turn);
        bytes = seed.to_le_bytes();
    }
    format!("{:016x}", u64::from_le_bytes(bytes))
}

fn stat_of(stat: &fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Special,
    };
    Stat {
        kind,
        size: stat.st_size.unsigned_abs(),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
        links: stat.st_nlink,
        id: (stat.st_dev, stat.st_ino),
        mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

fn nanoseconds(seconds: i64, rest: u64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add_unsigned(rest)
}

/// Hands a store's root to the app: one `fchownat`, on a descriptor that needs no right to read.
///
/// # Errors
/// `EPERM` without `CAP_CHOWN`, `EROFS` on a read-only mount, `ELOOP` or `ENOTDIR` where the
/// root is no directory.
pub fn hand_over(root: &Path, uid: u32, gid: u32) -> io::Result<()> {
    chown(&pin(root)?, uid, gid)
}

/// Takes a store's root for root: `root:gid`, sticky, so that the app makes files beside the
/// weights and can't move them.
///
/// # Errors
/// As [`hand_over`].
pub fn take(root: &Path, gid: u32) -> io::Result<()> {
    let pinned = pin(root)?;
    let stat = stat_of(&fs::fstat(&pinned)?);
    if (stat.uid, stat.gid) != (0, gid) {
        chown(&pinned, 0, gid)?;
    }
    if stat.mode != 0o1775 {
        let opened = fs::openat(&pinned, ".", DIR | OFlags::RDONLY, Mode::empty())?;
        fs::fchmod(&opened, Mode::from_raw_mode(0o1775))?;
    }
    Ok(())
}

fn pin(root: &Path) -> io::Result<OwnedFd> {
    Ok(fs::openat(CWD, root, DIR | OFlags::PATH, Mode::empty())?)
}

/// Facts of an open directory or file, which may be open as a path only.
///
/// # Errors
/// Those of `fstat(2)`.
pub fn stat_fd(fd: &OwnedFd) -> io::Result<Stat> {
    Ok(stat_of(&fs::fstat(fd)?))
}

/// Changes the owner of what this descriptor, perhaps a path only, stands for.
///
/// # Errors
/// `EPERM` without `CAP_CHOWN`, `EROFS` on a read-only mount.
pub fn chown(pinned: &OwnedFd, uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(gid));
    Ok(fs::chownat(pinned, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?)
}
