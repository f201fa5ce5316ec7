//! OpenSSF Model Signing 1.0: signed manifests of models, read and checked against a folder.
//!
//! `bundle -> key | chain -> manifest -> folder`. Promise: a manifest is made only of bytes that the trusted signer
//! signed, and a folder is right only if it has exactly the manifest's files. All modules except `folder`, `compare`
//! and `search` are pure.

mod authority;
pub mod bundle;
mod chain;
#[cfg(test)]
mod chain_tests;
mod compare;
mod folder;
mod json;
mod key;
#[cfg(test)]
mod made_tests;
mod manifest;
#[cfg(test)]
mod recorded_tests;
mod refusal;
#[cfg(test)]
mod refusal_tests;
mod search;
mod sign;

use ballast::digest::Digest;

use crate::{bounds, escape};
use bundle::{Bundle, Method};
pub use chain::Roots;
pub use folder::{Examined, examine};
pub use key::SignerKey;
pub use manifest::SignedManifest;
pub use refusal::{BadModel, Reason};
pub use search::Names;
pub use sign::SigningKey;

/// The signer that the user trusts.
#[derive(Debug)]
pub enum TrustedSigner {
    /// This key.
    Key(SignerKey),
    /// The keys of certificates that these issued.
    Chain(Roots),
}

/// A bundle that the trusted signer signed.
#[derive(Debug)]
pub struct Signed {
    /// What it says.
    pub manifest: SignedManifest,
    /// `key` or `certificate`.
    pub method: &'static str,
    /// The SHA-256 of the key's PEM text, or of the signer's certificate.
    pub signer: Digest,
    /// The SHA-256 of the bundle.
    pub bundle: Digest,
    /// The subject of the signer's certificate.
    pub subject: Option<String>,
}

/// Reads a bundle, and believes it if the signer is trusted at this time, in seconds since 1970.
///
/// # Errors
/// A [`Reason`] for each way in which it is wrong.
pub fn read(bytes: &[u8], trust: &TrustedSigner, now: u64) -> Result<Signed, BadModel> {
    let bundle = Bundle::parse(bytes)?;
    let (method, signer, key, subject) = match (trust, &bundle.method) {
        (TrustedSigner::Key(key), Method::Key(hint)) => {
            check_key(key, hint.as_deref(), &bundle)?;
            ("key", key.fingerprint(), key.clone(), None)
        }
        (TrustedSigner::Chain(roots), Method::Certificate(chain)) => {
            let (key, subject) = roots.key_of(chain, now)?;
            ("certificate", Digest::of(chain.first().map_or(&[][..], Vec::as_slice)), key, Some(subject))
        }
        (TrustedSigner::Key(_), Method::Certificate(_)) => return Err(other_method("a key", "a certificate")),
        (TrustedSigner::Chain(_), Method::Key(_)) => return Err(other_method("a certificate", "a key")),
    };
    if !key.signed(&bundle.signed_bytes(), &bundle.signature) {
        let what = "the signature does not match the bytes: one of them was changed";
        return Err(BadModel::new(Reason::SignatureWrong, what));
    }
    Ok(Signed { manifest: SignedManifest::parse(&bundle.payload)?, method, signer, bundle: Digest::of(bytes), subject })
}

/// The bundle of a model with this name and these files, which [`read`] believes.
///
/// # Errors
/// The reasons for which [`read`] would refuse the bundle, such as [`Reason::ResourceName`] for an ignored path;
/// [`Reason::BundleTooLarge`].
pub fn sign(model: &str, files: Vec<(&str, Digest)>, key: &SigningKey) -> Result<String, BadModel> {
    let bundle = sign::make(model, files, key);
    if bundle.len() as u64 > bounds::BUNDLE {
        let what = format!("expected a bundle of at most {} bytes, found {}", bounds::BUNDLE, bundle.len());
        return Err(BadModel::new(Reason::BundleTooLarge, what));
    }
    read(bundle.as_bytes(), &TrustedSigner::Key(key.public()), 0)?;
    Ok(bundle)
}

/// Says so if another key signed the bundle. The hint is not signed, and counts only if the signature is also wrong.
fn check_key(key: &SignerKey, hint: Option<&str>, bundle: &Bundle) -> Result<(), BadModel> {
    let ours = key.fingerprint().to_string();
    match hint {
        Some(hint) if hint != ours && !key.signed(&bundle.signed_bytes(), &bundle.signature) => {
            let what = format!("another key signed it\n  expected {ours}\n  found    {}", escape::line(hint));
            Err(BadModel::new(Reason::WrongKey, what))
        }
        _ => Ok(()),
    }
}

fn other_method(expected: &str, found: &str) -> BadModel {
    BadModel::new(Reason::OtherMethod, format!("expected a bundle that {expected} signed, found one of {found}"))
}
