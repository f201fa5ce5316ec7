//! `[group.signed]`: the signed manifest from which a group was adopted. It is a record, and nothing that a boot verifies;
//! but it counts only for the lines that were adopted. Touches nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::digest::Digest;

/// Who signed the model that the group's files were adopted from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
#[non_exhaustive]
pub struct Provenance {
    /// `key` or `certificate`.
    pub method: String,
    /// The SHA-256 of the key's PEM text, or of the signer's certificate.
    pub signer: Digest,
    /// The SHA-256 of the signed bundle.
    pub bundle: Digest,
    /// The SHA-256 of the group's lines when they were adopted.
    pub files: Digest,
}

impl TryFrom<BTreeMap<String, String>> for Provenance {
    type Error = String;

    fn try_from(mut all: BTreeMap<String, String>) -> Result<Self, String> {
        let mut take = |name: &str| all.remove(name).ok_or_else(|| format!("signed: expected `{name}`, found none"));
        let (method, signer, bundle, files) =
            (take("method")?, take("signer_sha256")?, take("bundle_sha256")?, take("files_sha256")?);
        if !["key", "certificate"].contains(&method.as_str()) {
            return Err(format!("signed: expected the method `key` or `certificate`, found {method:?}"));
        }
        if let Some(name) = all.keys().next() {
            return Err(format!("signed: unknown key {name:?}"));
        }
        let digest = |text: &str| Digest::parse(text).map_err(|why| format!("signed: {why}"));
        Ok(Self { method, signer: digest(&signer)?, bundle: digest(&bundle)?, files: digest(&files)? })
    }
}
