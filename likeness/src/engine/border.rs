//! The border of a canvas that need not be computed.
//!
//! A region of a large canvas is run alone. Where a window reaches outside of the region it must
//! find what the whole canvas would have given there. Outside of the region the canvas is one
//! constant colour (the background), so that is the response of an empty canvas **at that place**:
//! near the canvas's own edge it differs from the response far inside, because the reference pads
//! with zeros there.

use super::graph::Padding;

/// What lies around one tensor: the pixels that a padded window reads outside of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Frame {
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) c: usize,
    pub(crate) padding: Padding,
    /// Rows above, then each row's left and right, then rows below.
    data: Vec<f32>,
}

impl Frame {
    /// Nothing recorded yet: zeros.
    pub(crate) fn new(h: usize, w: usize, c: usize, padding: Padding) -> Self {
        let Padding { top, left, bottom, right } = padding;
        let cells = (top + bottom) * (left + w + right) + h * (left + right);
        Self { h, w, c, padding, data: vec![0.0; cells * c] }
    }

    fn cell(&self, y: isize, x: isize) -> usize {
        let Padding { top, left, right, .. } = self.padding;
        let (wide, sides) = (left + self.w + right, left + right);
        let (row, column) = ((y + top as isize) as usize, (x + left as isize) as usize);
        let cell = if row < top {
            row * wide + column
        } else if row < top + self.h {
            let column = if column < left { column } else { column - self.w };
            top * wide + (row - top) * sides + column
        } else {
            top * wide + self.h * sides + (row - top - self.h) * wide + column
        };
        cell * self.c
    }

    /// The pixel at a place outside of the tensor.
    pub(crate) fn at(&self, y: isize, x: isize) -> &[f32] {
        let cell = self.cell(y, x);
        &self.data[cell..cell + self.c]
    }

    pub(crate) fn set(&mut self, y: isize, x: isize, pixel: &[f32]) {
        let (cell, c) = (self.cell(y, x), self.c);
        self.data[cell..cell + c].copy_from_slice(&pixel[..c]);
    }
}
