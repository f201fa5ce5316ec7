//! The checks that `pin` and `adopt` make before bytes get their first pin: one set of checks for both.
//!
//! Every later boot trusts a pin, so a file that contradicts itself is refused here: a page or a
//! pointer instead of a weight, a file that is shorter than its header says, a blob whose name is
//! another digest. A file that is only unusual is pinned with a warning. Every read is bounded.
//! Only reads.

mod blob;
mod cut;
mod findings;
mod gguf;
mod head;
pub mod left_out;
mod onnx;
mod parts;
mod safetensors;

use std::fs::File;
use std::io::{self, Read, Seek};

use ballast::digest::Digest;
use ballast::lock::RelPath;

pub use blob::{digest_of_name, git_digest, git_name, url_digest};
pub use findings::{Findings, Objection, Parts};
pub use head::{HEAD, NotAWeight};

/// Checks one file; its name determines the expected format.
///
/// # Errors
/// The errors of reading the file.
pub fn check(path: &RelPath, file: &mut File) -> io::Result<Findings> {
    let mut checked = Findings::default();
    let head = read_head(file)?;
    if let Some(kind) = NotAWeight::of(&head).filter(|kind| !kind.is_expected(path.file_name())) {
        checked.refuse(format!("{}: {}", kind.name(), kind.words()));
        return Ok(checked);
    }
    if let Some(objection) = head::other_format(path.file_name(), &head) {
        checked.objections.push(objection);
    }
    let name = path.file_name().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match &head {
        head if head.starts_with(b"PK\x03\x04") => cut::zip(file, &mut checked)?,
        head if head.starts_with(b"\x89HDF\r\n\x1a\n") => cut::hdf5(head, file.metadata()?.len(), &mut checked),
        _ if extension == "json" => cut::json(file, &mut checked)?,
        _ => {}
    }
    file.rewind()?;
    match extension {
        "safetensors" => safetensors::check(file, &mut checked)?,
        "gguf" => gguf::check(path, file, &mut checked)?,
        "onnx" => onnx::check(path, file, &mut checked)?,
        "json" if name.contains(".index.") => parts::read_index(path, file, &mut checked)?,
        "json" if name == "config.json" => parts::read_config(path, file, &mut checked)?,
        _ if head.starts_with(b"{") && path.names().any(|name| name == "manifests") => {
            parts::read_manifest(path, file, &mut checked)?;
        }
        _ => {}
    }
    if checked.parts.is_none() {
        checked.parts = parts::numbered(path);
    }
    Ok(checked)
}

/// Compares the bytes' digest with the one that a name promises.
pub fn check_digest(promised: Option<Digest>, found: Digest) -> Option<Objection> {
    promised.and_then(|promised| check_name("sha256", &promised.to_string(), &found.to_string()))
}

/// Compares a digest with the one that a name promises.
pub fn check_name(kind: &str, promised: &str, found: &str) -> Option<Objection> {
    let why = || format!("damaged: its name says {kind}\n    {promised}\n  its bytes have\n    {found}");
    (promised != found).then(|| Objection::Refused(why()))
}

fn read_head(file: &mut File) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut head = Vec::with_capacity(HEAD);
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
