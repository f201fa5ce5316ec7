//! Edits the lock file as text, which keeps its comments and order.
//!
//! Only `refresh` replaces the digest of an entry, and only `edit` writes the file.

pub mod edit;
pub mod groups;
mod refresh;
mod signed_group;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use ballast::digest::Digest;
use ballast::lock::{BadLock, Lock, RelPath, Weight};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::exit::{Exit, Failure};
use crate::{bounds, foreign, setting};

/// A file that is to have an entry.
pub struct Pinned<'a> {
    /// Below the store's root.
    pub path: &'a RelPath,
    /// The SHA-256 of its present bytes.
    pub sha256: Digest,
    /// Its length.
    pub size: u64,
    /// The sources of the file; if the list is empty, a person has to add them.
    pub sources: &'a [String],
    /// The SPDX expression of the licence, if it is known.
    pub license: Option<&'a str>,
}

/// What an entry had before.
pub struct Before {
    /// Its digest.
    pub sha256: String,
    /// The size of the file, if it was pinned.
    pub size: Option<i64>,
    /// The variable that repeats the digest.
    pub pin_env: Option<String>,
}

/// A lock file as text. [`LockFileEditor::edit`] changes the file on disk.
pub struct LockFileEditor {
    path: PathBuf,
    /// The text that was read; none if this lock file is a new one.
    before: Option<String>,
    text: DocumentMut,
    /// The place of each entry, by its path.
    places: HashMap<String, usize>,
    /// The digest of each file of a group, by its path.
    grouped: HashMap<String, Digest>,
    /// Lists that are to be written beside it.
    lists: Vec<(String, String)>,
}

/// The provenance of a signed model.
#[derive(Clone, Copy)]
pub struct SignedBy {
    /// `key` or `certificate`.
    pub method: &'static str,
    /// The SHA-256 of the key's PEM text, or of the signer's certificate.
    pub signer: Digest,
    /// The SHA-256 of the bundle.
    pub bundle: Digest,
}

/// The most files of a group in the lock file itself; a list beside it names more.
const INSIDE: usize = 2000;

impl LockFileEditor {
    /// Reads the lock file, or begins one for the store with this root.
    ///
    /// # Errors
    /// [`Exit::BadLock`] for an invalid lock file, one without `[store]`, or if none exists and none is begun.
    pub fn open(named: Option<&Path>, store: Option<&Path>) -> Result<Self, Failure> {
        let bad = |path: &Path, why: String| Failure::new(Exit::BadLock, format!("{}: {why}", path.display()));
        match (setting::lock_path(named), store) {
            (Ok(path), _) => {
                let text = settled(&path).map_err(|error| bad(&path, error.to_string()))?;
                let begun: DocumentMut =
                    text.parse().map_err(|error: toml_edit::TomlError| bad(&path, error.to_string()))?;
                if begun.get("store").and_then(Item::as_table_like).is_none() {
                    return Err(bad(&path, "expected a table [store], found none".into()));
                }
                // A lock file that `init` began has no weight yet: it is checked when it has one.
                let is_whole = ["weight", "group"].iter().any(|key| begun.get(key).is_some());
                let lock = is_whole.then(|| Lock::parse_with(&text, foreign::beside(&path))).transpose();
                let lock = lock.map_err(|error| bad(&path, error.to_string()))?;
                let mut book = Self::of(path, begun);
                book.before = Some(text);
                let members = lock.into_iter().flat_map(|lock| lock.weights).filter(|weight| weight.group.is_some());
                book.grouped = members.map(|weight| (weight.path.to_string(), weight.sha256)).collect();
                Ok(book)
            }
            (Err(_), Some(store)) => {
                let mut text = DocumentMut::new();
                text["version"] = value(1);
                text["store"] = Item::Table(Table::new());
                text["store"]["path"] = value(written_path(store)?);
                Ok(Self::of(Self::begun_at(named), text))
            }
            (Err(failure), None) => Err(failure),
        }
    }

    /// Where a new lock file is.
    fn begun_at(named: Option<&Path>) -> PathBuf {
        named.map_or_else(|| "weights.lock".into(), Path::to_owned)
    }

