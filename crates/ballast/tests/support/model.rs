//! A file system in memory that models a power cut: it loses content that was not synced, and names
//! whose directory was not synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ballast::disk::{Disk, Kind, Stat};

#[derive(Clone)]
enum Node {
    File { now: Vec<u8>, durable: Option<Vec<u8>> },
    Dir { now: BTreeMap<String, usize>, durable: BTreeMap<String, usize> },
}

/// The unsynced data that survive a power cut.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// Nothing: neither names nor content.
    TakesAll,
    /// Names survive, content does not: this gives files of zeros.
    LeavesNames,
}

/// The model. Handles are numbers of nodes; node 0 is the root.
pub struct ModelDisk {
    nodes: Mutex<Vec<Node>>,
    /// Syncs do nothing: a test then checks that the model notices.
    pub never_syncs: bool,
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl ModelDisk {
    pub fn new() -> Self {
        Self { nodes: Mutex::new(vec![directory()]), never_syncs: false }
    }

    /// A durable file, its directories made on the way.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut nodes = self.nodes();
        let mut here = 0;
        let (dirs, name) = path.rsplit_once('/').expect("a path with a directory");
        for part in dirs.split('/') {
            here = lookup(&nodes, here, part).unwrap_or_else(|_| add(&mut nodes, here, part, directory()));
        }
        add(&mut nodes, here, name, Node::File { now: bytes.to_vec(), durable: Some(bytes.to_vec()) });
    }

    /// The bytes under a path, if a file is there.
    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        let nodes = self.nodes();
        let found = path.split('/').try_fold(0, |here, name| lookup(&nodes, here, name)).ok()?;
        match &nodes[found] {
            Node::File { now, .. } => Some(now.clone()),
            Node::Dir { .. } => None,
        }
    }

    /// The disk's state after the power cut.
    pub fn after(&self, cut: Cut) -> Self {
        let nodes = self.nodes();
        let survivors = nodes.iter().map(|node| match (node, cut) {
            (Node::File { now, durable }, _) => {
                let content = durable.clone().unwrap_or_else(|| vec![0; now.len()]);
                Node::File { now: content.clone(), durable: Some(content) }
            }
            (Node::Dir { durable, .. }, Cut::TakesAll) => Node::Dir { now: durable.clone(), durable: durable.clone() },
            (Node::Dir { now, .. }, Cut::LeavesNames) => Node::Dir { now: now.clone(), durable: now.clone() },
        });
        Self { nodes: Mutex::new(survivors.collect()), never_syncs: false }
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().expect("no thread died holding it")
    }
}

fn directory() -> Node {
    Node::Dir { now: BTreeMap::new(), durable: BTreeMap::new() }
}

fn add(nodes: &mut Vec<Node>, parent: usize, name: &str, node: Node) -> usize {
    nodes.push(node);
    let number = nodes.len() - 1;
    if let Node::Dir { now, durable } = &mut nodes[parent] {
        now.insert(name.into(), number);
        durable.clone_from(now);
    }
    number
}

fn names(nodes: &[Node], dir: usize) -> io::Result<&BTreeMap<String, usize>> {
    match &nodes[dir] {
        Node::Dir { now, .. } => Ok(now),
        Node::File { .. } => Err(errno(libc::ENOTDIR)),
    }
}

fn names_mut(nodes: &mut [Node], dir: usize) -> io::Result<&mut BTreeMap<String, usize>> {
    match &mut nodes[dir] {
        Node::Dir { now, .. } => Ok(now),
        Node::File { .. } => Err(errno(libc::ENOTDIR)),
    }
}

fn lookup(nodes: &[Node], dir: usize, name: &str) -> io::Result<usize> {
    names(nodes, dir)?.get(name).copied().ok_or_else(|| errno(libc::ENOENT))
}

fn stat(nodes: &[Node], number: usize) -> Stat {
    let (kind, size) = match &nodes[number] {
        Node::File { now, .. } => (Kind::File, now.len() as u64),
        Node::Dir { .. } => (Kind::Directory, 0),
    };
    Stat { kind, size, uid: 0, gid: 0, mode: 0o644, links: 1, id: (1, number as u64), mtime_ns: 0, ctime_ns: 0 }
}

/// Returns whether a rename may replace `over` by `from`.
fn may_replace(nodes: &[Node], from: usize, over: usize) -> io::Result<()> {
    match (&nodes[from], &nodes[over]) {
        (Node::File { .. }, Node::Dir { .. }) => Err(errno(libc::EISDIR)),
        (Node::Dir { .. }, Node::File { .. }) => Err(errno(libc::ENOTDIR)),
        (Node::Dir { .. }, Node::Dir { now, .. }) if !now.is_empty() => Err(errno(libc::ENOTEMPTY)),
        _ => Ok(()),
    }
}

