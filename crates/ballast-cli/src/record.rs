//! The record of a boot: the report that it left, read back. Only `status` and `verify` read it, to
//! learn what this boot verified and where.
//!
//! A report is trusted if root or this user wrote it, no other user can write it, and it is of this
//! boot. The report counts for a lock file only if both name the same weights and pins, and for the
//! files only while their stamps are unchanged. Reads inodes and one file; hashes nothing, changes
//! nothing.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ballast::lock::Need;
#[cfg(feature = "full")]
use ballast::lock::Weight;

use crate::report::{self, FileStamp, Written, groups};
#[cfg(feature = "full")]
use crate::report::{WrittenLock, WrittenWeight};
use crate::setting::Setting;
use crate::{bounds, facts, foreign};

/// A weight that this boot verified, and how well it was protected.
#[cfg(feature = "full")]
pub struct StatedWeight<'a> {
    /// The weight's entry in the lock file.
    pub weight: &'a Weight,
    /// The protection's name; of a group only if it is that of all files.
    pub protection: Option<&'a str>,
}

/// A trusted report of this boot.
#[derive(Debug)]
pub struct Record {
    /// Where it lies.
    pub path: PathBuf,
    /// Who wrote it.
    pub writer: u32,
    written: Written,
}

impl Record {
    /// Finds the first trusted report of this boot, at the named place or at the usual places.
    ///
    /// # Errors
    /// One sentence that says why no place has a report.
    pub fn find(named: Option<&Path>) -> Result<Self, String> {
        let places = named.map_or_else(report::candidates, |path| vec![path.to_owned()]);
        let mut reasons = Vec::new();
        for path in places {
            match Self::read(&path) {
                Ok(record) => return Ok(record),
                Err(why) => reasons.push(format!("{}: {why}", path.display())),
            }
        }
        Err(format!("no report of this boot ({})", reasons.join("; ")))
    }

    fn read(path: &Path) -> Result<Self, String> {
        let file = foreign::open(path).map_err(|error| error.to_string())?;
        let meta = file.metadata().map_err(|error| error.to_string())?;
        if ![0, facts::ids().uid].contains(&meta.uid()) {
            return Err(format!("uid {} wrote it, expected 0 or {}", meta.uid(), facts::ids().uid));
        }
        if meta.mode() & 0o022 != 0 {
            return Err(format!("others can write it (mode {:04o})", meta.mode() & 0o7777));
        }
        let bytes = foreign::read_from(&file, bounds::REPORT).map_err(|error| error.to_string())?;
        let written: Written =
            serde_json::from_slice(&bytes).map_err(|error| format!("it is not a report: {error}"))?;
        if written.version != report::VERSION {
            return Err(format!("expected version {}, found {}", report::VERSION, written.version));
        }
        if written.boot != report::boot_id() {
            return Err("it is from another boot".into());
        }
        Ok(Self { path: path.to_owned(), writer: meta.uid(), written })
    }

    /// Returns the reason why required weights are not known to be right now; `None` if they are.
    pub fn why_not_ready(&self, setting: &Setting) -> Option<String> {
        if !self.written.ready {
            return Some(format!("{}: a required weight was not right when this boot ended", self.path.display()));
        }
        self.disagreement(setting).or_else(|| self.change(setting))
    }

    /// The name of the boot, and how long it took in milliseconds.
    #[cfg(feature = "full")]
    pub fn boot(&self) -> (&str, f64) {
        (&self.written.boot, self.written.ms)
    }

    /// When the boot verified the weights, in seconds since 1970, if it obeyed today's lock file.
    ///
    /// # Errors
    /// How the two lock files differ, or that the report does not say which one it was.
    #[cfg(feature = "full")]
    pub fn verified_at(&self, setting: &Setting) -> Result<i64, String> {
        let (Some(WrittenLock { sha256 }), Some(time)) = (&self.written.lock, self.written.time) else {
            return Err(format!("{}: an older Ballast wrote it, without the lock file's digest", self.path.display()));
        };
        let now = setting.lock_sha256.to_string();
        if *sha256 == now {
            return Ok(time);
        }
        let (report, lock) = (self.path.display(), setting.lock_path.display());
        Err(format!(
            "{report} and {lock} differ: the lock file was changed after this boot\n  boot      {sha256}\n  lock file {now}"
        ))
    }

    /// The weights that this boot verified and whose files are still those, as the lock file has them.
    #[cfg(feature = "full")]
    pub fn verified<'a>(&'a self, setting: &'a Setting) -> Vec<StatedWeight<'a>> {
        let Some(root) = self.root() else { return Vec::new() };
        let lock = &setting.lock;
        let same = |line: &WrittenWeight| {
            let now = facts::stat_followed(&root.join(&line.path)).map(FileStamp::from);
            now.is_some() && now == line.file
        };
        let alone = self.written.weights.iter().filter(|line| line.group.is_none() && same(line));
        let stated = |weight: &'a Weight, line: &'a WrittenWeight| StatedWeight {
            weight,
            protection: line.protection.as_deref(),
        };
        let alone = alone.filter_map(|line| {
            let weight = lock.weights.iter().find(|weight| weight.path.as_str() == line.path)?;
            Some(stated(weight, line))
        });
        let groups = self.written.groups.iter().zip(&lock.groups);
        let groups = groups
            .filter(|(line, group)| line.stamp.is_some() && groups::stamp_of(lock, group, root).ok() == line.stamp);
        let members = groups.flat_map(|(line, group)| {
            let members = lock.weights.get(group.members.clone()).unwrap_or_default();
            members.iter().map(move |weight| stated(weight, line))
        });
        alone.chain(members).collect()
    }

