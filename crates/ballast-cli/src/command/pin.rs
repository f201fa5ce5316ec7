//! `pin`: makes an entry of the lock file from a source's present bytes. The command trusts the
//! bytes for the first time, and reports that.
//!
//! Comments and the order of the lock file do not change. The file stays in the fetch store, so that
//! `fetch` needs no second download.
//!
//! Promise: the order is stage, examine, save the lock file, publish. Until the lock file is saved, neither the lock file
//! nor a name in the store changes. If the program ends before the last step, the lock file has the new pin, and the
//! store the former file or none: `fetch`, or the same `pin`, brings the new one. No file is removed, and only a file
//! with a former pin of the entry is replaced.

mod fetch_store;
mod refreshed;
mod written;

use std::path::Path;

use ballast::digest::Digest;
use ballast::lock::{RelPath, Source};

use fetch_store::{MOVE, NewFolders, Placing};
use refreshed::SourceChanges;

use super::fetch::sources;
use super::lock_file_editor::edit::EditLock;
use super::lock_file_editor::{Before, LockFileEditor, Pinned};
use crate::args::Pin;
use crate::exit::{Exit, Failure};
use crate::first_trust::{self, Findings, Objection, Parts};
use crate::print::{self, Progress};
use crate::source::{self, Fault, Sink, Sources, label_of, name_of};

/// Pins each source.
///
/// # Errors
/// [`Exit::FetchFailed`] for a source's fault, [`Exit::PinMismatch`] if an entry of that path has
/// another digest: the lock file is then unchanged.
pub fn pin(args: &Pin) -> Result<(), Failure> {
    if (args.path.is_some() || args.refresh.is_some()) && args.sources.len() > 1 {
        return Err(Failure::new(Exit::Usage, "expected one source beside --path or --refresh, found several"));
    }
    let book = read(args)?;
    let sources = sources(&args.fetching, &[])?;
    if let Some(name) = &args.refresh {
        return refresh(args, &sources, &book, name);
    }
    let mut parts = Vec::new();
    for text in &args.sources {
        parts.extend(take(args, &sources, text, None)?);
    }
    let book = read(args)?;
    for incomplete in parts.iter().filter_map(|parts| parts.incomplete(|path| book.has(path))) {
        let names: Vec<_> = incomplete.missing.iter().take(10).map(ToString::to_string).collect();
        let (by, count) = (incomplete.named_by, incomplete.missing.len());
        let which = if incomplete.one_is_enough { "one of".to_owned() } else { count.to_string() };
        print::remark(&format!("{by} needs {which} files that have no entry yet: {}", names.join(", ")));
    }
    Ok(())
}

/// The lock file as it is now.
fn read(args: &Pin) -> Result<LockFileEditor, Failure> {
    LockFileEditor::open(args.lock.as_deref(), args.store.as_deref())
        .map_err(|failure| failure.hint("begin one with `ballast pin --store DIR URL|FILE`"))
}

/// Takes the bytes of an entry anew, from the source of the command line or the first of its own that gives them.
fn refresh(args: &Pin, sources: &Sources, book: &LockFileEditor, name: &str) -> Result<(), Failure> {
    let (path, own) = book.named(name)?;
    let mut failures = Vec::new();
    for text in if args.sources.is_empty() { &own } else { &args.sources } {
        match take(args, sources, text, Some(&path)) {
            Err(failure) if failure.exit == Exit::FetchFailed => failures.push(failure),
            done => return done.map(drop),
        }
    }
    if let Some(at) = failures.iter().position(|failure| failure.hint.as_deref() == Some(MOVE)) {
        return Err(failures.remove(at));
    }
    let what: Vec<_> = failures.into_iter().map(|failure| failure.what).collect();
    let what = if what.is_empty() { format!("{path}: it has no source") } else { what.join("\n") };
    Err(Failure::new(Exit::FetchFailed, what).hint("name where it is now: `ballast pin --refresh PATH URL|FILE`"))
}

/// Enters the digest into the lock file, and reports the result.
fn enter(
    book: &mut LockFileEditor,
    pinned: &Pinned,
    changes: Option<&SourceChanges>,
    from: &str,
) -> Result<String, Failure> {
    let (path, trust) = (pinned.path, format!("first trust: the bytes from {from} are trusted"));
    let Some(changes) = changes else {
        return Ok(match book.enter(pinned)? {
            true => format!("{path}: {trust}"),
            false => format!("{path}: pinned already, with the same digest"),
        });
    };
    let notes: String = changes.notes.iter().map(|note| format!("\n  {note}")).collect();
    let Some(Before { sha256, size, pin_env }) = book.refresh(pinned, &changes.remove)? else {
        return Ok(format!("{path}: {from} still has the pinned bytes{notes}"));
    };
    let sizes = size.map_or_else(String::new, |size| format!("{size} bytes before, "));
    if let Some(name) = pin_env {
        print::remark(&format!("{path}: set {name} to the new digest wherever it is set"));
    }
    Ok(format!("{path}: {trust}\n  before {sha256}\n  now    {}\n  {sizes}{} now{notes}", pinned.sha256, pinned.size))
}

