//! `adopt`: writes a lock file for an existing cache. The command trusts every byte for the first
//! time, and reports that.
//!
//! The command reads the cache once and does not change it. A file that contradicts itself gets no
//! pin and leads to exit code 14; the other files are entered. A well-known name gets upstream's
//! sources if it has upstream's bytes; a source that the layout does not show stays empty.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use ballast::digest::Digest;
use ballast::lock::{RelPath, RootPath, Source, Weight};

use super::adopted_table::{AdoptedRow, Table};
use super::lock_file_editor::groups::{GroupThere, Grouped, GroupedFile, path_below};
use super::lock_file_editor::{LockFileEditor, Pinned, written_path};
use crate::adopted::{self, Cache, Member, Members};
use crate::args::Adopt;
use crate::exit::{Exit, Failure};
use crate::first_trust::{self, Findings, Parts};
use crate::image::Measured;
use crate::source::joined;
use crate::{foreign, print};

/// Enters every weight of a cache.
///
/// # Errors
/// [`Exit::WeightsMissing`] if the cache has no weight, or if files were refused or are missing (the other files are
/// entered); [`Exit::PinMismatch`] if an entry has another digest: the lock file then stays unchanged.
pub fn adopt(args: &Adopt) -> Result<(), Failure> {
    if let Some(bundle) = &args.signed.signed {
        return super::adopt_signed::adopt(args, bundle);
    }
    let cache = adopted::find(&args.dir).map_err(|error| unreadable(&args.dir, &error))?;
    let root = root_of(args, &cache)?;
    let ((table, summary), _) = LockFileEditor::edit(args.lock.as_deref(), Some(&root), |book| {
        let cache = match book.root().and_then(|root| std::fs::canonicalize(root).ok()) {
            Some(root) => cache.below(&root),
            None => cache,
        };
        name_variables(book, &cache);
        let table = take(book, &cache, args.refresh)?;
        let summary = table.summary(&cache.root, book.path(), &book.lacking());
        Ok((table, summary))
    })?;
    print::answer(&summary);
    table.verdict()
}

/// Enters every weight of a cache into the lock file, and prints the result for each.
///
/// # Errors
/// The errors of [`adopt`].
pub fn take(book: &mut LockFileEditor, cache: &Cache, refresh: bool) -> Result<Table, Failure> {
    let found = members(cache, book)?;
    let there = book.groups();
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for member in &found.files {
        let Some(set) = set_of(member, book, &there) else { continue };
        *sizes.entry(set).or_default() += usize::from(!book.has(&member.path));
    }
    // New files of a folder that is a group belong to this group, unless they are not signed as it is.
    sizes.retain(|set, files| match there.get(*set) {
        Some(group) => refresh || !group.is_signed,
        None => *files > print::EACH,
    });
    let groups = sizes.into_keys().map(|set| (set, Vec::new())).collect();
    let (known, table) = (adopted::known(), Table::default());
    let mut adoption = Adoption { book, known, table, parts: Vec::new(), groups, there: &there, refresh };
    for member in &found.files {
        adoption.take(member)?;
    }
    adoption.enter_groups(cache)?;
    let Adoption { book, mut table, parts, .. } = adoption;
    table.missing(&parts, book);
    table.left_out = found.left_out;
    print::answer(&table.text());
    if table.is_usable() {
        return Ok(table);
    }
    Err(Failure::new(Exit::WeightsMissing, format!("no weight to pin in {}", cache.root.display()))
        .hint("name DEEPFACE_HOME, HF_HOME, or a folder of weights"))
}

/// Enters the variables of a cache, with the constants that their readers need.
fn name_variables(book: &mut LockFileEditor, cache: &Cache) {
    if let Some(name) = cache.env {
        name_variable(book, name);
    }
    name_views(book, &cache.views);
}

/// Enters the store's variable, with the constants that its readers need.
pub fn name_variable(book: &mut LockFileEditor, name: &str) {
    book.name_variable(name);
    keep_offline(book, name);
}

