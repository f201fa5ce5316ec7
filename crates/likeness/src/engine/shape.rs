//! The shape of a tensor. Touches nothing.

use std::fmt;

/// Batch, height, width, channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Shape {
    /// Images.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Pixels of a row.
    pub w: usize,
    /// Numbers of a pixel.
    pub c: usize,
}

impl Shape {
    /// How many numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n * self.h * self.w * self.c
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}x{} (NHWC)", self.n, self.h, self.w, self.c)
    }
}
