//! The report of `adopt`: up to twenty files one by one, above that a line for each folder; and the
//! files that were left out, with the reasons.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ballast::digest::Digest;
use ballast::lock::RelPath;

use super::lock_file_editor::LockFileEditor;
use crate::escape;
use crate::exit::{Exit, Failure};
use crate::first_trust::Parts;
use crate::print::EACH;

/// Names of a set that are listed.
const NAMES: usize = 10;

/// One file that now has an entry.
pub struct AdoptedRow {
    /// Below the store's root.
    pub path: RelPath,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its length.
    pub size: u64,
    /// The reason why it is trusted.
    pub trust: &'static str,
    /// Its former digest in a group that is refreshed.
    pub before: Option<Digest>,
    /// What is unusual about it.
    pub warnings: Vec<String>,
    /// Whether the file can be fetched again.
    pub has_source: bool,
    /// Whether the file only names a snapshot.
    pub is_reference: bool,
}

/// The result for each file of the cache.
#[derive(Default)]
pub struct Table {
    /// Files with an entry.
    pub pinned: Vec<AdoptedRow>,
    /// Files that are no longer in their group.
    pub gone: Vec<String>,
    /// Files that contradict themselves.
    pub refused: Vec<(RelPath, String)>,
    /// Files that are no part of a model.
    pub left_out: Vec<(PathBuf, String)>,
    /// Sets with missing files: whether all are missing, and the text.
    incomplete: Vec<(bool, String)>,
}

impl Table {
    /// Finds files that other files need and that have no entry.
    pub fn missing(&mut self, parts: &[Parts], book: &LockFileEditor) {
        let mut texts = BTreeMap::new();
        for incomplete in parts.iter().filter_map(|parts| parts.incomplete(|path| book.has(path))) {
            let names: Vec<_> = incomplete.missing.iter().take(NAMES).map(ToString::to_string).collect();
            let more = incomplete.missing.len().saturating_sub(NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let needs = if incomplete.one_is_enough { "needs one of" } else { "needs" };
            // Each shard of a numbered set names the same files.
            let text = format!("{needs} {}{more}", names.join(", "));
            texts.entry(text).or_insert((incomplete.all, incomplete.named_by.clone()));
        }
        self.incomplete = texts.into_iter().map(|(needs, (all, by))| (all, format!("{by} {needs}"))).collect();
    }

    /// Returns whether a file that is not a reference has an entry.
    pub fn is_usable(&self) -> bool {
        self.pinned.iter().any(|line| !line.is_reference)
    }

    /// The whole report, shortened for many files.
    pub fn text(&self) -> String {
        let mut text = if self.pinned.len() > EACH { self.folders() } else { self.each() };
        let changed = self.pinned.iter().filter_map(|line| Some((line, line.before?)));
        for (line, before) in changed.clone().take(EACH) {
            let _ = writeln!(text, "changed: {}\n  before {before}\n  now    {}", line.path, line.sha256);
        }
        if let Some(more) = changed.count().checked_sub(EACH).filter(|more| *more > 0) {
            let _ = writeln!(text, "… and {more} more changed files");
        }
        self.gone
            .iter()
            .take(EACH)
            .for_each(|path| _ = writeln!(text, "no longer in its group: {}", escape::line(path)));
        if let Some(more) = self.gone.len().checked_sub(EACH).filter(|more| *more > 0) {
            let _ = writeln!(text, "… and {more} more files that are no longer in their group");
        }
        for (path, why) in &self.refused {
            let _ = writeln!(text, "refused: {path}: {why}");
        }
        for (all, what) in &self.incomplete {
            let word = if *all { "warning" } else { "incomplete" };
            let _ = writeln!(text, "{word}: {what}: not in the cache");
        }
        text += &self.left_out_lines();
        let bytes: u64 = self.pinned.iter().map(|line| line.size).sum();
        let (pinned, refused, left) = (self.pinned.len(), self.refused.len(), self.left_out.len());
        let _ = write!(
            text,
            "pinned    {pinned:6} files {bytes:16} bytes\nrefused   {refused:6} files\nleft out  {left:6} names"
        );
        text
    }

    fn each(&self) -> String {
        let mut text = String::new();
        for line in &self.pinned {
            let _ = writeln!(text, "{}: {}\n  {}, {} bytes", line.path, line.trust, line.sha256, line.size);
            line.warnings.iter().for_each(|warning| _ = writeln!(text, "  warning: {warning}"));
        }
        text
    }

    fn folders(&self) -> String {
        let mut folders: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        let mut text = String::new();
        for line in &self.pinned {
            let (files, bytes) = folders.entry(line.path.parent()).or_default();
            (*files, *bytes) = (*files + 1, *bytes + line.size);
            line.warnings.iter().for_each(|warning| _ = writeln!(text, "warning: {}: {warning}", line.path));
        }
        let shown = folders.len().min(EACH);
        for (folder, (files, bytes)) in folders.iter().take(EACH) {
            let folder = if folder.is_empty() { "." } else { folder };
            let _ = writeln!(text, "{files:6} files {bytes:16} bytes  {folder}: first trust");
        }
        if folders.len() > shown {
            let _ = writeln!(text, "… and {} more folders", folders.len() - shown);
        }
        text
    }

    fn left_out_lines(&self) -> String {
        let mut text = String::new();
        let line = |path: &Path| escape::line(&path.display().to_string()).into_owned();
        if self.left_out.len() <= EACH {
            self.left_out.iter().for_each(|(path, why)| _ = writeln!(text, "left out: {}: {why}", line(path)));
            return text;
        }
        let mut reasons: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        self.left_out.iter().for_each(|(path, why)| reasons.entry(why).or_default().push(path));
        for (why, paths) in reasons {
            let first = paths.first().map(|path| line(path)).unwrap_or_default();
            let _ = writeln!(text, "left out: {} names, the first {first}: {why}", paths.len());
        }
        text
    }

    /// The last lines of a success.
    pub fn summary(&self, root: &Path, lock: &Path, lacking: &[&str]) -> String {
        let unknown = self.pinned.iter().filter(|line| !line.has_source).count();
        let mut text = format!("{} files of {} are in {}", self.pinned.len(), root.display(), lock.display());
        if unknown > 0 {
            let _ = write!(text, "; {unknown} without a source: fill in `sources`, or keep a mirror of them");
        }
        if lacking.is_empty() { text } else { format!("{text}\nto add by hand under [store]: {}", lacking.join(", ")) }
    }

    /// Fails if the cache is incomplete.
    ///
    /// # Errors
    /// [`Exit::WeightsMissing`] if files were refused or sets lack some of their files.
    pub fn verdict(&self) -> Result<(), Failure> {
        let incomplete = self.incomplete.iter().filter(|(all, _)| !all).count();
        let refused = self.refused.len();
        if refused + incomplete == 0 {
            return Ok(());
        }
        let what = format!("the cache is incomplete: files refused: {refused}, sets that lack files: {incomplete}");
        Err(Failure::new(Exit::WeightsMissing, what)
            .hint("download those files again, then repeat `ballast adopt`: it completes the lock file"))
    }
}
