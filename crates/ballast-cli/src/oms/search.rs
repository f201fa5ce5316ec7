//! The search of a folder for files that are not signed. Only reads names.
//!
//! The search skips the paths that the manifest ignores, the bundle by its path, and names of Ballast's own; it lists
//! the first and the last of these. A link is a fault, unless the signer followed links. The search keeps at most
//! [`KEPT`] names of each kind.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::manifest::{SignedManifest, is_below, is_ours};
use super::refusal::{BadModel, Reason};
use crate::bounds;

/// Directories within directories.
const DEEPEST: usize = 32;
/// Names, or faults, of a kind that are kept.
pub const KEPT: usize = 1000;

/// Names of one kind, and how many there were.
#[derive(Debug, Default)]
pub struct Names {
    /// At most [`KEPT`].
    pub kept: Vec<String>,
    /// All.
    pub count: usize,
}

impl Names {
    fn push(&mut self, name: String) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push(name);
        }
    }
}

/// Differences, and how many there were.
#[derive(Debug, Default)]
pub struct Faults {
    /// At most [`KEPT`].
    pub kept: Vec<BadModel>,
    /// All.
    pub count: usize,
    /// The one that decides the exit code.
    pub worst: Option<BadModel>,
}

impl Faults {
    /// Adds one.
    pub fn push(&mut self, fault: BadModel) {
        self.count += 1;
        if self.worst.as_ref().is_none_or(|worst| fault.reason < worst.reason) {
            self.worst = Some(fault.clone());
        }
        if self.kept.len() < KEPT {
            self.kept.push(fault);
        }
    }
}

/// The path of a file below a folder, if it lies there.
fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path = fs::canonicalize(dir).ok()?.join(path.file_name()?);
    path.strip_prefix(fs::canonicalize(root).ok()?).ok().map(Path::to_owned)
}

/// The search for files that are not signed.
pub struct UnsignedSearch<'a> {
    manifest: &'a SignedManifest,
    signed: HashSet<&'a str>,
    /// The files that are passed over: paths below the folder.
    own: Vec<PathBuf>,
    left: usize,
    /// Files without a resource.
    pub unsigned: Names,
    /// Existing paths that the manifest does not cover.
    pub ignored: Names,
    /// Names of Ballast's own.
    pub ballast: Names,
    /// Empty files, which a manifest of shards can't name.
    pub empty: Names,
    /// The directories that could not be searched, and links.
    pub faults: Faults,
}

impl<'a> UnsignedSearch<'a> {
    /// Searches a folder; `own` are files that no manifest covers, such as the bundle.
    pub fn run(root: &Path, own: &[&Path], manifest: &'a SignedManifest) -> Self {
        let mut search = Self {
            manifest,
            signed: manifest.files.iter().map(|file| file.path.as_str()).collect(),
            own: own.iter().filter_map(|path| below(root, path)).collect(),
            left: bounds::ADOPTED_NAMES,
            unsigned: Names::default(),
            ignored: Names::default(),
            ballast: Names::default(),
            empty: Names::default(),
            faults: Faults::default(),
        };
        search.directory(root, "", 0);
        search
    }

    fn fault(&mut self, reason: Reason, what: String) {
        self.faults.push(BadModel::new(reason, what));
    }

    fn directory(&mut self, dir: &Path, below: &str, depth: usize) {
        let shown = if below.is_empty() { "." } else { below };
        if depth > DEEPEST {
            let what = format!("{shown:?}: expected at most {DEEPEST} directories within each other, found more");
            return self.fault(Reason::FolderTooLarge, what);
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => return self.fault(Reason::FolderUnreadable, format!("{shown:?}: {error}")),
        };
        for entry in entries {
            if self.left == 0 {
                let what = format!("expected at most {} names, found more", bounds::ADOPTED_NAMES);
                return self.fault(Reason::FolderTooLarge, what);
            }
            self.left -= 1;
            match entry {
                Ok(entry) => self.entry(&entry.path(), below, depth),
                Err(error) => self.fault(Reason::FolderUnreadable, format!("{shown:?}: {error}")),
            }
        }
    }

    fn entry(&mut self, path: &Path, below: &str, depth: usize) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return self.fault(
                Reason::NotUtf8,
                format!("{below:?}: the name {:?} in it is not UTF-8", path.file_name().unwrap_or_default()),
            );
        };
        let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if is_ours(&name) {
            return self.ballast.push(name);
        }
        if is_below(&name, &self.manifest.ignored) {
            return self.ignored.push(name);
        }
        let facts = match fs::symlink_metadata(path) {
            Ok(facts) if facts.is_symlink() && !self.manifest.follows_links => {
                let what = format!("{name:?} is a symlink, and the signer followed none");
                return self.fault(Reason::Symlink, what);
            }
            Ok(facts) if facts.is_symlink() => fs::metadata(path),
            facts => facts,
        };
        match facts {
            Ok(facts) if facts.is_dir() => {
                let is_link = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
                let inside = format!("{name}/");
                if is_link && !self.signed.iter().any(|signed| signed.starts_with(&inside)) {
                    let what = format!(
                        "{name:?} is a link to a folder, which the signer did not follow: nothing in it is signed"
                    );
                    return self.fault(Reason::Symlink, what);
                }
                self.directory(path, &name, depth + 1);
            }
            Ok(facts) => self.file(name, &facts),
            Err(error) => self.fault(Reason::FolderUnreadable, format!("{name:?}: {error}")),
        }
    }

    fn file(&mut self, name: String, facts: &Metadata) {
        let is_own = |own: &PathBuf| own == Path::new(&name);
        if self.own.iter().any(is_own) || self.signed.contains(name.as_str()) {
            return;
        }
        if self.manifest.in_shards && facts.is_file() && facts.len() == 0 {
            return self.empty.push(name);
        }
        self.unsigned.push(name);
    }
}
