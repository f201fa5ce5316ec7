//! Checks a lock file's minisign signature, by one key, over the same bytes that are then used.
//!
//! The signature lies beside the lock file as `NAME.minisig`. Both of minisign's modes are accepted
//! (prehashed, and the older one that signs the file itself); the trusted comment is part of what
//! is verified. Reads two small files, changes nothing.

use std::path::{Path, PathBuf};

use minisign_verify::{Error, PublicKey, Signature};

use crate::exit::{Exit, Failure};
use crate::{bounds, foreign};

/// Proves that the key signed these bytes; returns the other files that the proof needs.
///
/// # Errors
/// [`Exit::Usage`] for an invalid key, [`Exit::SignatureRefused`] for every other fault.
pub fn require(key: &str, lock_path: &Path, bytes: &[u8]) -> Result<Vec<PathBuf>, Failure> {
    let (key, key_file) = public_key(key)?;
    let path = beside(lock_path);
    let text = text_of(foreign::read(&path, bounds::SIGNATURE)).map_err(|why| unsigned(&path, lock_path, &why))?;
    let signature =
        Signature::decode(&text).map_err(|_| unsigned(&path, lock_path, "it is not a minisign signature"))?;
    key.verify(bytes, &signature, true).map_err(|error| refused(lock_path, &error))?;
    Ok(std::iter::once(path).chain(key_file).collect())
}

/// The path of a lock file's signature.
fn beside(lock_path: &Path) -> PathBuf {
    let mut name = lock_path.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// Reads a key from text, otherwise from the file of that name.
fn public_key(named: &str) -> Result<(PublicKey, Option<PathBuf>), Failure> {
    if let Ok(key) = PublicKey::from_base64(named.trim()) {
        return Ok((key, None));
    }
    let no_key = |why: &str| {
        let what = format!("--require-signature (BALLAST_REQUIRE_SIGNATURE) {named:?}: {why}");
        Failure::new(Exit::Usage, what).hint("a minisign public key (`RW…`, 56 characters), or the file of one")
    };
    let path = std::path::absolute(named).map_err(|error| no_key(&error.to_string()))?;
    let text = text_of(foreign::read_named(&path, bounds::SIGNATURE))
        .map_err(|why| no_key(&format!("it is neither a key nor a file: {why}")))?;
    let key = PublicKey::decode(&text).map_err(|_| no_key("the file contains no minisign public key"))?;
    Ok((key, Some(path)))
}

fn text_of(read: std::io::Result<Vec<u8>>) -> Result<String, String> {
    String::from_utf8(read.map_err(|error| error.to_string())?).map_err(|_| "it is not UTF-8".into())
}

fn unsigned(path: &Path, lock_path: &Path, why: &str) -> Failure {
    let what = format!("a signature is required, and {} can't be used: {why}", path.display());
    Failure::new(Exit::SignatureRefused, what)
        .hint(format!("minisign -S -s SECRET_KEY -m {}, and ship both files", lock_path.display()))
}

fn refused(lock_path: &Path, error: &Error) -> Failure {
    let (why, hint) = match error {
        Error::UnexpectedKeyId => (
            "is signed by another key than the required one",
            "have it signed by the key of --require-signature, or require the key that signed it",
        ),
        _ => (
            "does not match its signature: the file, the signature or the trusted comment was changed",
            "ship the lock file with the .minisig that was made for it, byte for byte",
        ),
    };
    Failure::new(Exit::SignatureRefused, format!("{} {why}", lock_path.display())).hint(hint)
}
