//! One layer of an image: a tar archive that depends only on its entries.
//!
//! Promise: the same entries give the same bytes. Owners are numbers, times are zero, the order is
//! that of the entries. A file's bytes are hashed as they pass: if they or their number differ from
//! those measured, this is an error.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::boot::plan::Ids;
use ballast::digest::Digest;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::blob::Measured;
use crate::foreign;

/// Root, whose every directory is.
pub const ROOT: Ids = Ids { uid: 0, gid: 0 };

/// Bytes of a block of a tar archive.
const BLOCK: u64 = 512;
const EMPTY: Content = Content::Bytes(Vec::new());

/// A layer: what it holds, in order.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The layer's title in the manifest.
    pub title: String,
    entries: Vec<LayerEntry>,
    paths: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct LayerEntry {
    path: String,
    mode: u32,
    owner: Ids,
    content: Content,
}

/// What an entry holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// A directory.
    Directory,
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file as it was measured.
    File(PathBuf, Measured),
}

impl Layer {
    /// A layer without entries.
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), entries: Vec::new(), paths: BTreeSet::new() }
    }

    /// Adds an entry, and before it every missing parent directory: 0755, root-owned.
    ///
    /// # Errors
    /// A path that a layer can't hold: it leads out, or engines would take it for a deletion.
    pub fn add(&mut self, path: &str, mode: u32, owner: Ids, content: Content) -> Result<(), String> {
        let names: Vec<&str> = path.split('/').collect();
        if names.iter().any(|name| matches!(*name, "" | "." | "..") || name.starts_with(".wh.")) {
            return Err(format!("expected a path of plain names without `.wh.` before them, found {path:?}"));
        }
        for depth in 1..names.len() {
            let path = names[..depth].join("/");
            if !self.paths.contains(&path) {
                self.push(LayerEntry { path, mode: 0o755, owner: ROOT, content: Content::Directory });
            }
        }
        self.push(LayerEntry { path: path.into(), mode, owner, content });
        Ok(())
    }

    fn push(&mut self, entry: LayerEntry) {
        self.paths.insert(entry.path.clone());
        self.entries.push(entry);
    }

    /// The offset of each file's first byte in the layer, with its path and size, in order. Reads no file.
    ///
    /// # Errors
    /// A path that a tar archive can't name.
    pub fn offsets(&self) -> io::Result<Vec<(&str, u64, u64)>> {
        let (mut at, mut offsets) = (0, Vec::new());
        for entry in &self.entries {
            at += entry.head_len()?;
            let size = entry.content.size();
            if !matches!(entry.content, Content::Directory) {
                offsets.push((entry.path.as_str(), at, size));
            }
            at += size.next_multiple_of(BLOCK);
        }
        Ok(offsets)
    }

    /// Digest and length of the layer's bytes.
    ///
    /// # Errors
    /// The errors of [`Layer::write`].
    pub fn measure(&self) -> io::Result<Measured> {
        self.write(Meter::default()).map(Meter::measured)
    }

    /// Writes the layer's bytes.
    ///
    /// # Errors
    /// A file that can't be read or has changed, and those of the target.
    pub fn write<W: Write>(&self, out: W) -> io::Result<W> {
        let mut tar = Builder::new(out);
        for entry in &self.entries {
            entry.write(&mut tar).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", entry.path)))?;
        }
        tar.into_inner()
    }
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Self::Directory => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, measured) => measured.size,
        }
    }
}

impl LayerEntry {
    /// Bytes before the content: the header, and what a long name adds.
    fn head_len(&self) -> io::Result<u64> {
        let content = if matches!(self.content, Content::Directory) { Content::Directory } else { EMPTY };
        let mut tar = Builder::new(Meter::default());
        Self { content, ..self.clone() }.write(&mut tar)?;
        Ok(tar.get_ref().size)
    }

    fn write(&self, tar: &mut Builder<impl Write>) -> io::Result<()> {
        let kind = if matches!(self.content, Content::Directory) { EntryType::Directory } else { EntryType::Regular };
        let mut header = header(kind, self.mode, self.owner, self.content.size());
        match &self.content {
            Content::Directory => tar.append_data(&mut header, format!("{}/", self.path), io::empty()),
            Content::Bytes(bytes) => tar.append_data(&mut header, &self.path, bytes.as_slice()),
            Content::File(path, measured) => {
                tar.append_data(&mut header, &self.path, Checked::new(open(path)?, *measured))
            }
        }
    }
}

