//! Receiving: bytes that arrive in order from outside a store, hashed in the pass that writes
//! them (S4 to S8 of `docs/store.md`).
//!
//! Promise: only bytes with the SHA-256 that the caller gives get a weight's name. Unfinished bytes
//! stay in a part that is named for its pin. The part is hashed before it is continued, so the
//! digest is always that of all the bytes.

use std::{fmt, io};

use sha2::{Digest as _, Sha256};

use crate::buffer::Buffer;
use crate::copy::{ChunkCounts, PUSH};
use crate::digest::Digest;
use crate::disk::Disk;
use crate::error::ErrorKind;
use crate::fault::{InstallFault, at};
use crate::index::chunks;
use crate::install::{Staged, ensure_dir, with_room};
use crate::lock::{RelPath, Weight};
use crate::quarantine::collect_staged;
use crate::store::{self, BUFFER, ExpectedWeight, Strictness, WeightState, each_piece};
use crate::ways::Ways;

/// The prefix of a part's name; the rest is the pin.
pub const PART_PREFIX: &str = ".ballast-part.";

/// The reason why received bytes were not published.
#[derive(Debug)]
pub enum ReceiveFault {
    /// The bytes differ: this is their digest.
    Bytes(Digest),
    /// A call failed.
    Install(InstallFault),
}

impl ReceiveFault {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Bytes(_) => ErrorKind::WrongBytes,
            Self::Install(fault) => fault.kind(),
        }
    }
}

impl fmt::Display for ReceiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(found) => write!(f, "the received bytes have another SHA-256: {found}"),
            Self::Install(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for ReceiveFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bytes(_) => None,
            Self::Install(fault) => fault.source(),
        }
    }
}

impl From<InstallFault> for ReceiveFault {
    fn from(fault: InstallFault) -> Self {
        Self::Install(fault)
    }
}

/// A weight whose bytes a store is receiving.
pub struct Receiver<'a, D: Disk> {
    disk: &'a D,
    path: &'a RelPath,
    dir: D::Dir,
    /// Parents of directories made on the way: their names are not durable yet.
    made_in: Vec<D::Dir>,
    /// The name of the part, if unfinished bytes are kept.
    part: Option<String>,
    /// Room to reserve; 0 if the length is not known.
    room: u64,
    file: D::File,
    hasher: Sha256,
    len: u64,
    /// The file may contain other bytes than those that were hashed.
    torn: bool,
}

impl<'a, D: Disk> Receiver<'a, D> {
    /// Begins, or continues the part of an earlier call; `len` is its length. For a file without a pin no partial file
    /// is kept. `store` names the weights of this store: a directory that leads to right bytes of one of them is not
    /// moved.
    ///
    /// # Errors
    /// The errors of the directory, and of staging: if the length is known, a full disk is reported here.
    pub fn open(
        disk: &'a D,
        path: &'a RelPath,
        pin: Option<Digest>,
        size: Option<u64>,
        store: &[Weight],
    ) -> Result<Self, InstallFault> {
        let leads = |weight: &Weight| store::leads_right(disk, &ExpectedWeight::by_pin(weight), Strictness::Volume);
        let below = |way: &str| store.iter().filter(|weight| weight.path.as_str().starts_with(way)).any(leads);
        Self::open_in(disk, path, pin, size, &mut Ways::new(below))
    }

    /// Begins with a file that has no pin yet. No directory is moved, also none that leads elsewhere.
    ///
    /// # Errors
    /// The errors of the directory, and of staging.
    pub fn unpinned(disk: &'a D, path: &'a RelPath) -> Result<Self, InstallFault> {
        Self::open_in(disk, path, None, None, &mut Ways::new(|_| true))
    }

    fn open_in(
        disk: &'a D,
        path: &'a RelPath,
        pin: Option<Digest>,
        size: Option<u64>,
        ways: &mut Ways,
    ) -> Result<Self, InstallFault> {
        let (dir, made_in) = ensure_dir(disk, path, Strictness::Volume, ways)?;
        let part = pin.map(|pin| format!("{PART_PREFIX}{pin}"));
        let room = size.unwrap_or(0);
        let (file, len, part) = with_room(disk, &dir, path, || open_file(disk, &dir, part.as_deref(), room))?;
        let mut receiver =
            Self { disk, path, dir, made_in, part, room, file, hasher: Sha256::new(), len: 0, torn: len > 0 };
        if len > 0 && (size.is_some_and(|size| len > size) || !receiver.go_on(len)) {
            receiver.restart()?;
        }
        Ok(receiver)
    }

