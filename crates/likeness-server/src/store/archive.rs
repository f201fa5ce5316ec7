//! An archive of persons: one file, sealed to a key that is not the store's, to which is only ever appended.
//! Touches that file.
//!
//! ```text
//! head   "likeness-persons", version 1, id 16, id of the key 8, content key sealed by the key
//! frame  length 4, then a person, an erased number, or the end; sealed by the content key
//! ```
//! Promises: a frame opens only at its own place of its own archive, so none is left out, moved or exchanged; an
//! archive without its end is no whole one. A frame that a crash cut at the end of the file is cut off.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{Kind, Result, StoreError};
use super::keys::{Keyring, MasterKey, hex, sync_parent};
use super::seal::{Context, Key, OVERHEAD, open, random, random_key, seal};

const MAGIC: &[u8; 17] = b"likeness-persons\x01";
const HEAD: usize = MAGIC.len() + 16 + 8 + 32 + OVERHEAD;

/// Longer frames are no person's.
const LONGEST: u32 = 1 << 20;

/// What a frame holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Frame {
    /// A person as of a revision of the store.
    Person(ArchivedPerson),
    /// The person of this number was erased at this revision.
    Gone { person: i64, revision: i64 },
    /// Everything up to this revision is there: so many persons.
    End { revision: i64, persons: u64 },
}

/// A person in an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivedPerson {
    /// The number of the enrolment, in the store that it came from.
    pub id: i64,
    /// The revision.
    pub version: i64,
    /// Whose.
    pub tenant: String,
    /// Who.
    pub subject: String,
    /// Reference, version, time.
    pub consent: Option<(String, String, i64)>,
    /// The end, if there is one.
    pub expires_at: Option<i64>,
    /// Space, time, the bits of the quality, and the bits of the numbers.
    pub templates: Vec<(String, i64, u64, Vec<u32>)>,
}

impl Frame {
    /// The revision of the store that it tells of.
    pub fn revision(&self) -> i64 {
        match self {
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
    /// Where the next frame begins, and its number.
    at: u64,
    number: i64,
}

/// A frame's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    at: u64,
    number: i64,
}

impl Archive {
    /// Opens an archive to go on with it, or makes it; it is locked until it is dropped.
    ///
    /// # Errors
    /// Another process writes it; it is none, or another key's.
    pub fn create(path: &Path, keyring: &Keyring) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(|error| failed(path, &error))?;
        lock(path, &file, FlockOperation::NonBlockingLockExclusive)?;
        let length = file.metadata().map_err(|error| failed(path, &error))?.len();
        // Shorter than a head is what a crash left of making it; any other file has other bytes.
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
    /// It is absent, none, another key's, or being written.
    pub fn open(path: &Path, keyring: &Keyring) -> Result<Self> {
        let file = File::open(path).map_err(|error| failed(path, &error))?;
        lock(path, &file, FlockOperation::NonBlockingLockShared)?;
        Self::opened(path, file, keyring)
    }

    fn opened(path: &Path, file: File, keyring: &Keyring) -> Result<Self> {
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).map_err(|_| refused(path, "expected an archive of persons, found less"))?;
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

    /// The next frame with its place; `None` at the end of what is whole.
    ///
    /// # Errors
    /// It can't be read; a frame that is not the last is not what was written.
    pub fn next(&mut self) -> Result<Option<(Frame, Place)>> {
        let place = Place { at: self.at, number: self.number };
        let length = self.file.metadata().map_err(|error| failed(&self.path, &error))?.len();
        let Some((frame, size)) = self.read(place, length)? else { return Ok(None) };
        self.at += size;
        self.number += 1;
        Ok(Some((frame, place)))
    }

    /// The frame at a place that an earlier read gave.
    ///
    /// # Errors
    /// It is no longer there.
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
            // The last thing in the file, which a crash may have cut.
            None if end >= length => Ok(None),
            None => Err(refused(&self.path, &format!("frame {}: not what was written", place.number))),
        }
    }

    /// Cuts off everything from this place on; the next frame is appended there.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn cut(&mut self, place: Place) -> Result<()> {
        self.file.set_len(place.at).map_err(|error| failed(&self.path, &error))?;
        (self.at, self.number) = (place.at, place.number);
        Ok(())
    }

    /// Where the next frame would be.
    pub fn here(&self) -> Place {
        Place { at: self.at, number: self.number }
    }

    /// Appends frames, and syncs them; where each is.
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
