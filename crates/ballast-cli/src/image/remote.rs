//! Reading an image: which layer contains which weight, and a weight's bytes out of its layer.
//!
//! Promise: the pin decides about each weight. The layer of a single weight is also checked against
//! its own digest, even if only parts of it were fetched: the local file and padding give the rest.
//! For a weight in a pack, only its own bytes are fetched, and only the pin checks them. The lock
//! file, the index and the list of packs come from a blob whose digest is in the manifest. An index
//! only saves transfers, and a list only gives positions: a false one makes a wrong file, which does
//! not match its pin.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use ballast::digest::Digest;
use ballast::disk::LinuxDisk;
use ballast::index::Index;
use ballast::lock::Weight;
use ballast::store::WeightState;
use sha2::{Digest as _, Sha256};

use super::blob::{BALLAST, Blob, Measured};
use super::chunks::{Own, Piece, pieces};
use super::packs::{LIST, Packed, Packs};
use super::{entries, manifest};
use crate::bounds;
use crate::print::ProgressLine;
use crate::setting::INDEX;
use crate::source::fault::Fault;
use crate::source::sink::Sink;

/// This text explains that another tool changed the image's layers after the push.
const ANEW: &str =
    "another tool pushed it again: `ballast push` and `skopeo copy --preserve-digests` keep it unchanged";
/// Bytes of a layer that are searched for its one file.
const HEAD: u64 = 4 << 10;
/// Limits of the walk through a layer's archive, whose bytes are already in memory.
const WALK: entries::ArchiveLimits =
    entries::ArchiveLimits { entries: bounds::ARCHIVE_ENTRIES, headers: bounds::ARCHIVE_HEADERS };

/// A function that receives bytes in their order.
pub type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Fault>;

/// A place from which blobs can be read: a registry, or an archive.
pub trait Blobs: Sync {
    /// Passes the bytes of a range to `take`, in order, none twice. Faults that a retry overcomes
    /// are reported.
    ///
    /// # Errors
    /// The reason why the blob can't be read; errors of `take` unchanged.
    fn read(&self, blob: &Blob, from: u64, to: u64, line: &ProgressLine, take: Take) -> Result<(), Fault>;

    /// How it is called.
    fn label(&self) -> String;
}

/// An image that is stored somewhere.
pub struct RemoteImage {
    blobs: Box<dyn Blobs>,
    layers: Vec<Blob>,
    small: Small,
}

/// The content of the layer with lock file and index.
struct Small {
    index: Index,
    lock: Vec<u8>,
    /// The lists beside the lock file, by name.
    lists: BTreeMap<String, Vec<u8>>,
    packs: Packs,
}

impl RemoteImage {
    /// Reads what a manifest names, and the small layer.
    ///
    /// # Errors
    /// The image is not an image of weights, or a blob does not match its digest.
    pub fn open(blobs: Box<dyn Blobs>, manifest: &[u8], line: &ProgressLine) -> Result<Self, Fault> {
        let named = manifest::read(manifest).map_err(|why| Fault::BadImage(format!("its manifest: {why}")))?;
        let layers = named.layers;
        let small = titled(&layers, BALLAST).ok_or_else(|| {
            Fault::BadImage(format!("no layer is titled {BALLAST:?}: it is no image of weights, or {ANEW}"))
        })?;
        let bytes = whole(&*blobs, small, bounds::SMALL_LAYER, line)?;
        Ok(Self { small: Small::read(&bytes)?, blobs, layers })
    }

    /// How it is called.
    pub fn label(&self) -> String {
        self.blobs.label()
    }

    /// The lock file that it was made from.
    pub fn lock(&self) -> &[u8] {
        &self.small.lock
    }

    /// The lists beside it, by name.
    pub fn lists(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.small.lists
    }

