//! Finds files that were cut: a zip archive without its end, HDF5 that is shorter than its superblock says, JSON that ends
//! within a value.
//!
//! PyTorch, NumPy and Keras keep their arrays in zip archives, whose directory is at the end.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde::de::{Deserialize, IgnoredAny};

use super::findings::Findings;
use crate::bounds;

/// The record at the end of a zip archive, and the longest comment behind it.
const END: u64 = 22;
const COMMENT: u64 = u16::MAX as u64;

/// Checks a zip archive for the record at its end.
pub fn zip(file: &mut File, checked: &mut Findings) -> io::Result<()> {
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(END + COMMENT)))?;
    let mut end = Vec::new();
    file.take(END + COMMENT).read_to_end(&mut end)?;
    let is_end = |at: usize| {
        let comment = end.get(at + 20..at + 22).map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
        comment.is_some_and(|comment| at + 22 + comment <= end.len())
    };
    let found = end.windows(4).enumerate().any(|(at, bytes)| bytes == b"PK\x05\x06" && is_end(at));
    if !found {
        checked
            .refuse(format!("truncated: it is a zip archive of {size} bytes, and its directory at the end is missing"));
    }
    Ok(())
}

/// Compares the length of HDF5 with the end that its superblock names.
pub fn hdf5(head: &[u8], size: u64, checked: &mut Findings) {
    // Addresses of 8 bytes; then the base address, another one, and the end.
    let at = match (head.get(8), head.get(9), head.get(13)) {
        (Some(0), _, Some(8)) => 40,
        (Some(1), _, Some(8)) => 44,
        (Some(2 | 3), Some(8), _) => 28,
        _ => return,
    };
    let end = head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    if let Some(end) = end.filter(|end| *end > size) {
        checked.refuse(format!("truncated: its header says {end} bytes, the file has {size}"));
    }
}

/// Checks that the first value of a JSON file ends, and begins as JSON does.
pub fn json(file: &mut File, checked: &mut Findings) -> io::Result<()> {
    let size = file.metadata()?.len();
    if size == 0 || size > bounds::HEADER {
        return Ok(());
    }
    file.rewind()?;
    match IgnoredAny::deserialize(&mut serde_json::Deserializer::from_reader(BufReader::new(file))) {
        Err(error) if error.is_eof() => checked.refuse("truncated: its JSON does not end"),
        Err(error) if error.is_io() => return Err(error.into()),
        // Python also writes NaN, which JSON does not have.
        Err(error) if error.line() == 1 && error.column() <= 1 => {
            checked.doubt("it does not begin as a .json file does")
        }
        _ => {}
    }
    Ok(())
}