/// Takes one source into the entry that is refreshed, or into one of its own.
fn take(args: &Pin, sources: &Sources, text: &str, refreshed: Option<&str>) -> Result<Option<Parts>, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let source = written::read_source(text).map_err(usage)?;
    let named = refreshed.map(|path| RelPath::try_from(path.to_owned()));
    let path =
        named.map_or_else(|| path_for(args, &source, &read(args)?).map_err(usage), |path| path.map_err(usage))?;
    let into = &args.fetching.into;
    let failed =
        |fault: Fault| Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", label_of(&source))).hint(fault.hint());
    let _empty = NewFolders::of(into, &path);
    let (disk, root) = source::open_store(into)
        .map_err(|error| Failure::new(Exit::FetchFailed, format!("the store {}: {error}", into.display())))?;
    let progress = Progress::new();
    let line = progress.line(path.as_str(), None);
    let sink = sources.first_trust(&source, &disk, &path, &line).map_err(failed)?;
    let pin = (sink.digest(), sink.len());
    let gives = |candidate: &Source| {
        sources.gives(candidate, pin, |candidate| {
            let again = sources.first_trust(candidate, &disk, &path, &line).ok()?;
            let digest = again.digest();
            again.give_up();
            Some(digest)
        })
    };
    let saved = examine(&source, &path, &sink)
        .and_then(|checked| Ok((checked, written::written(&source, &sink, &gives)?)))
        .map_err(failed)
        .and_then(|(checked, written)| {
            let changes = refreshed.map(|path| changes(args, sources, path, pin, &written)).transpose()?;
            let add = changes.as_ref().map_or_else(|| vec![written], |changes| changes.add.clone());
            let ((sha256, size), license) = (pin, args.license.as_deref());
            let pinned = Pinned { path: &path, sha256, size, sources: &add, license };
            Ok((checked, save(args, &pinned, changes.as_ref(), (&label_of(&source), &root))?))
        });
    let (checked, (said, placing, _lock)) = match saved {
        Ok(saved) => saved,
        Err(failure) => {
            sink.give_up();
            return Err(failure);
        }
    };
    print::answer(&said);
    checked.doubts().for_each(|doubt| print::remark(&format!("{path}: {doubt}")));
    let Some(found) = placing.replaces() else {
        sink.give_up();
        return Ok(checked.parts);
    };
    sink.publish(pin.0, &found).map_err(|fault| {
        let what = format!("the lock file has the entry, but {} has no such file: {fault}", root.display());
        Failure::new(Exit::FetchFailed, what).hint("`ballast fetch --into DIR` brings it")
    })?;
    Ok(checked.parts)
}

/// Writes the pin into the lock file. The file that has the weight's name in the store is compared before.
fn save(
    args: &Pin,
    pinned: &Pinned,
    changes: Option<&SourceChanges>,
    (from, root): (&str, &Path),
) -> Result<(String, Placing, EditLock), Failure> {
    let ((trust, entry, placing), lock) = LockFileEditor::edit(args.lock.as_deref(), args.store.as_deref(), |book| {
        let trust = enter(book, pinned, changes, from)?;
        book.check()?;
        let placing = Placing::of(root, pinned.path, pinned.sha256, &book.former(pinned.path))?;
        Ok((trust, book.entry(pinned.path.as_str()), placing))
    })?;
    Ok((format!("{trust}\n{entry}"), placing, lock))
}

/// Compares the sources of the entry that is refreshed with the new pin.
fn changes(
    args: &Pin,
    sources: &Sources,
    path: &str,
    (sha256, size): (Digest, u64),
    written: &str,
) -> Result<SourceChanges, Failure> {
    let book = read(args)?;
    let (_, own) = book.named(path)?;
    let entry = book.pinned().into_iter().find(|weight| weight.path.as_str() == path);
    let entry = entry.ok_or_else(|| Failure::new(Exit::BadLock, format!("expected the entry {path}, found none")))?;
    Ok(SourceChanges::find(sources, &refreshed::expected(entry, sha256, size), written, &own))
}

/// Checks the received file before it has a name, and makes it durable. A file that contradicts itself gets no pin.
fn examine(source: &Source, path: &RelPath, sink: &Sink) -> Result<Findings, Fault> {
    let promised = written::promised(source).or(sink.hub.digest);
    if let Some(Objection::Refused(why)) = first_trust::check_digest(promised, sink.digest()) {
        return Err(Fault::Contradiction(why));
    }
    let checked =
        first_trust::check(path, &mut sink.received()?).map_err(|error| Fault::Store("read it back", error))?;
    if let Some(why) = checked.refusal() {
        return Err(Fault::Contradiction(why.to_owned()));
    }
    sink.sync()?;
    Ok(checked)
}

/// The path of `--path`, otherwise the file's own name, in the directory that all weights share, if any.
fn path_for(args: &Pin, source: &Source, book: &LockFileEditor) -> Result<RelPath, String> {
    if let Some(path) = &args.path {
        return RelPath::try_from(path.clone());
    }
    let name =
        name_of(source).ok_or_else(|| format!("{}: expected a file's name, name it with --path", label_of(source)))?;
    RelPath::try_from(book.shared_dir().map_or(name.clone(), |dir| format!("{dir}/{name}")))
}
