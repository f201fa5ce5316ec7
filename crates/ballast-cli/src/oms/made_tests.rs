//! Bundles for tests: statements that are changed at will, then signed with a key of the tests.
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::bundle::signed_bytes;
use super::{BadModel, Reason, Signed, SignerKey, TrustedSigner, read};

/// A time at which every certificate of the tests but the expired one is valid.
pub const NOW: u64 = 1_790_000_000;

/// The key number `seed`.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// TrustedSigner in this key.
pub fn trust(key: &SigningKey) -> TrustedSigner {
    TrustedSigner::Key(SignerKey::from_pem(pem(key).as_bytes()).unwrap())
}

/// Its public half in PEM.
pub fn pem(key: &SigningKey) -> String {
    key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()
}

/// The lower-case hex digits of bytes.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A statement about files of these names and bytes.
pub fn statement(files: &[(&str, &[u8])]) -> Value {
    let resource = |(name, bytes): &(&str, &[u8])| json!({"name": name, "digest": hex(Sha256::digest(bytes)), "algorithm": "sha256"});
    let mut statement = json!({
        "_type": super::manifest::STATEMENT_TYPE,
        "subject": [{"name": "model", "digest": {"sha256": ""}}],
        "predicateType": super::manifest::PREDICATE_TYPE,
        "predicate": {
            "resources": files.iter().map(resource).collect::<Vec<_>>(),
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
        },
    });
    root(&mut statement);
    statement
}

/// Corrects the root digest after a change.
pub fn root(statement: &mut Value) {
    let rows = statement["predicate"]["resources"].as_array().cloned().unwrap_or_default();
    let digits: String = rows.iter().filter_map(|row| row["digest"].as_str()).collect();
    let byte = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2).unwrap_or("00"), 16).unwrap_or(0);
    let bytes: Vec<u8> = (0..digits.len() / 2).map(byte).collect();
    statement["subject"][0]["digest"]["sha256"] = hex(Sha256::digest(bytes)).into();
}

/// A bundle of these bytes, signed.
pub fn bundle(payload: &[u8], key: &SigningKey) -> Value {
    let signature: Signature = key.sign(&signed_bytes(payload));
    json!({
        "mediaType": super::bundle::MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hex(Sha256::digest(pem(key)))}},
        "dsseEnvelope": {
            "payload": STANDARD.encode(payload),
            "payloadType": super::bundle::PAYLOAD_TYPE,
            "signatures": [{"sig": STANDARD.encode(signature.to_der().as_bytes())}],
        },
    })
}

/// Reads a bundle of this statement that key 1 signed and that is trusted.
pub fn signed(statement: &Value) -> Result<Signed, BadModel> {
    let bundle = bundle(statement.to_string().as_bytes(), &key(1));
    read(bundle.to_string().as_bytes(), &trust(&key(1)), NOW)
}

/// Returns the reason why something was refused.
pub fn reason<T>(result: Result<T, BadModel>) -> Option<Reason> {
    result.err().map(|fault| fault.reason)
}

/// Writes files below a folder.
pub fn write(root: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
