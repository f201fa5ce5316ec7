//! S5: copies bytes and hashes them, from the same buffer that is written.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::disk::{Disk, Stat};
use crate::fault::{InstallFault, at};
use crate::index::{CHUNK, Leaf, Tree, chunks};
use crate::store::{BUFFER, Threads, each_piece};

/// The number of chunks of a new file, by the file that they were copied from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunkCounts {
    /// Chunks that came from the damaged file itself.
    pub kept: u64,
    /// Chunks that came from an origin.
    pub copied: u64,
}

/// Bytes after which write-back of a whole copy is started.
pub(crate) const PUSH: u64 = 4 << 20;
/// A store and a weight that is open in it.
pub(crate) type Opened<'a, D> = (&'a D, (<D as Disk>::File, Stat));

/// Copies every chunk from the first file that has it right: the damaged file (without its known bad chunks), then the
/// origins. Returns the chunks that came from an origin, in order.
pub(crate) fn copy_chunks<D: Disk, O: Disk>(
    disk: &D,
    staged: &D::File,
    tree: &Tree,
    own: Option<(&D::File, &[u64])>,
    origins: &[Opened<O>],
    threads: Threads,
) -> Result<(ChunkCounts, Vec<u64>), InstallFault> {
    let copy = Copying {
        disk,
        staged,
        tree,
        own,
        origins,
        next: AtomicU64::new(0),
        kept: AtomicU64::new(0),
        copied: Mutex::new(Vec::new()),
        fault: Mutex::new(None),
    };
    let workers = if chunks(tree.size()) > 1 { threads().get().min(2) } else { 1 };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, || copy.work());
        }
        copy.work();
    });
    if let Some(fault) = copy.fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(fault);
    }
    let mut copied = copy.copied.into_inner().unwrap_or_else(PoisonError::into_inner);
    copied.sort_unstable();
    Ok((ChunkCounts { kept: copy.kept.into_inner(), copied: copied.len() as u64 }, copied))
}

/// One copy of a file by chunks, shared among threads.
struct Copying<'a, D: Disk, O: Disk> {
    disk: &'a D,
    staged: &'a D::File,
    tree: &'a Tree,
    own: Option<(&'a D::File, &'a [u64])>,
    origins: &'a [Opened<'a, O>],
    next: AtomicU64,
    kept: AtomicU64,
    copied: Mutex<Vec<u64>>,
    fault: Mutex<Option<InstallFault>>,
}

impl<D: Disk, O: Disk> Copying<'_, D, O> {
    fn work(&self) {
        let mut buffer = Buffer::new(BUFFER);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= chunks(self.tree.size()) {
                return;
            }
            if let Err(fault) = self.chunk(number, &mut buffer) {
                // Tells the other threads to stop at their next chunk.
                self.next.store(u64::MAX / 2, Ordering::Relaxed);
                self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
                return;
            }
            // Each thread starts write-back of its own chunk only, because the chunks of other threads may not be
            // written yet.
            let _ = self.disk.push(self.staged, number * CHUNK, CHUNK);
        }
    }

    /// Copies one chunk from the first file that has it right: the damaged one, then the origins.
    fn chunk(&self, number: u64, buffer: &mut [u8]) -> Result<(), InstallFault> {
        if let Some((file, bad)) = self.own
            && bad.binary_search(&number).is_err()
            && self.chunk_from(self.disk, file, number, buffer)?
        {
            self.kept.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        for (origin, (file, _)) in self.origins {
            if self.chunk_from(*origin, file, number, buffer)? {
                self.copied.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                return Ok(());
            }
        }
        Err(InstallFault::NoSource)
    }

    /// Copies and hashes one chunk of one file; `false` if its bytes were wrong or unreadable: then
    /// the next file's bytes overwrite them.
    fn chunk_from<F: Disk>(
        &self,
        from: &F,
        file: &F::File,
        at_chunk: u64,
        buffer: &mut [u8],
    ) -> Result<bool, InstallFault> {
        let (start, mut leaf, mut written) = (at_chunk * CHUNK, Leaf::start(at_chunk), Ok(()));
        let end = (start + CHUNK).min(self.tree.size());
        let whole = each_piece(from, file, start, end, buffer, |piece, offset| {
            leaf.update(piece);
            written = self.disk.write_at(self.staged, piece, offset).map_err(at("S5 write"));
            if written.is_ok() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
        });
        written?;
        Ok(whole.unwrap_or(false) && self.tree.holds(at_chunk, &leaf.finish()))
    }
}

/// Copies a file and computes its SHA-256; `None` if the file could not be read to its end.
pub(crate) fn copy_whole<D: Disk, O: Disk>(
    disk: &D,
    staged: &D::File,
    origin: &O,
    file: &O::File,
    size: u64,
) -> Result<Option<Digest>, InstallFault> {
    let (mut hasher, mut write) = (Sha256::new(), Ok(()));
    let whole = each_piece(origin, file, 0, size, &mut Buffer::new(BUFFER), |piece, offset| {
        hasher.update(piece);
        write = disk.write_at(staged, piece, offset).map_err(at("S5 write"));
        let end = offset + piece.len() as u64;
        if end / PUSH != offset / PUSH {
            let _ = disk.push(staged, (end / PUSH - 1) * PUSH, PUSH);
        }
        if write.is_ok() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    });
    write?;
    Ok(whole.unwrap_or(false).then(|| Digest::from_bytes(hasher.finalize().into())))
}
