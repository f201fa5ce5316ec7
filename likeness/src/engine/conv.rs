//! Dense convolution: pointers to the pixels under each tap, then panel by panel.

use super::graph::{Simple, Window};
use super::kernel::task::{Conv, Places, Residual, Rows};
use super::packed::Packed;
use super::view::{Outside, View};
use super::{KernelSet, Shape};

/// Weights beyond which all pixels are visited for one panel before the next panel.
const HEAVY: usize = 400 << 10;
/// Numbers of input that should stay in the first cache while panels pass.
const NEAR: usize = 6 << 10;

/// A dense convolution and what it reads.
#[derive(Clone, Copy)]
pub(crate) struct Dense<'a> {
    pub(crate) set: KernelSet,
    pub(crate) packed: &'a Packed,
    pub(crate) window: Window,
    pub(crate) activation: Simple,
    pub(crate) x: View<'a>,
    pub(crate) outside: Outside<'a>,
    /// Rows and columns of the result.
    pub(crate) size: (usize, usize),
    /// Write whole vectors: the place has room for them.
    pub(crate) whole: bool,
}

/// A residual tensor.
#[derive(Clone, Copy)]
pub(crate) struct Join<'a> {
    pub(crate) with: View<'a>,
    pub(crate) scale: f32,
    pub(crate) then: Simple,
}

impl<'a> Dense<'a> {
    /// How many pixels to visit before the next panel.
    fn chunk(&self, pixels: usize) -> usize {
        if self.packed.bytes() > HEAVY {
            return pixels.min(1 << 12);
        }
        (NEAR / self.packed.input).clamp(48, 384).next_multiple_of(48)
    }

    /// Computes result pixels `from..to` (counted through rows and images). `place(from, to)`
    /// says where each goes.
    pub(crate) fn run(
        &self,
        pixels: std::ops::Range<usize>,
        out: &mut [f32],
        join: Option<Join>,
        place: &dyn Fn(&mut Places, std::ops::Range<usize>),
    ) {
        let mut rows = Rows::new(self.packed.input);
        let (mut places, mut joined) = (Places::default(), Places::default());
        let chunk = self.chunk(pixels.len());
        for from in pixels.clone().step_by(chunk) {
            let range = from..pixels.end.min(from + chunk);
            rows = rows.recycled();
            self.gather(&mut rows, range.clone());
            places.clear();
            place(&mut places, range.clone());
            joined.clear();
            if let Some(join) = &join {
                joined.push_run(join.with.offset + range.start * join.with.pixel, join.with.pixel, range.len());
            }
            let residual =
                join.map(|join| Residual { data: join.with.data, places: &joined, scale: join.scale, then: join.then });
            self.panels(&rows, &places, residual, out);
        }
    }

    fn panels(&self, rows: &Rows, places: &Places, residual: Option<Residual>, out: &mut [f32]) {
        for mut panel in self.packed.panels() {
            if self.whole {
                panel.channels = panel.width;
            }
            self.set.conv(&Conv { rows, panel, activation: self.activation, residual, places }, out);
        }
    }

    fn gather(&self, rows: &mut Rows<'a>, pixels: std::ops::Range<usize>) {
        for tap in 0..self.packed.taps {
            let (dy, dx) = (tap / self.window.w, tap % self.window.w);
            let mut at = pixels.start;
            while at < pixels.end {
                let (row, x) = (at / self.size.1, at % self.size.1);
                let count = (self.size.1 - x).min(pixels.end - at);
                self.gather_row(rows, (row / self.size.0, row % self.size.0, dy, dx), x, count);
                at += count;
            }
        }
    }

    /// `count` pixels of result row `y` from column `first`, under the tap (dy, dx).
    fn gather_row(&self, rows: &mut Rows<'a>, at: (usize, usize, usize, usize), first: usize, count: usize) {
        let (n, y, dy, dx) = at;
        let Shape { h, w, .. } = self.x.shape;
        let Window { stride, padding, .. } = self.window;
        let row = (y * stride + dy) as isize - padding.top as isize;
        let column = |x: usize| (x * stride + dx) as isize - padding.left as isize;
        if row < 0 || row >= h as isize {
            return (first..first + count).for_each(|x| rows.push_run(self.outside.at(row, column(x)), 0, 0, 1));
        }
        let inside = |limit: usize| (limit + padding.left).saturating_sub(dx).div_ceil(stride);
        let start = inside(0).clamp(first, first + count);
        let end = inside(w).clamp(start, first + count);
        (first..start).for_each(|x| rows.push_run(self.outside.at(row, column(x)), 0, 0, 1));
        if start < end {
            let from = self.x.at(n, row as usize, column(start) as usize);
            rows.push_run(self.x.data, from, stride * self.x.pixel, end - start);
        }
        (end..first + count).for_each(|x| rows.push_run(self.outside.at(row, column(x)), 0, 0, 1));
    }
}
