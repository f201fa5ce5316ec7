//! Checks the header of a GGUF file: whether the file has every tensor, and whether the model is split over
//! several files.
//!
//! The format: magic, version, counts of tensors and of keys, the keys with their values, the tensors' descriptions, then
//! their bytes. `split.count` is the number of files, and each file's name says which one it is.

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
/// The alignment of the tensors' bytes, unless `general.alignment` says otherwise.
const ALIGNMENT: u64 = 32;
/// Values of a block and its bytes, by the number of a tensor's type; zeros where a number has no type.
const BLOCKS: [(u64, u64); 31] = [
    (1, 4),
    (1, 2),
    (32, 18),
    (32, 20),
    (0, 0),
    (0, 0),
    (32, 22),
    (32, 24),
    (32, 34),
    (32, 36),
    (256, 84),
    (256, 110),
    (256, 144),
    (256, 176),
    (256, 210),
    (256, 292),
    (256, 66),
    (256, 74),
    (256, 98),
    (256, 50),
    (32, 18),
    (256, 110),
    (256, 82),
    (256, 136),
    (1, 1),
    (1, 2),
    (1, 4),
    (1, 8),
    (1, 8),
    (256, 56),
    (1, 2),
];
/// The longest key that the format allows.
const KEY: u64 = 65_535;

/// Checks the file, which is at its beginning.
pub fn check(path: &RelPath, file: &mut File, checked: &mut Findings) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut reader = Reader { left: bounds::HEADER.min(size), inner: BufReader::new(file) };
    match header(&mut reader) {
        Ok(Header { end, .. }) if end > size => {
            checked.refuse(format!("truncated: its header says at least {end} bytes, the file has {size}"));
        }
        Ok(Header { files: Some(count), .. }) if count > 1 => match parts::numbered(path) {
            Some(parts) if parts.count() == count => {}
            _ => checked.refuse(format!(
                "it is one of {count} files, and its name is not NAME-00001-of-{count:05}.gguf, by which readers find the others"
            )),
        },
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && size <= bounds::HEADER => {
            checked.refuse(format!("truncated: its header does not end within the file's {size} bytes"));
        }
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => checked.doubt("its header is too long to check"),
        Err(error) if error.kind() == ErrorKind::InvalidData => checked.refuse(format!("its header is damaged: {error}")),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What a header says.
#[derive(Default)]
struct Header {
    /// `split.count`.
    files: Option<usize>,
    /// Where the last tensor ends; 0 for a file that is not GGUF of this machine's byte order.
    end: u64,
}

fn header(from: &mut Reader) -> io::Result<Header> {
    let all = from.left;
    if from.left < 8 || from.bytes::<4>()? != *b"GGUF" {
        return Ok(Header::default());
    }
    // Version 1 has shorter counts; a file of the other byte order has a number above all versions.
    if !(2..=3).contains(&u32::from_le_bytes(from.bytes()?)) {
        return Ok(Header::default());
    }
    let (tensors, keys) = (from.number()?, from.number()?);
    let (mut files, mut alignment) = (None, ALIGNMENT);
    for _ in 0..keys {
        let key = from.text()?;
        let kind = u32::from_le_bytes(from.bytes()?);
        match (key.as_slice(), kind) {
            (b"split.count", 2) => files = Some(usize::from(u16::from_le_bytes(from.bytes()?))),
            (b"general.alignment", 4) => alignment = u64::from(u32::from_le_bytes(from.bytes()?)).max(1),
            _ => from.skip_value(kind)?,
        }
    }
    let mut last = 0;
    for _ in 0..tensors {
        last = from.tensor()?.max(last);
    }
    let begin = (all - from.left).checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    Ok(Header { files, end: if last == 0 { 0 } else { begin.saturating_add(last) } })
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

    /// Where a tensor ends, counted from the first one's beginning. Of an unknown type it is where the tensor begins.
    fn tensor(&mut self) -> io::Result<u64> {
        self.text()?;
        let dimensions = u32::from_le_bytes(self.bytes()?);
        let mut values = 1_u64;
        for _ in 0..dimensions {
            values = values.saturating_mul(self.number()?);
        }
        let kind = u32::from_le_bytes(self.bytes()?);
        let offset = self.number()?;
        let block = usize::try_from(kind).ok().and_then(|kind| BLOCKS.get(kind)).filter(|(values, _)| *values > 0);
        let bytes = block.map_or(0, |(count, bytes)| (values / count).saturating_mul(*bytes));
        Ok(offset.saturating_add(bytes))
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
