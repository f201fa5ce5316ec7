//! A kernel's task: where it reads, where it writes, and what it does at the end.
//!
//! The types of this file justify the kernels' use of pointers. [`Rows`] contains only pointers to
//! slices that were long enough when they were pushed, and lives no longer than these slices;
//! [`Places`] knows its greatest offset, so one comparison covers a whole call.

#![allow(unsafe_code, reason = "slices from the pointers that were made of slices")]

use std::marker::PhantomData;

use crate::engine::graph::Simple;

/// Pointers to input pixels, tap by tap: `[tap][pixel]`, each good for `input` numbers.
pub(crate) struct Rows<'a> {
    pointers: Vec<*const f32>,
    input: usize,
    life: PhantomData<&'a [f32]>,
}

impl<'a> Rows<'a> {
    /// Makes an empty list with room for `count` runs; each pixel has `input` numbers.
    pub(crate) fn new(input: usize, count: usize) -> Self {
        Self { pointers: Vec::with_capacity(count), input, life: PhantomData }
    }

    /// `count` pixels that start at `start` in `data`, `step` apart.
    pub(crate) fn push_run(&mut self, data: &'a [f32], start: usize, step: usize, count: usize) {
        if count == 0 {
            return;
        }
        let end = start + (count - 1) * step + self.input;
        assert!(end <= data.len(), "pixels reach {end} of {}", data.len());
        let first = data[start..].as_ptr();
        self.pointers.extend((0..count).map(|pixel| first.wrapping_add(pixel * step)));
    }

    pub(super) fn pointers(&self) -> &[*const f32] {
        &self.pointers
    }

    /// The pixel under a tap.
    pub(super) fn pixel(&self, tap: usize, pixel: usize, task: &ConvTask) -> &'a [f32] {
        let pointer = self.pointers[tap * task.places.len() + pixel];
        // SAFETY: `push_run` made it of a slice that is alive for 'a, `input` numbers before its end.
        unsafe { std::slice::from_raw_parts(pointer, self.input) }
    }

    /// Numbers of a pixel.
    pub(super) fn input(&self) -> usize {
        self.input
    }
}

/// Offsets of pixels in a tensor.
#[derive(Default)]
pub(crate) struct Places {
    offsets: Vec<usize>,
    greatest: usize,
}

impl Places {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.offsets.clear();
        self.greatest = 0;
    }

    /// `count` pixels, the first at `start`, `step` apart.
    pub(crate) fn push_run(&mut self, start: usize, step: usize, count: usize) {
        if count > 0 {
            self.greatest = self.greatest.max(start + (count - 1) * step);
            self.offsets.extend((0..count).map(|pixel| start + pixel * step));
        }
    }

    /// How many pixels.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }

    pub(super) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    fn fit(&self, channels: usize, len: usize) -> bool {
        self.offsets.is_empty() || self.greatest + channels <= len
    }
}

/// The output channels of one kernel call.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    /// `[tap][input][width]`.
    pub(crate) weights: &'a [f32],
    /// `width` numbers.
    pub(crate) bias: &'a [f32],
    /// `width` numbers, or none.
    pub(crate) slope: &'a [f32],
    /// Whole vectors.
    pub(crate) width: usize,
    /// The first output channel.
    pub(crate) first: usize,
    /// The number of real channels of the panel.
    pub(crate) channels: usize,
}

/// A tensor that is added at the end: `then(data + scale * result)`.
#[derive(Clone, Copy)]
pub(crate) struct Residual<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) places: &'a Places,
    pub(crate) scale: f32,
    pub(crate) then: Simple,
}

/// One panel of a dense convolution, for all pixels of `rows`.
#[derive(Clone, Copy)]
pub(crate) struct ConvTask<'a> {
    pub(crate) rows: &'a Rows<'a>,
    pub(crate) panel: Panel<'a>,
    pub(crate) activation: Simple,
    pub(crate) residual: Option<Residual<'a>>,
    pub(crate) places: &'a Places,
}

impl ConvTask<'_> {
    /// Taps of the filter.
    pub(super) fn taps(&self) -> usize {
        self.rows.pointers.len() / self.places.len().max(1)
    }

    /// Panics unless every access of a kernel is inside what it was given.
    pub(super) fn check(&self, lanes: usize, widest: usize, out: &[f32]) {
        let Panel { weights, bias, slope, width, first, channels } = self.panel;
        let (pixels, taps) = (self.places.len(), self.taps());
        assert_eq!(self.rows.pointers.len(), taps * pixels, "pointers for every tap and pixel");
        assert_eq!(weights.len(), taps * self.rows.input * width, "weights of the panel");
        assert!(width.is_multiple_of(lanes) && width <= widest && channels <= width, "whole vectors");
        assert!(channels + lanes > width, "one partial vector at most");
        assert_eq!(bias.len(), width, "biases of the panel");
        assert!(self.activation != Simple::Prelu || slope.len() == width, "slopes of the panel");
        assert!(self.places.fit(first + channels, out.len()), "room for the result");
        if let Some(residual) = &self.residual {
            assert!(residual.then != Simple::Prelu, "no slopes after the sum");
            assert_eq!(residual.places.len(), pixels, "a residual for every pixel");
            assert!(residual.places.fit(first + channels, residual.data.len()), "a residual for every channel");
        }
    }
}

/// Some rows of a depthwise convolution over padded rows whose pixels are whole vectors.
#[derive(Clone, Copy)]
pub(crate) struct DepthwiseTask<'a> {
    /// The rows under the windows, first to last: `stride` more for each row of the result.
    pub(crate) rows: &'a [&'a [f32]],
    /// `[vector of channels][tap][lane]`.
    pub(crate) weights: &'a [f32],
    /// As wide as a pixel.
    pub(crate) bias: &'a [f32],
    /// The slopes, as wide as a pixel; or empty.
    pub(crate) slope: &'a [f32],
    /// Rows and columns of the window.
    pub(crate) window: (usize, usize),
    pub(crate) stride: usize,
    pub(crate) activation: Simple,
}

/// The size of a depthwise result.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) rows: usize,
    pub(super) pixels: usize,
}

impl DepthwiseTask<'_> {
    /// The size of the result; panics unless every access of a kernel is inside what it was given.
    pub(super) fn check(&self, lanes: usize, out: &[f32]) -> Extent {
        let (width, (height, columns)) = (self.bias.len(), self.window);
        assert!(width > 0 && width.is_multiple_of(lanes), "whole vectors");
        assert_eq!(self.weights.len(), height * columns * width, "weights of the window");
        assert!(self.activation != Simple::Prelu || self.slope.len() == width, "slopes");
        assert!(self.rows.len() >= height && (self.rows.len() - height).is_multiple_of(self.stride), "whole windows");
        let rows = (self.rows.len() - height) / self.stride + 1;
        assert!(out.len().is_multiple_of(rows * width), "whole rows");
        let pixels = out.len() / (rows * width);
        let needed = ((pixels.max(1) - 1) * self.stride + columns) * width;
        assert!(self.rows.iter().all(|row| row.len() >= needed), "rows of {needed} numbers");
        Extent { rows, pixels }
    }
}
