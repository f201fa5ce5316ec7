//! The calls of a store as Linux system calls, and the change of owner that root makes on a store's root.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{self, AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

mod part;

use super::calls::{Disk, FILES_AT_ONCE, Kind, STAGED_PREFIX, Staging, Stat};

/// A store's root on a real Linux file system.
pub struct LinuxDisk {
    root: OwnedFd,
    staging: Staging,
    /// If set, only directories on this device and mount are opened.
    one_device: Option<u64>,
}

/// An open or staged file of a [`LinuxDisk`].
pub struct LinuxFile {
    fd: OwnedFd,
    /// The temporary name, if the file has one.
    name: Option<String>,
}

impl LinuxFile {
    /// The same open file, to be read before it has a name.
    ///
    /// # Errors
    /// No free descriptor.
    pub fn to_file(&self) -> io::Result<std::fs::File> {
        Ok(self.fd.try_clone()?.into())
    }
}

const DIR: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const LINKS_BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// The most times that a path is resolved again while other processes rename files.
const RESOLVED_AT_MOST: u32 = 1000;

/// Opens a path below a directory by `openat2(2)`. The kernel answers `EAGAIN` if the path has `..`, as the links of a
/// Hugging Face cache have, and any process renames any file meanwhile. That answer does not depend on this path.
fn open_beneath(from: &OwnedFd, path: &str, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    for _ in 1..RESOLVED_AT_MOST {
        match fs::openat2(from, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    fs::openat2(from, path, flags, Mode::empty(), resolve)
}

impl LinuxDisk {
    /// Opens a store's root. The last component may not be a symlink.
    ///
    /// # Errors
    /// The errors of `openat(2)`: `ENOENT`, `ENOTDIR`, `ELOOP`, `EACCES`.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = fs::openat(CWD, root, DIR | OFlags::RDONLY, Mode::empty())?;
        Ok(Self { root, staging: Staging::TmpfileEmptyPath, one_device: None })
    }

    /// Facts of the store's root.
    ///
    /// # Errors
    /// The errors of `fstat(2)`.
    pub fn stat_root(&self) -> io::Result<Stat> {
        stat_fd(&self.root)
    }

    /// Sets the way in which files are staged.
    #[must_use]
    pub fn with_staging(mut self, staging: Staging) -> Self {
        self.staging = staging;
        self
    }

    /// Opens a directory below another one, through no symlink, by one call or one component at a time.
    fn open_in(&self, from: &OwnedFd, rel: &str) -> io::Result<OwnedFd> {
        let resolve = if self.one_device.is_some() { BENEATH | ResolveFlags::NO_XDEV } else { BENEATH };
        let path = if rel.is_empty() { "." } else { rel };
        let opened = match open_beneath(from, path, DIR | OFlags::RDONLY, resolve) {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => Self::walk(from, rel)?,
            opened => opened?,
        };
        match self.one_device {
            Some(device) if fs::fstat(&opened)?.st_dev != device => Err(Errno::XDEV.into()),
            _ => Ok(opened),
        }
    }

    fn walk(from: &OwnedFd, rel: &str) -> io::Result<OwnedFd> {
        let mut here = fs::openat(from, ".", DIR | OFlags::RDONLY, Mode::empty())?;
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
                Ok(fd) if is_locked(&fd, dir, &name) => return Ok(LinuxFile { fd, name: Some(name) }),
                // Another process removed the file before this one locked it.
                Ok(_) => {}
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

    /// Gives an unnamed file a name that must be free.
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
        // Locked before it has a name: cleaning removes only unlocked files.
        let _ = fs::flock(&file.fd, FlockOperation::NonBlockingLockExclusive);
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

    fn files_at_once(&self) -> usize {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        usize::try_from(limit / 2).unwrap_or(FILES_AT_ONCE).clamp(1, FILES_AT_ONCE)
    }

    fn open_dir(&self, rel: &str) -> io::Result<OwnedFd> {
        self.open_in(&self.root, rel)
    }

    fn open_below(&self, dir: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
        self.open_in(dir, name)
    }

    fn make_dir(&self, parent: &OwnedFd, name: &str, mode: u32, group: Option<u32>) -> io::Result<()> {
        // Until the directory has its owner and mode, other users may read it but not write in it.
        fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
        let made = fs::openat(parent, name, DIR | OFlags::RDONLY, Mode::empty())?;
        if let Some(group) = group {
            // A directory that another process made meanwhile is not accepted.
            if fs::fstat(&made)?.st_uid != rustix::process::geteuid().as_raw() {
                return Err(Errno::EXIST.into());
            }
            fs::fchown(&made, None, Some(rustix::process::Gid::from_raw(group)))?;
        }
        // The mode alone decides who can read the weights, not the umask or the parent's access list.
        strip_acl(&made);
        Ok(fs::fchmod(&made, Mode::from_raw_mode(mode))?)
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

    fn follow(&self, path: &str, beyond: bool) -> io::Result<(LinuxFile, Stat)> {
        let open = |flags| match beyond {
            true => fs::openat(&self.root, path, flags, Mode::empty()),
            false => open_beneath(&self.root, path, flags, LINKS_BENEATH),
        };
        let regular = |fd: &OwnedFd| {
            stat_fd(fd).and_then(|stat| match stat.kind {
                Kind::File => Ok(stat),
                _ => Err(Errno::NXIO.into()),
            })
        };
        // The kind is checked first: opening a device may have an effect.
        regular(&open(OFlags::PATH | OFlags::CLOEXEC)?)?;
        let fd = open(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC)?;
        let stat = regular(&fd)?;
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
        // A full disk is found before the copy, not in the middle of it.
        match reserve(&file.fd, size) {
            Ok(()) => Ok(file),
            Err(error) => {
                discard(dir, file);
                Err(error.into())
            }
        }
    }

    fn part(&self, dir: &OwnedFd, name: &str, size: u64) -> io::Result<(LinuxFile, u64)> {
        let (fd, len) = part::open(dir, name, size)?;
        Ok((LinuxFile { fd, name: Some(name.to_owned()) }, len))
    }

    fn empty(&self, file: &LinuxFile, size: u64) -> io::Result<()> {
        part::empty(&file.fd, size)
    }

    fn write_at(&self, file: &LinuxFile, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&file.fd, bytes, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(done) => {
                    bytes = bytes.get(done..).ok_or(Errno::IO)?;
                    at += done as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn push(&self, file: &LinuxFile, at: u64, len: u64) -> io::Result<()> {
        // Advice only: `sync_file` makes bytes durable.
        start_write_back(&file.fd, at, len);
        Ok(())
    }

    fn sync_file(&self, file: &LinuxFile, mode: u32) -> io::Result<()> {
        strip_acl(&file.fd);
        fs::fchmod(&file.fd, Mode::from_raw_mode(mode))?;
        fs::fdatasync(&file.fd)?;
        Ok(())
    }

    fn publish(&self, file: LinuxFile, dir: &OwnedFd, name: &str) -> io::Result<Stat> {
        let staged = match &file.name {
            Some(staged) => staged.clone(),
            None => match self.link(&file, dir, name) {
                Ok(()) => return stat_fd(&file.fd),
                Err(Errno::EXIST) => self.link_temporarily(&file, dir)?,
                Err(error) => return Err(error.into()),
            },
        };
        fs::renameat(dir, &staged, dir, name).inspect_err(|_| {
            let _ = fs::unlinkat(dir, &staged, AtFlags::empty());
        })?;
        stat_fd(&file.fd)
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

    fn names(&self, dir: &OwnedFd, most: usize) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(dir)?.take(most) {
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
}

/// Reserves room; if the file system can't, checks that enough is free.
fn reserve(fd: &OwnedFd, size: u64) -> Result<(), Errno> {
    if size == 0 {
        return Ok(());
    }
    match fs::fallocate(fd, fs::FallocateFlags::empty(), 0, size) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            let free = fs::fstatvfs(fd).map(|facts| facts.f_bavail.saturating_mul(facts.f_frsize));
            if free.is_ok_and(|free| free < size) { Err(Errno::NOSPC) } else { Ok(()) }
        }
        done => done,
    }
}

/// Locks a file that already has a temporary name, and returns whether the file still has that name.
/// If locks don't work, no process removes the file either.
fn is_locked(fd: &OwnedFd, dir: &OwnedFd, name: &str) -> bool {
    let same = |one: &fs::Stat, other: &fs::Stat| (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino);
    match fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => false,
        Err(_) => true,
        Ok(()) => match (fs::fstat(fd), fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)) {
            (Ok(ours), Ok(named)) => same(&ours, &named),
            _ => false,
        },
    }
}

/// Removes inherited access lists from a new entry, so that its mode alone decides who may use it.
fn strip_acl(fd: &OwnedFd) {
    for name in ["system.posix_acl_access", "system.posix_acl_default"] {
        let _ = fs::fremovexattr(fd, name);
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
        // O_EXCL makes a collision harmless; a unique name only saves another attempt.
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
        links: links(stat.st_nlink),
        id: (stat.st_dev, stat.st_ino),
        mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// The number of links: 64 bits on x86-64, 32 on aarch64.
fn links(number: impl Into<u64>) -> u64 {
    number.into()
}

fn nanoseconds(seconds: i64, rest: u64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add_unsigned(rest)
}

/// Makes a store's root directory root's: `root:gid`, sticky, so that the app can create files
/// beside the weights and can't move the weights. Returns a disk on the same descriptor, so later
/// changes of the path have no effect.
///
/// First the call sets the owner, so that the app can then change neither mode nor access lists; at
/// the end it checks the result.
///
/// # Errors
/// `EPERM` without `CAP_CHOWN`, or if the file system does not store owner and mode; `EROFS` on a
/// read-only mount.
pub fn make_root_owned(pinned: &OwnedFd, gid: u32) -> io::Result<LinuxDisk> {
    let stat = stat_of(&fs::fstat(pinned)?);
    if (stat.uid, stat.gid) != (0, gid) {
        chown(pinned, 0, gid)?;
    }
    let opened = fs::openat(pinned, ".", DIR | OFlags::RDONLY, Mode::empty())?;
    strip_acl(&opened);
    if stat_fd(&opened)?.mode != 0o1775 {
        fs::fchmod(&opened, Mode::from_raw_mode(0o1775))?;
    }
    let taken = stat_fd(&opened)?;
    if (taken.uid, taken.gid, taken.mode, taken.id) != (0, gid, 0o1775, stat.id) {
        return Err(Errno::PERM.into());
    }
    Ok(LinuxDisk { root: opened, staging: Staging::TmpfileEmptyPath, one_device: Some(taken.id.0) })
}

/// Facts of an open directory or file, also of an `O_PATH` descriptor.
///
/// # Errors
/// The errors of `fstat(2)`.
pub fn stat_fd(fd: &OwnedFd) -> io::Result<Stat> {
    Ok(stat_of(&fs::fstat(fd)?))
}

/// Changes the owner of the file or directory of a descriptor, also of an `O_PATH` descriptor.
///
/// # Errors
/// `EPERM` without `CAP_CHOWN`, `EROFS` on a read-only mount.
pub fn chown(pinned: &OwnedFd, uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(gid));
    Ok(fs::chownat(pinned, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?)
}