    fn of(path: PathBuf, text: DocumentMut) -> Self {
        let mut book =
            Self { path, before: None, text, places: HashMap::new(), grouped: HashMap::new(), lists: Vec::new() };
        let path = |table: &Table| table.get("path").and_then(Item::as_str).map(str::to_owned);
        let places = book.weights().enumerate().filter_map(|(at, table)| Some((path(table)?, at))).collect();
        book.places = places;
        book
    }

    /// Returns whether the lock file has an entry of this path.
    pub fn has(&self, path: &RelPath) -> bool {
        self.places.contains_key(path.as_str()) || self.grouped.contains_key(path.as_str())
    }

    /// Returns whether lists are to be written beside the lock file.
    pub fn has_lists(&self) -> bool {
        !self.lists.is_empty()
    }

    /// Returns whether no lock file was there.
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys of `[store]` that a person still has to write, with a value.
    pub fn lacking(&self) -> Vec<&'static str> {
        let lines = ["owner = \"UID:GID\"", "baked = \"/opt/baked-models\""];
        let key = |line: &str| line.split(' ').next().is_some_and(|key| self.text["store"].get(key).is_none());
        lines.into_iter().filter(|line| key(line)).collect()
    }

    /// Sets a key of `[store]`.
    pub fn store(&mut self, key: &str, text: &str) {
        self.text["store"][key] = value(text);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.places.len() + self.grouped.len()
    }

    /// Names the variable of a store that has none.
    pub fn name_variable(&mut self, name: &str) {
        if self.text["store"].get("env").is_none() {
            self.text["store"]["env"] = value(name);
        }
    }

    /// Names the variable for a directory below the root, unless the lock file sets that variable already.
    pub fn view(&mut self, name: &str, path: &str) {
        if self.text["store"].get("env").and_then(Item::as_str) == Some(name) {
            return;
        }
        let views = self.text["store"]
            .as_table_like_mut()
            .map(|store| store.entry("views").or_insert_with(|| value(InlineTable::new())));
        if let Some(views) = views.and_then(Item::as_table_like_mut).filter(|views| views.get(name).is_none()) {
            views.insert(name, value(path));
        }
    }

    /// Adds a constant to `[env]`, unless one of that name exists.
    pub fn constant(&mut self, name: &str, value: &str) {
        let table = self.text.entry("env").or_insert(Item::Table(Table::new()));
        if let Some(table) = table.as_table_like_mut().filter(|table| table.get(name).is_none()) {
            table.insert(name, toml_edit::value(value));
        }
    }

    fn weights(&self) -> impl Iterator<Item = &Table> {
        self.text.get("weight").and_then(Item::as_array_of_tables).into_iter().flat_map(ArrayOfTables::iter)
    }

    /// The directory that all weights share, if they share one.
    pub fn shared_dir(&self) -> Option<String> {
        let paths: Vec<_> = self.weights().filter_map(|table| table.get("path")?.as_str()).collect();
        let dir = |path: &&str| path.rsplit_once('/').map(|(dir, _)| dir.to_owned());
        paths.first().and_then(dir).filter(|first| paths.iter().all(|path| dir(path).as_ref() == Some(first)))
    }

    /// Adds an entry, or completes the entry of this path and digest; returns whether it is new.
    ///
    /// # Errors
    /// [`Exit::PinMismatch`] if the entry of that path has another digest.
    pub fn enter(&mut self, pinned: &Pinned) -> Result<bool, Failure> {
        if let Some(there) = self.grouped.get(pinned.path.as_str()) {
            let refused = || {
                otherwise(pinned, &there.to_string())
                    .hint("`ballast adopt --refresh DIR` pins the files of its group again")
            };
            return if *there == pinned.sha256 { Ok(false) } else { Err(refused()) };
        }
        let tables = self.text.entry("weight").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let not_a_list = || Failure::new(Exit::BadLock, "expected [[weight]] tables, found an inline list");
        let tables = tables.as_array_of_tables_mut().ok_or_else(not_a_list)?;
        let at = self.places.get(pinned.path.as_str()).copied();
        match at.and_then(|at| tables.get_mut(at)) {
            Some(table) => complete(table, pinned)?,
            None => {
                self.places.insert(pinned.path.as_str().to_owned(), tables.len());
                tables.push(entry_of(pinned));
            }
        }
        let table = self.places.get(pinned.path.as_str()).and_then(|at| tables.get_mut(*at));
        if let (Some(license), Some(table)) = (pinned.license, table) {
            table["license"] = value(license);
        }
        Ok(at.is_none())
    }

    /// Checks that the text is a valid lock file.
    ///
    /// # Errors
    /// [`Exit::Usage`], with the parser's words.
    pub fn check(&self) -> Result<(), Failure> {
        self.lock().map(drop).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
    }

    /// The weights so far; none if the text is not yet a lock file.
    pub fn pinned(&self) -> Vec<Weight> {
        self.lock().map_or_else(|_| Vec::new(), |lock| lock.weights)
    }

    /// The former pins of an entry.
    pub fn former(&self, path: &RelPath) -> Vec<Digest> {
        let entry = self.pinned().into_iter().find(|weight| weight.path == *path);
        entry.map(|weight| weight.previous).unwrap_or_default()
    }

    fn lock(&self) -> Result<Lock, BadLock> {
        let mut beside = foreign::beside(&self.path);
        Lock::parse_with(&self.text.to_string(), |name| match self.lists.iter().find(|(new, _)| new == name.as_str()) {
            Some((_, lines)) => Ok(Box::new(io::Cursor::new(lines.clone()))),
            None => beside(name),
        })
    }

    /// Returns the text of one entry in the file.
    pub fn entry(&self, path: &str) -> String {
        let table = self.weights().find(|table| table.get("path").and_then(Item::as_str) == Some(path));
        table.map(|table| format!("[[weight]]\n{table}").trim_end().to_owned()).unwrap_or_default()
    }
}

