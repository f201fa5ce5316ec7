//! Simulated disks that return wrong results. Each type has the name of its fault. One wrapper forwards every call; a [`Lie`] may refuse calls,
//! change the bytes that were read, or change the facts.

use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ballast::disk::{Disk, Stat};

/// The calls of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    OpenDir,
    MakeDir,
    Stat,
    StatDir,
    Writable,
    Open,
    Read,
    Stage,
    Write,
    Push,
    SyncFile,
    Publish,
    Rename,
    Remove,
    RemoveAbandoned,
    Names,
    SyncDir,
    Lock,
    Unlock,
}

/// One kind of false result that a disk can return.
pub trait Lie: Sync {
    /// Called before every call; its error goes to the caller instead.
    fn before(&self, _call: Call) -> io::Result<()> {
        Ok(())
    }

    /// Returns the number of files that may be open at once, if it is less than the disk's own.
    fn files_at_once(&self) -> Option<usize> {
        None
    }

    /// Returns whether a write at an offset is reported as done and not made.
    fn drops(&self, _at: u64) -> bool {
        false
    }

    /// May change the bytes that were read at an offset, and their number.
    fn twist(&self, bytes: &mut [u8], _at: u64) -> usize {
        bytes.len()
    }

    /// May change the facts of an entry.
    fn tell(&self, stat: Stat) -> Stat {
        stat
    }
}

/// A disk and its lie.
pub struct Lying<D, L> {
    pub disk: D,
    pub lie: L,
}

impl<D: Disk, L: Lie> Disk for Lying<D, L> {
    type Dir = D::Dir;
    type File = D::File;

    fn files_at_once(&self) -> usize {
        self.lie.files_at_once().unwrap_or_else(|| self.disk.files_at_once())
    }

    fn open_dir(&self, rel: &str) -> io::Result<D::Dir> {
        self.lie.before(Call::OpenDir)?;
        self.disk.open_dir(rel)
    }

    fn open_below(&self, dir: &D::Dir, name: &str) -> io::Result<D::Dir> {
        self.lie.before(Call::OpenDir)?;
        self.disk.open_below(dir, name)
    }

    fn make_dir(&self, parent: &D::Dir, name: &str, mode: u32, group: Option<u32>) -> io::Result<()> {
        self.lie.before(Call::MakeDir)?;
        self.disk.make_dir(parent, name, mode, group)
    }

    fn stat(&self, dir: &D::Dir, name: &str) -> io::Result<Stat> {
        self.lie.before(Call::Stat)?;
        Ok(self.lie.tell(self.disk.stat(dir, name)?))
    }

    fn stat_dir(&self, dir: &D::Dir) -> io::Result<Stat> {
        self.lie.before(Call::StatDir)?;
        self.disk.stat_dir(dir)
    }

    fn writable(&self, dir: &D::Dir) -> bool {
        self.lie.before(Call::Writable).is_ok() && self.disk.writable(dir)
    }

    fn open(&self, dir: &D::Dir, name: &str) -> io::Result<(D::File, Stat)> {
        self.lie.before(Call::Open)?;
        let (file, stat) = self.disk.open(dir, name)?;
        Ok((file, self.lie.tell(stat)))
    }

    fn follow(&self, path: &str, beyond: bool) -> io::Result<(D::File, Stat)> {
        self.lie.before(Call::Open)?;
        let (file, stat) = self.disk.follow(path, beyond)?;
        Ok((file, self.lie.tell(stat)))
    }

    fn read_at(&self, file: &D::File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.lie.before(Call::Read)?;
        let got = self.disk.read_at(file, buffer, at)?;
        Ok(self.lie.twist(&mut buffer[..got], at))
    }

    fn stage(&self, dir: &D::Dir, size: u64) -> io::Result<D::File> {
        self.lie.before(Call::Stage)?;
        self.disk.stage(dir, size)
    }

    fn write_at(&self, file: &D::File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.lie.before(Call::Write)?;
        if self.lie.drops(at) {
            return Ok(());
        }
        self.disk.write_at(file, bytes, at)
    }

    fn push(&self, file: &D::File, at: u64, len: u64) -> io::Result<()> {
        self.lie.before(Call::Push)?;
        self.disk.push(file, at, len)
    }

    fn sync_file(&self, file: &D::File, mode: u32) -> io::Result<()> {
        self.lie.before(Call::SyncFile)?;
        self.disk.sync_file(file, mode)
    }

    fn publish(&self, file: D::File, dir: &D::Dir, name: &str) -> io::Result<Stat> {
        self.lie.before(Call::Publish)?;
        self.disk.publish(file, dir, name)
    }

    fn rename(&self, dir: &D::Dir, from: &str, to: &str) -> io::Result<()> {
        self.lie.before(Call::Rename)?;
        self.disk.rename(dir, from, to)
    }

