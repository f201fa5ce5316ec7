//! The groups of a lock file, at most one for each path: a new edition of its files replaces the former one in place.

use std::collections::BTreeMap;

use ballast::digest::Digest;
use ballast::lock::{Group, Provenance, RelPath, Weight};
use toml_edit::{ArrayOfTables, Item, Table, Value, value};

use super::refresh::set;
use super::{INSIDE, LockFileEditor, SignedBy};
use crate::exit::{Exit, Failure};
use crate::image::Measured;

/// A file of a group: its path below the group's directory, its digest, its size if it is known.
pub type GroupedFile = (String, Digest, Option<u64>);

/// The files of one group.
pub struct Grouped<'a> {
    /// The directory of its files below the store's root; empty for the root itself.
    pub dir: &'a str,
    /// The prefix of each path's source, for a new group.
    pub source: Option<&'a str>,
    /// Its files.
    pub files: &'a [GroupedFile],
    /// Who signed the model, if the files are those of a signed model.
    pub signed: Option<SignedBy>,
}

impl Grouped<'_> {
    /// The path of one of its files below the store's root.
    pub fn path_of(&self, name: &str) -> String {
        path_below(self.dir, name)
    }
}

/// A path below the store's root.
pub fn path_below(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// The lines that name a group's files.
pub fn lines_of(group: &Grouped) -> String {
    let size = |size: &Option<u64>| size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    group.files.iter().map(|(path, sha256, length)| format!("{sha256} {} {path}\n", size(length))).collect()
}

/// What the lock file has at a group's path.
pub struct GroupThere {
    /// Its files.
    pub files: Vec<GroupedFile>,
    /// Whether it has the provenance of a signed model.
    pub is_signed: bool,
}

impl LockFileEditor {
    /// The groups by their directories.
    pub fn groups(&self) -> BTreeMap<String, GroupThere> {
        let Ok(lock) = self.lock() else { return BTreeMap::new() };
        let group = |group: &Group| {
            let members = lock.weights.get(group.members.clone()).unwrap_or_default();
            let file = |member: &Weight| (group.within(&member.path).to_owned(), member.sha256, member.size);
            let there = GroupThere { files: members.iter().map(file).collect(), is_signed: group.signed.is_some() };
            (group.path.as_ref().map_or_else(String::new, ToString::to_string), there)
        };
        lock.groups.iter().map(group).collect()
    }

    /// The digest of a file of a group.
    pub fn grouped(&self, path: &RelPath) -> Option<Digest> {
        self.grouped.get(path.as_str()).copied()
    }

    /// Adds a group, or gives the group of this directory these files; its other keys stay. For very many files it writes
    /// a list beside the lock file, named after the list's digest.
    ///
    /// # Errors
    /// [`Exit::BadLock`] if `group` is not a list of tables; [`Exit::PinMismatch`] for unsigned files in place of a signed
    /// model.
    pub fn enter_group(&mut self, group: &Grouped) -> Result<(), Failure> {
        // A reader of the lines takes spaces before a path for a column's.
        if let Some((path, ..)) = group.files.iter().find(|(path, ..)| path.starts_with(' ')) {
            let what = format!("a group can't have {path:?}, which begins with a space");
            return Err(
                Failure::new(Exit::Usage, what).hint("rename it, and have the model signed again if it is signed")
            );
        }
        let there = self.groups().remove(group.dir);
        if group.signed.is_none() && there.as_ref().is_some_and(|there| there.is_signed) {
            let dir = if group.dir.is_empty() { "." } else { group.dir };
            let what = format!("the group {dir} is a signed model; the lock file is unchanged");
            return Err(Failure::new(Exit::PinMismatch, what)
                .hint("`ballast adopt --refresh --signed BUNDLE --key PEM DIR` takes its new edition"));
        }
        let tables = self.text.entry("group").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let not_a_list = || Failure::new(Exit::BadLock, "expected [[group]] tables, found an inline list");
        let tables = tables.as_array_of_tables_mut().ok_or_else(not_a_list)?;
        let dir = |table: &Table| table.get("path").and_then(Item::as_str).unwrap_or_default().to_owned();
        let at = tables.iter().position(|table| dir(table) == group.dir);
        let at = at.unwrap_or(tables.len());
        if at == tables.len() {
            tables.push(begun(group));
        }
        if let Some(table) = tables.get_mut(at) {
            self.lists.extend(fill(table, group));
        }
        for (name, ..) in there.into_iter().flat_map(|there| there.files) {
            self.grouped.remove(&path_below(group.dir, &name));
        }
        self.grouped.extend(group.files.iter().map(|(name, sha256, _)| (group.path_of(name), *sha256)));
        Ok(())
    }
}

/// A new group without files.
fn begun(group: &Grouped) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    if !group.dir.is_empty() {
        table["path"] = value(group.dir);
    }
    let mut sources = Value::Array(group.source.into_iter().collect());
    if group.source.is_none() {
        sources
            .decor_mut()
            .set_suffix(" # unknown: the folder or the URL that has all of these files, with / at its end");
    }
    table["sources"] = Item::Value(sources);
    table
}

/// Sets the keys that name the files and the signer; returns the list that is to be written beside the lock file.
fn fill(table: &mut Table, group: &Grouped) -> Option<(String, String)> {
    let lines = lines_of(group);
    let sha256 = Measured::of(lines.as_bytes()).digest;
    let is_listed = group.files.len() > INSIDE;
    let name = format!("weights.{}.list", &sha256.to_string()[..12]);
    let (stays, leaves): (&[&str], &[&str]) =
        if is_listed { (&["list", "list_sha256"], &["files"]) } else { (&["files"], &["list", "list_sha256"]) };
    leaves.iter().for_each(|key| drop(table.remove(key)));
    let digest = sha256.to_string();
    let values = if is_listed { vec![name.as_str(), digest.as_str()] } else { vec![lines.as_str()] };
    stays.iter().zip(values).for_each(|(key, text)| set(table, key, text.into()));
    if let Some(signed) = group.signed {
        let path = if group.dir.is_empty() { "." } else { group.dir };
        let files = Provenance::files_of(path, &sha256);
        let signed = Provenance::new(signed.method, signed.signer, signed.bundle, files);
        set(table, "signed", signed.to_string().into());
    }
    is_listed.then_some((name, lines))
}