/// The text of a lock file that another command may replace while this one reads it.
fn settled(path: &Path) -> io::Result<String> {
    let is_replaced = |error: &io::Error| error.to_string().contains("changed while it was read");
    for _ in 0..50 {
        match foreign::text_named(path, bounds::LOCK) {
            Err(error) if is_replaced(&error) => std::thread::sleep(std::time::Duration::from_millis(5)),
            done => return done,
        }
    }
    foreign::text_named(path, bounds::LOCK)
}

/// A path as text of a lock file, which is UTF-8.
///
/// # Errors
/// [`Exit::Usage`] for any other path.
pub fn written_path(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        let found = path.as_os_str().as_encoded_bytes().escape_ascii();
        Failure::new(Exit::Usage, format!("expected a path in UTF-8, found \"{found}\"")).hint("rename the folder")
    })
}

/// An entry has another digest.
fn otherwise(pinned: &Pinned, there: &str) -> Failure {
    let what = format!(
        "{} is pinned with another digest; the lock file is unchanged\n  pinned  {there}\n  found   {}",
        pinned.path, pinned.sha256
    );
    Failure::new(Exit::PinMismatch, what).hint(
        "`ballast pin --refresh PATH URL|FILE` takes the new bytes, and moves the old digest to `previous`; or give --path",
    )
}

/// An entry of the same digest gets what it lacks: size and sources.
fn complete(table: &mut Table, pinned: &Pinned) -> Result<(), Failure> {
    let there = table.get("sha256").and_then(Item::as_str).and_then(|text| Digest::parse(text).ok());
    if there != Some(pinned.sha256) {
        return Err(otherwise(pinned, &there.map(|digest| digest.to_string()).unwrap_or_default()));
    }
    table["size"] = value(i64::try_from(pinned.size).unwrap_or(i64::MAX));
    let list = table.entry("sources").or_insert(value(Array::new()));
    let Some(list) = list.as_array_mut() else { return Ok(()) };
    for source in pinned.sources {
        if !list.iter().any(|known| known.as_str() == Some(source)) {
            list.push(source);
        }
    }
    Ok(())
}

fn entry_of(pinned: &Pinned) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    table["path"] = value(pinned.path.as_str());
    table["sha256"] = value(pinned.sha256.to_string());
    table["size"] = value(i64::try_from(pinned.size).unwrap_or(i64::MAX));
    let mut sources = Value::Array(pinned.sources.iter().collect());
    if pinned.sources.is_empty() {
        sources.decor_mut().set_suffix(" # unknown: fill in where it can be fetched");
    }
    table["sources"] = Item::Value(sources);
    table
}
