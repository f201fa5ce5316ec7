//! The receipts file: opened as root before the drop, believed only where the app can't reach it.
//!
//! It is written in place, last of all: a boot cut short leaves no valid JSON, which vouches for
//! nothing. Nobody but root can read or write it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ballast::disk;
use ballast::receipt::{MAX_BYTES, Receipts};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

use crate::custody::Custody;
use crate::facts;

/// An open receipts file and what it held.
pub struct ReceiptFile {
    file: File,
    /// What may be believed.
    pub receipts: Receipts,
}

impl ReceiptFile {
    /// Opens or makes the file, as root and away from the app.
    ///
    /// # Errors
    /// Why receipts can't be used: a remark for the report, never a reason not to start.
    pub fn open(path: &Path, look: &Custody) -> Result<Self, String> {
        if facts::ids().uid != 0 {
            return Err("receipts need a start as root; every byte was verified".into());
        }
        let told = |error: io::Error| format!("{}: {error}; every byte was verified", path.display());
        let file = open_beneath(path).map_err(told)?;
        if !look.is_firm(path) {
            return Err(format!("uid {} could reach {}; every byte was verified", look.app.uid, path.display()));
        }
        let mut text = Vec::new();
        (&file).take(MAX_BYTES).read_to_end(&mut text).map_err(told)?;
        let receipts = serde_json::from_slice(&text).ok().filter(Receipts::current).unwrap_or_default();
        Ok(Self { file, receipts })
    }

    /// Notes what was verified, and writes when that is news.
    ///
    /// # Errors
    /// Those of the write; the receipts are then void, and the next boot verifies bytes.
    pub fn write(mut self, verified: &[(ballast::digest::Digest, PathBuf)]) -> io::Result<()> {
        let before = self.receipts.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos().cast_signed());
        for (pin, path) in verified {
            if let Some(stat) = facts::stat(path) {
                self.receipts.note(pin, &stat, now);
            }
        }
        if self.receipts == before {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.receipts)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        self.file.sync_data()
    }
}

/// Opens the file in a directory that root alone can write. All by descriptor: what stands
/// under the name now may be somebody's trap.
fn open_beneath(path: &Path) -> io::Result<File> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (Some(above), Some(own)) = (parent.parent(), parent.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let above = disk::pin(above)?;
    match fs::mkdirat(&above, own, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = fs::openat(&above, own, flags, Mode::empty())?;
    let stat = fs::fstat(&dir)?;
    if stat.st_uid != 0 || stat.st_mode & 0o022 != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(fs::openat(&dir, name, flags, Mode::from_raw_mode(0o600))?.into())
}
