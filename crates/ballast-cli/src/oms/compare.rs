//! Compares one file with its signed entry: its length, and the digest of all its bytes or of each shard. Only reads.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use ballast::digest::Digest;
use blake2::Blake2b512;
use sha2::{Digest as _, Sha256};

use super::manifest::{Hash, Part, SignedFile, SignedManifest};
use super::refusal::{BadModel, Reason};
use crate::foreign;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// Faults of one file that are kept.
const KEPT: usize = 1000;

/// Length and SHA-256 of a right file, or the faults of a wrong one, at most [`KEPT`].
pub type Checked = Result<(u64, Digest), Vec<BadModel>>;

/// The fault of a file that is not there.
pub fn missing(path: &str) -> BadModel {
    BadModel::new(Reason::FileMissing, format!("{path:?} is signed, and is missing"))
}

/// The digests of a file's ranges, if it has the length that these need and can be read.
pub fn digests(path: &Path, parts: &[Part], manifest: &SignedManifest) -> Option<Vec<Vec<u8>>> {
    let mut file = foreign::open(path).ok()?;
    parts.iter().map(|(range, _)| part(&mut file, range, manifest.hash, None).ok()).collect()
}

/// Reads one file, which has this name now, and compares it with what was signed.
pub fn check(path: &Path, name: &str, signed: &SignedFile, manifest: &SignedManifest) -> Checked {
    let unreadable = |error: &io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            let is_link = path.symlink_metadata().is_ok_and(|facts| facts.is_symlink());
            let reason = if is_link { Reason::Symlink } else { Reason::FileKind };
            vec![BadModel::new(reason, format!("{name:?} is signed: {error}"))]
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => vec![missing(name)],
        _ => vec![BadModel::new(Reason::FolderUnreadable, format!("{name:?}: {error}"))],
    };
    let opened = if manifest.follows_links { foreign::open_named(path) } else { foreign::open(path) };
    let mut file = opened.map_err(|error| unreadable(&error))?;
    let size = file.metadata().map_err(|error| unreadable(&error))?.len();
    if let Some(expected) = signed.size.filter(|expected| *expected != size) {
        let what = format!("{name:?}: expected {expected} bytes, found {size}");
        return Err(vec![BadModel::new(Reason::FileLength, what)]);
    }
    // A file that is not in shards and has SHA-256 as its signed digest is hashed once.
    let mut whole = (manifest.in_shards || manifest.hash != Hash::Sha256).then(Sha256::new);
    let (mut faults, mut last) = (Vec::new(), Vec::new());
    for (range, expected) in &signed.parts {
        last = part(&mut file, range, manifest.hash, whole.as_mut()).map_err(|error| unreadable(&error))?;
        if last != *expected && faults.len() < KEPT {
            faults.push(changed(name, range, expected, &last));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let sha256 = whole.map_or(last, |whole| whole.finalize().to_vec());
    let sha256 = <[u8; 32]>::try_from(sha256).map_err(|_| vec![missing(name)])?;
    Ok((size, Digest::from_bytes(sha256)))
}

fn changed(name: &str, range: &Range<u64>, expected: &[u8], found: &[u8]) -> BadModel {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digests = format!("\n  expected {}\n  found    {}", hex(expected), hex(found));
    if range.end == u64::MAX {
        return BadModel::new(Reason::FileChanged, format!("{name:?}: other bytes than the signed ones{digests}"));
    }
    let Range { start, end } = range;
    let what = format!("{name:?}, shard of the bytes {start} to {end}: other bytes than the signed ones{digests}");
    BadModel::new(Reason::ShardChanged, what)
}

/// The digest of a range that begins at the file's present offset.
fn part(file: &mut File, range: &Range<u64>, hash: Hash, mut whole: Option<&mut Sha256>) -> io::Result<Vec<u8>> {
    let mut hasher = PartHasher::new(hash);
    let mut left = file.take(range.end - range.start);
    let mut piece = vec![0; PIECE];
    loop {
        let got = match left.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(got) => piece.get(..got).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(got);
        if let Some(whole) = whole.as_deref_mut() {
            whole.update(got);
        }
    }
}

/// A hasher for one of the three kinds of digests.
enum PartHasher {
    Sha256(Sha256),
    Blake2b(Box<Blake2b512>),
    Blake3(Box<blake3::Hasher>),
}

impl PartHasher {
    fn new(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::Sha256(Sha256::new()),
            Hash::Blake2b => Self::Blake2b(Box::new(Blake2b512::new())),
            Hash::Blake3 => Self::Blake3(Box::new(blake3::Hasher::new())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake2b(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => _ = hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Blake2b(hasher) => hasher.finalize().to_vec(),
            Self::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        }
    }
}
