//! `pin`: an entry of the lock file from what a source gives now. A first trust, and told as such.
//!
//! Comments and order of the lock file are kept. What was read stays in the fetch store, so that
//! `fetch` needs no second download.

use ballast::lock::{RelPath, Source};
use ballast::store::Found;

use super::book::{Book, Pinned};
use super::fetch::sources;
use crate::args::Pin;
use crate::exit::{Exit, Failure};
use crate::print::{self, Progress};
use crate::source::{self, Sources, label_of, name_of};

/// Pins each source.
///
/// # Errors
/// [`Exit::FetchFailed`] for a source's fault, [`Exit::PinMismatch`] where an entry of that path has
/// another digest: the lock file is then as before.
pub fn pin(args: &Pin) -> Result<(), Failure> {
    if args.path.is_some() && args.sources.len() > 1 {
        return Err(Failure::new(Exit::Usage, "expected one source beside --path, found several"));
    }
    let mut book = Book::open(args.lock.as_deref(), args.store.as_deref())
        .map_err(|failure| failure.hint("begin one with `ballast pin --store DIR URL|FILE`"))?;
    let sources = sources(&args.fetching, &[])?;
    args.sources.iter().try_for_each(|text| pin_one(args, &sources, &mut book, text))
}

fn pin_one(args: &Pin, sources: &Sources, book: &mut Book, text: &str) -> Result<(), Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let source = Source::try_from(text.to_owned()).map_err(|_| {
        usage(format!("expected https://, file://, pip: or data:,TEXT, found {:?}", source::shown(text)))
    })?;
    let path = path_for(args, &source, book).map_err(usage)?;
    let failed = |why: String| Failure::new(Exit::FetchFailed, format!("{}\n  {why}", label_of(&source)));
    let (disk, _) = source::open_store(&args.fetching.into).map_err(|error| failed(error.to_string()))?;
    let progress = Progress::new();
    let line = progress.line(path.file_name(), None);
    let sink = sources.first_trust(&source, &disk, &path, &line).map_err(|fault| failed(fault.to_string()))?;
    let sources = [source.to_string()];
    let pinned = Pinned {
        path: &path,
        sha256: sink.digest(),
        size: sink.len(),
        sources: &sources,
        license: args.license.as_deref(),
    };
    let told = match book.enter(&pinned)? {
        true => format!("{path}: first trust: these bytes are believed because {} gave them now", label_of(&source)),
        false => format!("{path}: pinned already, with the same digest"),
    };
    book.check()?;
    // What had the name before is no evidence of anything: it is replaced.
    sink.publish(pinned.sha256, &Found::Stale).map_err(|fault| failed(fault.to_string()))?;
    book.save()?;
    print::answer(&format!("{told}\n{}", book.entry(path.as_str())));
    Ok(())
}

/// `--path`, else the file's own name in the directory that all weights share.
fn path_for(args: &Pin, source: &Source, book: &Book) -> Result<RelPath, String> {
    if let Some(path) = &args.path {
        return RelPath::try_from(path.clone());
    }
    let name =
        name_of(source).ok_or_else(|| format!("{}: expected a file's name, name it with --path", label_of(source)))?;
    RelPath::try_from(book.shared_dir().map_or(name.clone(), |dir| format!("{dir}/{name}")))
}
