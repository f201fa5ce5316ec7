//! The receipts file: opened as root before the drop, trusted only if the app can't write or replace it.
//!
//! At the end the file is written in place. An interrupted write leaves invalid JSON, which counts
//! as no receipt. Only root can read or write the file.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ballast::receipt::Receipts;

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

use crate::permit::{self, RootPaths};
use crate::walk;
use crate::write_access::WriteAccess;
use crate::{bounds, facts, foreign};

/// An open receipts file and its content.
pub struct ReceiptFile {
    file: File,
    /// The receipts that are trusted.
    pub receipts: Receipts,
}

impl ReceiptFile {
    /// Opens or makes the file, as root and away from the app.
    ///
    /// # Errors
    /// The reason why receipts can't be used: a remark for the report, never a reason not to start.
    pub fn open(path: &Path, look: &WriteAccess) -> Result<Self, String> {
        if facts::ids().uid != 0 {
            return Err("receipts need a start as root; every byte was verified".into());
        }
        let named = |error: io::Error| format!("{}: {error}; every byte was verified", path.display());
        let file = open_beneath(path, look).map_err(|why| format!("{why}; every byte was verified"))?;
        if !look.is_firm(path) {
            return Err(format!("uid {} could reach {}; every byte was verified", look.app.uid, path.display()));
        }
        let text = foreign::read_from(&file, bounds::RECEIPTS).map_err(named)?;
        let receipts = serde_json::from_slice(&text).ok().filter(Receipts::current).unwrap_or_default();
        Ok(Self { file, receipts })
    }

    /// Records the verified weights, and writes the file if it changes.
    ///
    /// # Errors
    /// The errors of the write; the receipts are then void, and the next boot verifies bytes.
    pub fn write(mut self, verified: &[(ballast::digest::Digest, PathBuf)]) -> io::Result<()> {
        let before = self.receipts.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos().cast_signed());
        let files: Vec<_> = verified.iter().filter_map(|(pin, path)| Some((*pin, facts::stat(path)?))).collect();
        self.receipts.note(&files, now);
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

/// Opens the file in a directory that root alone can write, and that the app can't replace. The
/// function works by descriptors, and checks them before it makes a file.
fn open_beneath(path: &Path, look: &WriteAccess) -> Result<File, String> {
    let words = |error: io::Error| format!("{}: {error}", path.display());
    let no_file = || words(io::ErrorKind::InvalidInput.into());
    let path = std::path::absolute(path).map_err(words)?;
    let (parent, name) = path.parent().zip(path.file_name()).ok_or_else(no_file)?;
    let (above, own) = parent.parent().zip(parent.file_name()).ok_or_else(no_file)?;
    let (above, _) = walk::permitted(above, RootPaths::Allowed, look.app, look.groups)?;
    match fs::mkdirat(&above.dir, own, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(words(error.into())),
    }
    let dir = above.enter(own, parent).map_err(|fault| fault.words("opening"))?;
    permit::irreplaceable(&dir.components, look.app, look.groups).map_err(|denial| denial.words(parent, look.app))?;
    if !dir.last().is_some_and(|dir| dir.stat.uid == 0 && dir.stat.mode & 0o022 == 0) {
        return Err(format!("{}: expected a directory that root alone can write", parent.display()));
    }
    foreign::must_be_regular_at(&dir.dir, name).map_err(words)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = fs::openat(&dir.dir, name, flags, Mode::from_raw_mode(0o600));
    Ok(opened.map_err(|error| words(error.into()))?.into())
}
