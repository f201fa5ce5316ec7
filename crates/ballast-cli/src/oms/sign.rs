//! Makes bundles: a manifest of files by their SHA-256, signed with an EC key. Pure. The same pins and key give the same
//! bytes, since signatures are deterministic (RFC 6979).

use ballast::digest::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer;
use serde_json::json;

use super::bundle::{MEDIA_TYPE, PAYLOAD_TYPE, signed_bytes};
use super::key::SignerKey;
use super::manifest::{IGNORED, PREDICATE_TYPE, STATEMENT_TYPE};
use super::refusal::{BadModel, Reason};
use crate::image::BALLAST;

/// A private key.
pub enum SigningKey {
    /// With SHA-256.
    P256(p256::ecdsa::SigningKey),
    /// With SHA-384.
    P384(p384::ecdsa::SigningKey),
    /// With SHA-512.
    P521(p521::ecdsa::SigningKey),
}

impl SigningKey {
    /// Reads the first section `PRIVATE KEY` or `EC PRIVATE KEY` of a PEM file; `EC PARAMETERS` may come before it.
    ///
    /// # Errors
    /// [`Reason::PrivateKeyUnreadable`] for anything but a key of the three curves without a password.
    pub fn from_pem(text: &[u8]) -> Result<Self, BadModel> {
        let text = section(std::str::from_utf8(text).unwrap_or_default());
        let key = p256::SecretKey::from_pem(text).map(|key| Self::P256(key.into()));
        let key = key.or_else(|_| p384::SecretKey::from_pem(text).map(|key| Self::P384(key.into())));
        let key = key.or_else(|_| p521::SecretKey::from_pem(text).map(|key| Self::P521(key.into())));
        key.map_err(|_| {
            let what = "expected PRIVATE KEY or EC PRIVATE KEY in PEM, of P-256, P-384 or P-521, without a password";
            BadModel::new(Reason::PrivateKeyUnreadable, what)
        })
    }

    /// Its public half.
    pub fn public(&self) -> SignerKey {
        match self {
            Self::P256(key) => SignerKey::P256(*key.verifying_key()),
            Self::P384(key) => SignerKey::P384(*key.verifying_key()),
            Self::P521(key) => SignerKey::P521(*key.verifying_key()),
        }
    }

    /// Returns the public key, as `--key` reads it.
    pub fn public_pem(&self) -> String {
        self.public().pem()
    }

    /// The signature of a message, in DER.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => Signer::<p256::ecdsa::DerSignature>::sign(key, message).as_bytes().to_vec(),
            Self::P384(key) => Signer::<p384::ecdsa::DerSignature>::sign(key, message).as_bytes().to_vec(),
            Self::P521(key) => Signer::<p521::ecdsa::DerSignature>::sign(key, message).as_bytes().to_vec(),
        }
    }
}

/// Returns the part of a PEM text that contains a private key; the whole text if none does.
fn section(text: &str) -> &str {
    let begin = |name: &&str| text.find(&format!("-----BEGIN {name}-----"));
    let from = ["PRIVATE KEY", "EC PRIVATE KEY"].iter().filter_map(begin).min().unwrap_or(0);
    text.get(from..).unwrap_or(text)
}

/// The bundle of a model with this name and these files.
pub fn make(model: &str, mut files: Vec<(&str, Digest)>, key: &SigningKey) -> String {
    files.sort();
    let digests: Vec<u8> = files.iter().flat_map(|(_, digest)| *digest.as_bytes()).collect();
    let resource =
        |(name, digest): &(&str, Digest)| json!({"name": name, "digest": digest.to_string(), "algorithm": "sha256"});
    // Ballast's own folder at the root is no part of the model.
    let mut ignored = IGNORED.to_vec();
    ignored.push(BALLAST);
    let statement = json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": model, "digest": {"sha256": Digest::of(&digests).to_string()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "resources": files.iter().map(resource).collect::<Vec<_>>(),
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": false,
                "ignore_paths": ignored,
            },
        },
    });
    let payload = statement.to_string().into_bytes();
    let signature = key.sign(&signed_bytes(&payload));
    let bundle = json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key.public().fingerprint().to_string()}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": STANDARD.encode(signature), "keyid": ""}],
        },
    });
    format!("{bundle}\n")
}
