//! `pin`: an entry of the lock file from what a source gives now. A first trust, and told as such.
//!
//! Comments and order of the lock file are kept. What was read stays in the fetch store, so that
//! `fetch` needs no second download.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ballast::digest::Digest;
use ballast::lock::{Lock, RelPath, Source};
use ballast::store::Found;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::args::Pin;
use crate::command::fetch::sources;
use crate::exit::{Exit, Failure};
use crate::print::Progress;
use crate::source::{self, Sources, label_of, name_of};
use crate::{print, setting};

/// What a source gave.
struct Pinned<'a> {
    path: &'a RelPath,
    sha256: Digest,
    size: u64,
    source: &'a Source,
}

/// Pins each source.
///
/// # Errors
/// [`Exit::FetchFailed`] for a source's fault, [`Exit::PinMismatch`] where an entry of that path has
/// another digest: the lock file is then as before.
pub fn pin(args: &Pin) -> Result<(), Failure> {
    if args.path.is_some() && args.sources.len() > 1 {
        return Err(Failure::new(Exit::Usage, "expected one source beside --path, found several"));
    }
    let mut book = Book::open(args)?;
    let sources = sources(&args.fetching, &[])?;
    args.sources.iter().try_for_each(|text| pin_one(args, &sources, &mut book, text))
}

fn pin_one(args: &Pin, sources: &Sources, book: &mut Book, text: &str) -> Result<(), Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let source = Source::try_from(text.to_owned()).map_err(usage)?;
    let path = book.path_for(args, &source).map_err(usage)?;
    let failed = |why: String| Failure::new(Exit::FetchFailed, format!("{}\n  {why}", label_of(&source)));
    let (disk, _) = source::open_store(&args.fetching.into).map_err(|error| failed(error.to_string()))?;
    let progress = Progress::new();
    let line = progress.line(path.file_name(), None);
    let sink = sources.first_trust(&source, &disk, &path, &line).map_err(|fault| failed(fault.to_string()))?;
    let pinned = Pinned { path: &path, sha256: sink.digest(), size: sink.len(), source: &source };
    let told = book.enter(&pinned, args.license.as_deref())?;
    // What had the name before is no evidence of anything: it is replaced.
    sink.publish(pinned.sha256, &Found::Stale).map_err(|fault| failed(fault.to_string()))?;
    book.save()?;
    print::answer(&format!("{told}\n{}", book.entry(path.as_str())));
    Ok(())
}

/// The lock file as text that keeps its comments.
struct Book {
    path: PathBuf,
    text: DocumentMut,
}

impl Book {
    /// Reads the lock file, or begins one where `--store` says where the app reads.
    fn open(args: &Pin) -> Result<Self, Failure> {
        let bad = |path: &Path, why: String| Failure::new(Exit::BadLock, format!("{}: {why}", path.display()));
        match (setting::lock_path(args.lock.as_deref()), &args.store) {
            (Ok(path), _) => {
                let text = fs::read_to_string(&path).map_err(|error| bad(&path, error.to_string()))?;
                Lock::parse(&text).map_err(|error| bad(&path, error.to_string()))?;
                let text = text.parse().map_err(|error: toml_edit::TomlError| bad(&path, error.to_string()))?;
                Ok(Self { path, text })
            }
            (Err(_), Some(store)) => {
                let mut text = DocumentMut::new();
                text["version"] = value(1);
                text["store"] = Item::Table(Table::new());
                text["store"]["path"] = value(store.display().to_string());
                let path = args.lock.clone().unwrap_or_else(|| "weights.lock".into());
                Ok(Self { path, text })
            }
            (Err(failure), None) => Err(failure.hint("begin one with `ballast pin --store DIR URL|FILE`")),
        }
    }

    fn weights(&self) -> impl Iterator<Item = &Table> {
        self.text.get("weight").and_then(Item::as_array_of_tables).into_iter().flat_map(ArrayOfTables::iter)
    }

