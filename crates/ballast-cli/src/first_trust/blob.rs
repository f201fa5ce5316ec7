//! Digests that names and addresses promise. Pure.

use ballast::digest::Digest;

/// The SHA-256 that a blob's file name is: of Hugging Face's large files, of Ollama's layers, of an OCI layout.
pub fn digest_of_name(name: &str) -> Option<Digest> {
    let digits = ["sha256-", "sha256:", "sha256_"].iter().find_map(|start| name.strip_prefix(start)).unwrap_or(name);
    parsed(digits)
}

/// The SHA-256 that is a whole segment of an address's path, as in OpenAI's for Whisper.
pub fn url_digest(url: &str) -> Option<Digest> {
    let path = url.split(['?', '#']).next()?.split_once("://")?.1;
    path.split('/').skip(1).find_map(digest_of_name)
}

fn parsed(digits: &str) -> Option<Digest> {
    let hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| Digest::parse(&digits.to_ascii_lowercase()).ok()).flatten()
}