impl Disk for ModelDisk {
    type Dir = usize;
    type File = usize;

    fn open_dir(&self, rel: &str) -> io::Result<usize> {
        let nodes = self.nodes();
        let parts = rel.split('/').filter(|part| !part.is_empty());
        let found = parts.into_iter().try_fold(0, |here, name| lookup(&nodes, here, name))?;
        names(&nodes, found).map(|_| found)
    }

    fn open_below(&self, dir: &usize, name: &str) -> io::Result<usize> {
        let nodes = self.nodes();
        let found = lookup(&nodes, *dir, name)?;
        names(&nodes, found).map(|_| found)
    }

    fn make_dir(&self, parent: &usize, name: &str, _mode: u32, _group: Option<u32>) -> io::Result<()> {
        let mut nodes = self.nodes();
        if lookup(&nodes, *parent, name).is_ok() {
            return Err(errno(libc::EEXIST));
        }
        // Not durable: only a sync of the parent makes it so.
        nodes.push(directory());
        let number = nodes.len() - 1;
        names_mut(&mut nodes, *parent)?.insert(name.into(), number);
        Ok(())
    }

    fn stat(&self, dir: &usize, name: &str) -> io::Result<Stat> {
        let nodes = self.nodes();
        lookup(&nodes, *dir, name).map(|number| stat(&nodes, number))
    }

    fn stat_dir(&self, dir: &usize) -> io::Result<Stat> {
        Ok(stat(&self.nodes(), *dir))
    }

    fn writable(&self, _dir: &usize) -> bool {
        true
    }

    fn open(&self, dir: &usize, name: &str) -> io::Result<(usize, Stat)> {
        let nodes = self.nodes();
        lookup(&nodes, *dir, name).map(|number| (number, stat(&nodes, number)))
    }

    fn read_at(&self, file: &usize, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let Node::File { now, .. } = &self.nodes()[*file] else { return Err(errno(libc::EISDIR)) };
        let rest = now.get(at as usize..).unwrap_or_default();
        let got = rest.len().min(buffer.len());
        buffer[..got].copy_from_slice(&rest[..got]);
        Ok(got)
    }

    fn stage(&self, _dir: &usize, size: u64) -> io::Result<usize> {
        let mut nodes = self.nodes();
        nodes.push(Node::File { now: vec![0; size as usize], durable: None });
        Ok(nodes.len() - 1)
    }

    fn write_at(&self, file: &usize, bytes: &[u8], at: u64) -> io::Result<()> {
        let Node::File { now, .. } = &mut self.nodes()[*file] else { return Err(errno(libc::EISDIR)) };
        let end = at as usize + bytes.len();
        now.resize(now.len().max(end), 0);
        now[at as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn push(&self, _file: &usize, _at: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync_file(&self, file: &usize, _mode: u32) -> io::Result<()> {
        let Node::File { now, durable } = &mut self.nodes()[*file] else { return Err(errno(libc::EISDIR)) };
        if !self.never_syncs {
            *durable = Some(now.clone());
        }
        Ok(())
    }

    fn publish(&self, file: usize, dir: &usize, name: &str) -> io::Result<Stat> {
        let mut nodes = self.nodes();
        if let Ok(over) = lookup(&nodes, *dir, name) {
            may_replace(&nodes, file, over)?;
        }
        names_mut(&mut nodes, *dir)?.insert(name.into(), file);
        Ok(stat(&nodes, file))
    }

    fn rename(&self, dir: &usize, from: &str, to: &str) -> io::Result<()> {
        let mut nodes = self.nodes();
        let moved = lookup(&nodes, *dir, from)?;
        if let Ok(over) = lookup(&nodes, *dir, to) {
            may_replace(&nodes, moved, over)?;
        }
        let names = names_mut(&mut nodes, *dir)?;
        names.remove(from);
        names.insert(to.into(), moved);
        Ok(())
    }

    fn remove(&self, dir: &usize, name: &str) -> io::Result<()> {
        names_mut(&mut self.nodes(), *dir)?.remove(name).map(|_| ()).ok_or_else(|| errno(libc::ENOENT))
    }

    fn remove_abandoned(&self, _dir: &usize, _name: &str) -> io::Result<()> {
        Err(errno(libc::EWOULDBLOCK))
    }

    fn names(&self, dir: &usize, most: usize) -> io::Result<Vec<String>> {
        Ok(names(&self.nodes(), *dir)?.keys().take(most).cloned().collect())
    }

    fn sync_dir(&self, dir: &usize) -> io::Result<()> {
        if let Node::Dir { now, durable } = &mut self.nodes()[*dir] {
            durable.clone_from(now);
        }
        Ok(())
    }

    fn lock(&self, _wait: Duration) -> bool {
        true
    }

    fn unlock(&self) {}
}