    /// `--path`, else the file's own name in the directory that all weights share.
    fn path_for(&self, args: &Pin, source: &Source) -> Result<RelPath, String> {
        if let Some(path) = &args.path {
            return RelPath::try_from(path.clone());
        }
        let name = name_of(source)
            .ok_or_else(|| format!("{}: expected a file's name, name it with --path", label_of(source)))?;
        let paths: Vec<_> = self.weights().filter_map(|table| table.get("path")?.as_str()).collect();
        let dir = |path: &&str| path.rsplit_once('/').map(|(dir, _)| dir.to_owned());
        let shared =
            paths.first().and_then(dir).filter(|first| paths.iter().all(|path| dir(path).as_ref() == Some(first)));
        RelPath::try_from(shared.map_or(name.clone(), |dir| format!("{dir}/{name}")))
    }

    /// Adds or completes an entry; says which.
    fn enter(&mut self, pinned: &Pinned, license: Option<&str>) -> Result<String, Failure> {
        let tables = self.text.entry("weight").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let not_a_list = || Failure::new(Exit::BadLock, "expected [[weight]] tables, found an inline list");
        let tables = tables.as_array_of_tables_mut().ok_or_else(not_a_list)?;
        let at = tables.iter().position(|table| table.get("path").and_then(Item::as_str) == Some(pinned.path.as_str()));
        let told = match at.and_then(|at| tables.get_mut(at)) {
            Some(table) => complete(table, pinned)?,
            None => {
                tables.push(entry_of(pinned));
                format!(
                    "{}: first trust: these bytes are believed because {} gave them now",
                    pinned.path,
                    label_of(pinned.source)
                )
            }
        };
        let entered =
            tables.iter_mut().find(|table| table.get("path").and_then(Item::as_str) == Some(pinned.path.as_str()));
        if let (Some(license), Some(table)) = (license, entered) {
            table["license"] = value(license);
        }
        Lock::parse(&self.text.to_string()).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        Ok(told)
    }

    /// Written beside, then renamed: the lock file is old or new, never half.
    fn save(&self) -> Result<(), Failure> {
        let write = || -> io::Result<()> {
            let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut staged = tempfile::NamedTempFile::new_in(dir)?;
            staged.write_all(self.text.to_string().as_bytes())?;
            let mode = fs::metadata(&self.path).map_or(0o644, |facts| facts.permissions().mode() & 0o777);
            staged.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
            staged.as_file().sync_all()?;
            staged.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| Failure::new(Exit::BadLock, format!("can't write {}: {error}", self.path.display())))
    }

    /// One entry as it stands in the file.
    fn entry(&self, path: &str) -> String {
        let table = self.weights().find(|table| table.get("path").and_then(Item::as_str) == Some(path));
        table.map(|table| format!("[[weight]]\n{table}").trim_end().to_owned()).unwrap_or_default()
    }
}

/// An entry of the same digest gets what it lacks: size and source.
fn complete(table: &mut Table, pinned: &Pinned) -> Result<String, Failure> {
    let there = table.get("sha256").and_then(Item::as_str).and_then(|text| Digest::parse(text).ok());
    if there != Some(pinned.sha256) {
        let there = there.map(|digest| digest.to_string()).unwrap_or_default();
        let what = format!(
            "{} is pinned with another digest, and stays so\n  pinned  {there}\n  found   {}",
            pinned.path, pinned.sha256
        );
        return Err(Failure::new(Exit::PinMismatch, what).hint(
            "to rotate the pin, edit `sha256` and `size`, and move the old digest to `previous`; or give --path",
        ));
    }
    table["size"] = value(i64::try_from(pinned.size).unwrap_or(i64::MAX));
    let source = pinned.source.to_string();
    let list = table.entry("sources").or_insert(value(toml_edit::Array::new()));
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|known| known.as_str() == Some(&source))
    {
        list.push(source);
    }
    Ok(format!("{}: pinned already, with the same digest", pinned.path))
}

fn entry_of(pinned: &Pinned) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    table["path"] = value(pinned.path.as_str());
    table["sha256"] = value(pinned.sha256.to_string());
    table["size"] = value(i64::try_from(pinned.size).unwrap_or(i64::MAX));
    table["sources"] = value(toml_edit::Array::from_iter([pinned.source.to_string()]));
    table
}