/// Enters the variables for directories below the root.
pub fn name_views(book: &mut LockFileEditor, views: &[(&'static str, String)]) {
    for (name, path) in views {
        book.view(name, path);
        keep_offline(book, name);
    }
}

/// A client that may connect to the hub reads the newest revision, not the pinned one.
fn keep_offline(book: &mut LockFileEditor, name: &str) {
    if name.starts_with("HF_") {
        ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].iter().for_each(|name| book.constant(name, "1"));
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::WeightsMissing, format!("can't read {}: {error}", path.display()))
}

/// The root of a new lock file.
fn root_of(args: &Adopt, cache: &Cache) -> Result<PathBuf, Failure> {
    let root = args.store.as_deref().unwrap_or(&cache.root);
    RootPath::try_from(written_path(root)?.to_owned())
        .map_err(|why| Failure::new(Exit::Usage, why).hint("name the root that the app will read with --store DIR"))?;
    Ok(root.to_owned())
}

/// The cache's files, without the lock file itself, which is about to change, and its lists.
fn members(cache: &Cache, book: &LockFileEditor) -> Result<Members, Failure> {
    let mut found = cache.members().map_err(|why| {
        let what = format!("{}: {why}", cache.root.display());
        Failure::new(Exit::Usage, what).hint("name the folder of the weights alone")
    })?;
    let own = std::fs::canonicalize(book.path()).ok();
    let folder = own.as_deref().and_then(Path::parent);
    let is_list = |file: &Path| file.extension().is_some_and(|end| end == "list") && file.parent() == folder;
    found.files.retain(|member| Some(&member.file) != own.as_ref() && !is_list(&member.file));
    Ok(found)
}

struct Adoption<'a> {
    book: &'a mut LockFileEditor,
    known: Vec<Weight>,
    table: Table,
    parts: Vec<Parts>,
    /// The sets of many files, which become groups: each with the numbers of its rows in the table.
    groups: BTreeMap<&'a str, Vec<(&'a Member, usize)>>,
    /// The groups that the lock file has.
    there: &'a BTreeMap<String, GroupThere>,
    /// Whether such a group gets the present files.
    refresh: bool,
}

impl<'a> Adoption<'a> {
    /// Checks one file, and enters it if no check refuses it.
    fn take(&mut self, member: &'a Member) -> Result<(), Failure> {
        let (sha256, size, mut checked) = read(member).map_err(|error| unreadable(&member.file, &error))?;
        if let Some(why) = checked.refusal() {
            if self.refresh {
                let what = format!("{}: {why}; the lock file is unchanged", member.path);
                return Err(Failure::new(Exit::WeightsMissing, what).hint("download the file again"));
            }
            self.table.refused.push((member.path.clone(), why.to_owned()));
            return Ok(());
        }
        let line = self.enter(member, sha256, size, &checked)?;
        self.table.pinned.push(line);
        self.parts.extend(checked.parts.take());
        Ok(())
    }

    fn enter(
        &mut self,
        member: &'a Member,
        sha256: Digest,
        size: u64,
        checked: &Findings,
    ) -> Result<AdoptedRow, Failure> {
        let path = &member.path;
        let namesake = self.known.iter().find(|weight| weight.path.file_name() == path.file_name());
        let upstream = namesake.filter(|weight| weight.sha256 == sha256);
        let sources: Vec<_> = match upstream {
            Some(weight) => weight.sources.iter().map(Source::to_string).collect(),
            None => member.source.clone().into_iter().collect(),
        };
        let license = upstream.and_then(|weight| weight.license.as_deref());
        let former = self.book.grouped(path);
        let is_refreshed = self.refresh && former.is_some();
        let is_new = upstream.is_none() && !self.book.has(path);
        let set = set_of(member, self.book, self.there);
        let group = set.and_then(|set| self.groups.get_mut(set));
        let new = match group.filter(|_| is_refreshed || is_new) {
            Some(group) => {
                group.push((member, self.table.pinned.len()));
                true
            }
            None => self.book.enter(&Pinned { path, sha256, size, sources: &sources, license })?,
        };
        let trust = match (new && former != Some(sha256), upstream) {
            (false, _) => "pinned already, with the same digest",
            (true, Some(_)) => "upstream's known digest",
            (true, None) => "first trust: the present bytes of the cache are trusted",
        };
        let other = namesake.filter(|_| upstream.is_none());
        let other = other.map(|weight| format!("upstream's file of this name has another digest\n  {}", weight.sha256));
        Ok(AdoptedRow {
            path: path.clone(),
            sha256,
            size,
            trust,
            before: former.filter(|former| *former != sha256),
            warnings: other.into_iter().chain(checked.doubts().map(str::to_owned)).collect(),
            has_source: !sources.is_empty(),
            is_reference: member.is_reference(),
        })
    }

