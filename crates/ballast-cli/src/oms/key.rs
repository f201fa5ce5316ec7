//! Public keys of signers: ECDSA over P-256, P-384 and P-521, each with the hash of its size. Pure.

use p256::ecdsa::signature::Verifier;
use p256::pkcs8::der::Decode;
use p256::pkcs8::der::asn1::ObjectIdentifier;
use p256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding, SubjectPublicKeyInfoRef};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::refusal::{BadModel, Reason};
use ballast::digest::Digest;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// A public key.
#[derive(Debug, Clone, PartialEq)]
pub enum SignerKey {
    /// With SHA-256.
    P256(p256::ecdsa::VerifyingKey),
    /// With SHA-384.
    P384(p384::ecdsa::VerifyingKey),
    /// With SHA-512.
    P521(p521::ecdsa::VerifyingKey),
}

impl SignerKey {
    /// Reads the `PUBLIC KEY` section of a PEM file.
    ///
    /// # Errors
    /// [`Reason::KeyUnreadable`]; [`Reason::KeyAlgorithm`] for a key of another kind.
    pub fn from_pem(text: &[u8]) -> Result<Self, BadModel> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text).map_err(|error| {
            BadModel::new(Reason::KeyUnreadable, format!("expected a section PUBLIC KEY in PEM, found none: {error}"))
        })?;
        Self::from_der(&der).map_err(|mut fault| {
            let is_other = fault.reason == Reason::SignerAlgorithm;
            fault.reason = if is_other { Reason::KeyAlgorithm } else { Reason::KeyUnreadable };
            fault
        })
    }

    /// Reads the key of a certificate.
    ///
    /// # Errors
    /// [`Reason::CertificateUnreadable`]; [`Reason::SignerAlgorithm`] for a key of another kind.
    pub fn from_der(der: &[u8]) -> Result<Self, BadModel> {
        let unreadable = || BadModel::new(Reason::CertificateUnreadable, "the public key can't be read");
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| unreadable())?;
        let other = |found: ObjectIdentifier| {
            let what = format!("expected a key of P-256, P-384 or P-521, found one of the object identifier {found}");
            Err(BadModel::new(Reason::SignerAlgorithm, what))
        };
        if info.algorithm.oid != EC {
            return other(info.algorithm.oid);
        }
        let curve = info.algorithm.parameters_oid().map_err(|_| unreadable())?;
        let key = match curve {
            P256 => DecodePublicKey::from_public_key_der(der).map(Self::P256),
            P384 => DecodePublicKey::from_public_key_der(der).map(Self::P384),
            P521 => DecodePublicKey::from_public_key_der(der).map(Self::P521),
            curve => return other(curve),
        };
        key.map_err(|_| unreadable())
    }

    /// Returns whether the key signed this message; `signature` is ASN.1 in DER.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => {
                p256::ecdsa::Signature::from_der(signature).is_ok_and(|it| key.verify(message, &it).is_ok())
            }
            Self::P384(key) => {
                p384::ecdsa::Signature::from_der(signature).is_ok_and(|it| key.verify(message, &it).is_ok())
            }
            Self::P521(key) => {
                p521::ecdsa::Signature::from_der(signature).is_ok_and(|it| key.verify(message, &it).is_ok())
            }
        }
    }

    /// Returns the key's name in bundles: the SHA-256 of its PEM text.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.pem().as_bytes())
    }

    /// Its PEM text.
    pub fn pem(&self) -> String {
        let pem = match self {
            Self::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Self::P384(key) => key.to_public_key_pem(LineEnding::LF),
            Self::P521(key) => key.to_public_key_pem(LineEnding::LF),
        };
        pem.unwrap_or_default()
    }
}
