//! `signed` of a `[[group]]`: the signed manifest from which it was adopted. The provenance is only a record, which no
//! boot verifies; but it counts only for the lines that were adopted. The record is one string, since the entrypoint
//! reads it too and a table makes that program larger. Touches nothing.

use std::fmt;

use crate::digest::Digest;

/// The signer of the model that the group's files were adopted from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// `key` or `certificate`.
    pub method: String,
    /// The SHA-256 of the key's PEM text, or of the signer's certificate.
    pub signer: Digest,
    /// The SHA-256 of the signed bundle.
    pub bundle: Digest,
    /// The SHA-256 of the group's path and lines when they were adopted ([`Provenance::files_of`]).
    pub files: Digest,
}

impl Provenance {
    /// The provenance of a group that is adopted now.
    #[must_use]
    pub fn new(method: &str, signer: Digest, bundle: Digest, files: Digest) -> Self {
        Self { method: method.to_owned(), signer, bundle, files }
    }
}

impl Provenance {
    /// The digest that binds a signer to a group: the SHA-256 of the group's path (`.` for the root), a space, and the
    /// SHA-256 of its lines.
    #[must_use]
    pub fn files_of(path: &str, lines: &Digest) -> Digest {
        Digest::of(format!("{path} {lines}").as_bytes())
    }
}

/// Writes the provenance as in the lock file.
impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.method, self.signer, self.bundle, self.files)
    }
}

impl TryFrom<String> for Provenance {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words: Vec<_> = text.split(' ').collect();
        let digest = |at: usize| Digest::parse(words.get(at)?).ok();
        let all = || {
            let method = *words.first().filter(|method| ["key", "certificate"].contains(method))?;
            let (signer, bundle, files) = (digest(1)?, digest(2)?, digest(3)?);
            (words.len() == 4).then(|| Self::new(method, signer, bundle, files))
        };
        all().ok_or_else(|| {
            format!("expected METHOD SIGNER BUNDLE FILES: `key` or `certificate`, and three SHA-256, found {text:?}")
        })
    }
}