    /// The files that a set's group keeps: all, or with a refresh those outside the cache; and those that it loses.
    fn kept(&self, dir: &str, cache: &Cache, new: &[GroupedFile]) -> (Vec<GroupedFile>, Vec<String>) {
        let new: HashSet<&str> = new.iter().map(|(name, ..)| name.as_str()).collect();
        let there = self.there.get(dir).map(|group| group.files.as_slice()).unwrap_or_default();
        let others = there.iter().filter(|(name, ..)| !new.contains(name.as_str())).cloned();
        let (kept, gone): (Vec<_>, Vec<_>) =
            others.partition(|(name, ..)| !self.refresh || !cache.covers(&path_below(dir, name)));
        (kept, gone.into_iter().map(|(name, ..)| path_below(dir, &name)).collect())
    }

    /// Enters each large set as one group, or into the group that exists.
    fn enter_groups(&mut self, cache: &Cache) -> Result<(), Failure> {
        for (dir, members) in std::mem::take(&mut self.groups) {
            let within = |path: &RelPath| match dir {
                "" => path.as_str().to_owned(),
                dir => path.as_str()[dir.len() + 1..].to_owned(),
            };
            let rows = members.iter().filter_map(|(member, at)| {
                let row = self.table.pinned.get(*at)?;
                Some((within(&member.path), row.sha256, Some(row.size)))
            });
            let mut files: Vec<_> = rows.collect();
            let is_changed = !files.is_empty();
            let (kept, gone) = self.kept(dir, cache, &files);
            self.table.gone.extend(gone.into_iter().filter(|_| is_changed));
            files.extend(kept);
            files.sort();
            let base = |member: &Member| {
                let path = joined("", &within(&member.path));
                Some(format!("{}/", member.source.as_ref()?.strip_suffix(&path)?))
            };
            let source = members.first().and_then(|(member, _)| base(member));
            if is_changed {
                self.book.enter_group(&Grouped { dir, source: source.as_deref(), files: &files, signed: None })?;
            }
        }
        Ok(())
    }
}

/// The directory whose files are one group with this file: that of its group, or the deepest one of a group above it, or
/// that of its set.
fn set_of<'a>(member: &'a Member, book: &LockFileEditor, there: &'a BTreeMap<String, GroupThere>) -> Option<&'a str> {
    let path = member.path.as_str();
    let is_above =
        |dir: &&String| dir.is_empty() || path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let above = || there.keys().filter(is_above);
    if book.grouped(&member.path).is_some() {
        let has = |dir: &&String| there[dir.as_str()].files.iter().any(|(name, ..)| path_below(dir, name) == path);
        let mut all: Vec<_> = above().collect();
        return if all.len() == 1 { all.pop() } else { all.into_iter().find(has) }.map(String::as_str);
    }
    let set = member.set.as_deref()?;
    let deeper = above().filter(|dir| dir.len() >= set.len()).max_by_key(|dir| dir.len());
    Some(deeper.map_or(set, String::as_str))
}

/// Digest, size and checks of one file, from one descriptor.
fn read(member: &Member) -> io::Result<(Digest, u64, Findings)> {
    let mut file = foreign::open_named(&member.file)?;
    let mut checked = first_trust::check(&member.path, &mut file)?;
    let Measured { digest, size } = Measured::of_file(&mut file)?;
    let promised = member.file.file_name().and_then(|name| first_trust::digest_of_name(name.to_str()?));
    checked.objections.extend(first_trust::check_digest(promised, digest));
    if let Some(name) = first_trust::git_name(&member.file) {
        checked.objections.extend(first_trust::check_name("Git's sha1", name, &first_trust::git_digest(&mut file)?));
    }
    Ok((digest, size, checked))
}
