//! `[[group]]`: the files of a sharded model or a folder as one entry. Licence, need and sources
//! are written once. Each file has a line with its digest, in the lock file, or in a list beside it
//! whose SHA-256 is in the lock file. Touches nothing: the caller opens the list, which is read as
//! a stream and counts only if its digest is the pinned one.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use super::provenance::Provenance;
use super::source::Source;
use super::weight::{self, Need, Weight};
use crate::bounds::{LIST, LISTED, LOCK_ENTRIES};
use crate::digest::Digest;
use crate::names::RelPath;

/// Bytes of a line: a digest, a length, the longest path.
const LINE: u64 = 1200;

/// One `[[group]]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Group {
    /// The directory of its files; none for the store's root.
    #[serde(default, deserialize_with = "parsed")]
    pub path: Option<RelPath>,
    /// What the absence of any of the group's files means.
    #[serde(default)]
    pub need: Need,
    /// SPDX expression of the files' licence.
    pub license: Option<String>,
    /// Prefixes of sources, in order: each file's path is appended to them.
    #[serde(default, deserialize_with = "bases")]
    pub sources: Vec<BaseSource>,
    files: Option<String>,
    /// The name of the list beside the lock file, if the files are not in the lock file itself.
    #[serde(default, deserialize_with = "parsed")]
    pub list: Option<ListName>,
    #[serde(default, deserialize_with = "optional_digest")]
    list_sha256: Option<Digest>,
    /// The signed model that its files were adopted from.
    #[serde(default, deserialize_with = "parsed")]
    pub signed: Option<Provenance>,
    /// The indices of the lock file's weights that are the group's files.
    #[serde(skip)]
    pub members: Range<usize>,
    /// The SHA-256 of the lines that name its files.
    #[serde(skip, default = "no_digest")]
    pub sha256: Digest,
}

fn no_digest() -> Digest {
    Digest::from_bytes([0; 32])
}

/// Parses a value from a string by its `TryFrom<String>`.
fn parsed<'de, D: Deserializer<'de>, T: TryFrom<String, Error = String>>(from: D) -> Result<Option<T>, D::Error> {
    Option::<String>::deserialize(from)?.map(T::try_from).transpose().map_err(Error::custom)
}

fn bases<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<BaseSource>, D::Error> {
    Vec::<String>::deserialize(from)?
        .into_iter()
        .map(BaseSource::try_from)
        .collect::<Result<_, _>>()
        .map_err(Error::custom)
}

fn optional_digest<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Digest>, D::Error> {
    weight::digest(from).map(Some)
}

/// The plain name of a file beside the lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListName(String);

impl ListName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ListName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_name = text.len() <= 200 && text.ends_with(".list") && !text.starts_with('.') && text.chars().all(plain);
        let expected = || {
            format!(
                "expected a name beside the lock file, of letters, digits and `._-`, that ends in .list, found {text:?}"
            )
        };
        if is_name { Ok(Self(text)) } else { Err(expected()) }
    }
}

/// The part of a source that a group's files share: a URL, a folder or `hf:ORG/NAME@COMMIT`, with a `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSource(String);

impl BaseSource {
    /// The part as text, with the `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BaseSource {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let example = Source::try_from(format!("{text}file"))?;
        let fits = text.ends_with('/')
            && match &example {
                Source::Web(url) => !url.contains(['?', '#']),
                Source::File(_) | Source::Hub(_) => true,
                _ => false,
            };
        let expected = || {
            format!(
                "expected a URL without a query, a folder or hf:ORG/NAME@COMMIT, each with / at its end, found {text:?}"
            )
        };
        if fits { Ok(Self(text)) } else { Err(expected()) }
    }
}

/// A function that opens a list by its name.
pub(super) type Open<'a> = &'a mut dyn FnMut(&ListName) -> io::Result<Box<dyn Read>>;