    /// Hashes the bytes that an earlier call wrote; `false` if they can't be read.
    fn go_on(&mut self, len: u64) -> bool {
        let mut buffer = Buffer::new(BUFFER);
        let hasher = &mut self.hasher;
        let whole = each_piece(self.disk, &self.file, 0, len, &mut buffer, |piece, _| {
            hasher.update(piece);
            Ok(())
        });
        self.len = len;
        self.torn = !whole.unwrap_or(false);
        !self.torn
    }

    /// The number of bytes received so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether no byte was received yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Passes all bytes received so far to `each`, for a comparison with another digest.
    ///
    /// # Errors
    /// The errors of reading; a file that ends early.
    pub fn again(&self, mut each: impl FnMut(&[u8])) -> Result<(), InstallFault> {
        let whole = each_piece(self.disk, &self.file, 0, self.len, &mut Buffer::new(BUFFER), |piece, _| {
            each(piece);
            Ok(())
        });
        match whole.map_err(at("S5 read back"))? {
            true => Ok(()),
            false => Err(InstallFault::Call("S5 read back", io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Forgets all bytes.
    ///
    /// # Errors
    /// The errors of emptying the file and of reserving its room again.
    pub fn restart(&mut self) -> Result<(), InstallFault> {
        if self.len > 0 || self.torn {
            self.torn = true;
            self.disk.empty(&self.file, self.room).map_err(at("S4 empty"))?;
        }
        (self.hasher, self.len, self.torn) = (Sha256::new(), 0, false);
        Ok(())
    }

    /// S5: takes the next bytes.
    ///
    /// # Errors
    /// The errors of the write; after one, no byte is accepted until `restart`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), InstallFault> {
        if self.torn {
            return Err(InstallFault::Call("S5 write", io::ErrorKind::BrokenPipe.into()));
        }
        self.torn = true;
        self.disk.write_at(&self.file, bytes, self.len).map_err(at("S5 write"))?;
        self.torn = false;
        self.hasher.update(bytes);
        let end = self.len + bytes.len() as u64;
        if end / PUSH != self.len / PUSH {
            let from = self.len / PUSH * PUSH;
            let _ = self.disk.push(&self.file, from, end / PUSH * PUSH - from);
        }
        self.len = end;
        Ok(())
    }

    /// The staged file, without a weight's name.
    pub fn file(&self) -> &D::File {
        &self.file
    }

    /// S6 in advance: makes the bytes durable, so that a disk that can't keep them is found before anything else changes.
    ///
    /// # Errors
    /// The errors of the sync.
    pub fn sync(&self) -> Result<(), InstallFault> {
        self.disk.sync_file(&self.file, Strictness::Volume.file_mode()).map_err(at("S6 sync"))
    }

    /// Gives up. Received bytes stay in their part; an empty part is removed.
    pub fn give_up(self) {
        let (disk, dir, part) = (self.disk, self.dir, self.part.filter(|_| self.len == 0));
        // Removes the name first: once the file is unlocked, another process may use it.
        if let Some(part) = part {
            let _ = disk.remove(&dir, &part);
        }
        drop(self.file);
        collect_staged(disk, &dir);
    }

    /// The digest of all the bytes so far.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(self.hasher.clone().finalize().into())
    }

    /// S6 to S8: gives the weight's name to bytes of this digest. `found` is the state of the present entry.
    ///
    /// # Errors
    /// [`ReceiveFault::Bytes`] when the bytes are others; the name is as before.
    pub fn publish(self, pin: Digest, found: &WeightState) -> Result<(), ReceiveFault> {
        let digest = self.digest();
        if digest != pin || self.torn {
            return Err(ReceiveFault::Bytes(digest));
        }
        let placed = ChunkCounts { kept: 0, copied: chunks(self.len) };
        let staged = Staged { dir: self.dir, file: self.file, placed, replaced: Vec::new(), made_in: self.made_in };
        staged.sync_file(self.disk, Strictness::Volume)?;
        Ok(staged.publish(self.disk, self.path, found)?.sync(self.disk)?)
    }
}

/// A part and its name; if another process has it locked, an unnamed file.
fn open_file<D: Disk>(
    disk: &D,
    dir: &D::Dir,
    part: Option<&str>,
    room: u64,
) -> io::Result<(D::File, u64, Option<String>)> {
    match part.map(|part| (part, disk.part(dir, part, room))) {
        Some((part, Ok((file, len)))) => Ok((file, len, Some(part.to_owned()))),
        Some((_, Err(error))) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok((disk.stage(dir, room)?, 0, None)),
    }
}
