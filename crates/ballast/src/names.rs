//! Names that a lock file uses, each checked when it is made: a path below a store's root, an absolute root, an
//! environment variable. Touches nothing.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// A path below a store's root: only plain names, so it can't lead out of the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct RelPath(String);

impl RelPath {
    /// The path as text, `/` between names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the root down; the last one is the file's.
    #[must_use]
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns whether only Ballast makes files of this path: below `.ballast` at the root, or of a name that begins with
    /// `.ballast-`.
    #[must_use]
    pub fn is_ballasts(&self) -> bool {
        self.names().next() == Some(".ballast") || self.names().any(|name| name.starts_with(".ballast-"))
    }

    /// The file's own name.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The directory part, empty for a file in the root itself.
    #[must_use]
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |name: &str| {
            !name.is_empty() && name.len() <= 200 && name != "." && name != ".." && !name.contains(char::is_control)
        };
        if text.len() <= 1024 && text.split('/').all(plain) {
            Ok(Self(text))
        } else {
            Err(format!("expected a relative path of plain names (no `..`, no leading `/`), found {text:?}"))
        }
    }
}

/// Paths that no store or directory may have as its root: their owner controls the system.
const FORBIDDEN: [&str; 11] =
    ["/", "/home", "/opt", "/root", "/run", "/usr", "/usr/local", "/usr/share", "/var", "/var/lib", "/var/run"];
/// Directories below which no path may be a root either.
const FORBIDDEN_TREES: [&str; 16] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run/secrets",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/sbin",
];

/// An absolute path that may be a store's root.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RootPath(PathBuf);

impl RootPath {
    /// The path itself.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl TryFrom<String> for RootPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let path = PathBuf::from(&text);
        let plain = path.is_absolute()
            && !text.contains(char::is_control)
            && path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
        if !plain {
            return Err(format!("expected an absolute path without `..`, found {text:?}"));
        }
        let clean: PathBuf = path.components().collect();
        let system = FORBIDDEN.iter().any(|root| clean == Path::new(root))
            || FORBIDDEN_TREES.iter().any(|root| clean.starts_with(root));
        if system {
            return Err(format!("{text:?} belongs to the system and can't be a store or a cache"));
        }
        Ok(Self(clean))
    }
}

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EnvName(String);

impl EnvName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EnvName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let loader = text.starts_with("LD_") || text == "PATH";
        if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(word) {
            Err(format!("expected a variable's name (letters, digits, `_`), found {text:?}"))
        } else if loader {
            Err(format!("{text} decides which programs run and can't be set from a lock file"))
        } else {
            Ok(Self(text))
        }
    }
}
