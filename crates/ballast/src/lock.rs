//! `weights.lock`: the expected weights, as checked types.
//!
//! Parsing is the only way to make these values, so a [`RelPath`] has no `..`, a digest is a
//! digest, and a store root is never `/etc`. Errors carry line and column. Unknown keys are
//! errors. Touches nothing: the caller reads the file.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::bounds::{LOCK, LOCK_ENTRIES, LOCK_MARKS};
use crate::constants::Constants;
use crate::digest::Digest;
use crate::error::ErrorKind;

pub mod group;
mod provenance;
mod source;
mod weight;

pub use group::{BaseSource, Group, ListName};
pub use provenance::Provenance;
pub use source::{HubFile, Source};
pub use weight::{Need, Weight};

pub use crate::names::{EnvName, RelPath, RootPath};

/// A whole lock file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Lock {
    version: Version,
    /// Grows with each signed edition, so that Ballast recognises an older edition.
    pub serial: Option<u64>,
    /// The directory of the weights, and the user who reads them.
    pub store: StoreSpec,
    /// Variables with constant values, which Ballast sets for the command.
    #[serde(default)]
    pub env: Constants,
    /// When variables must repeat the pins.
    #[serde(default)]
    pub pins: PinPolicy,
    /// The weights, in file order; those of groups after the others.
    #[serde(rename = "weight", default)]
    pub weights: Vec<Weight>,
    /// Sharded models and folders.
    #[serde(rename = "group", default)]
    pub groups: Vec<Group>,
    /// Cache and upload directories that the app must be able to write.
    #[serde(rename = "dir", default)]
    pub dirs: Vec<DirSpec>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "u32")]
struct Version;

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(found: u32) -> Result<Self, String> {
        match found {
            1 => Ok(Self),
            _ => Err(format!("expected version 1, found {found}")),
        }
    }
}

/// `[store]`: the cache's root, the copy in the image, and the variable that selects one of them for the app.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoreSpec {
    /// The root of the cache, usually a mounted volume.
    pub path: RootPath,
    /// The root of the same tree in the image's own layer.
    pub baked: Option<RootPath>,
    /// The variable that names the root for the app.
    pub env: Option<EnvName>,
    /// Variables that lead to a directory or a file below the root, as `env` leads to the root itself.
    #[serde(default)]
    pub views: Constants,
    /// `user:group` of the app, in numbers or names of the image's own `/etc/passwd`.
    pub owner: Option<String>,
    /// The action if files without an entry lie beside the weights.
    #[serde(default)]
    pub extra: Extra,
}

/// The action if a file without an entry lies beside the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extra {
    /// The boot ends: an app that loads every file of a directory would read this one.
    Refuse,
    /// The report names it.
    #[default]
    Report,
    /// Nothing.
    Ignore,
}

/// `[pins]`: the switch that makes `pin_env_required` pins compulsory.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PinPolicy {
    /// A variable whose value is a truth word.
    pub required_when: Option<EnvName>,
}

/// `[[dir]]`: a directory that the app must be able to write.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DirSpec {
    /// Where it should be.
    pub path: RootPath,
    /// The variable that the app reads it from.
    pub env: Option<EnvName>,
    /// Octal permission bits of a new directory.
    #[serde(default)]
    pub mode: DirMode,
    /// The directory that the variable names if `path` can't be written.
    pub fallback: Option<RootPath>,
}

/// Permission bits written as an octal string such as `"0755"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DirMode(pub u32);

impl Default for DirMode {
    fn default() -> Self {
        Self(0o755)
    }
}

impl TryFrom<String> for DirMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refused = || format!("expected an octal mode from 0000 to 1777, found {text:?}");
        let bits = u32::from_str_radix(&text, 8).map_err(|_| refused())?;
        if bits > 0o1777 { Err(refused()) } else { Ok(Self(bits)) }
    }
}

/// The reason why a lock file was refused, with line and column if the parser knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct BadLock(String);

impl BadLock {
    /// Always [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for BadLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadLock {}

/// Counts the characters that end a word.
fn marks(text: &str) -> usize {
    text.bytes().filter(|byte| !byte.is_ascii_alphanumeric() && !b"-_/".contains(byte)).count()
}

impl Lock {
    /// Parses and checks a lock file.
    ///
    /// # Errors
    /// [`BadLock`] says where and what: syntax, an unknown key, a value out of its type, two
    /// weights at one path, a weight that would be another one's directory, no weight at all, or a group
    /// whose list is beside the lock file.
    pub fn parse(text: &str) -> Result<Self, BadLock> {
        let none = |_: &ListName| Err(io::Error::new(io::ErrorKind::NotFound, "no folder of lists was named"));
        Self::parse_with(text, none)
    }

    /// Parses and checks a lock file, and opens the lists beside it by their names, as
    /// [`foreign::beside`](crate::foreign::beside) does.
    ///
    /// # Errors
    /// The errors of [`Lock::parse`]; also a list that can't be opened, is invalid, or is not the pinned one.
    pub fn parse_with(
        text: &str,
        mut open: impl FnMut(&ListName) -> io::Result<Box<dyn Read>>,
    ) -> Result<Self, BadLock> {
        if text.len() as u64 > LOCK || marks(text) > LOCK_MARKS {
            return Err(BadLock(format!("expected at most {LOCK} bytes and {LOCK_MARKS} marks, found more")));
        }
        let mut lock: Self = toml::from_str(text).map_err(|error| BadLock(error.to_string().trim_end().into()))?;
        let most = LOCK_ENTRIES;
        if lock.weights.len() > most || lock.dirs.len() > most || lock.groups.len() > most {
            return Err(BadLock(format!("expected at most {most} [[weight]], [[group]] and [[dir]] each, found more")));
        }
        for (number, group) in lock.groups.iter_mut().enumerate() {
            group.expand(number, &mut lock.weights, &mut open).map_err(BadLock)?;
        }
        lock.check().map_err(BadLock)?;
        Ok(lock)
    }

