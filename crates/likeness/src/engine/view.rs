//! Views of tensors in their buffers, and of what surrounds them.

use super::border::Frame;
use super::plan::Place;
use super::shape::Shape;

/// A tensor inside a buffer.
#[derive(Clone, Copy)]
pub(crate) struct TensorView<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) shape: Shape,
    pub(crate) offset: usize,
    /// The distance between pixels.
    pub(crate) pixel: usize,
}

impl<'a> TensorView<'a> {
    /// Returns the offset of a pixel in `data`.
    pub(crate) fn at(&self, n: usize, y: usize, x: usize) -> usize {
        let Shape { h, w, .. } = self.shape;
        self.offset + ((n * h + y) * w + x) * self.pixel
    }

    /// The pixels, in order.
    pub(crate) fn pixels(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let Shape { n, h, w, c } = self.shape;
        let (data, offset, pixel) = (self.data, self.offset, self.pixel);
        (0..n * h * w).map(move |at| &data[offset + at * pixel..][..c])
    }
}

/// A tensor to be written inside a buffer.
pub(crate) struct Target<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) shape: Shape,
    pub(crate) place: Place,
}

impl Target<'_> {
    /// The pixels, in order.
    pub(crate) fn pixels(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (offset, c) = (self.place.offset, self.shape.c);
        self.data.chunks_mut(self.place.pixel).map(move |pixel| &mut pixel[offset..offset + c])
    }
}

/// The values that a window reads outside of a tensor.
#[derive(Clone, Copy)]
pub(crate) enum Outside<'a> {
    /// Zeros; at least a row of a window of them.
    Zero(&'a [f32]),
    /// The response of a background at that place.
    Frame(&'a Frame),
}

impl<'a> Outside<'a> {
    /// The pixels from a place outside of the tensor, in the tensor's coordinates: at least one,
    /// and where the row is outside, all to its end.
    pub(crate) fn from(&self, y: isize, x: isize) -> &'a [f32] {
        match self {
            Self::Zero(zeros) => zeros,
            Self::Frame(frame) => frame.from(y, x),
        }
    }
}
