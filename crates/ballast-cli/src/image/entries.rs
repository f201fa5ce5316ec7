//! Reads the entries of a foreign tar archive: names, and the offset of each file's bytes.
//!
//! Limits: entries, and bytes of headers and long names. Contents are skipped, never read here. A
//! sparse file, which claims to be longer than its bytes, is refused. Pure but for the reader.

use std::cell::Cell;
use std::io::{self, Error, ErrorKind, Read, Seek, SeekFrom};

use tar::Archive;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// Its whole name.
    pub path: String,
    /// Whether the entry is a regular file.
    pub is_file: bool,
    /// The offset of the entry's bytes in the archive.
    pub at: u64,
    /// How many they are.
    pub size: u64,
}

/// The limits of reading an archive.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Entries.
    pub entries: usize,
    /// Bytes of headers and long names.
    pub headers: u64,
}

/// Passes every entry to `each`, until it stops.
///
/// # Errors
/// An invalid archive, one that contains a sparse file, or one above its bounds; errors of reading
/// and of `each` unchanged.
pub fn each(
    archive: impl Read + Seek,
    bounds: ArchiveLimits,
    mut each: impl FnMut(ArchiveEntry) -> io::Result<bool>,
) -> io::Result<()> {
    let left = Cell::new(bounds.headers);
    let mut archive = Archive::new(Metered { from: archive, left: &left });
    for (count, entry) in archive.entries_with_seek()?.enumerate() {
        let entry = entry?;
        if count == bounds.entries {
            return Err(wrong(format!("expected at most {} entries", bounds.entries)));
        }
        let kind = entry.header().entry_type();
        if kind.is_gnu_sparse() {
            return Err(wrong("expected plain files, found a sparse one".into()));
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let found = ArchiveEntry { path, is_file: kind.is_file(), at: entry.raw_file_position(), size: entry.size() };
        if !each(found)? {
            break;
        }
    }
    Ok(())
}

/// The bytes of an entry, out of an archive in memory.
pub fn content<'a>(archive: &'a [u8], entry: &ArchiveEntry) -> Option<&'a [u8]> {
    let from = usize::try_from(entry.at).ok()?;
    archive.get(from..from.checked_add(usize::try_from(entry.size).ok()?)?)
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

/// A reader that returns at most so many bytes.
pub struct Metered<'a, R> {
    /// What it reads.
    pub from: R,
    /// Bytes that may still be read.
    pub left: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        let left = self.left.get().checked_sub(got as u64);
        self.left.set(left.ok_or_else(|| wrong("its headers and names are too long".into()))?);
        Ok(got)
    }
}

impl<R: Seek> Seek for Metered<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.from.seek(to)
    }
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
