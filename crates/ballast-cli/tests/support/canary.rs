//! A tree outside the volume that an attack must not change, and the kernel's protections, which some hosts
//! disable.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A tree that only root may change.
pub struct Canary {
    root: PathBuf,
    before: Listing,
}

type Listing = BTreeMap<PathBuf, (u32, u32, u32, i64, Vec<u8>)>;

impl Canary {
    /// Creates `etc` with a public and a secret file, an empty `spool`, and `weights` with a file of root's.
    pub fn plant(root: PathBuf) -> Self {
        for dir in ["etc", "spool", "weights", ".deepface/weights"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        for (path, mode) in [("etc/passwd", 0o644), ("etc/shadow", 0o600), ("weights/large.bin", 0o644)] {
            fs::write(root.join(path), path).unwrap();
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let before = listing(&root);
        Self { root, before }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns what changed.
    pub fn changes(&self) -> Vec<String> {
        let now = listing(&self.root);
        let paths = self.before.keys().chain(now.keys());
        let mut changed: Vec<_> = paths.filter(|path| self.before.get(*path) != now.get(*path)).collect();
        changed.dedup();
        changed.into_iter().map(|path| format!("{} changed outside the volume", path.display())).collect()
    }
}

fn listing(root: &Path) -> Listing {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = match meta.file_type() {
            kind if kind.is_dir() => {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                Vec::new()
            }
            kind if kind.is_file() => fs::read(&path).unwrap(),
            _ => fs::read_link(&path).map(|to| to.into_os_string().into_encoded_bytes()).unwrap_or_default(),
        };
        found.insert(path, (meta.mode(), meta.uid(), meta.gid(), meta.mtime_nsec() + meta.mtime(), content));
    }
    found
}

const PROTECTIONS: [&str; 4] = ["protected_symlinks", "protected_hardlinks", "protected_regular", "protected_fifos"];
static ALONE: Mutex<()> = Mutex::new(());

/// Sets the kernel's protections to one value until dropped. They are global, so only one test may do this at
/// a time.
pub struct Protections {
    before: Vec<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Protections {
    /// Sets all four.
    pub fn set(value: &str) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let before = PROTECTIONS.iter().map(|name| fs::read_to_string(file(name)).unwrap()).collect();
        for name in PROTECTIONS {
            fs::write(file(name), value).unwrap();
        }
        Self { before, _alone: alone }
    }
}

impl Drop for Protections {
    fn drop(&mut self) {
        for (name, value) in PROTECTIONS.iter().zip(&self.before) {
            fs::write(file(name), value).ok();
        }
    }
}

fn file(name: &str) -> PathBuf {
    Path::new("/proc/sys/fs").join(name)
}
