//! Verified bytes: read once from one descriptor, hashed, and owned.
//!
//! A program that loads weights asks for these instead of a path: whatever happens to the file
//! afterwards, the bytes in memory are the ones that were hashed. Steps S1 and S2 as in `store`, then
//! the whole file into memory, then its SHA-256. Reads through a [`Disk`] only.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::disk::{Disk, Stat};
use crate::open::{open, open_at};
use crate::store::{BUFFER, Damage, ExpectedWeight, ReadError, Strictness, WeightState, each_piece};

/// Bytes whose SHA-256 is the pin's. Only [`read`] and [`read_named`] make them.
pub struct Verified {
    digest: Digest,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of {}", self.bytes.len(), self.digest)
    }
}

impl Verified {
    /// The SHA-256 of exactly these bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Moves the bytes out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads a weight of a store, of at most `limit` bytes.
///
/// # Errors
/// [`ReadError`] says what is there instead.
pub fn read<D: Disk>(disk: &D, wanted: &ExpectedWeight, strict: Strictness, limit: u64) -> Result<Verified, ReadError> {
    open(disk, wanted, strict).and_then(|opened| take(disk, wanted, opened, limit)).map_err(ReadError::of)
}

/// Reads a weight that lies under its file's name in the root itself, as in a plain folder.
///
/// # Errors
/// The errors of [`read`].
pub fn read_named<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    strict: Strictness,
    limit: u64,
) -> Result<Verified, ReadError> {
    let opened = open_at(disk, "", wanted.weight.path.file_name(), wanted, strict);
    opened.and_then(|opened| take(disk, wanted, opened, limit)).map_err(ReadError::of)
}

fn take<D: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    (file, stat): (D::File, Stat),
    limit: u64,
) -> Result<Verified, WeightState> {
    if stat.size > limit {
        return Err(WeightState::Damaged(Damage::Size { expected: wanted.size().unwrap_or(limit), found: stat.size }));
    }
    let size = usize::try_from(stat.size).map_err(|_| WeightState::Unreadable(libc::EFBIG))?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| WeightState::Unreadable(libc::ENOMEM))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    let whole = each_piece(disk, &file, 0, stat.size, &mut buffer, |piece, _| {
        bytes.extend_from_slice(piece);
        hasher.update(piece);
        Ok(())
    });
    match whole {
        Err(error) => return Err(WeightState::Unreadable(error.raw_os_error().unwrap_or(libc::EIO))),
        Ok(false) => return Err(WeightState::Damaged(Damage::Size { expected: stat.size, found: bytes.len() as u64 })),
        Ok(true) => {}
    }
    let digest = Digest::from_bytes(hasher.finalize().into());
    if digest == wanted.weight.sha256 {
        return Ok(Verified { digest, bytes });
    }
    if wanted.weight.previous.contains(&digest) {
        return Err(WeightState::Stale);
    }
    Err(WeightState::Damaged(Damage::Bytes { bad: Vec::new(), found: Some(digest) }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::disk::LinuxDisk;
    use crate::lock::Lock;

    const BYTES: &[u8] = b"the bytes of a weight";
    const LIMIT: u64 = 1000;

    fn hex(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn lock() -> Lock {
        let (pin, former) = (hex(BYTES), hex(b"former"));
        let text = format!(
            "version = 1\n[store]\npath = \"/srv/store\"\n[[weight]]\npath = \"a/b.bin\"\nsha256 = \"{pin}\"\nprevious = [\"{former}\"]\n"
        );
        Lock::parse(&text).unwrap()
    }

    /// Reads a weight below a root that `make` has prepared.
    fn found(make: impl FnOnce(&std::path::Path), limit: u64) -> Result<Verified, WeightState> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        make(root.path());
        let lock = lock();
        let disk = LinuxDisk::open(root.path()).unwrap();
        let read = read(&disk, &ExpectedWeight::by_pin(&lock.weights[0]), Strictness::Volume, limit);
        read.map_err(|error| error.state().clone())
    }

    #[test]
    fn right_bytes_are_handed_over_with_their_digest() {
        let verified = found(|root| fs::write(root.join("a/b.bin"), BYTES).unwrap(), LIMIT).unwrap();
        assert_eq!((verified.bytes(), verified.digest().to_string()), (BYTES, hex(BYTES)));
        assert_eq!(verified.into_bytes(), BYTES);
    }

    #[test]
    fn a_plain_folder_is_read_by_the_files_name() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("b.bin"), BYTES).unwrap();
        let (lock, disk) = (lock(), LinuxDisk::open(root.path()).unwrap());
        let wanted = ExpectedWeight::by_pin(&lock.weights[0]);
        assert!(read_named(&disk, &wanted, Strictness::Layer, LIMIT).is_ok());
        assert_eq!(read(&disk, &wanted, Strictness::Layer, LIMIT).unwrap_err().kind(), crate::ErrorKind::Missing);
    }

    #[test]
    fn whatever_is_not_the_weight_is_named() {
        let other = Digest::parse(&hex(b"other")).unwrap();
        let write =
            |bytes: &'static [u8]| move |root: &std::path::Path| fs::write(root.join("a/b.bin"), bytes).unwrap();
        assert_eq!(found(|_| (), LIMIT).unwrap_err(), WeightState::Missing);
        assert_eq!(found(write(b"former"), LIMIT).unwrap_err(), WeightState::Stale);
        assert_eq!(
            found(write(b"other"), LIMIT).unwrap_err(),
            WeightState::Damaged(Damage::Bytes { bad: Vec::new(), found: Some(other) })
        );
        assert_eq!(
            found(write(BYTES), 5).unwrap_err(),
            WeightState::Damaged(Damage::Size { expected: 5, found: BYTES.len() as u64 })
        );
        let link = |root: &std::path::Path| symlink("/etc/hostname", root.join("a/b.bin")).unwrap();
        assert!(matches!(found(link, LIMIT).unwrap_err(), WeightState::Damaged(Damage::Kind(_))));
    }
}
