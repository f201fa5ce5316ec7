//! A bundle as it lies in its file: a sigstore bundle around a DSSE envelope around a statement. Pure.
//!
//! The signature covers the payload and its type. The key's hint, `keyid`, logs and time stamps are not, and decide
//! nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json;
use super::refusal::{BadModel, Reason};

/// The accepted type of payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The type of bundles that are written now.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The others that are read.
const OLDER: [&str; 3] = [
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
];

/// The decoded parts of a bundle; none of them is verified yet.
#[derive(Debug)]
pub struct Bundle {
    /// The signer that the bundle names.
    pub method: Method,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// How it was signed.
#[derive(Debug)]
pub enum Method {
    /// Signed with a key; the fingerprint, if the bundle has one.
    Key(Option<String>),
    /// Signed with the key of the first of these certificates, in DER.
    Certificate(Vec<Vec<u8>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SigstoreBundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: DsseEnvelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<PublicKey>,
    x509_certificate_chain: Option<Chain>,
    certificate: Option<Certificate>,
    #[serde(default)]
    tlog_entries: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKey {
    hint: Option<String>,
    raw_bytes: Option<String>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Certificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DsseEnvelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    sig: Box<str>,
    #[serde(rename = "keyid")]
    _keyid: Option<IgnoredAny>,
}

impl Bundle {
    /// Reads a bundle's bytes.
    ///
    /// # Errors
    /// A reason for each way in which they are no bundle, or one of a method that needs a transparency log.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadModel> {
        let written: SigstoreBundle = json::read(bytes, Reason::BundleJson, Reason::BundleShape)?;
        let media = written.media_type.as_str();
        if media != MEDIA_TYPE && !OLDER.contains(&media) {
            let what = format!("expected the media type {MEDIA_TYPE}, found {media:?}");
            return Err(BadModel::new(Reason::MediaType, what));
        }
        let envelope = written.dsse_envelope;
        if envelope.payload_type != PAYLOAD_TYPE {
            let what = format!("expected the payload type {PAYLOAD_TYPE}, found {:?}", envelope.payload_type);
            return Err(BadModel::new(Reason::PayloadType, what));
        }
        let [signature] = envelope.signatures.as_slice() else {
            let what = format!("expected one signature, found {}", envelope.signatures.len());
            return Err(BadModel::new(Reason::BundleShape, what));
        };
        Ok(Self {
            method: written.verification_material.method()?,
            payload: decoded("payload", &envelope.payload)?,
            signature: decoded("sig", &signature.sig)?,
        })
    }

    /// The bytes that the signature is of: DSSE's encoding of the payload and its type.
    pub fn signed_bytes(&self) -> Vec<u8> {
        signed_bytes(&self.payload)
    }
}

/// DSSE's encoding of a payload and its type, before it is signed.
pub fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Material {
    fn method(self) -> Result<Method, BadModel> {
        let shape = |what: &str| BadModel::new(Reason::BundleShape, format!("verificationMaterial: {what}"));
        match (self.public_key, self.x509_certificate_chain, self.certificate) {
            (Some(PublicKey { hint: None, raw_bytes: None }), None, None) => {
                Err(shape("publicKey: expected `hint` or `rawBytes`, found neither"))
            }
            (Some(key), None, None) => Ok(Method::Key(key.hint)),
            (None, Some(chain), None) => {
                let certificates = chain.certificates.iter().map(|one| decoded("rawBytes", &one.raw_bytes));
                Ok(Method::Certificate(certificates.collect::<Result<_, _>>()?))
            }
            (None, None, Some(_)) if self.tlog_entries.is_none_or(|entries| entries.is_empty()) => {
                Err(shape("a bundle of the method `sigstore` needs `tlogEntries`, found none"))
            }
            (None, None, Some(_)) => {
                let what = "it is of the method `sigstore`, whose transparency log this program does not read";
                Err(BadModel::new(Reason::Method, what))
            }
            _ => Err(shape("expected one of `publicKey`, `x509CertificateChain` and `certificate`")),
        }
    }
}

/// Decodes either alphabet, as DSSE allows.
fn decoded(name: &str, text: &str) -> Result<Vec<u8>, BadModel> {
    let wrong = |why: String| BadModel::new(Reason::Base64, format!("{name}: expected base64, {why}"));
    let text = text.replace('-', "+").replace('_', "/");
    let bytes = STANDARD.decode(text).map_err(|error| wrong(format!("found: {error}")))?;
    if bytes.is_empty() { Err(wrong("found nothing".into())) } else { Ok(bytes) }
}
