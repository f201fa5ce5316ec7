//! The border of a canvas that need not be computed.
//!
//! The engine runs a region of a large canvas alone. A window that reaches outside of the region
//! must read the values that the whole canvas would give there. Outside of the region the canvas is
//! one constant colour (the background), so that is the response of an empty canvas **at that
//! place**: near the canvas's own edge it differs from the response far inside, because the
//! reference pads with zeros there.

use super::graph::Padding;

/// A part of a canvas, in pixels. Bounds and sizes are multiples of the network's total stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Rows and columns of the whole canvas.
    pub canvas: (usize, usize),
    /// The first row and column of the part.
    pub start: (usize, usize),
    /// Rows and columns of the part.
    pub size: (usize, usize),
}

/// The canvas around the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Canvas<'a> {
    /// The numbers of one pixel.
    pub background: &'a [f32],
    /// Pixels from an edge of the empty canvas within which that edge changes values.
    pub reach: usize,
}

impl Region {
    /// Returns whether the part lies in the canvas, and all bounds are multiples of `stride`.
    fn fits(&self, stride: usize) -> bool {
        let axes = [
            (self.canvas.0, self.start.0, self.size.0), //
            (self.canvas.1, self.start.1, self.size.1),
        ];
        axes.iter().all(|(canvas, start, size)| {
            let inside = *size > 0 && start.checked_add(*size).is_some_and(|end| end <= *canvas);
            inside && [canvas, start, size].iter().all(|number| number.is_multiple_of(stride))
        })
    }
}

/// The values that every window of a network reads around a region: made once for a geometry and a
/// background, valid for any picture in that region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Border {
    region: Region,
    frames: Vec<Option<Frame>>,
}

impl Border {
    /// The region that it is for.
    pub(crate) fn region(&self) -> Region {
        self.region
    }

    pub(crate) fn frame(&self, node: usize) -> Option<&Frame> {
        self.frames.get(node)?.as_ref()
    }
}

/// The pixels that a padded window reads outside of one tensor.
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

    /// The pixels from a place outside of the tensor: at least one, and where the row is outside,
    /// all to its end.
    pub(crate) fn from(&self, y: isize, x: isize) -> &[f32] {
        &self.data[self.cell(y, x)..]
    }

    pub(crate) fn set(&mut self, y: isize, x: isize, pixel: &[f32]) {
        let (cell, c) = (self.cell(y, x), self.c);
        self.data[cell..cell + c].copy_from_slice(&pixel[..c]);
    }
}

/// One axis of a canvas without its middle, in which an empty canvas repeats itself.
#[derive(Clone, Copy, Debug)]
struct Axis {
    canvas: usize,
    /// The distance from an edge within which that edge changes values.
    reach: usize,
    /// The number of pixels after which the middle repeats itself.
    period: usize,
}

impl Axis {
    fn collapsed(&self) -> usize {
        self.canvas.min(2 * self.reach)
    }

    /// The place of the response for cell `at`, for cells of `scale` pixels; none outside.
    fn map(&self, at: isize, scale: usize) -> Option<usize> {
        let (cells, kept) = (self.canvas / scale, self.collapsed() / scale);
        let (reach, period) = (self.reach / scale, self.period / scale);
        let at = usize::try_from(at).ok().filter(|at| *at < cells)?;
        Some(if cells == kept || at < reach {
            at
        } else if at >= cells - reach {
            at - (cells - kept)
        } else {
            reach - period + (at - reach) % period
        })
    }
}

/// Records the values of an empty canvas around a region, while it runs.
pub(crate) struct Recorder {
    border: Border,
    axes: (Axis, Axis),
}

impl Recorder {
    /// Makes the border for a network of `nodes` operations whose total stride is `stride`; `reach` is the distance, in
    /// pixels, to which the canvas's edge has an effect.
    pub(crate) fn new(region: Region, nodes: usize, stride: usize, reach: usize) -> Option<Self> {
        let reach = reach.next_multiple_of(stride).max(stride);
        let axis = |canvas| Axis { canvas, reach, period: stride };
        let axes = (axis(region.canvas.0), axis(region.canvas.1));
        region.fits(stride).then(|| Self { border: Border { region, frames: vec![None; nodes] }, axes })
    }

    /// Rows and columns of the canvas that is run.
    pub(crate) fn canvas(&self) -> (usize, usize) {
        (self.axes.0.collapsed(), self.axes.1.collapsed())
    }

    pub(crate) fn finish(self) -> Border {
        self.border
    }

    /// Returns one row of the window of `node`: row `y`, its pixels `step` numbers apart, the first
    /// real one at `first`. `size` is that of the whole tensor.
    pub(crate) fn row(&mut self, node: usize, padding: Padding, size: (usize, usize), y: usize, row: TensorRow) {
        let scale = (self.canvas().0 / size.0, self.canvas().1 / size.1);
        let Region { start, size: part, .. } = self.border.region;
        let (h, w) = (part.0 / scale.0, part.1 / scale.1);
        let origin = ((start.0 / scale.0) as isize, (start.1 / scale.1) as isize);
        let frame = self.border.frames[node].get_or_insert_with(|| Frame::new(h, w, row.channels, padding));
        let (above, left) = (padding.top as isize, padding.left as isize);
        let rows = -above..(h + padding.bottom) as isize;
        for at in rows.filter(|at| self.axes.0.map(origin.0 + at, scale.0) == Some(y)) {
            let within = at >= 0 && at < h as isize;
            for x in -left..(w + padding.right) as isize {
                if within && x >= 0 && x < w as isize {
                    continue;
                }
                if let Some(column) = self.axes.1.map(origin.1 + x, scale.1) {
                    frame.set(at, x, &row.data[row.first + column * row.step..]);
                }
            }
        }
    }
}

/// A row of a tensor.
#[derive(Clone, Copy)]
pub(crate) struct TensorRow<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) first: usize,
    pub(crate) step: usize,
    pub(crate) channels: usize,
}
