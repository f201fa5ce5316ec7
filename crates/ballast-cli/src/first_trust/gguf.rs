//! Checks the header of a GGUF file: whether it is complete, and whether the model is split over
//! several files.
//!
//! The format: magic, version, counts of tensors and of keys, the keys with their values, then the tensors'
//! descriptions. `split.count` is the number of files, and each file's name says which one it is.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};

use ballast::lock::RelPath;

use super::findings::Findings;
use super::parts;
use crate::bounds;

/// Values of a fixed length, by their type's number.
const WIDTHS: [u64; 13] = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const STRING: u32 = 8;
const ARRAY: u32 = 9;
/// The longest key that the format allows.
const KEY: u64 = 65_535;

/// Checks the file, which is at its beginning.
pub fn check(path: &RelPath, file: &mut File, checked: &mut Findings) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut reader = Reader { left: bounds::HEADER.min(size), inner: BufReader::new(file) };
    match splits(&mut reader) {
        Ok(Some(count)) if count > 1 => match parts::numbered(path) {
            Some(parts) if parts.count() == count => {}
            _ => checked.refuse(format!(
                "it is one of {count} files, and its name is not NAME-00001-of-{count:05}.gguf, by which readers find the others"
            )),
        },
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && size <= bounds::HEADER => {
            checked.refuse(format!("cut: its header goes on after the file's {size} bytes"));
        }
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => checked.doubt("its header is too long to check"),
        Err(error) if error.kind() == ErrorKind::InvalidData => checked.refuse(format!("its header is damaged: {error}")),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// `split.count`; `None` if the file has none, or is not a GGUF file of this machine's byte order.
fn splits(from: &mut Reader) -> io::Result<Option<usize>> {
    if from.left < 8 || from.bytes::<4>()? != *b"GGUF" {
        return Ok(None);
    }
    // Version 1 has shorter counts; a file of the other byte order has a number above all versions.
    if !(2..=3).contains(&u32::from_le_bytes(from.bytes()?)) {
        return Ok(None);
    }
    let (tensors, keys) = (from.number()?, from.number()?);
    let mut count = None;
    for _ in 0..keys {
        let key = from.text()?;
        let kind = u32::from_le_bytes(from.bytes()?);
        match (key.as_slice(), kind) {
            (b"split.count", 2) => count = Some(usize::from(u16::from_le_bytes(from.bytes()?))),
            _ => from.skip_value(kind)?,
        }
    }
    for _ in 0..tensors {
        from.text()?;
        let dimensions = u64::from(u32::from_le_bytes(from.bytes()?));
        from.skip(dimensions.saturating_mul(8).saturating_add(12))?;
    }
    Ok(count)
}

struct Reader<'a> {
    /// Bytes that may still be read.
    left: u64,
    inner: BufReader<&'a mut File>,
}

impl Reader<'_> {
    fn take(&mut self, bytes: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or(ErrorKind::UnexpectedEof)?;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> io::Result<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn text(&mut self) -> io::Result<Vec<u8>> {
        let length = self.number()?;
        if length > KEY {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("a name of {length} bytes")));
        }
        self.take(length)?;
        let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
        self.inner.read_exact(&mut text)?;
        Ok(text)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.take(bytes)?;
        self.inner.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    fn skip_value(&mut self, kind: u32) -> io::Result<()> {
        match kind {
            STRING => {
                let length = self.number()?;
                self.skip(length)
            }
            ARRAY => {
                let kind = u32::from_le_bytes(self.bytes()?);
                let count = self.number()?;
                match width(kind)? {
                    0 if kind == STRING => (0..count).try_for_each(|_| self.skip_value(STRING)),
                    0 => Err(io::Error::new(ErrorKind::InvalidData, "an array of arrays")),
                    width => self.skip(count.saturating_mul(width)),
                }
            }
            kind => {
                let width = width(kind)?;
                self.skip(width)
            }
        }
    }
}

fn width(kind: u32) -> io::Result<u64> {
    let known = usize::try_from(kind).ok().and_then(|kind| WIDTHS.get(kind)).copied();
    known.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("a value of the unknown type {kind}")))
}
