//! `pin`: makes an entry of the lock file from a source's present bytes. The command trusts the
//! bytes for the first time, and reports that.
//!
//! Comments and the order of the lock file do not change. The file stays in the fetch store, so that
//! `fetch` needs no second download.

use std::path::Path;

use ballast::digest::Digest;
use ballast::lock::{HubFile, RelPath, Source};
use ballast::store::WeightState;

use super::fetch::sources;
use super::lock_file_editor::{Before, LockFileEditor, Pinned};
use crate::args::Pin;
use crate::exit::{Exit, Failure};
use crate::first_trust::{self, Findings, Objection, Parts};
use crate::foreign;
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
    let mut book = LockFileEditor::open(args.lock.as_deref(), args.store.as_deref())
        .map_err(|failure| failure.hint("begin one with `ballast pin --store DIR URL|FILE`"))?;
    let sources = sources(&args.fetching, &[])?;
    let mut parts = Vec::new();
    if let Some(name) = &args.refresh {
        return refresh(args, &sources, &mut book, name);
    }
    for text in &args.sources {
        parts.extend(pin_one(args, &sources, &mut book, text)?);
    }
    for incomplete in parts.iter().filter_map(|parts| parts.incomplete(|path| book.has(path))) {
        let names: Vec<_> = incomplete.missing.iter().take(10).map(ToString::to_string).collect();
        let (by, count) = (incomplete.named_by, incomplete.missing.len());
        let which = if incomplete.one_is_enough { "one of".to_owned() } else { count.to_string() };
        print::remark(&format!("{by} needs {which} files that have no entry yet: {}", names.join(", ")));
    }
    Ok(())
}

/// Takes the bytes of an entry anew, from the source of the command line or the first of its own that gives them.
fn refresh(args: &Pin, sources: &Sources, book: &mut LockFileEditor, name: &str) -> Result<(), Failure> {
    let (path, own) = book.named(name)?;
    let mut failures = Vec::new();
    for text in if args.sources.is_empty() { &own } else { &args.sources } {
        match take(args, sources, book, text, Some(&path)) {
            Err(failure) if failure.exit == Exit::FetchFailed => failures.push(failure.what),
            done => return done.map(drop),
        }
    }
    let what = if failures.is_empty() { format!("{path}: it has no source") } else { failures.join("\n") };
    Err(Failure::new(Exit::FetchFailed, what).hint("name where it is now: `ballast pin --refresh PATH URL|FILE`"))
}

fn pin_one(args: &Pin, sources: &Sources, book: &mut LockFileEditor, text: &str) -> Result<Option<Parts>, Failure> {
    take(args, sources, book, text, None)
}

/// Enters the digest into the lock file, and reports the result.
fn enter(book: &mut LockFileEditor, pinned: &Pinned, refreshed: bool, from: &str) -> Result<String, Failure> {
    let (path, trust) = (pinned.path, format!("first trust: the bytes from {from} are trusted"));
    if !refreshed {
        return Ok(match book.enter(pinned)? {
            true => format!("{path}: {trust}"),
            false => format!("{path}: pinned already, with the same digest"),
        });
    }
    let Some(Before { sha256, size, pin_env }) = book.refresh(pinned)? else {
        return Ok(format!("{path}: {from} still has the pinned bytes"));
    };
    let sizes = size.map_or_else(String::new, |size| format!("{size} bytes before, "));
    if let Some(name) = pin_env {
        print::remark(&format!("{path}: set {name} to the new digest wherever it is set"));
    }
    Ok(format!("{path}: {trust}\n  before {sha256}\n  now    {}\n  {sizes}{} now", pinned.sha256, pinned.size))
}

/// Takes one source into the entry that is refreshed, or into one of its own.
fn take(
    args: &Pin,
    sources: &Sources,
    book: &mut LockFileEditor,
    text: &str,
    refreshed: Option<&str>,
) -> Result<Option<Parts>, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let source = read_source(text).map_err(usage)?;
    let named = refreshed.map(|path| RelPath::try_from(path.to_owned()));
    let path = named.unwrap_or_else(|| path_for(args, &source, book)).map_err(usage)?;
    let failed =
        |fault: Fault| Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", label_of(&source))).hint(fault.hint());
    let (disk, root) = source::open_store(&args.fetching.into).map_err(|error| {
        Failure::new(Exit::FetchFailed, format!("the store {}: {error}", args.fetching.into.display()))
    })?;
    let progress = Progress::new();
    let line = progress.line(path.as_str(), None);
    let sink = sources.first_trust(&source, (&disk, &book.pinned()), &path, &line).map_err(failed)?;
    let promised = promised(&source).or(sink.hub.digest);
    if let Some(Objection::Refused(why)) = first_trust::check_digest(promised, sink.digest()) {
        return Err(failed(Fault::Contradiction(why)));
    }
    let pinned = (sink.digest(), sink.len());
    let written = [written(sources, &source, &sink, Some(pinned)).map_err(failed)?];
    let (sha256, size) = (sink.digest(), sink.len());
    let pinned = Pinned { path: &path, sha256, size, sources: &written, license: args.license.as_deref() };
    let trust = enter(book, &pinned, refreshed.is_some(), &label_of(&source))?;
    book.check()?;
    // A file that had the name before is replaced without quarantine.
    sink.publish(sha256, &WeightState::Stale).map_err(failed)?;
    let checked = examine(&root, &path).map_err(failed)?;
    book.save()?;
    print::answer(&format!("{trust}\n{}", book.entry(path.as_str())));
    checked.doubts().for_each(|doubt| print::remark(&format!("{path}: {doubt}")));
    Ok(checked.parts)
}

