//! The signed receipt of an erasure: what the store searched for, where, and that it found nothing. Uses no
//! file and no database.
//!
//! The receipt is a JSON Web Signature (RFC 7515, compact) with Ed25519 (RFC 8037), which JOSE libraries with
//! `EdDSA` verify. The key is derived from the store's root, so a new master key does not change it.

use serde::{Deserialize, Serialize};

use super::error::{Kind, Result, StoreError};
use super::person::{Subject, Tenant};
use super::seal::Key;
use crate::clock::rfc3339;
use crate::hex::hex;
use crate::jws::Signer;

/// The `typ` of the JSON Web Signature.
const TYPE: &str = "likeness-erasure+jws";

/// A place that was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The name of the table or file.
    pub place: String,
    /// The number of rows or pieces that the search looked for.
    pub sought: u64,
    /// How many the search found.
    pub found: u64,
}

/// A signed receipt with its claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The JSON Web Signature in compact form.
    pub jws: String,
    /// When the search found nothing, in seconds since 1970.
    pub looked_at: i64,
    /// The places that were searched.
    pub looked: Vec<Finding>,
    /// `HMAC-SHA256(salt, TENANT "/" SUBJECT)`, in hexadecimal digits.
    pub commitment: String,
    /// The public key that verifies the receipt, in hexadecimal digits.
    pub public_key: String,
}

/// The claims that the receipt signs.
#[derive(Serialize)]
struct Claims<'a> {
    erasure_id: &'a str,
    tenant_id: &'a str,
    subject_commitment: &'a str,
    erased_at: String,
    looked_at: String,
    looked: &'a [Finding],
}

/// Returns the keyed hash of a person's names; only a reader with the salt can check it against a name.
pub fn commitment(salt: &[u8; 32], tenant: &Tenant, subject: &Subject) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, salt);
    let whom = format!("{}/{}", tenant.as_str(), subject.as_str());
    hex(ring::hmac::sign(&key, whom.as_bytes()).as_ref())
}

impl Receipt {
    /// Signs a receipt that nothing was found in any of these places.
    ///
    /// # Errors
    /// A place contains something, no place was searched, or the key can't sign.
    pub fn signed(
        key: &Key,
        (id, tenant, commitment): (&[u8; 16], &str, &str),
        (erased_at, looked_at): (i64, i64),
        looked: Vec<Finding>,
    ) -> Result<Self> {
        let refused = |what: &str| StoreError::new(Kind::Unavailable, format!("the receipt: {what}"));
        if looked.is_empty() || looked.iter().any(|finding| finding.found > 0) {
            return Err(refused("something of the person was found"));
        }
        let signer = Signer::of(key).map_err(|why| refused(&why))?;
        let claims = Claims {
            erasure_id: &hex(id),
            tenant_id: tenant,
            subject_commitment: commitment,
            erased_at: rfc3339(erased_at),
            looked_at: rfc3339(looked_at),
            looked: &looked,
        };
        let claims = serde_json::to_string(&claims).map_err(|why| refused(&why.to_string()))?;
        let jws = signer.sign(TYPE, &claims);
        let commitment = commitment.to_owned();
        Ok(Self { jws, looked_at, looked, commitment, public_key: signer.public_key })
    }
}