    fn remove(&self, dir: &D::Dir, name: &str) -> io::Result<()> {
        self.lie.before(Call::Remove)?;
        self.disk.remove(dir, name)
    }

    fn remove_abandoned(&self, dir: &D::Dir, name: &str) -> io::Result<()> {
        self.lie.before(Call::RemoveAbandoned)?;
        self.disk.remove_abandoned(dir, name)
    }

    fn names(&self, dir: &D::Dir, most: usize) -> io::Result<Vec<String>> {
        self.lie.before(Call::Names)?;
        self.disk.names(dir, most)
    }

    fn sync_dir(&self, dir: &D::Dir) -> io::Result<()> {
        self.lie.before(Call::SyncDir)?;
        self.disk.sync_dir(dir)
    }

    fn lock(&self, wait: Duration) -> bool {
        self.lie.before(Call::Lock).is_ok() && self.disk.lock(wait)
    }

    fn unlock(&self) {
        if self.lie.before(Call::Unlock).is_ok() {
            self.disk.unlock();
        }
    }
}

/// The way in which a test interrupts a heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The process is killed: nothing more of it runs.
    Killed,
    /// The disk dies: every call fails from then on, and the process goes on.
    DiskDied,
}

/// Counts calls, and interrupts the heal before call number `at`.
pub struct CrashAt {
    pub at: usize,
    pub end: End,
    pub count: AtomicUsize,
}

/// The panic's value that stands for a kill.
pub struct Killed;

impl CrashAt {
    pub fn new(at: usize, end: End) -> Self {
        Self { at, end, count: AtomicUsize::new(0) }
    }

    /// Counts and never crashes.
    pub fn never() -> Self {
        Self::new(usize::MAX, End::Killed)
    }
}

impl Lie for CrashAt {
    fn before(&self, _call: Call) -> io::Result<()> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        match self.end {
            End::Killed if number == self.at => resume_unwind(Box::new(Killed)),
            End::DiskDied if number >= self.at => Err(io::Error::from_raw_os_error(libc::EIO)),
            _ => Ok(()),
        }
    }
}

/// Refuses one kind of call with one errno, from its `from`-th time (counted from 0) on, `times` times.
pub struct Refuses {
    pub call: Call,
    pub errno: i32,
    pub from: usize,
    pub times: usize,
    pub count: AtomicUsize,
}

impl Refuses {
    pub fn always(call: Call, errno: i32) -> Self {
        Self { call, errno, from: 0, times: usize::MAX, count: AtomicUsize::new(0) }
    }

    pub fn once_at(call: Call, errno: i32, from: usize) -> Self {
        Self { from, times: 1, ..Self::always(call, errno) }
    }
}

impl Lie for Refuses {
    fn before(&self, call: Call) -> io::Result<()> {
        if call != self.call {
            return Ok(());
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        if number >= self.from && number - self.from < self.times {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        Ok(())
    }
}

/// Reads at most 4099 bytes at a time, which a disk may do.
pub struct ReadsShort;

impl Lie for ReadsShort {
    fn twist(&self, bytes: &mut [u8], _at: u64) -> usize {
        bytes.len().min(4099)
    }
}

/// Once a file is staged, claims more bytes at a file's end than the buffer has room for.
#[derive(Default)]
pub struct ClaimsMore {
    staged: AtomicBool,
}

impl Lie for ClaimsMore {
    fn before(&self, call: Call) -> io::Result<()> {
        self.staged.fetch_or(call == Call::Stage, Ordering::Relaxed);
        Ok(())
    }

    fn twist(&self, bytes: &mut [u8], _at: u64) -> usize {
        let end = self.staged.load(Ordering::Relaxed) && bytes.len() < 4096;
        bytes.len() + if end { 23 } else { 0 }
    }
}

/// Gives right bytes until `verified` reads have passed, other bytes afterwards.
pub struct ChangesAfterVerifying {
    pub verified: usize,
    pub count: AtomicUsize,
}

impl Lie for ChangesAfterVerifying {
    fn twist(&self, bytes: &mut [u8], _at: u64) -> usize {
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.verified
            && let Some(first) = bytes.first_mut()
        {
            *first ^= 0x80;
        }
        bytes.len()
    }
}

/// Reports a wrong length of the file.
pub struct LiesAboutTheSize {
    pub more: i64,
}

impl Lie for LiesAboutTheSize {
    fn tell(&self, stat: Stat) -> Stat {
        Stat { size: stat.size.saturating_add_signed(self.more), ..stat }
    }
}

impl Lie for Box<dyn Lie> {
    fn before(&self, call: Call) -> io::Result<()> {
        (**self).before(call)
    }

    fn twist(&self, bytes: &mut [u8], at: u64) -> usize {
        (**self).twist(bytes, at)
    }

    fn tell(&self, stat: Stat) -> Stat {
        (**self).tell(stat)
    }
}
