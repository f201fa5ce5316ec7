//! Signs texts and verifies them, as JSON Web Signatures (RFC 7515, compact) with Ed25519 (RFC 8037). Any library of JOSE
//! that knows `EdDSA` can verify them. Touches nothing.

use crate::hex::{hex, unhex};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::Deserialize;

/// The length of a public key (RFC 8032), in bytes.
const ED25519_PUBLIC_KEY_LEN: usize = 32;

/// A key that signs texts.
pub struct Signer {
    pair: Ed25519KeyPair,
    /// The public key, in hexadecimal digits.
    pub public_key: String,
}

/// A text whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The kind of the text, from the header field `typ`.
    pub kind: String,
    /// The signed text.
    pub text: String,
    /// The public key that verified the signature, in hexadecimal digits.
    pub public_key: String,
}

#[derive(Deserialize)]
struct JwsHead {
    alg: String,
    typ: String,
    kid: String,
}

impl Signer {
    /// Creates the key of a seed.
    ///
    /// # Errors
    /// The seed gives no valid key.
    pub fn of(seed: &[u8; 32]) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|why| why.to_string())?;
        let public_key = hex(pair.public_key().as_ref());
        Ok(Self { pair, public_key })
    }

    /// Signs a text of this kind; returns the signature in compact form, which contains the text.
    pub fn sign(&self, kind: &str, text: &str) -> String {
        let head = serde_json::json!({"alg": "EdDSA", "typ": kind, "kid": self.public_key}).to_string();
        let signed = format!("{}.{}", BASE64.encode(head), BASE64.encode(text));
        let signature = BASE64.encode(self.pair.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }
}

/// Returns only the signature part of a signed text.
pub fn signature(jws: &str) -> &str {
    jws.rsplit_once('.').map_or("", |(_, signature)| signature)
}

/// Checks the form of a public key.
///
/// # Errors
/// The text is no key.
pub fn public_key(text: &str) -> Result<String, String> {
    let key = unhex(text, &mut [0; ED25519_PUBLIC_KEY_LEN]).map(|()| text.to_owned());
    key.ok_or_else(|| "expected the 64 hexadecimal digits that `likeness key public` prints".to_owned())
}

/// Verifies a signed text. The key is the one that the text names, which must be equal to `public_key` if
/// that is given.
///
/// # Errors
/// The text has another form, another key signed it, or a byte was changed.
pub fn verified(jws: &str, public_key: Option<&str>) -> Result<Signed, String> {
    let parts: Vec<&str> = jws.trim().split('.').collect();
    let [head, text, signature] = parts[..] else {
        return Err("expected a signed text (three parts separated by points)".into());
    };
    let decoded = |part: &str| BASE64.decode(part).map_err(|_| "expected base64url".to_owned());
    let (bytes, plain, proof) = (decoded(head)?, decoded(text)?, decoded(signature)?);
    let JwsHead { alg, typ, kid } = serde_json::from_slice(&bytes).map_err(|why| format!("its head: {why}"))?;
    if alg != "EdDSA" {
        return Err(format!("expected EdDSA, found {alg:?}"));
    }
    if let Some(expected) = public_key.filter(|expected| !expected.eq_ignore_ascii_case(&kid)) {
        return Err(format!("expected the key {expected}, found {kid}"));
    }
    let mut key = [0; ED25519_PUBLIC_KEY_LEN];
    unhex(&kid, &mut key).ok_or("its key is not 64 hexadecimal digits")?;
    let signed = format!("{head}.{text}");
    let right = UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &proof);
    right.map_err(|_| "the signature does not match this text".to_owned())?;
    let text = String::from_utf8(plain).map_err(|_| "the signed bytes are not text".to_owned())?;
    Ok(Signed { kind: typ, text, public_key: kid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_text_its_kind_and_its_key() {
        let (signer, other) = (Signer::of(&[7; 32]).unwrap(), Signer::of(&[8; 32]).unwrap());
        let jws = signer.sign("a", "{\"x\":1}");
        let right = verified(&jws, Some(&signer.public_key)).unwrap();
        assert_eq!((right.kind.as_str(), right.text.as_str()), ("a", "{\"x\":1}"));
        assert!(verified(&jws, Some(&other.public_key)).is_err());
        let mut kept = Vec::new();
        for at in 0..jws.len() {
            let mut changed = jws.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            if verified(&changed, None).is_ok() {
                kept.push(at);
            }
        }
        assert!(kept.is_empty(), "bytes that may change: {kept:?}");
        // Another key signed the same text.
        let forged = other.sign("a", "{\"x\":2}");
        let (_, signature) = forged.rsplit_once('.').unwrap();
        let (signed, _) = jws.rsplit_once('.').unwrap();
        assert!(verified(&format!("{signed}.{signature}"), None).is_err());
    }
}