    /// Takes a weight: continues from the sink's bytes, and uses good chunks of the existing file.
    ///
    /// # Errors
    /// The source's fault, or the sink's.
    pub fn take(&self, disk: &LinuxDisk, weight: &Weight, found: &WeightState, sink: &mut Sink) -> Result<(), Fault> {
        if let Some(packed) = self.small.packs.get(weight.path.as_str()) {
            return self.take_packed(packed, disk, weight, found, sink);
        }
        let layer = titled(&self.layers, weight.path.as_str())
            .ok_or_else(|| Fault::NotFound("the image has no layer of that title".into()))?;
        let head = Head::read(&*self.blobs, layer, weight, sink.line)?;
        sink.announced(head.size, &[])?;
        let own = self.own(disk, weight, found, head.size);
        if sink.len() == 0 && own.is_none() {
            return self.take_whole(layer, &head, sink);
        }
        let mut hasher = Sha256::new();
        hasher.update(&head.bytes);
        sink.again(|piece| hasher.update(piece))?;
        self.take_pieces(layer, head.bytes.len() as u64, head.size, own.as_ref(), sink, |bytes| hasher.update(bytes))?;
        head.judge(hasher, layer)
    }

    /// The good chunks of the existing file.
    fn own<'a>(&'a self, disk: &'a LinuxDisk, weight: &Weight, found: &WeightState, size: u64) -> Option<Own<'a>> {
        let tree = self.small.index.tree(&weight.sha256).filter(|tree| tree.size() == size)?;
        Own::open(disk, weight, found, tree)
    }

    /// The weight's bytes out of a pack: these alone are fetched.
    fn take_packed(
        &self,
        packed: &Packed,
        disk: &LinuxDisk,
        weight: &Weight,
        found: &WeightState,
        sink: &mut Sink,
    ) -> Result<(), Fault> {
        let Packed { layer: title, at, size } = packed;
        let layer = titled(&self.layers, title)
            .ok_or_else(|| Fault::BadImage(format!("{LIST} names the layer {title}, which the image lacks")))?;
        plain(layer)?;
        if at.checked_add(*size).is_none_or(|end| end > layer.measured.size) {
            return Err(Fault::BadImage(format!("{LIST} names bytes beyond the end of the layer {title}")));
        }
        sink.announced(*size, &[])?;
        let own = self.own(disk, weight, found, *size);
        self.take_pieces(layer, *at, *size, own.as_ref(), sink, |_| {})
    }

    /// The whole layer, every byte of it checked against its digest.
    fn take_whole(&self, layer: &Blob, head: &Head, sink: &mut Sink) -> Result<(), Fault> {
        let (mut hasher, mut skip) = (Sha256::new(), head.bytes.len() as u64);
        self.blobs.read(layer, 0, layer.measured.size, sink.line, &mut |bytes| {
            hasher.update(bytes);
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
            skip -= passed as u64;
            let left = usize::try_from(head.size - sink.len()).unwrap_or(usize::MAX);
            let mine = &bytes[passed..];
            match &mine[..left.min(mine.len())] {
                [] => Ok(()),
                some => sink.write(some),
            }
        })?;
        sink.ended()?;
        let found = Digest::from_bytes(hasher.finalize().into());
        if found == layer.measured.digest { Ok(()) } else { Err(wrong_blob(layer, found)) }
    }

    /// Takes the bytes that the sink lacks, of the `size` bytes from the offset `at` on.
    fn take_pieces(
        &self,
        layer: &Blob,
        at: u64,
        size: u64,
        own: Option<&Own>,
        sink: &mut Sink,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Fault> {
        sink.pieced |= sink.len() > 0 || own.is_some();
        for piece in pieces(sink.len(), size, own) {
            match piece {
                Piece::Own(bytes) => {
                    each(&bytes);
                    sink.keep(&bytes)?;
                }
                Piece::Ask(from, to) => {
                    self.blobs.read(layer, at + from, at + to, sink.line, &mut |bytes| {
                        each(bytes);
                        sink.write(bytes)
                    })?;
                }
            }
        }
        sink.ended()
    }
}

fn titled<'a>(layers: &'a [Blob], title: &str) -> Option<&'a Blob> {
    layers.iter().find(|layer| layer.title == title)
}

