//! An archive of persons is one file, sealed with a key that is not the store's. Frames are appended. The
//! next export first cuts off the former `End` frame, or a last frame that a crash cut.
//!
//! ```text
//! head   "likeness-persons", version 1, id 16, id of the key 8, content key sealed by the key
//! frame  length 4, then the store, a person, an erased number, a mark, or the end; sealed by the content key
//! ```
//! Promises: a frame opens only at its own place in its own archive, so a frame that is missing, moved or
//! exchanged is found. An archive without an `End` frame is incomplete.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ballast::foreign;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{Kind, Result, StoreError};
use super::keys::{Keyring, MasterKey, sync_parent};
use super::seal::{Context, Key, OVERHEAD, open, random, random_key, seal};
use crate::hex::hex;
use crate::pseudonym::Pseudonym;

const MAGIC: &[u8; 17] = b"likeness-persons\x01";
const HEAD: usize = MAGIC.len() + 16 + 8 + 32 + OVERHEAD;

/// The longest frame; a person's frame is shorter.
const LONGEST: u32 = 1 << 20;

/// The content of a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Frame {
    /// The hash that stands for the exported store, in the first frame.
    Store { hash: String },
    /// A person as of a revision of the store.
    Person(ArchivedPerson),
    /// The person of this number was erased at this revision.
    Gone { person: i64, revision: i64 },
    /// The number and the hash of the journal's last entry, as of the persons and numbers that follow.
    Mark { seq: i64, sha256: String },
    /// The archive contains every change up to this revision, with this number of persons.
    End { revision: i64, persons: u64 },
}

/// A person in an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivedPerson {
    /// The person's number in the exported store.
    pub id: i64,
    /// The revision of the person's last change.
    pub version: i64,
    /// The tenant of the person.
    pub tenant: String,
    /// The subject name of the person.
    pub subject: String,
    /// The consent's reference, version, and time in seconds since 1970.
    pub consent: Option<(String, String, i64)>,
    /// When the person expires, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// The embedding space, time, quality and embedding of each template; the numbers as the bits of their floats.
    pub templates: Vec<(String, i64, u64, Vec<u32>)>,
    /// The person's pseudonym; absent in archives of stores before layout 6, whose persons get one at the import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonym: Option<Pseudonym>,
}

impl Frame {
    /// Returns the number and the hash of a mark.
    pub fn marked(&self) -> Option<(i64, String)> {
        match self {
            Self::Mark { seq, sha256 } => Some((*seq, sha256.clone())),
            _ => None,
        }
    }

    /// Returns the revision of the store that the frame records.
    pub fn revision(&self) -> i64 {
        match self {
            Self::Store { .. } | Self::Mark { .. } => 0,
            Self::Person(person) => person.version,
            Self::Gone { revision, .. } | Self::End { revision, .. } => *revision,
        }
    }
}

/// An open archive.
pub struct Archive {
    path: PathBuf,
    file: File,
    id: [u8; 16],
    content: Key,
    /// The offset of the next frame in the file.
    at: u64,
    number: i64,
}

/// The offset and the number of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    at: u64,
    number: i64,
}

