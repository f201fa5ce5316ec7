//! A place in the file; every read is checked against the file's end.

use crate::weights::WeightError;
use crate::weights::error::short;

/// The file, and the offset of the next byte.
pub(in crate::weights) struct Cursor<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self { file, at: 0 }
    }

    /// The offset of the next byte.
    pub(in crate::weights) fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(in crate::weights) fn left(&self) -> usize {
        self.file.len() - self.at
    }

    pub(super) fn byte(&mut self) -> Result<u8, WeightError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next `N` bytes.
    pub(in crate::weights) fn array<const N: usize>(&mut self) -> Result<[u8; N], WeightError> {
        let bytes = self.take(N)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8], WeightError> {
        let rest = &self.file[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.wrong("a line", "the end of the file".to_owned()));
        };
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// The next `length` bytes.
    pub(in crate::weights) fn take(&mut self, length: usize) -> Result<&'a [u8], WeightError> {
        let rest = &self.file[self.at..];
        let Some(bytes) = rest.get(..length) else {
            return Err(self.wrong(&format!("{length} more bytes"), format!("the end after {}", rest.len())));
        };
        self.at += length;
        Ok(bytes)
    }

    /// An error at this place.
    pub(in crate::weights) fn wrong(&self, expected: &str, found: String) -> WeightError {
        WeightError::Malformed { at: self.at, expected: expected.to_owned(), found: short(&found).to_owned() }
    }
}
