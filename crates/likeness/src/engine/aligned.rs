//! f32 storage that starts on a cache line.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;
const SPARE: usize = LINE / size_of::<f32>();

/// `len` numbers, zero at first, the first of them on a 64-byte boundary.
#[derive(Default)]
pub(crate) struct Aligned {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeros(len: usize) -> Self {
        let data = vec![0.0; len + SPARE];
        let start = data.as_ptr().align_offset(LINE).min(SPARE);
        Self { data, start, len }
    }

    /// Bytes that it keeps.
    pub(crate) fn bytes(&self) -> usize {
        self.data.capacity() * size_of::<f32>()
    }

    /// Makes room for `len` numbers; existing numbers stay if they fit, otherwise the room is zero.
    pub(crate) fn resize(&mut self, len: usize) {
        if self.start + len > self.data.len() {
            *self = Self::zeros(len);
        }
        self.len = len;
    }
}

impl Deref for Aligned {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_cache_line_and_has_the_given_length() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = Aligned::zeros(len);
            assert_eq!(buffer.as_ptr() as usize % LINE, 0, "{len}");
            buffer.resize(len * 2);
            assert_eq!((buffer.as_ptr() as usize % LINE, buffer.len()), (0, len * 2));
        }
    }
}
