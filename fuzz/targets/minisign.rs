//! Signatures and keys of minisign, `KEY \0 SIGNATURE \0 BYTES`: any bytes are an answer, and bytes that
//! one signature holds for are not the same bytes changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minisign_verify::{PublicKey, Signature};

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\0');
    let key = parts.next().unwrap_or_default();
    let signature = Signature::decode(parts.next().unwrap_or_default());
    let bytes = parts.next().unwrap_or_default().as_bytes();
    let keys = [PublicKey::from_base64(key.trim()), PublicKey::decode(key)];
    let Ok(signature) = signature else { return };
    for key in keys.into_iter().flatten() {
        if key.verify(bytes, &signature, true).is_ok() {
            let changed = [bytes, b"x"].concat();
            assert!(key.verify(&changed, &signature, true).is_err(), "other bytes are signed too");
        }
    }
});
