//! Searches the files of a SQLite database for pieces of erased data. Only reads these files.
//!
//! If this process closed any descriptor of the database file, SQLite would lose its locks on that file. The
//! descriptor used for the search therefore stays open until the process ends, one per file.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ballast::foreign;

use super::beside;

/// How many bytes one read returns at most.
const CHUNK: usize = 1 << 20;

const PIECE: usize = 16;

/// Open descriptors by device and inode number.
type Kept = HashMap<(u64, u64), Arc<File>>;

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// Counts the pieces found in the file and in its log; returns `None` if either file is longer than
/// `longest`.
///
/// # Errors
/// The file or its log can't be read.
pub fn search(path: &Path, pieces: &[[u8; PIECE]], longest: u64) -> io::Result<Option<Vec<(&'static str, u64)>>> {
    // SQLite has no lock on the log, so this descriptor may be closed.
    let log = match foreign::open(&beside::name(path, beside::LOG)) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        opened => Some(opened?),
    };
    let database = kept(path)?;
    let length = |file: &File| file.metadata().map(|meta| meta.len());
    if length(&database)? > longest || log.as_ref().map(length).transpose()?.is_some_and(|length| length > longest) {
        return Ok(None);
    }
    let sought = Pieces::of(pieces);
    let mut found = vec![("database file", sought.within(&database)?)];
    found.push(("write-ahead log", log.as_ref().map_or(Ok(0), |log| sought.within(log))?));
    Ok(Some(found))
}

fn kept(path: &Path) -> io::Result<Arc<File>> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let meta = std::fs::metadata(path)?;
    if let Some(file) = kept.get(&(meta.dev(), meta.ino())) {
        return Ok(file.clone());
    }
    let file = Arc::new(foreign::open_named(path)?);
    // The descriptor stays open even if another file took the name meanwhile.
    let meta = file.metadata()?;
    Ok(kept.entry((meta.dev(), meta.ino())).or_insert(file).clone())
}

/// The pieces, and which first two bytes occur in any piece.
struct Pieces<'a> {
    pieces: HashSet<&'a [u8; PIECE]>,
    firsts: Vec<bool>,
}

impl<'a> Pieces<'a> {
    fn of(pieces: &'a [[u8; PIECE]]) -> Self {
        let mut firsts = vec![false; 1 << 16];
        pieces.iter().for_each(|piece| firsts[first(piece)] = true);
        Self { pieces: pieces.iter().collect(), firsts }
    }

    fn within(&self, file: &File) -> io::Result<u64> {
        let (mut found, mut at, mut kept) = (HashSet::new(), 0, 0);
        let mut buffer = vec![0; CHUNK + PIECE];
        loop {
            let read = file.read_at(&mut buffer[kept..], at)?;
            if read == 0 {
                return Ok(found.len() as u64);
            }
            at += read as u64;
            let here = &buffer[..kept + read];
            let known = |piece: &&[u8; PIECE]| self.firsts[first(piece)] && self.pieces.contains(*piece);
            found.extend(here.array_windows::<PIECE>().filter(known).copied());
            // A piece may begin here and end in the next chunk.
            let end = here.len();
            kept = end.min(PIECE - 1);
            buffer.copy_within(end - kept..end, 0);
        }
    }
}

fn first(piece: &[u8; PIECE]) -> usize {
    usize::from(u16::from_le_bytes([piece[0], piece[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_found_wherever_it_lies_and_half_of_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (path, piece) = (dir.path().join("db"), [7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let mut wrong = Vec::new();
        for (suffix, place) in [("", 0), ("-wal", 1)] {
            for at in [0, 1, CHUNK - 17, CHUNK - 8, CHUNK + 1, CHUNK + 8, 2 * CHUNK, 3 * CHUNK - 16] {
                for (bytes, expected) in [(&piece[..], 1), (&piece[..15], 0)] {
                    let mut content = vec![0; 3 * CHUNK];
                    content[at..at + bytes.len()].copy_from_slice(bytes);
                    std::fs::write(&path, vec![0; 100]).unwrap();
                    std::fs::write(dir.path().join(format!("db{suffix}")), content).unwrap();
                    let found = search(&path, &[piece, [9; 16]], u64::MAX).unwrap().unwrap();
                    if found[place].1 != expected {
                        wrong.push((suffix, at, expected, found));
                    }
                }
                let _ = std::fs::remove_file(dir.path().join("db-wal"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(search(&path, &[piece], 99).unwrap(), None, "too long to be searched now");
    }
}
