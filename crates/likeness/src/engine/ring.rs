//! A depthwise convolution row by row, with the convolutions before and after it.
//!
//! The rows under the window live in a ring that fits the second cache. The convolution before
//! writes into it, the depthwise rows go to a line buffer, the 1x1 after reads them from there. In
//! the ring and the line buffer a pixel consists of whole vectors, and the padding columns exist.

use super::aligned::Aligned;
use super::conv::{Dense, ResidualView};
use super::graph::{ConvWindow, Padding, Simple};
use super::kernel::KernelSet;
use super::kernel::task::{DepthwiseTask, Places};
use super::packed::Packed;
use super::shape::Shape;
use super::view::{Outside, Target, TensorView};

/// Pixels that one turn should make at least: below, weights are read too often.
const TURN: usize = 96;

/// What the depthwise convolution reads.
pub(crate) enum Feed<'a> {
    /// A tensor.
    Tensor(TensorView<'a>),
    /// The rows of a dense convolution, made when they are needed.
    Conv(Dense<'a>),
}

/// The dense 1x1 after it.
pub(crate) struct Project<'a> {
    pub(crate) packed: &'a Packed,
    pub(crate) activation: Simple,
    pub(crate) join: Option<ResidualView<'a>>,
}

/// A depthwise convolution with its neighbours.
pub(crate) struct Ring<'a> {
    pub(crate) set: KernelSet,
    pub(crate) feed: Feed<'a>,
    /// The shape of the depthwise convolution's input.
    pub(crate) shape: Shape,
    pub(crate) packed: &'a Packed,
    pub(crate) window: ConvWindow,
    pub(crate) activation: Simple,
    pub(crate) outside: Outside<'a>,
    pub(crate) project: Option<Project<'a>>,
}

/// The memory of a ring.
#[derive(Default)]
pub(crate) struct RingMemory {
    ring: Aligned,
    line: Aligned,
}

impl RingMemory {
    /// Bytes that it keeps.
    pub(crate) fn bytes(&self) -> usize {
        self.ring.bytes() + self.line.bytes()
    }
}

/// Sizes that follow from the shapes.
struct Sizes {
    /// Numbers of a pixel, of a ring row.
    pixel: usize,
    row: usize,
    /// Rows of the ring.
    rows: usize,
    /// Rows and columns of the result.
    out: (usize, usize),
    /// Result rows of one turn.
    turn: usize,
}

/// Is called with every row of the tensor under the window: its number, its numbers (padding columns
/// included), the distance between pixels.
pub(crate) type Witness<'w> = Option<&'w mut dyn FnMut(usize, &[f32], usize)>;