/// A tar header without times and user names.
pub fn header(kind: EntryType, mode: u32, owner: Ids, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner.uid.into());
    header.set_gid(owner.gid.into());
    header.set_size(size);
    header.set_mtime(0);
    header
}

/// Opens a regular file that the user named.
///
/// # Errors
/// The errors of opening, with the path.
pub fn open(path: &Path) -> io::Result<File> {
    foreign::open_named(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Hashes and counts what is written.
#[derive(Default)]
pub struct Meter {
    hasher: Sha256,
    size: u64,
}

impl Meter {
    /// What it has seen.
    pub fn measured(self) -> Measured {
        Measured { digest: Digest::from_bytes(self.hasher.finalize().into()), size: self.size }
    }
}

impl Write for Meter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Measured {
    /// Measures a file from its beginning, in pieces.
    ///
    /// # Errors
    /// Those of reading.
    pub fn of_file(file: &mut File) -> io::Result<Self> {
        file.rewind()?;
        let mut meter = Meter::default();
        io::copy(file, &mut meter)?;
        Ok(meter.measured())
    }
}

/// Bytes that must be those that were measured: its end is reached only if they were.
pub struct Checked<R> {
    from: R,
    expected: Measured,
    meter: Option<Meter>,
}

impl<R: Read> Checked<R> {
    /// Bytes that are not checked yet.
    pub fn new(from: R, expected: Measured) -> Self {
        Self { from, expected, meter: Some(Meter::default()) }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        let Some(meter) = &mut self.meter else { return Ok(0) };
        meter.write_all(&buffer[..got])?;
        let size = meter.size;
        let found = if got == 0 { self.meter.take().map(Meter::measured) } else { None };
        if size > self.expected.size || found.is_some_and(|found| found != self.expected) {
            let what = format!("it changed while it was read: expected {}", self.expected.digest);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(path: &str) -> Layer {
        let mut layer = Layer::new("w");
        let added = layer.add(path, 0o444, Ids { uid: 100, gid: 101 }, Content::Bytes(b"weights".to_vec()));
        assert_eq!(added, Ok(()), "{path}");
        layer
    }

    #[test]
    fn the_same_entries_give_the_same_bytes_and_others_do_not() {
        let long = format!("{}/w.bin", "d".repeat(180));
        for path in ["w.bin", "a/b/w.bin", &long] {
            assert_eq!(sample(path).measure().ok(), sample(path).measure().ok(), "{path}");
        }
        assert_ne!(sample("a/w.bin").measure().ok(), sample("b/w.bin").measure().ok());
    }

    #[test]
    fn an_entry_has_its_owner_mode_and_no_time_and_each_directory_stands_once_before_it() {
        let mut layer = sample("a/b/w.bin");
        assert_eq!(layer.add("a/b/v.bin", 0o644, ROOT, Content::Bytes(Vec::new())), Ok(()));
        let bytes = layer.write(Vec::new()).unwrap_or_default();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().into_iter().flatten().flatten();
        let reported: Vec<_> = entries
            .map(|entry| {
                let header = entry.header();
                let (mode, uid) = (header.mode().unwrap_or_default(), header.uid().unwrap_or(9));
                (String::from_utf8_lossy(&entry.path_bytes()).into_owned(), mode, uid, header.mtime().unwrap_or(9))
            })
            .collect();
        let row = |path: &str, mode, uid| (path.to_owned(), mode, uid, 0);
        assert_eq!(
            reported,
            [row("a/", 0o755, 0), row("a/b/", 0o755, 0), row("a/b/w.bin", 0o444, 100), row("a/b/v.bin", 0o644, 0)]
        );
    }

    #[test]
    fn a_path_that_leads_out_or_would_delete_is_refused() {
        let refused = |path: &str| Layer::new("w").add(path, 0o444, ROOT, Content::Directory).is_err();
        let wrong: Vec<_> =
            ["/a", "a//b", "../a", "a/../b", "./a", "a/.wh.b", ".wh..wh..opq"].iter().filter(|p| !refused(p)).collect();
        assert!(wrong.is_empty(), "taken: {wrong:?}");
    }

    #[test]
    fn a_file_that_changed_since_it_was_measured_is_an_error() {
        let expected = Measured::of(b"weights");
        let mut wrong = Vec::new();
        for (bytes, right) in [("weights", true), ("weighty", false), ("weight", false), ("weights!", false)] {
            let read = io::copy(&mut Checked::new(bytes.as_bytes(), expected), &mut io::sink());
            if read.is_ok() != right {
                wrong.push(bytes);
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
