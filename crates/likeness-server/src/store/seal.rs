//! Seals bytes with XChaCha20-Poly1305 and random nonces, and hashes names with keyed BLAKE3. Uses the
//! system's random numbers, no file and no database.
//!
//! Sealed bytes can be opened only with the context that they were sealed with. The context's fields are the
//! associated data, each after its length.

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::error::{Kind, Result, StoreError};

/// A key, wiped when it is dropped.
pub type Key = Zeroizing<[u8; 32]>;

const NONCE: usize = 24;
const TAG: usize = 16;

/// How many bytes sealing adds.
pub const OVERHEAD: usize = NONCE + TAG;

/// The context of a seal: a label and fields, which are authenticated but not stored.
pub struct Context(Vec<u8>);

impl Context {
    /// Creates a context with this label.
    pub fn new(label: &str) -> Self {
        Self(Vec::with_capacity(160)).field(label.as_bytes())
    }

    /// Adds a field.
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.0.extend((bytes.len() as u64).to_le_bytes());
        self.0.extend(bytes);
        self
    }

    /// Returns the hash of all fields.
    pub fn hash(&self) -> [u8; 32] {
        blake3::hash(&self.0).into()
    }

    /// Adds a number.
    pub fn number(self, number: i64) -> Self {
        self.field(&number.to_le_bytes())
    }
}

/// Returns random bytes of the system.
///
/// # Errors
/// The system returned no random numbers.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
            .map_err(|error| StoreError::new(Kind::Unavailable, format!("no random bytes: {error}")))?;
    }
    Ok(bytes)
}

/// Returns a random key.
///
/// # Errors
/// The system returned no random numbers.
pub fn random_key() -> Result<Key> {
    random().map(Zeroizing::new)
}

/// Encrypts and authenticates; returns nonce, ciphertext and tag.
///
/// # Errors
/// The system returned no random numbers.
pub fn seal(key: &Key, context: &Context, plain: &[u8]) -> Result<Vec<u8>> {
    let nonce = random::<NONCE>()?;
    let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
    sealed.extend(nonce);
    sealed.extend(plain);
    let tag = cipher(key).encrypt_in_place_detached(XNonce::from_slice(&nonce), &context.0, &mut sealed[NONCE..]);
    let tag = tag.map_err(|_| StoreError::new(Kind::Corrupt, "more was to be sealed than the cipher can"))?;
    sealed.extend(tag);
    Ok(sealed)
}

/// Returns the plain bytes, or `None` if the key, the context or a byte differs.
pub fn open(key: &Key, context: &Context, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_at_checked(NONCE)?;
    let (text, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
    let mut plain = Zeroizing::new(text.to_vec());
    let opened = cipher(key).decrypt_in_place_detached(XNonce::from_slice(nonce), &context.0, &mut plain, tag.into());
    opened.ok().map(|()| plain)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

/// Derives a key for one purpose.
pub fn derive(root: &Key, purpose: &str) -> Key {
    Zeroizing::new(blake3::derive_key(&format!("likeness store 1 {purpose}"), &**root))
}

/// Returns the keyed hash of some fields, each after its length.
pub fn name(key: &Key, fields: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; 32])
    }

    fn context() -> Context {
        Context::new("test").field(b"ab").number(7)
    }

    #[test]
    fn a_sealed_thing_opens_only_whole_in_its_context_under_its_key() {
        let sealed = seal(&key(1), &context(), b"secret").unwrap();
        assert_eq!(open(&key(1), &context(), &sealed).unwrap().as_slice(), b"secret");
        let opens = |key: Key, context: Context, bytes: &[u8]| open(&key, &context, bytes).is_some();
        let mut wrong = Vec::new();
        for (name, opened) in [
            ("key", opens(key(2), context(), &sealed)),
            ("label", opens(key(1), Context::new("tes").field(b"tab").number(7), &sealed)),
            ("split", opens(key(1), Context::new("test").field(b"a").field(b"b").number(7), &sealed)),
            ("number", opens(key(1), Context::new("test").field(b"ab").number(8), &sealed)),
            ("short", opens(key(1), context(), &sealed[..OVERHEAD - 1])),
            ("empty", opens(key(1), context(), b"")),
        ] {
            wrong.extend(opened.then_some(name.to_owned()));
        }
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone();
            bytes[at] ^= 1;
            wrong.extend(opens(key(1), context(), &bytes).then(|| format!("byte {at}")));
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn nothing_is_sealed_twice_alike_and_names_keep_fields_apart() {
        assert_ne!(seal(&key(1), &context(), b"x").unwrap(), seal(&key(1), &context(), b"x").unwrap());
        assert_ne!(name(&key(1), &[b"ab", b"c"]), name(&key(1), &[b"a", b"bc"]));
        assert_ne!(name(&key(1), &[b"a"]), name(&key(2), &[b"a"]));
        assert_ne!(*derive(&key(1), "a"), *derive(&key(1), "b"));
    }
}
