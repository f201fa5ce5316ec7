//! A report's summary of a group: one line for all of its files, and one stamp that changes with any of them.
//! Pure, but for `stamp_of`, which reads inodes.

use std::path::Path;

use ballast::digest::Digest;
use ballast::lock::{Group, Lock};

use super::written::FileStamp;
use super::{GroupLine, WeightLine};
use crate::facts;

/// The groups of a lock file, from the lines of its weights.
pub fn lines(lock: &Lock, weights: &[WeightLine]) -> Vec<GroupLine> {
    let line = |group: &Group| {
        let files = weights.get(group.members.clone()).unwrap_or_default();
        let count = |which: fn(&WeightLine) -> bool| files.iter().filter(|line| which(line)).count();
        let first = files.first().and_then(|line| line.protection);
        let stamps: Option<Vec<_>> = files.iter().map(|line| line.file).collect();
        GroupLine {
            path: group.name().to_owned(),
            need: group.need,
            sha256: group.sha256.to_string(),
            files: files.len(),
            right: count(|line| line.right),
            kept: count(WeightLine::is_kept),
            protection: first.filter(|first| files.iter().all(|line| line.protection == Some(*first))),
            stamp: stamps.map(|all| stamp(all.into_iter())),
            signed_by: signed_by(group),
            bundle_sha256: group.signed.as_ref().map(|signed| signed.bundle.to_string()),
            // Files are verified at the same time.
            ms: files.iter().map(|line| line.ms).fold(0.0, f64::max),
        }
    };
    lock.groups.iter().map(line).collect()
}

/// The method and the signer of a signed model.
pub fn signed_by(group: &Group) -> Option<String> {
    group.signed.as_ref().map(|signed| format!("{} {}", signed.method, signed.signer))
}

fn stamp(files: impl Iterator<Item = FileStamp>) -> String {
    Digest::of(&files.flat_map(FileStamp::to_bytes).collect::<Vec<_>>()).to_string()
}

/// Computes the stamp of a group's files as they are below a root now.
///
/// # Errors
/// The path of the first file that is gone.
pub fn stamp_of(lock: &Lock, group: &Group, root: &Path) -> Result<String, String> {
    let members = lock.weights.get(group.members.clone()).unwrap_or_default();
    let now = members.iter().map(|weight| {
        let path = root.join(weight.path.as_str());
        facts::stat_followed(&path).map(FileStamp::from).ok_or_else(|| path.display().to_string())
    });
    Ok(stamp(now.collect::<Result<Vec<_>, _>>()?.into_iter()))
}

impl GroupLine {
    /// Returns one line: how many files are right, how many were right before, how well they are protected.
    pub fn words(&self) -> String {
        let Self { path, files, right, kept, ms, .. } = self;
        let protection = self.protection.map(|kept| format!("  {kept}")).unwrap_or_default();
        format!("{path}/  {right} of {files} files right, {kept} kept{protection}  {ms:.1} ms")
    }
}
