//! The digest of a tenant and a subject, which decision records and the journal contain as a keyed hash. Uses
//! no file and no database.

/// Returns the digest of a tenant and a subject. A record contains only a keyed hash of this digest.
pub fn digest(tenant: &str, subject: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in [tenant, subject] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}