/// Reads a source from the command line. A hub's file may lack the commit, which the hub then names.
fn read_source(text: &str) -> Result<Source, String> {
    let source = Source::try_from(text.to_owned());
    if source.is_err() && text.starts_with("hf:") {
        return HubFile::parse(text).map(Source::Hub);
    }
    source.map_err(|_| format!("expected https://, file://, hf:, pip: or data:,TEXT, found {:?}", source::shown(text)))
}

/// The digest that an address promises.
fn promised(source: &Source) -> Option<Digest> {
    match source {
        Source::Web(url) => first_trust::url_digest(url),
        Source::File(path) => first_trust::digest_of_name(path.file_name()?.to_str()?),
        Source::Pip { .. } | Source::Member { .. } | Source::Hub(_) | Source::Data(_) => None,
    }
}

/// The source for the lock file, without secrets, and at a fixed version if the host names one. `pinned` is what the
/// address itself must give.
fn written(sources: &Sources, source: &Source, sink: &Sink, pinned: Option<(Digest, u64)>) -> Result<String, Fault> {
    match source {
        Source::Web(url) => Ok(written_url(sources, url, sink, pinned)),
        // The digest is the member's.
        Source::Member { archive, member } => Ok(format!("{}!{member}", written(sources, archive, sink, None)?)),
        Source::Hub(file) => fixed(file, sink.hub.commit.as_deref()).map(|file| file.to_string()),
        other => Ok(other.to_string()),
    }
}

/// It remarks what was removed, and whether the address can change its content.
fn written_url(sources: &Sources, url: &str, sink: &Sink, pinned: Option<(Digest, u64)>) -> String {
    let (public, removed) = source::public(url);
    if !removed.is_empty() {
        print::remark(&format!(
            "may be secret, and is not written into the lock file: {}\n  for `fetch` write `${{NAME}}` in its place and set that variable, or BALLAST_TOKENS=\"HOST=TOKEN\"",
            removed.join(", ")
        ));
    }
    let Some(moving) = source::moving(&public, &sink.hub) else { return public };
    if let (Some(whole), Some(fixed)) = (moving.fix(url), moving.fix(&public))
        && sources.gives(&whole, pinned)
    {
        print::remark(&format!(
            "the content of this address may change: \"{}\" is a branch or a name for the newest version\n  written at the version that the host named: {}",
            moving.word, moving.fixed
        ));
        return fixed;
    }
    print::remark(&format!(
        "the content of this address may change: \"{}\" is a branch or a name for the newest version, so `fetch` fails when it has other bytes\n  a fixed address: {}",
        moving.word, moving.fixed
    ));
    public
}

/// A hub's file at a commit: its own, or the one that the hub named.
fn fixed(file: &HubFile, commit: Option<&str>) -> Result<HubFile, Fault> {
    let named = commit.map(|commit| HubFile { revision: commit.into(), ..file.clone() });
    let fixed = if file.is_fixed() { Some(file.clone()) } else { named.filter(HubFile::is_fixed) };
    fixed.ok_or_else(|| {
        Fault::Contradiction(format!(
            "expected the hub to name the commit of {:?}, found none: write hf:{}@COMMIT/{}",
            file.revision, file.repository, file.file
        ))
    })
}

/// Checks the received file, and removes a file that contradicts itself, which gets no pin.
fn examine(root: &Path, path: &RelPath) -> Result<Findings, Fault> {
    let file = root.join(path.as_str());
    let checked = foreign::open(&file)
        .and_then(|mut open| first_trust::check(path, &mut open))
        .map_err(|error| Fault::Store("read it back", error))?;
    match checked.refusal() {
        Some(why) => {
            let _ = std::fs::remove_file(&file);
            Err(Fault::Contradiction(why.to_owned()))
        }
        None => Ok(checked),
    }
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