impl Archive {
    /// Opens an archive to append to it, or creates it. The file is locked until the archive is dropped.
    ///
    /// # Errors
    /// Another process uses the archive, the file is no archive, or the key is wrong.
    pub fn create(path: &Path, keyring: &Keyring) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // This flag makes a FIFO or a device an error, instead of a wait.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = options.open(path).map_err(|error| failed(path, &error))?;
        foreign::must_be_regular(&file).map_err(|error| failed(path, &error))?;
        lock(path, &file, FlockOperation::NonBlockingLockExclusive)?;
        let length = file.metadata().map_err(|error| failed(path, &error))?.len();
        // A file shorter than a head is left from a crash during creation, if its bytes begin an archive.
        let mut begun = vec![0; usize::try_from(length).unwrap_or(HEAD).min(MAGIC.len())];
        file.read_exact_at(&mut begun, 0).map_err(|error| failed(path, &error))?;
        if !MAGIC.starts_with(&begun) {
            return Err(refused(path, "expected an archive of persons, found another file"));
        }
        if length < HEAD as u64 {
            let (id, content, key) = (random::<16>()?, random_key()?, keyring.newest());
            let sealed = seal(&key.key, &heading(&id, &key), &*content)?;
            let head = [&MAGIC[..], &id, &key.id(), &sealed].concat();
            let write = || {
                file.set_len(0)?;
                file.write_all_at(&head, 0)?;
                file.sync_all()?;
                sync_parent(path)
            };
            write().map_err(|error| failed(path, &error))?;
        }
        Self::opened(path, file, keyring)
    }

    /// Opens an archive to read it.
    ///
    /// # Errors
    /// The file is absent or no archive, the key is wrong, or another process writes the archive.
    pub fn open(path: &Path, keyring: &Keyring) -> Result<Self> {
        let file = foreign::open_named(path).map_err(|error| failed(path, &error))?;
        lock(path, &file, FlockOperation::NonBlockingLockShared)?;
        Self::opened(path, file, keyring)
    }

    fn opened(path: &Path, file: File, keyring: &Keyring) -> Result<Self> {
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0)
            .map_err(|_| refused(path, "expected an archive of persons, found a shorter file"))?;
        let parts = || {
            let rest = head.strip_prefix(&MAGIC[..])?;
            let (id, rest) = rest.split_first_chunk::<16>()?;
            let (key, sealed) = rest.split_first_chunk::<8>()?;
            Some((*id, *key, sealed))
        };
        let (id, key, sealed) =
            parts().ok_or_else(|| refused(path, "expected an archive of persons, found another file"))?;
        let wrong = |what: String| StoreError::new(Kind::WrongKey, format!("archive {}: {what}", path.display()));
        let key = keyring.find(&key).ok_or_else(|| {
            wrong(format!("expected key {}, found {}", hex(&key), hex(&keyring.newest().id())))
                .hint("--archive-key FILE")
        })?;
        let content =
            open(&key.key, &heading(&id, &key), sealed).ok_or_else(|| refused(path, "its head was changed"))?;
        let content = Key::new(content.as_slice().try_into().map_err(|_| refused(path, "its head was changed"))?);
        Ok(Self { path: path.to_owned(), file, id, content, at: HEAD as u64, number: 0 })
    }

    /// Returns the next frame with its place; `None` after the last whole frame.
    ///
    /// # Errors
    /// The file can't be read, or a frame before the last was changed.
    pub fn next(&mut self) -> Result<Option<(Frame, Place)>> {
        let place = Place { at: self.at, number: self.number };
        let length = self.file.metadata().map_err(|error| failed(&self.path, &error))?.len();
        let Some((frame, size)) = self.read(place, length)? else { return Ok(None) };
        self.at += size;
        self.number += 1;
        Ok(Some((frame, place)))
    }

    /// Returns the frame at a place that an earlier read returned.
    ///
    /// # Errors
    /// The frame can't be read there any more.
    pub fn frame(&self, place: Place) -> Result<Frame> {
        let found = self.read(place, u64::MAX)?;
        found.map(|(frame, _)| frame).ok_or_else(|| refused(&self.path, "it changed while it was read"))
    }

    fn read(&self, place: Place, length: u64) -> Result<Option<(Frame, u64)>> {
        let mut head = [0; 4];
        if place.at + 4 > length || self.file.read_exact_at(&mut head, place.at).is_err() {
            return Ok(None);
        }
        let size = u32::from_le_bytes(head);
        let end = place.at + 4 + u64::from(size);
        let mut sealed = vec![0; size.min(LONGEST) as usize];
        let cut = size > LONGEST || end > length || self.file.read_exact_at(&mut sealed, place.at + 4).is_err();
        let plain = if cut { None } else { open(&self.content, &framing(&self.id, place.number), &sealed) };
        let frame = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        match frame {
            Some(frame) => Ok(Some((frame, end - place.at))),
            // A power cut may leave zeros where bytes were not written.
            None if size == 0 && self.only_zeros_from(place.at, length) => Ok(None),
            // The last frame in the file, which a crash may have cut.
            None if end >= length => Ok(None),
            None => Err(refused(&self.path, &format!("frame {}: changed or damaged", place.number))),
        }
    }

    fn only_zeros_from(&self, mut at: u64, length: u64) -> bool {
        let mut buffer = [0; 4096];
        while at < length {
            let part = &mut buffer[..usize::try_from(length - at).unwrap_or(4096).min(4096)];
            if self.file.read_exact_at(part, at).is_err() || part.iter().any(|byte| *byte != 0) {
                return false;
            }
            at += part.len() as u64;
        }
        true
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Truncates the file at this place; the next frame is appended there.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn cut(&mut self, place: Place) -> Result<()> {
        self.file.set_len(place.at).map_err(|error| failed(&self.path, &error))?;
        (self.at, self.number) = (place.at, place.number);
        Ok(())
    }

    /// Returns the place of the next frame.
    pub fn here(&self) -> Place {
        Place { at: self.at, number: self.number }
    }

    /// Appends frames, syncs the file, and returns each frame's place.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn append(&mut self, frames: &[Frame]) -> Result<Vec<Place>> {
        let (mut bytes, mut number, mut places) = (Vec::new(), self.number, Vec::with_capacity(frames.len()));
        for frame in frames {
            places.push(Place { at: self.at + bytes.len() as u64, number });
            let plain = serde_json::to_vec(frame).map(Zeroizing::new);
            let plain = plain.map_err(|why| refused(&self.path, &why.to_string()))?;
            let sealed = seal(&self.content, &framing(&self.id, number), &plain)?;
            bytes.extend(u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend(sealed);
            number += 1;
        }
        let mut write = || {
            self.file.seek(SeekFrom::Start(self.at))?;
            self.file.write_all(&bytes)?;
            self.file.sync_data()
        };
        write().map_err(|error| failed(&self.path, &error))?;
        (self.at, self.number) = (self.at + bytes.len() as u64, number);
        Ok(places)
    }
}

fn heading(id: &[u8; 16], key: &MasterKey) -> Context {
    Context::new("archive").field(id).field(&key.id())
}

fn framing(id: &[u8; 16], number: i64) -> Context {
    Context::new("frame").field(id).number(number)
}

fn lock(path: &Path, file: &File, how: FlockOperation) -> Result<()> {
    rustix::fs::flock(file, how).map_err(|_| {
        StoreError::new(Kind::Locked, format!("archive {}: another process writes or reads it", path.display()))
    })
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => Kind::Full,
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => Kind::ReadOnly,
        std::io::ErrorKind::NotFound => Kind::Absent,
        _ => Kind::Unavailable,
    };
    StoreError::new(kind, format!("archive {}: {error}", path.display()))
}

fn refused(path: &Path, what: &str) -> StoreError {
    StoreError::new(Kind::Corrupt, format!("archive {}: {what}", path.display()))
}