impl Ring<'_> {
    fn sizes(&self, out: (usize, usize)) -> Sizes {
        let pixel = self.packed.bias.len();
        let padding = self.window.padding;
        let turn = TURN.div_ceil(out.1.max(1)).min(out.0);
        let rows = (turn - 1) * self.window.stride + self.window.h;
        Sizes { pixel, row: (padding.left + self.shape.w + padding.right) * pixel, rows, out, turn }
    }

    /// Runs it all into `out`.
    pub(crate) fn run(&self, memory: &mut RingMemory, out: &mut Target, mut witness: Witness) {
        let sizes = self.sizes(self.out_size());
        memory.ring.resize(sizes.rows * sizes.row);
        memory.line.resize(sizes.turn * sizes.out.1 * sizes.pixel);
        self.clear(&mut memory.ring, &sizes);
        let (top, stride) = (self.window.padding.top, self.window.stride);
        for n in 0..self.shape.n {
            let mut next = 0;
            for y in (0..sizes.out.0).step_by(sizes.turn) {
                let turn = sizes.turn.min(sizes.out.0 - y);
                let end = (y + turn - 1) * stride + self.window.h;
                let start = next.max(y * stride);
                self.fill(n, start..end, &mut memory.ring, &sizes);
                if let Some(witness) = &mut witness {
                    let row = |row: usize| &memory.ring[row % sizes.rows * sizes.row..][..sizes.row];
                    let real = start.max(top)..end.min(top + self.shape.h);
                    real.for_each(|at| witness(at - top, row(at), sizes.pixel));
                }
                next = end;
                self.depthwise(y * stride..end, turn, memory, &sizes);
                self.deliver(n, y, turn, &memory.line, &sizes, out);
            }
        }
    }

    fn out_size(&self) -> (usize, usize) {
        self.window.output(self.shape.h, self.shape.w).unwrap_or((0, 0))
    }

    /// Padding columns, and the lanes that no channel writes, are zero.
    fn clear(&self, ring: &mut [f32], sizes: &Sizes) {
        let padding = self.window.padding;
        for row in ring.chunks_exact_mut(sizes.row) {
            match self.feed {
                Feed::Tensor(_) => row.fill(0.0),
                Feed::Conv(_) => {
                    row[..padding.left * sizes.pixel].fill(0.0);
                    row[sizes.row - padding.right * sizes.pixel..].fill(0.0);
                }
            }
        }
    }

    /// Fills rows (counted from the first padding row) of image n.
    fn fill(&self, n: usize, rows: std::ops::Range<usize>, ring: &mut [f32], sizes: &Sizes) {
        let (top, h) = (self.window.padding.top, self.shape.h);
        let real = rows.start.max(top)..rows.end.min(top + h);
        for row in rows.filter(|row| !real.contains(row)) {
            let at = row % sizes.rows * sizes.row;
            self.fill_outside(row as isize - top as isize, &mut ring[at..at + sizes.row], sizes);
        }
        if real.is_empty() {
            return;
        }
        match &self.feed {
            Feed::Tensor(x) => real.clone().for_each(|row| self.copy(x, n, row, ring, sizes)),
            Feed::Conv(dense) => self.produce(dense, n, real.clone(), ring, sizes),
        }
        if let Outside::Frame(_) = self.outside {
            for row in real {
                let at = row % sizes.rows * sizes.row;
                self.fill_sides((row - top) as isize, &mut ring[at..at + sizes.row], sizes);
            }
        }
    }

    fn fill_outside(&self, y: isize, row: &mut [f32], sizes: &Sizes) {
        match self.outside {
            Outside::Zero(_) => row.fill(0.0),
            Outside::Frame(_) => {
                let left = self.window.padding.left as isize;
                for (x, pixel) in row.chunks_exact_mut(sizes.pixel).enumerate() {
                    put(pixel, &self.outside.from(y, x as isize - left)[..self.shape.c]);
                }
            }
        }
    }

    fn fill_sides(&self, y: isize, row: &mut [f32], sizes: &Sizes) {
        let (left, w) = (self.window.padding.left, self.shape.w);
        for (x, pixel) in row.chunks_exact_mut(sizes.pixel).enumerate() {
            if x < left || x >= left + w {
                put(pixel, &self.outside.from(y, x as isize - left as isize)[..self.shape.c]);
            }
        }
    }

    fn copy(&self, x: &TensorView, n: usize, row: usize, ring: &mut [f32], sizes: &Sizes) {
        let padding = self.window.padding;
        let row_start = row % sizes.rows * sizes.row + padding.left * sizes.pixel;
        let pixels = ring[row_start..].chunks_exact_mut(sizes.pixel).take(self.shape.w);
        for (column, pixel) in pixels.enumerate() {
            let at = x.at(n, row - padding.top, column);
            pixel[..self.shape.c].copy_from_slice(&x.data[at..at + self.shape.c]);
        }
    }

    fn produce(&self, dense: &Dense, n: usize, rows: std::ops::Range<usize>, ring: &mut [f32], sizes: &Sizes) {
        let (padding, Shape { h, w, .. }) = (self.window.padding, self.shape);
        let first = (n * h + rows.start - padding.top) * w;
        let place = |places: &mut Places, pixels: std::ops::Range<usize>| {
            let mut at = pixels.start;
            while at < pixels.end {
                let (row, column) = ((at - n * h * w) / w + padding.top, at % w);
                let count = (w - column).min(pixels.end - at);
                let start = row % sizes.rows * sizes.row + (padding.left + column) * sizes.pixel;
                places.push_run(start, sizes.pixel, count);
                at += count;
            }
        };
        dense.run(first..first + rows.len() * w, ring, None, &place);
    }

    /// The rows of the line buffer, from those rows of the ring.
    fn depthwise(&self, rows: std::ops::Range<usize>, turn: usize, memory: &mut RingMemory, sizes: &Sizes) {
        let ring = &memory.ring;
        let rows: Vec<&[f32]> = rows.map(|row| &ring[row % sizes.rows * sizes.row..][..sizes.row]).collect();
        let task = DepthwiseTask {
            rows: &rows,
            weights: self.packed.weights(),
            bias: &self.packed.bias,
            slope: &self.packed.slope,
            window: (self.window.h, self.window.w),
            stride: self.window.stride,
            activation: self.activation,
        };
        self.set.depthwise(&task, &mut memory.line[..turn * sizes.out.1 * sizes.pixel]);
    }

    /// Copies from the line buffer to the result.
    fn deliver(&self, n: usize, y: usize, turn: usize, line: &[f32], sizes: &Sizes, out: &mut Target) {
        let pixels = turn * sizes.out.1;
        let first = (n * sizes.out.0 + y) * sizes.out.1;
        let Some(project) = &self.project else {
            let pixel = sizes.pixel;
            for (from, to) in line.chunks_exact(pixel).take(pixels).zip(out.pixels().skip(first)) {
                to.copy_from_slice(&from[..to.len()]);
            }
            return;
        };
        let c = project.packed.input;
        let shape = Shape { n: 1, h: turn, w: sizes.out.1, c };
        let dense = Dense {
            set: self.set,
            packed: project.packed,
            window: ConvWindow { h: 1, w: 1, stride: 1, padding: Padding::default() },
            activation: project.activation,
            x: TensorView { data: line, shape, offset: 0, pixel: sizes.pixel },
            outside: self.outside,
            size: (turn, sizes.out.1),
            whole: false,
        };
        let join = project.join.map(|join| {
            let offset = join.with.offset + first * join.with.pixel;
            ResidualView { with: TensorView { offset, ..join.with }, ..join }
        });
        let place = out.place;
        dense.run(0..pixels, out.data, join, &|places: &mut Places, range: std::ops::Range<usize>| {
            places.push_run(place.offset + (first + range.start) * place.pixel, place.pixel, range.len());
        });
    }
}

fn put(pixel: &mut [f32], from: &[f32]) {
    let (real, spare) = pixel.split_at_mut(from.len().min(pixel.len()));
    real.copy_from_slice(&from[..real.len()]);
    spare.fill(0.0);
}
