//! A buffer whose first byte lies on a cache line.
//!
//! The kernel copies to and from it with `rep movsb`, which some processors run four times slower
//! if source and target are aligned differently; a large `Vec` begins 16 bytes into a page.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// Zeroed bytes on a cache line.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` bytes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let bytes = vec![0; len + LINE];
        let start = bytes.as_ptr().align_offset(LINE).min(LINE);
        Self { bytes, start, len }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_any_size_is_whole_and_begins_on_a_cache_line() {
        for len in [0, 1, 63, 64, 4096, 256 << 10, (1 << 20) + 1] {
            let mut buffer = Buffer::new(len);
            buffer.fill(1);
            assert_eq!((buffer.len(), buffer.as_ptr().align_offset(LINE)), (len, 0));
        }
    }
}
