//! `[[weight]]`: one pinned file, and what its absence means. Touches nothing.

use serde::Deserialize;

use super::source::Source;
use crate::digest::Digest;
use crate::names::{EnvName, RelPath};

/// `[[weight]]`: one pinned file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Weight {
    /// The file, relative to the store's root.
    pub path: RelPath,
    /// The SHA-256 that the file's bytes must have.
    #[serde(deserialize_with = "digest")]
    pub sha256: Digest,
    /// The length of the file in bytes, if it is known.
    pub size: Option<u64>,
    /// What its absence means.
    #[serde(default)]
    pub need: Need,
    /// A variable that must repeat the pin when it is set.
    pub pin_env: Option<EnvName>,
    /// Whether `pin_env` must be set if `[pins] required_when` says so.
    #[serde(default)]
    pub pin_env_required: bool,
    /// Former pins: such content is stale, not damaged.
    #[serde(default, deserialize_with = "digests")]
    pub previous: Vec<Digest>,
    /// SPDX expression of the file's licence.
    pub license: Option<String>,
    /// The sources of the file, in the order in which they are tried.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// The number of its group, if it is of one: then licence and sources are the group's.
    #[serde(skip)]
    pub group: Option<u32>,
}

/// What it means if a weight is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Without this weight the app can't start correctly.
    #[default]
    Required,
    /// The app works without this weight, with worse results, and reports that.
    DegradedOk,
    /// The app works without this weight.
    Optional,
}

impl Weight {
    /// Returns whether the weight lies at this path, or below a directory of this path.
    #[must_use]
    pub fn is_below(&self, path: &str) -> bool {
        self.path.as_str().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

pub(super) fn digest<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(from)?;
    Digest::parse(&text).map_err(serde::de::Error::custom)
}

fn digests<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| Digest::parse(text).map_err(serde::de::Error::custom)).collect()
}
