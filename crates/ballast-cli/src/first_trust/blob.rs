//! Digests that names and addresses promise.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use ballast::digest::Digest;
use sha1::{Digest as _, Sha1};

/// The SHA-256 in a blob's file name: of Hugging Face's large files, Ollama's layers, an OCI layout.
pub fn digest_of_name(name: &str) -> Option<Digest> {
    let digits = ["sha256-", "sha256:", "sha256_"].iter().find_map(|start| name.strip_prefix(start)).unwrap_or(name);
    parsed(digits)
}

/// The SHA-256 that is a whole segment of an address's path, as in OpenAI's for Whisper.
pub fn url_digest(url: &str) -> Option<Digest> {
    let path = url.split(['?', '#']).next()?.split_once("://")?.1;
    path.split('/').skip(1).find_map(digest_of_name)
}

/// The name of a small file's blob in a cache of Hugging Face's: Git's own SHA-1 of it, in lower case.
pub fn git_name(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?;
    let hex = name.len() == 40 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let in_blobs = file.parent()?.file_name()?.to_str()? == "blobs";
    (hex && in_blobs).then_some(name)
}

/// Git's SHA-1 of a file: over `blob SIZE`, a zero byte, and the bytes.
///
/// # Errors
/// The errors of reading.
pub fn git_digest(file: &mut File) -> io::Result<String> {
    let size = file.metadata()?.len();
    file.rewind()?;
    let mut hasher = Hasher(Sha1::new_with_prefix(format!("blob {size}\0")));
    io::copy(file, &mut hasher)?;
    Ok(hasher.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Hasher(Sha1);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parsed(digits: &str) -> Option<Digest> {
    let hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| Digest::parse(&digits.to_ascii_lowercase()).ok()).flatten()
}