impl Group {
    /// The group's name in a report.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.as_ref().map_or(".", RelPath::as_str)
    }

    /// The path of a member below the group's directory.
    #[must_use]
    pub fn within<'a>(&self, member: &'a RelPath) -> &'a str {
        let below = self.path.as_ref().and_then(|dir| member.as_str().strip_prefix(dir.as_str())?.strip_prefix('/'));
        below.unwrap_or_else(|| member.as_str())
    }

    /// Appends the group's files to the weights.
    pub(super) fn expand(&mut self, number: usize, weights: &mut Vec<Weight>, open: Open) -> Result<(), String> {
        let first = weights.len();
        let name = self.name().to_owned();
        let wrong = |why: String| format!("[[group]] {name}: {why}");
        match (&self.files, &self.list, self.list_sha256) {
            (Some(text), None, None) => {
                self.sha256 = self.read(number, &mut text.as_bytes(), LOCK_ENTRIES, weights).map_err(wrong)?;
            }
            (None, Some(list), Some(pinned)) => {
                let mut lines = open(list).map_err(|error| wrong(format!("{}: {error}", list.as_str())))?;
                let found = self.read(number, &mut *lines, LISTED, weights);
                let found = found.map_err(|why| wrong(format!("{}, {why}", list.as_str())))?;
                if found != pinned {
                    let list = list.as_str();
                    return Err(wrong(format!("{list} is another list\n  expected {pinned}\n  found    {found}")));
                }
                self.sha256 = found;
            }
            _ => return Err(wrong("expected either `files`, or `list` with `list_sha256`".into())),
        }
        let found = Provenance::files_of(&name, &self.sha256);
        if let Some(signed) = self.signed.as_ref().filter(|signed| signed.files != found) {
            let expected = signed.files;
            return Err(wrong(format!(
                "its path or lines are not those that were adopted from the signed model: remove this group and adopt again, or remove `signed`\n  expected {expected}\n  found    {found}"
            )));
        }
        self.members = first..weights.len();
        self.files = None;
        if self.members.is_empty() { Err(wrong("expected at least one file".into())) } else { Ok(()) }
    }

    /// Reads the lines of a list, and returns the SHA-256 of the list.
    fn read(
        &self,
        number: usize,
        lines: &mut dyn Read,
        most: usize,
        weights: &mut Vec<Weight>,
    ) -> Result<Digest, String> {
        let (mut lines, mut hasher, mut line) =
            (io::BufReader::new(lines.take(LIST + 1)), Sha256::new(), String::new());
        let (mut at, mut bytes) = (0_u64, 0_u64);
        loop {
            line.clear();
            at += 1;
            let got = (&mut lines).take(LINE).read_line(&mut line).map_err(|error| format!("line {at}: {error}"))?;
            if got == 0 {
                return Ok(Digest::from_bytes(hasher.finalize().into()));
            }
            bytes += got as u64;
            hasher.update(line.as_bytes());
            let text = line.trim_end_matches(['\n', '\r']);
            if bytes > LIST || (!text.is_empty() && weights.len() >= most) {
                return Err(format!("line {at}: expected at most {most} files and {LIST} bytes, found more"));
            }
            if !text.is_empty() {
                weights.push(self.member(number, text).map_err(|why| format!("line {at}: {why}"))?);
            }
        }
    }

    /// Parses `SHA256 SIZE PATH`; `-` means an unknown size.
    fn member(&self, number: usize, line: &str) -> Result<Weight, String> {
        let wrong = || format!("expected SHA256 SIZE PATH, found {line:?}");
        let (digest, rest) = line.split_once(' ').ok_or_else(wrong)?;
        let (size, path) = rest.trim_start_matches(' ').split_once(' ').ok_or_else(wrong)?;
        let size = match size {
            "-" => None,
            digits => Some(digits.parse().map_err(|_| wrong())?),
        };
        let path = path.trim_start_matches(' ');
        let path = self.path.as_ref().map_or_else(|| path.to_owned(), |dir| format!("{dir}/{path}"));
        Ok(Weight {
            path: RelPath::try_from(path)?,
            sha256: Digest::parse(digest).map_err(|why| why.to_string())?,
            size,
            need: self.need,
            pin_env: None,
            pin_env_required: false,
            previous: Vec::new(),
            license: None,
            sources: Vec::new(),
            group: u32::try_from(number).ok(),
        })
    }
}

/// The line of one file in a group's list.
#[must_use]
pub fn line(sha256: &Digest, size: u64, path: &str) -> String {
    format!("{sha256} {size} {path}\n")
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