    /// The root that this boot served, if it served one.
    pub fn root(&self) -> Option<&Path> {
        self.written.served.as_ref().map(|served| served.root.as_path())
    }

    /// A difference between the boot's weights and the lock file's; `None` if they agree.
    pub fn disagreement(&self, setting: &Setting) -> Option<String> {
        let place = || format!("{} and {}", self.path.display(), setting.lock_path.display());
        // Two programs on one machine may have the same weights in different stores.
        let elsewhere = |root: &&Path| *root != setting.store && Some(*root) != setting.baked.as_deref();
        if let Some(root) = self.root().filter(elsewhere) {
            let store = setting.store.display();
            return Some(format!("{} differ: the boot served {}, the store is {store}", place(), root.display()));
        }
        let Written { weights, groups, .. } = &self.written;
        let alone = weights.iter().filter(|line| line.group.is_none());
        let found = alone.chain(groups).map(|line| (line.sha256.clone(), line.path.as_str(), line.need));
        let lock = &setting.lock;
        let alone = lock.weights.iter().filter(|weight| weight.group.is_none());
        let alone = alone.map(|weight| (weight.sha256, weight.path.as_str(), weight.need));
        let of_lock = lock.groups.iter().map(|group| (group.sha256, group.name(), group.need));
        let expected = alone.chain(of_lock).map(|(digest, path, need)| (digest.to_string(), path, need));
        if let Some(why) = difference(found, expected) {
            return Some(format!("{} differ{why}", place()));
        }
        let signers = self.written.groups.iter().zip(&lock.groups);
        let mut signers = signers.map(|(line, group)| (&line.path, line.signed_by.clone(), groups::signed_by(group)));
        let (path, found, expected) = signers.find(|(_, found, expected)| found != expected)?;
        let words = |signer: Option<String>| signer.unwrap_or_else(|| "none".into());
        let (found, expected) = (words(found), words(expected));
        Some(format!("{} differ in the signer of {path}\n  lock file {expected}\n  boot      {found}", place()))
    }

    /// The first required weight whose file changed since this boot verified it; `None` if no file changed.
    pub fn change(&self, setting: &Setting) -> Option<String> {
        let root = self.root()?;
        let required = self.written.weights.iter().filter(|line| line.need == Need::Required);
        let alone = required.into_iter().find_map(|line| {
            let path = root.join(&line.path);
            let now = facts::stat_followed(&path).map(FileStamp::from);
            let what = match (now, line.file) {
                (Some(now), Some(then)) if now == then => return None,
                (None, _) => "was removed after this boot verified it",
                (Some(_), Some(_)) => "is not the file that this boot verified: it was replaced or changed since",
                (Some(_), None) => "was not right when this boot ended",
            };
            Some(format!("{} {what}", path.display()))
        });
        let groups = || self.written.groups.iter().zip(&setting.lock.groups);
        let mut required = groups().filter(|(line, _)| line.need == Need::Required);
        alone.or_else(|| {
            required.find_map(|(line, group)| match (groups::stamp_of(&setting.lock, group, root), &line.stamp) {
                (Ok(now), Some(then)) if now == *then => None,
                (Err(path), _) => Some(format!("{path} was removed after this boot verified it")),
                (Ok(_), Some(_)) => Some(format!(
                    "{} has files that this boot did not verify: replaced or changed since",
                    root.join(&line.path).display()
                )),
                (Ok(_), None) => {
                    Some(format!("{} was not right when this boot ended", root.join(&line.path).display()))
                }
            })
        })
    }
}

/// A digest, its path and need.
type Row<'a> = (String, &'a str, Need);

/// How two lists differ.
fn difference<'a>(
    mut found: impl Iterator<Item = Row<'a>>,
    mut expected: impl Iterator<Item = Row<'a>>,
) -> Option<String> {
    let mut same = 0;
    loop {
        match (found.next(), expected.next()) {
            (None, None) => return None,
            (Some(one), Some(other)) if one == other => same += 1,
            (Some(one), Some(other)) => {
                return Some(format!("\n  expected {} {}\n  found    {} {}", other.0, other.1, one.0, one.1));
            }
            (one, other) => {
                let had = same + usize::from(one.is_some()) + found.count();
                let has = same + usize::from(other.is_some()) + expected.count();
                return Some(format!(": the boot had {had} entries, the lock file has {has}"));
            }
        }
    }
}

/// The root that `verify` examines when no folder is named, and why that one.
pub fn root_to_verify(setting: &Setting, report: Option<&Path>) -> (PathBuf, String) {
    let found = Record::find(report).map(|record| match record.disagreement(setting) {
        Some(_) => Err(format!("the report {} is from another lock file", record.path.display())),
        None => record.root().map(Path::to_owned).ok_or_else(|| "this boot served no weights".to_owned()),
    });
    let why_not = match found {
        Ok(Ok(root)) => return (root, "this boot serves it".into()),
        Ok(Err(why)) => why,
        Err(_) => "no report of this boot".into(),
    };
    let has_some =
        |root: &Path| setting.lock.weights.iter().any(|w| root.join(w.path.as_str()).symlink_metadata().is_ok());
    match &setting.baked {
        Some(baked) if !has_some(&setting.store) => (
            baked.clone(),
            format!("the baked layer: {why_not}, and {} has none of the weights", setting.store.display()),
        ),
        _ => (setting.store.clone(), format!("the cache: {why_not}")),
    }
}
