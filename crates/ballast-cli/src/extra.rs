//! Files that lie beside the weights and that no entry names: an app that loads what it finds reads them unverified.
//!
//! Searches the weights' own directories and below them. Bounded; only reads names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ballast::lock::{Extra, Lock};

use crate::bounds;
use crate::exit::{Exit, Failure};

/// Directories within directories.
const DEEPEST: usize = 32;
/// Names that are kept.
const KEPT: usize = 1000;
/// Names that one line lists.
const NAMES: usize = 10;

/// The files without an entry, in order of their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Paths below the root; at most [`KEPT`].
    pub paths: BTreeSet<String>,
    /// How many files were found.
    pub count: usize,
    /// Whether the search stopped at its bound.
    pub more: bool,
}

/// Searches below a root; finds nothing if the lock file says `extra = "ignore"`.
pub fn find(lock: &Lock, root: &Path) -> Extras {
    let mut found = Extras::default();
    if lock.store.extra == Extra::Ignore {
        return found;
    }
    let known: BTreeSet<&str> = lock.weights.iter().map(|weight| weight.path.as_str()).collect();
    let parents: BTreeSet<&str> = lock.weights.iter().map(|weight| weight.path.parent()).collect();
    let mut left = bounds::EXTRA_NAMES;
    // A directory below another one is searched with that one.
    let below = |dir: &str, other: &str| dir != other && (other.is_empty() || dir.starts_with(&format!("{other}/")));
    let mut tops: Vec<&str> = Vec::new();
    for parent in parents {
        if tops.last().is_none_or(|top| !below(parent, top)) {
            tops.push(parent);
        }
    }
    for top in tops {
        walk(root, top, 0, &known, &mut left, &mut found);
    }
    found.more = left == 0;
    found
}

fn walk(root: &Path, dir: &str, depth: usize, known: &BTreeSet<&str>, left: &mut usize, found: &mut Extras) {
    let Ok(entries) = fs::read_dir(root.join(dir)) else { return };
    for entry in entries.flatten() {
        if *left == 0 || depth > DEEPEST {
            return;
        }
        *left -= 1;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".ballast") {
            continue;
        }
        let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(root, &path, depth + 1, known, left, found),
            _ if known.contains(path.as_str()) => {}
            _ => {
                found.count += 1;
                if found.paths.len() < KEPT {
                    found.paths.insert(path);
                }
            }
        }
    }
}

impl Extras {
    /// Returns one line; `None` if there is nothing to report.
    pub fn words(&self, root: &Path) -> Option<String> {
        let count = self.count;
        if count == 0 {
            return None;
        }
        let names: Vec<_> = self.paths.iter().take(NAMES).map(String::as_str).collect();
        let more = if count > NAMES || self.more { ", …" } else { "" };
        let files = if count == 1 { "file that no entry names lies" } else { "files that no entry names lie" };
        Some(format!("{count} {files} beside the weights in {}: {}{more}", root.display(), names.join(", ")))
    }

    /// Ends the boot if the lock file refuses such files.
    ///
    /// # Errors
    /// [`Exit::ExtraFiles`].
    pub fn verdict(&self, lock: &Lock, root: &Path) -> Result<(), Failure> {
        match self.words(root).filter(|_| lock.store.extra == Extra::Refuse) {
            None => Ok(()),
            Some(what) => Err(Failure::new(Exit::ExtraFiles, what).hint(
                "remove them, or pin them with `ballast adopt`; extra = \"report\" under [store] starts the command anyway",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(paths: &[&str], extra: &str) -> Lock {
        let pin = "ab".repeat(32);
        let weights = paths.iter().map(|path| format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{pin}\"\n"));
        let head = format!("version = 1\n[store]\npath = \"/srv/m\"\n{extra}\n");
        Lock::parse(&(head + &weights.collect::<String>())).expect("a lock file")
    }

    /// Entries; files; those that are found.
    type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str]);

    #[test]
    fn files_beside_the_weights_and_below_are_found_and_no_others() {
        let rows: [Row; 6] = [
            (&["a"], &["a"], &[]),
            (&["a"], &["a", "b", "d/c"], &["b", "d/c"]),
            (&["m/a"], &["m/a", "m/modeling_x.py", "other/b"], &["m/modeling_x.py"]),
            (&["m/a", "m/sub/b"], &["m/a", "m/sub/b", "m/sub/c"], &["m/sub/c"]),
            (&["a"], &["a", ".ballast/receipts.json", ".ballast-part.0"], &[]),
            (&["m/a"], &[], &[]),
        ];
        let mut wrong = Vec::new();
        for (entries, files, expected) in rows {
            let root = tempfile::tempdir().expect("a folder");
            for file in files {
                let path = root.path().join(file);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                fs::write(path, "x").expect("a file");
            }
            let found = find(&lock(entries, ""), root.path());
            if found.paths.iter().map(String::as_str).collect::<Vec<_>>() != expected {
                wrong.push(format!("{entries:?} {files:?}: {found:?}"));
            }
            let quiet = find(&lock(entries, "extra = \"ignore\""), root.path());
            let refused = find(&lock(entries, "extra = \"refuse\""), root.path());
            let ends = refused.verdict(&lock(entries, "extra = \"refuse\""), root.path()).is_err();
            if quiet != Extras::default() || ends == expected.is_empty() {
                wrong.push(format!("{entries:?} {files:?}: ignored {quiet:?}, refused {ends}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
