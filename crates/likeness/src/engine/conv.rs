//! Dense convolution: pointers to the pixels under each tap, then panel by panel.

use std::ops::Range;

use super::graph::{ConvWindow, Simple};
use super::kernel::KernelSet;
use super::kernel::task::{ConvTask, Places, Residual, Rows};
use super::packed::Packed;
use super::shape::Shape;
use super::view::{Outside, TensorView};

/// Bytes of weights above which one panel visits all pixels before the next panel.
const HEAVY: usize = 400 << 10;
/// Numbers of input that should stay in the first cache while panels pass.
const NEAR: usize = 6 << 10;

/// A dense convolution and what it reads.
#[derive(Clone, Copy)]
pub(crate) struct Dense<'a> {
    pub(crate) set: KernelSet,
    pub(crate) packed: &'a Packed,
    pub(crate) window: ConvWindow,
    pub(crate) activation: Simple,
    pub(crate) x: TensorView<'a>,
    pub(crate) outside: Outside<'a>,
    /// Rows and columns of the result.
    pub(crate) size: (usize, usize),
    /// Whether to write whole vectors, because the target has room for them.
    pub(crate) whole: bool,
}

/// A residual tensor.
#[derive(Clone, Copy)]
pub(crate) struct ResidualView<'a> {
    pub(crate) with: TensorView<'a>,
    pub(crate) scale: f32,
    pub(crate) then: Simple,
}

impl<'a> Dense<'a> {
    /// Returns the number of pixels to visit before the next panel.
    fn chunk(&self, pixels: usize) -> usize {
        if self.packed.bytes() > HEAVY {
            return pixels.min(1 << 12);
        }
        (NEAR / self.packed.input).clamp(48, 384).next_multiple_of(48)
    }

    /// Computes result pixels `from..to` (counted through rows and images). `place(from, to)`
    /// returns the place of each result.
    pub(crate) fn run(
        &self,
        pixels: Range<usize>,
        out: &mut [f32],
        join: Option<ResidualView>,
        place: &dyn Fn(&mut Places, Range<usize>),
    ) {
        let (mut places, mut joined) = (Places::default(), Places::default());
        let (mut inner, mut edges) = (Vec::new(), Vec::new());
        let chunk = self.chunk(pixels.len());
        for from in pixels.clone().step_by(chunk) {
            self.split(from..pixels.end.min(from + chunk), &mut inner, &mut edges);
            for (runs, whole_rows) in [(&mut inner, true), (&mut edges, false)] {
                let runs: Vec<Range<usize>> = std::mem::take(runs);
                if runs.is_empty() {
                    continue;
                }
                places.clear();
                joined.clear();
                for run in &runs {
                    place(&mut places, run.clone());
                    if let Some(ResidualView { with, .. }) = &join {
                        joined.push_run(with.offset + run.start * with.pixel, with.pixel, run.len());
                    }
                }
                let residual = join.map(|ResidualView { with, scale, then }| Residual {
                    data: with.data,
                    places: &joined,
                    scale,
                    then,
                });
                self.panels(&self.gather(&runs, whole_rows), &places, residual, out);
            }
        }
    }

    fn panels(&self, rows: &Rows, places: &Places, residual: Option<Residual>, out: &mut [f32]) {
        for mut panel in self.packed.panels() {
            if self.whole {
                panel.channels = panel.width;
            }
            self.set.conv(&ConvTask { rows, panel, activation: self.activation, residual, places }, out);
        }
    }

    /// Splits pixels into runs along rows: `inner`, where a row of the window is one piece of
    /// memory and so can be one long tap, and the `edges`.
    fn split(&self, pixels: Range<usize>, inner: &mut Vec<Range<usize>>, edges: &mut Vec<Range<usize>>) {
        let ConvWindow { w, stride, padding, .. } = self.window;
        let x = &self.x.shape;
        let first = padding.left.div_ceil(stride);
        let last = (x.w + padding.left).checked_sub(w).map_or(0, |room| room / stride + 1);
        let solid = w > 1 && self.x.pixel == x.c;
        let mut at = pixels.start;
        while at < pixels.end {
            let column = at % self.size.1;
            let end = (at + self.size.1 - column).min(pixels.end);
            let row = at - column;
            let (from, to) = if solid { (row + first, row + last) } else { (end, end) };
            let (from, to) = (from.clamp(at, end), to.clamp(at, end).max(from.clamp(at, end)));
            edges.extend([at..from, to..end].into_iter().filter(|run| !run.is_empty()));
            inner.extend(Some(from..to).filter(|run| !run.is_empty()));
            at = end;
        }
    }

    /// Pointers to what lies under each tap, or under each whole row of the window.
    fn gather(&self, runs: &[Range<usize>], whole_rows: bool) -> Rows<'a> {
        let ConvWindow { h, w, .. } = self.window;
        let across = if whole_rows { 1 } else { w };
        let pixels: usize = runs.iter().map(Range::len).sum();
        let mut rows = Rows::new(self.packed.input * (w / across), h * across * pixels);
        for tap in 0..h * across {
            for run in runs {
                let (row, x) = (run.start / self.size.1, run.start % self.size.1);
                let place = (row / self.size.0, row % self.size.0, tap / across, tap % across);
                self.gather_row(&mut rows, place, x, run.len());
            }
        }
        rows
    }

    /// `count` pixels of result row `y` from column `first`, under the tap (dy, dx).
    fn gather_row(&self, rows: &mut Rows<'a>, at: (usize, usize, usize, usize), first: usize, count: usize) {
        let (n, y, dy, dx) = at;
        let Shape { h, w, .. } = self.x.shape;
        let ConvWindow { stride, padding, .. } = self.window;
        let row = (y * stride + dy) as isize - padding.top as isize;
        let column = |x: usize| (x * stride + dx) as isize - padding.left as isize;
        if row < 0 || row >= h as isize {
            return (first..first + count).for_each(|x| rows.push_run(self.outside.from(row, column(x)), 0, 0, 1));
        }
        let inside = |limit: usize| (limit + padding.left).saturating_sub(dx).div_ceil(stride);
        let start = inside(0).clamp(first, first + count);
        let end = inside(w).clamp(start, first + count);
        (first..start).for_each(|x| rows.push_run(self.outside.from(row, column(x)), 0, 0, 1));
        if start < end {
            let from = self.x.at(n, row as usize, column(start) as usize);
            rows.push_run(self.x.data, from, stride * self.x.pixel, end - start);
        }
        (end..first + count).for_each(|x| rows.push_run(self.outside.from(row, column(x)), 0, 0, 1));
    }
}