/// Returns all bytes of a small blob, checked against its digest.
fn whole(blobs: &dyn Blobs, blob: &Blob, most: u64, line: &ProgressLine) -> Result<Vec<u8>, Fault> {
    plain(blob)?;
    if blob.measured.size > most {
        return Err(Fault::TooLong { most });
    }
    let mut bytes = Vec::new();
    blobs.read(blob, 0, blob.measured.size, line, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    let found = Measured::of(&bytes);
    if found == blob.measured { Ok(bytes) } else { Err(wrong_blob(blob, found.digest)) }
}

fn plain(blob: &Blob) -> Result<(), Fault> {
    if blob.plain {
        return Ok(());
    }
    Err(Fault::BadImage(format!("the layer {} is compressed: {ANEW}", blob.title)))
}

fn wrong_blob(blob: &Blob, found: Digest) -> Fault {
    Fault::WrongBlob { expected: blob.measured.digest, found }
}

impl Small {
    /// Reads the archive.
    fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let bad = |why: &dyn std::fmt::Display| Fault::BadImage(format!("the layer {BALLAST}: {why}"));
        let (mut index, mut lock, mut packs, mut lists) = (None, None, Packs::default(), BTreeMap::new());
        let walked = entries::each(Cursor::new(bytes), WALK, |entry| {
            match entries::content(bytes, &entry).filter(|_| entry.is_file) {
                Some(content) if entry.path.ends_with(INDEX) => index = Some(Index::from_bytes(content)),
                Some(content) if entry.path.ends_with("weights.lock") && content.len() as u64 <= bounds::LOCK => {
                    lock = Some(content.to_vec());
                }
                Some(content) if entry.path.ends_with(".list") && content.len() as u64 <= bounds::LIST => {
                    let name = entry.path.rsplit('/').next().unwrap_or_default();
                    lists.insert(name.to_owned(), content.to_vec());
                }
                Some(content) if entry.path.ends_with(LIST) => {
                    let text = std::str::from_utf8(content).map_err(|error| error.to_string());
                    packs = text.and_then(Packs::parse).map_err(io::Error::other)?;
                }
                _ => {}
            }
            Ok(true)
        });
        walked.map_err(|error| bad(&error))?;
        let index = index.transpose().map_err(|why| bad(&why))?;
        let (index, lock) = index.zip(lock).ok_or_else(|| bad(&"expected an index and a lock file"))?;
        Ok(Self { index, lock, lists, packs })
    }
}

/// The bytes before the one file of a layer.
struct Head {
    bytes: Vec<u8>,
    /// The file's length.
    size: u64,
}

impl Head {
    fn read(blobs: &dyn Blobs, layer: &Blob, weight: &Weight, line: &ProgressLine) -> Result<Self, Fault> {
        plain(layer)?;
        let (mut bytes, mut want) = (Vec::new(), HEAD);
        loop {
            let end = want.min(layer.measured.size);
            blobs.read(layer, bytes.len() as u64, end, line, &mut |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            match first_file(&bytes, weight.path.as_str()) {
                Some((at, size)) if at <= bytes.len() as u64 && fits(at, size, layer) => {
                    bytes.truncate(usize::try_from(at).unwrap_or_default());
                    return Ok(Self { bytes, size });
                }
                None if end < layer.measured.size && end < bounds::LAYER_HEAD => want = end * 4,
                _ => return Err(Fault::BadImage(format!("the layer {} does not begin with that file", layer.title))),
            }
        }
    }

    /// The rest of a layer of one file is zeros: so its digest follows from the known bytes.
    fn judge(&self, mut hasher: Sha256, layer: &Blob) -> Result<(), Fault> {
        let mut left = layer.measured.size - self.bytes.len() as u64 - self.size;
        let zeros = [0; 4096];
        while left > 0 {
            let some = left.min(zeros.len() as u64);
            hasher.update(&zeros[..usize::try_from(some).unwrap_or(zeros.len())]);
            left -= some;
        }
        let found = Digest::from_bytes(hasher.finalize().into());
        if found == layer.measured.digest { Ok(()) } else { Err(wrong_blob(layer, found)) }
    }
}

/// Returns whether a layer ends soon after its one file.
fn fits(at: u64, size: u64, layer: &Blob) -> bool {
    let tail = at.checked_add(size).and_then(|end| layer.measured.size.checked_sub(end));
    tail.is_some_and(|tail| tail <= bounds::LAYER_TAIL)
}

/// Returns the offset and the length of the first regular file, if it is the weight.
fn first_file(head: &[u8], path: &str) -> Option<(u64, u64)> {
    let mut first = None;
    // Memory contains only the layer's head, so the walk stops at the first file.
    let walked = entries::each(Cursor::new(head), WALK, |entry| {
        first = Some(entry).filter(|entry| entry.is_file);
        Ok(first.is_none())
    });
    let file = first.filter(|_| walked.is_ok())?;
    let named = file.path == path || file.path.strip_suffix(path).is_some_and(|root| root.ends_with('/'));
    named.then_some((file.at, file.size))
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
