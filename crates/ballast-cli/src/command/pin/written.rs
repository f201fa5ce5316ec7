//! A source as the command line has it, and as the lock file gets it. Asks the hosts about fixed addresses.

use std::path::Path;

use ballast::digest::Digest;
use ballast::lock::{HubFile, Source};

use crate::first_trust;
use crate::print;
use crate::source::{self, Fault, Sink};

/// Reads a source from the command line. A hub's file may lack the commit, which the hub then names.
pub fn read_source(text: &str) -> Result<Source, String> {
    let source = Source::try_from(text.to_owned());
    if source.is_err() && text.starts_with("hf:") {
        return HubFile::parse(text).map(Source::Hub);
    }
    source.map_err(|_| format!("expected https://, file://, hf:, pip: or data:,TEXT, found {:?}", source::shown(text)))
}

/// The digest that an address promises.
pub fn promised(source: &Source) -> Option<Digest> {
    match source {
        Source::Web(url) => first_trust::url_digest(url),
        Source::File(path) => first_trust::digest_of_name(path.file_name()?.to_str()?),
        Source::Pip { .. } | Source::Member { .. } | Source::Hub(_) | Source::Data(_) => None,
    }
}

/// The source for the lock file, without secrets, and at a fixed version if the host names one and `gives` confirms that
/// it has the same bytes.
pub fn written(source: &Source, sink: &Sink, gives: &dyn Fn(&Source) -> bool) -> Result<String, Fault> {
    match source {
        Source::Web(url) => Ok(written_url(url, sink, gives)),
        Source::Member { archive, member } => {
            let gives = |archive: &Source| {
                gives(&Source::Member { archive: Box::new(archive.clone()), member: member.clone() })
            };
            Ok(format!("{}!{member}", written(archive, sink, &gives)?))
        }
        Source::Hub(file) => fixed(file, sink.hub.commit.as_deref()).map(|file| file.to_string()),
        Source::File(path) => absolute(path),
        other @ (Source::Pip { .. } | Source::Data(_)) => Ok(other.to_string()),
    }
}

/// The whole path: `fetch` may run in another folder.
fn absolute(path: &Path) -> Result<String, Fault> {
    let unreadable = |why: String| Fault::Unreadable(format!("its whole path: {why}"));
    let whole = std::path::absolute(path).map_err(|error| unreadable(error.to_string()))?;
    let text = whole.to_str().ok_or_else(|| unreadable(format!("expected UTF-8, found {whole:?}")))?;
    match Source::try_from(text.to_owned()) {
        Ok(Source::File(read)) if read == whole => Ok(text.to_owned()),
        _ => Err(unreadable(format!("{text:?} can't be written as a source"))),
    }
}

/// It remarks what was removed, and whether the address can change its content.
fn written_url(url: &str, sink: &Sink, gives: &dyn Fn(&Source) -> bool) -> String {
    let (public, removed) = source::public(url);
    if !removed.is_empty() {
        print::remark(&format!(
            "may be secret, and is not written into the lock file: {}\n  for `fetch` write `${{NAME}}` in its place and set that variable, or BALLAST_TOKENS=\"HOST=TOKEN\"",
            removed.join(", ")
        ));
    }
    let Some(moving) = source::moving(&public, &sink.hub) else { return public };
    if let (Some(whole), Some(fixed)) = (moving.fix(url), moving.fix(&public))
        && gives(&Source::Web(whole))
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