    fn check(&self) -> Result<(), String> {
        if self.weights.is_empty() {
            return Err("expected at least one [[weight]] or [[group]], found none: `ballast pin` writes one".into());
        }
        if let Some(weight) = self.weights.iter().find(|weight| weight.path.is_ballasts()) {
            let path = weight.path.as_str();
            return Err(format!(
                "{path:?} is a path of Ballast's own files: expected none below `.ballast`, and no name that begins with `.ballast-`"
            ));
        }
        let mut paths: Vec<_> = self.weights.iter().map(|w| w.path.as_str()).collect();
        paths.sort_unstable();
        for pair in paths.windows(2) {
            if pair[0] == pair[1] {
                return Err(format!("two weights have the path {:?}", pair[0]));
            }
        }
        for path in &paths {
            let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
            if let Some(weight) = above.find(|dir| paths.binary_search(dir).is_ok()) {
                return Err(format!("{weight:?} is a weight and also the directory of {path:?}"));
            }
        }
        self.check_dirs()?;
        let taken = self.store.env.iter().chain(self.dirs.iter().filter_map(|dir| dir.env.as_ref()));
        let pins = self.weights.iter().filter_map(|weight| weight.pin_env.as_ref());
        let taken: Vec<_> = taken.chain(pins).chain(&self.pins.required_when).map(EnvName::as_str).collect();
        let views = &self.store.views;
        for (name, _) in views.iter().chain(self.env.iter()) {
            let both = views.get(name).is_some() && self.env.get(name).is_some();
            if both || taken.contains(&name) {
                return Err(format!("{name} is already the variable of another entry"));
            }
        }
        for (name, path) in views.iter() {
            RelPath::try_from(path.to_owned())?;
            if !self.weights.iter().any(|weight| weight.is_below(path)) {
                return Err(format!("views: {name}: expected a weight at or below {path:?}, found none"));
            }
        }
        match &self.store.baked {
            Some(baked) if baked == &self.store.path => Err("store.path and store.baked are the same directory".into()),
            _ => Ok(()),
        }
    }
}

impl Lock {
    /// Returns each variable that names the directory of the weights for the app, with its value for this root.
    #[must_use]
    pub fn pointed(&self, root: &Path) -> Vec<(String, PathBuf)> {
        let env = self.store.env.iter().map(|name| (name.as_str().to_owned(), root.to_owned()));
        env.chain(self.store.views.iter().map(|(name, path)| (name.to_owned(), root.join(path)))).collect()
    }

    /// Returns whether variables can lead the app to each weight under another root.
    #[must_use]
    pub fn can_repoint(&self) -> bool {
        let below_a_view = |weight: &Weight| self.store.views.iter().any(|(_, path)| weight.is_below(path));
        self.store.env.is_some() || self.weights.iter().all(below_a_view)
    }

    /// Checks that each fallback has a variable, and that no variable is set twice.
    fn check_dirs(&self) -> Result<(), String> {
        let mut taken: Vec<_> = self.store.env.iter().collect();
        for dir in &self.dirs {
            let path = dir.path.as_path().display();
            match &dir.env {
                None if dir.fallback.is_some() => {
                    return Err(format!("[[dir]] {path}: expected `env` beside `fallback`, found none"));
                }
                Some(name) if taken.contains(&name) => {
                    return Err(format!("[[dir]] {path}: {} is already set by another entry", name.as_str()));
                }
                name => taken.extend(name),
            }
        }
        Ok(())
    }
}

/// Reads a truth word; empty counts as unset.
///
/// # Errors
/// The word itself, when it is none of `true 1 yes on false 0 no off`.
pub fn truth(word: &str) -> Result<bool, String> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "" | "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("expected true, 1, yes, on, false, 0, no or off, found {word:?}")),
    }
}

/// A pin in the environment that differs from the lock file's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinFault {
    /// The variable.
    pub variable: String,
    /// The value that the lock file, or the rule, expects.
    pub expected: String,
    /// What the environment contains.
    pub found: String,
}

impl PinFault {
    /// Always [`ErrorKind::Pin`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Pin
    }
}

impl fmt::Display for PinFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.variable, self.expected, self.found)
    }
}

impl std::error::Error for PinFault {}

impl Lock {
    /// Compares the pins that the environment repeats with those of the lock file.
    ///
    /// # Errors
    /// Every fault: a pin that differs, is not a digest, or is missing although it is required.
    pub fn check_pins(&self, env: impl Fn(&str) -> Option<String>) -> Result<(), Vec<PinFault>> {
        let set = |name: &EnvName| env(name.as_str()).filter(|value| !value.trim().is_empty());
        let mut faults = Vec::new();
        let required = match self.pins.required_when.as_ref().map(|name| (name, truth(&set(name).unwrap_or_default())))
        {
            None => false,
            Some((_, Ok(required))) => required,
            Some((name, Err(_))) => {
                faults.push(PinFault {
                    variable: name.as_str().into(),
                    expected: "true, 1, yes, on, false, 0, no or off".into(),
                    found: set(name).unwrap_or_default(),
                });
                false
            }
        };
        for weight in &self.weights {
            let Some(name) = &weight.pin_env else { continue };
            let found = set(name);
            let right = match &found {
                None => !(required && weight.pin_env_required),
                Some(value) => Digest::parse(value.trim()) == Ok(weight.sha256),
            };
            if !right {
                faults.push(PinFault {
                    variable: name.as_str().into(),
                    expected: weight.sha256.to_string(),
                    found: found.unwrap_or_else(|| "not set".into()),
                });
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
