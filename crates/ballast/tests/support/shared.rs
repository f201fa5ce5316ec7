//! A file system in memory that two users share: root, which calls the functions of
//! `Disk`, and the app, which acts between root's calls. The model covers owners, modes, sticky directories and the rules of rename; time is a counter.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ballast::disk::{Disk, Kind, STAGED_PREFIX, Stat};

pub const ROOT: u32 = 0;
pub const APP: u32 = 100;
pub const GROUP: u32 = 101;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    File(Vec<u8>),
    Dir(BTreeMap<String, usize>),
    Symlink(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    pub content: Content,
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub links: u64,
    ctime: i64,
}

/// One act of the app. A path is a directory and a name in it, `/` between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Rename(&'static str, &'static str),
    Exchange(&'static str, &'static str),
    MakeDir(&'static str),
    Create(&'static str),
    Write(&'static str),
    Unlink(&'static str),
    Symlink(&'static str, &'static str),
}

/// The app's acts, each with the number of root's call before which it happens.
pub type Schedule = Vec<(usize, Act)>;

#[derive(Default)]
struct State {
    nodes: Vec<Inode>,
    clock: i64,
    calls: usize,
    schedule: Schedule,
    /// Whether the last act of the schedule changed anything.
    effective: bool,
}

/// The volume. Handles are numbers of inodes; inode 0 is the store's root.
pub struct SharedDisk(Mutex<State>);

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl SharedDisk {
    /// A volume whose root has this owner and mode.
    pub fn new(uid: u32, mode: u32) -> Self {
        let disk = Self(Mutex::default());
        disk.state().add(uid, GROUP, mode, Content::Dir(BTreeMap::new()));
        disk
    }

    /// Puts an inode at a path whose directory is there.
    pub fn put(&self, path: &str, uid: u32, mode: u32, content: Content) -> usize {
        let mut state = self.state();
        let gid = if uid == ROOT { GROUP } else { uid + 1 };
        let made = state.add(uid, gid, mode, content);
        let (dir, name) = state.parent(path).expect("a directory");
        state.names(dir).expect("a directory").insert(name.into(), made);
        made
    }

    /// Sets what the app does from now on, counted in root's calls.
    pub fn follow(&self, schedule: &[(usize, Act)]) {
        let mut state = self.state();
        (state.schedule, state.calls, state.effective) = (schedule.to_vec(), 0, schedule.is_empty());
    }

    /// Root's calls so far, and whether the last act changed anything.
    pub fn played(&self) -> (usize, bool) {
        let state = self.state();
        (state.calls, state.effective)
    }

    /// The app acts now; whether that changed anything.
    pub fn act(&self, act: Act) -> bool {
        self.state().act(act).is_ok()
    }

    /// Returns the bytes that the app reads at a path, following links.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let found = state.resolve(path, 0)?;
        match &state.nodes[found].content {
            Content::File(bytes) if state.may(found, 4) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// An inode as it is now.
    pub fn inode(&self, number: usize) -> Inode {
        self.state().nodes[number].clone()
    }

    /// Takes the root as `disk::make_root_owned` does: the owner first, then the mode.
    pub fn take(&self) {
        self.turn().change(0, |root| (root.uid, root.gid) = (ROOT, GROUP));
        self.turn().change(0, |root| root.mode = 0o1775);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no thread died holding it")
    }

    /// A call of root's that looks at names or changes them: the app may act before it.
    fn turn(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let call = state.calls;
        state.calls += 1;
        let due: Vec<Act> = state.schedule.iter().filter(|(at, _)| *at == call).map(|(_, act)| *act).collect();
        for act in due {
            state.effective = state.act(act).is_ok();
        }
        state
    }
}

impl State {
    fn add(&mut self, uid: u32, gid: u32, mode: u32, content: Content) -> usize {
        self.clock += 1;
        self.nodes.push(Inode { content, uid, gid, mode, links: 1, ctime: self.clock });
        self.nodes.len() - 1
    }

    fn change(&mut self, number: usize, how: impl FnOnce(&mut Inode)) {
        self.clock += 1;
        self.nodes[number].ctime = self.clock;
        how(&mut self.nodes[number]);
    }

    fn names(&mut self, dir: usize) -> io::Result<&mut BTreeMap<String, usize>> {
        match &mut self.nodes[dir].content {
            Content::Dir(names) => Ok(names),
            _ => Err(errno(libc::ENOTDIR)),
        }
    }

    fn lookup(&self, dir: usize, name: &str) -> io::Result<usize> {
        match &self.nodes[dir].content {
            Content::Dir(names) => names.get(name).copied().ok_or_else(|| errno(libc::ENOENT)),
            _ => Err(errno(libc::ENOTDIR)),
        }
    }

    fn is_dir(&self, number: usize) -> bool {
        matches!(self.nodes[number].content, Content::Dir(_))
    }

    /// The directory of a path, through no link, and the last name.
    fn parent<'p>(&self, path: &'p str) -> io::Result<(usize, &'p str)> {
        let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here = 0;
        for part in dirs.split('/').filter(|part| !part.is_empty()) {
            here = self.lookup(here, part)?;
        }
        Ok((here, name))
    }

    fn resolve(&self, path: &str, depth: usize) -> Option<usize> {
        let mut here = 0;
        for part in path.split('/') {
            here = self.lookup(here, part).ok()?;
            while let Content::Symlink(to) = self.nodes[here].content {
                here = (depth < 8).then(|| self.resolve(to, depth + 1)).flatten()?;
            }
            if self.is_dir(here) && !self.may(here, 1) {
                return None;
            }
        }
        Some(here)
    }

    /// Returns whether the app has this right to an inode.
    fn may(&self, number: usize, right: u32) -> bool {
        let inode = &self.nodes[number];
        let shift = if inode.uid == APP {
            6
        } else if inode.gid == GROUP {
            3
        } else {
            0
        };
        inode.mode >> shift & right == right
    }

    /// Returns whether the app may remove an entry of a directory, or put another one in its place.
    fn may_remove(&self, dir: usize, entry: usize) -> bool {
        let sticky = self.nodes[dir].mode & 0o1000 != 0;
        self.may(dir, 3) && (!sticky || self.nodes[dir].uid == APP || self.nodes[entry].uid == APP)
    }

    /// A directory that gets another parent must be writable itself.
    fn may_move(&self, from: usize, entry: usize, to: usize) -> bool {
        self.may_remove(from, entry) && self.may(to, 3) && (from == to || !self.is_dir(entry) || self.may(entry, 2))
    }

    fn act(&mut self, act: Act) -> io::Result<()> {
        let denied = || errno(libc::EACCES);
        match act {
            Act::Rename(from, to) => {
                let ((from_dir, from), (to_dir, to)) = (self.parent(from)?, self.parent(to)?);
                let moved = self.lookup(from_dir, from)?;
                self.may_move(from_dir, moved, to_dir).then_some(()).ok_or_else(denied)?;
                if let Ok(over) = self.lookup(to_dir, to) {
                    self.may_remove(to_dir, over).then_some(()).ok_or_else(denied)?;
                    self.may_replace(moved, over)?;
                }
                self.rename(from_dir, from, to_dir, to)
            }
            Act::Exchange(one, other) => {
                let ((one_dir, one), (other_dir, other)) = (self.parent(one)?, self.parent(other)?);
                let (first, second) = (self.lookup(one_dir, one)?, self.lookup(other_dir, other)?);
                let may = self.may_move(one_dir, first, other_dir) && self.may_move(other_dir, second, one_dir);
                may.then_some(()).ok_or_else(denied)?;
                self.names(one_dir)?.insert(one.into(), second);
                self.names(other_dir)?.insert(other.into(), first);
                Ok(())
            }
            Act::MakeDir(path) => self.create(path, 0o755, Content::Dir(BTreeMap::new())),
            Act::Create(path) => self.create(path, 0o644, Content::File(b"EVIL".to_vec())),
            Act::Symlink(path, to) => self.create(path, 0o777, Content::Symlink(to)),
            Act::Write(path) => {
                let (dir, name) = self.parent(path)?;
                let file = self.lookup(dir, name)?;
                let writable = self.may(file, 2) && matches!(self.nodes[file].content, Content::File(_));
                writable.then_some(()).ok_or_else(denied)?;
                self.change(file, |inode| inode.content = Content::File(b"EVIL".to_vec()));
                Ok(())
            }
            Act::Unlink(path) => {
                let (dir, name) = self.parent(path)?;
                let entry = self.lookup(dir, name)?;
                let may = self.may_remove(dir, entry) && !self.is_dir(entry);
                may.then_some(()).ok_or_else(denied)?;
                self.names(dir)?.remove(name);
                Ok(())
            }
        }
    }

    fn create(&mut self, path: &str, mode: u32, content: Content) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        if self.lookup(dir, name).is_ok() || !self.may(dir, 3) {
            return Err(errno(libc::EEXIST));
        }
        let made = self.add(APP, GROUP, mode, content);
        self.names(dir)?.insert(name.into(), made);
        Ok(())
    }

    fn may_replace(&self, from: usize, over: usize) -> io::Result<()> {
        match (self.is_dir(from), &self.nodes[over].content) {
            (false, Content::Dir(_)) => Err(errno(libc::EISDIR)),
            (true, Content::Dir(names)) if !names.is_empty() => Err(errno(libc::ENOTEMPTY)),
            (true, Content::File(_) | Content::Symlink(_)) => Err(errno(libc::ENOTDIR)),
            _ => Ok(()),
        }
    }

    fn rename(&mut self, from_dir: usize, from: &str, to_dir: usize, to: &str) -> io::Result<()> {
        let moved = self.lookup(from_dir, from)?;
        self.names(from_dir)?.remove(from);
        self.names(to_dir)?.insert(to.into(), moved);
        self.change(moved, |_| {});
        Ok(())
    }

    fn stat(&self, number: usize) -> Stat {
        let inode = &self.nodes[number];
        let (kind, size) = match &inode.content {
            Content::File(bytes) => (Kind::File, bytes.len() as u64),
            Content::Dir(_) => (Kind::Directory, 0),
            Content::Symlink(_) => (Kind::Symlink, 1),
        };
        let (uid, gid, mode, links) = (inode.uid, inode.gid, inode.mode, inode.links);
        Stat { kind, size, uid, gid, mode, links, id: (1, number as u64), mtime_ns: 0, ctime_ns: inode.ctime }
    }

    fn open_below(&self, dir: usize, name: &str) -> io::Result<usize> {
        let found = self.lookup(dir, name)?;
        if self.is_dir(found) { Ok(found) } else { Err(errno(libc::ENOTDIR)) }
    }
}

impl Disk for SharedDisk {
    type Dir = usize;
    type File = usize;

    fn open_dir(&self, rel: &str) -> io::Result<usize> {
        let state = self.turn();
        rel.split('/').filter(|part| !part.is_empty()).try_fold(0, |here, name| state.open_below(here, name))
    }

    fn open_below(&self, dir: &usize, name: &str) -> io::Result<usize> {
        self.turn().open_below(*dir, name)
    }

    fn make_dir(&self, parent: &usize, name: &str, mode: u32, group: Option<u32>) -> io::Result<()> {
        let mut state = self.turn();
        if state.lookup(*parent, name).is_ok() {
            return Err(errno(libc::EEXIST));
        }
        let made = state.add(ROOT, ROOT, 0o755, Content::Dir(BTreeMap::new()));
        state.names(*parent)?.insert(name.into(), made);
        drop(state);
        // Opened by its name, and changed only if it is root's, as in `LinuxDisk`.
        let mut state = self.turn();
        let found = state.open_below(*parent, name)?;
        if state.nodes[found].uid != ROOT {
            return Err(errno(libc::EEXIST));
        }
        state.change(found, |dir| (dir.gid, dir.mode) = (group.unwrap_or(dir.gid), mode));
        Ok(())
    }

    fn stat(&self, dir: &usize, name: &str) -> io::Result<Stat> {
        let state = self.turn();
        state.lookup(*dir, name).map(|number| state.stat(number))
    }

    fn stat_dir(&self, dir: &usize) -> io::Result<Stat> {
        Ok(self.state().stat(*dir))
    }

    fn writable(&self, _dir: &usize) -> bool {
        true
    }

    fn open(&self, dir: &usize, name: &str) -> io::Result<(usize, Stat)> {
        let state = self.turn();
        let found = state.lookup(*dir, name)?;
        match state.nodes[found].content {
            Content::Symlink(_) => Err(errno(libc::ELOOP)),
            _ => Ok((found, state.stat(found))),
        }
    }

    fn read_at(&self, file: &usize, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let state = if at == 0 { self.turn() } else { self.state() };
        let Content::File(bytes) = &state.nodes[*file].content else { return Err(errno(libc::EISDIR)) };
        let rest = bytes.get(at as usize..).unwrap_or_default();
        let got = rest.len().min(buffer.len());
        buffer[..got].copy_from_slice(&rest[..got]);
        Ok(got)
    }

    fn stage(&self, _dir: &usize, size: u64) -> io::Result<usize> {
        Ok(self.state().add(ROOT, ROOT, 0o600, Content::File(vec![0; size as usize])))
    }

    fn write_at(&self, file: &usize, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.state();
        let Content::File(content) = &mut state.nodes[*file].content else { return Err(errno(libc::EISDIR)) };
        content.truncate(at as usize);
        content.extend(bytes);
        Ok(())
    }

    fn push(&self, _file: &usize, _at: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync_file(&self, file: &usize, mode: u32) -> io::Result<()> {
        self.state().change(*file, |inode| inode.mode = mode);
        Ok(())
    }

    fn publish(&self, file: usize, dir: &usize, name: &str) -> io::Result<Stat> {
        let mut state = self.turn();
        if state.lookup(*dir, name).is_err() {
            state.names(*dir)?.insert(name.into(), file);
        } else {
            // A name that is taken is replaced by the rename of a temporary one.
            let staged = format!("{STAGED_PREFIX}{file}");
            state.names(*dir)?.insert(staged.clone(), file);
            drop(state);
            state = self.turn();
            if let Ok(over) = state.lookup(*dir, name) {
                state.may_replace(file, over)?;
            }
            state.rename(*dir, &staged, *dir, name)?;
        }
        state.change(file, |_| {});
        Ok(state.stat(file))
    }

    fn rename(&self, dir: &usize, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.turn();
        let moved = state.lookup(*dir, from)?;
        if let Ok(over) = state.lookup(*dir, to) {
            state.may_replace(moved, over)?;
        }
        state.rename(*dir, from, *dir, to)
    }

    fn remove(&self, dir: &usize, name: &str) -> io::Result<()> {
        let mut state = self.turn();
        let entry = state.lookup(*dir, name)?;
        if state.is_dir(entry) {
            return Err(errno(libc::EISDIR));
        }
        state.names(*dir)?.remove(name);
        Ok(())
    }

    fn remove_abandoned(&self, _dir: &usize, _name: &str) -> io::Result<()> {
        Err(errno(libc::EWOULDBLOCK))
    }

    fn names(&self, _dir: &usize, _most: usize) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn sync_dir(&self, _dir: &usize) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _wait: Duration) -> bool {
        true
    }

    fn unlock(&self) {}
}
