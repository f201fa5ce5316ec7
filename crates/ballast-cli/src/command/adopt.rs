//! `adopt`: a lock file from a cache that is there. A first trust in every byte of it, and told as
//! such.
//!
//! The cache is only read. A well-known name gets upstream's sources if it has upstream's bytes;
//! what its layout does not tell is left for a person, and said.

use std::io;
use std::path::Path;

use ballast::digest::Digest;
use ballast::lock::{RootPath, Source};

use super::book::{Book, Pinned};
use crate::adopted::{self, Cache, Member};
use crate::args::Adopt;
use crate::exit::{Exit, Failure};
use crate::image::Measured;
use crate::image::layer::Meter;
use crate::{escape, foreign, print};

/// Enters every weight of a cache.
///
/// # Errors
/// [`Exit::WeightsMissing`] where there is none, [`Exit::PinMismatch`] where an entry has another
/// digest: the lock file is then as before.
pub fn adopt(args: &Adopt) -> Result<(), Failure> {
    let unreadable = |path: &Path, error: &io::Error| {
        Failure::new(Exit::WeightsMissing, format!("can't read {}: {error}", path.display()))
    };
    let cache = adopted::find(&args.dir).map_err(|error| unreadable(&args.dir, &error))?;
    let mut book = begin(args, &cache)?;
    let mut found = cache.members().map_err(|why| {
        let what = format!("{}: {why}", cache.root.display());
        Failure::new(Exit::Usage, what).hint("name the folder of the weights alone")
    })?;
    // It is about to change.
    let own = std::fs::canonicalize(book.path()).ok();
    found.files.retain(|member| Some(&member.file) != own.as_ref());
    for (path, why) in &found.left_out {
        print::answer(&format!("left out: {}: {why}", escape::line(&path.display().to_string())));
    }
    if found.files.is_empty() {
        return Err(Failure::new(Exit::WeightsMissing, format!("no weight in {}", cache.root.display()))
            .hint("name DEEPFACE_HOME, HF_HOME, or a folder of weights"));
    }
    let mut unknown = 0;
    for member in &found.files {
        let (sha256, size) = hash(&member.file).map_err(|error| unreadable(&member.file, &error))?;
        unknown += usize::from(!enter(&mut book, member, sha256, size)?);
    }
    book.save()?;
    tell(&book, &cache, found.files.len(), unknown);
    Ok(())
}

/// The lock file, or a new one whose store is this cache.
fn begin(args: &Adopt, cache: &Cache) -> Result<Book, Failure> {
    let root = args.store.as_deref().unwrap_or(&cache.root);
    RootPath::try_from(root.display().to_string())
        .map_err(|why| Failure::new(Exit::Usage, why).hint("name the root that the app will read with --store DIR"))?;
    let mut book = Book::open(args.lock.as_deref(), Some(root))?;
    if let Some(name) = cache.env {
        book.name_variable(name);
    }
    Ok(book)
}

/// Enters one file; whether it can be fetched again.
fn enter(book: &mut Book, member: &Member, sha256: Digest, size: u64) -> Result<bool, Failure> {
    let path = &member.path;
    let known = adopted::known(path.file_name());
    let (upstream, other) = known.map_or((None, None), |weight| {
        if weight.sha256 == sha256 { (Some(weight), None) } else { (None, Some(weight.sha256)) }
    });
    let sources: Vec<_> = match &upstream {
        Some(weight) => weight.sources.iter().map(Source::to_string).collect(),
        None => member.source.clone().into_iter().collect(),
    };
    let license = upstream.as_ref().and_then(|weight| weight.license.as_deref());
    let new = book.enter(&Pinned { path, sha256, size, sources: &sources, license })?;
    let trust = match (new, &upstream) {
        (false, _) => "pinned already, with the same digest",
        (true, Some(_)) => "upstream's known digest",
        (true, None) => "first trust: these bytes are believed because the cache has them now",
    };
    print::answer(&format!("{path}: {trust}\n  {sha256}, {size} bytes"));
    if let Some(pin) = other {
        print::answer(&format!("  warning: upstream's file of this name has another digest\n  {pin}"));
    }
    Ok(!sources.is_empty())
}

fn tell(book: &Book, cache: &Cache, count: usize, unknown: usize) {
    let (lock, root) = (book.path().display(), cache.root.display());
    let mut text = format!("{count} files of {root} are in {lock}");
    if unknown > 0 {
        text += &format!("; {unknown} without a source: fill in `sources`, or keep a mirror of them");
    }
    print::answer(&text);
    print::answer("`owner` and `baked` of [store] are yours to write: docs/lock.md");
}

/// In pieces, whatever the size.
fn hash(path: &Path) -> io::Result<(Digest, u64)> {
    let mut meter = Meter::default();
    io::copy(&mut foreign::open_named(path)?, &mut meter)?;
    let Measured { digest, size } = meter.measured();
    Ok((digest, size))
}
