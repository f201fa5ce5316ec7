//! The sources of an entry after `pin --refresh`: each leads to the new pin as far as its host says, and no two are
//! spellings of one. Asks the hosts, and reads files of this machine.

use ballast::digest::Digest;
use ballast::lock::{Source, Weight};

use crate::source::{self, Compared, Drift, Sources, label_of};

/// What changes in an entry's sources.
#[derive(Debug, Default)]
pub struct SourceChanges {
    /// The sources to add, in order; the one that gave the bytes is the first.
    pub add: Vec<String>,
    /// The sources to remove, as they are written.
    pub remove: Vec<String>,
    /// A line for each source that was removed or replaced.
    pub notes: Vec<String>,
}

impl SourceChanges {
    /// Compares each of the entry's sources with the new pin; `weight` has it, and its former pin in `previous` if the
    /// pin is another one. `written` gave the bytes, `own` are the entry's sources.
    pub fn find(sources: &Sources, weight: &Weight, written: &str, own: &[String]) -> Self {
        let mut changes = Self::default();
        let mut kept: Vec<String> = Vec::new();
        let others = own.iter().map(String::as_str).filter(|text| *text != written);
        for text in std::iter::once(written).chain(others) {
            let Ok(source) = Source::try_from(text.to_owned()) else { continue };
            let key = source::place_of(&source);
            if kept.contains(&key) {
                changes.leave(text, &source, "another spelling of a source");
                continue;
            }
            let compared = sources.compare_bytes(weight, &source);
            let is_first = text == written;
            match compared.drift {
                Drift::Gone if !is_first => changes.leave(text, &source, "it is gone"),
                Drift::Changed if !is_first => changes.leave(text, &source, "it has other bytes"),
                Drift::Unknown if !is_first && !weight.previous.is_empty() && source::is_fixed(&source) => {
                    changes.leave(text, &source, "a fixed address of the former bytes");
                }
                Drift::Moved => match moved(sources, weight, &source, &compared) {
                    Some((to, key)) => {
                        changes.leave(text, &source, &format!("moved to {}", source::shown(&to)));
                        changes.add.extend((!kept.contains(&key)).then_some(to));
                        kept.push(key);
                    }
                    None => changes.keep(text, is_first, key, &mut kept),
                },
                _ => changes.keep(text, is_first, key, &mut kept),
            }
        }
        changes.remove.retain(|text| own.contains(text));
        changes
    }

    fn leave(&mut self, text: &str, source: &Source, why: &str) {
        self.remove.push(text.to_owned());
        self.notes.push(format!("source removed, {why}: {}", label_of(source)));
    }

    fn keep(&mut self, text: &str, is_first: bool, key: String, kept: &mut Vec<String>) {
        self.add.extend(is_first.then(|| text.to_owned()));
        kept.push(key);
    }
}

/// The new address of a source that moved, if it can be written and leads to the pin, and its place.
fn moved(sources: &Sources, weight: &Weight, source: &Source, compared: &Compared) -> Option<(String, String)> {
    let to = replaced(source, compared.claim.moved_to.as_ref()?)?;
    let source = Source::try_from(to.clone()).ok()?;
    let leads = matches!(sources.compare_bytes(weight, &source).drift, Drift::Same | Drift::Unknown);
    leads.then(|| (to, source::place_of(&source)))
}

/// A source with another address; none if the new address has a secret, or the old one a variable.
fn replaced(source: &Source, to: &str) -> Option<String> {
    match source {
        Source::Web(url) if !url.contains("${") => {
            let (public, secrets) = source::public(to);
            secrets.is_empty().then_some(public)
        }
        Source::Member { archive, member } => Some(format!("{}!{member}", replaced(archive, to)?)),
        _ => None,
    }
}

/// The entry as it will be.
pub fn expected(mut weight: Weight, sha256: Digest, size: u64) -> Weight {
    weight.previous = if weight.sha256 == sha256 { Vec::new() } else { vec![weight.sha256] };
    (weight.sha256, weight.size) = (sha256, Some(size));
    weight
}
