//! Filters in the order in which the kernels read them: `[panel][tap][input][width]`.
//!
//! A panel is the output channels that one kernel call computes. The kernel set decides the panels'
//! width; the last panel is only as wide as its channels need, in whole vectors. BatchNorm's scale
//! is multiplied in here, so each weight is read from the file once.

use super::aligned::Aligned;
use super::error::LoadError;
use super::graph::{Filter, Fold};
use super::kernel::KernelSet;
use super::kernel::task::Panel;

/// One filter bank, packed.
pub(crate) struct Packed {
    weights: Aligned,
    /// The shift of each output channel, zeros up to a whole vector.
    pub(crate) bias: Aligned,
    /// PReLU's slopes, the same way; empty for other activations.
    pub(crate) slope: Aligned,
    pub(crate) taps: usize,
    pub(crate) input: usize,
    pub(crate) output: usize,
    width: usize,
    lanes: usize,
}

impl Packed {
    /// Packs a dense filter.
    pub(crate) fn dense(set: KernelSet, filter: &Filter, fold: &Fold, slope: &[f32]) -> Result<Self, LoadError> {
        Self::fill(set, filter, fold, slope, set.panel())
    }

    fn fill(set: KernelSet, filter: &Filter, fold: &Fold, slope: &[f32], width: usize) -> Result<Self, LoadError> {
        let (dims, taps) = (filter.dims, filter.dims.h * filter.dims.w);
        let mut packed = Self::shell(filter, set.lanes(), width, fold, slope)?;
        for first in (0..dims.out).step_by(width) {
            let step = packed.width_from(first);
            let scale = &fold.scale[first..dims.out.min(first + width)];
            let rows = packed.weights[first * taps * dims.input..].chunks_exact_mut(step);
            // The numbers are in the order of the panel: they are written in one pass, and read in one pass from Keras'
            // files.
            for (index, row) in rows.take(taps * dims.input).enumerate() {
                let (tap, input) = (index / dims.input, index % dims.input);
                let row = &mut row[..scale.len()];
                scaled(filter.row(first, input, tap / dims.w, tap % dims.w), filter.strides.out, scale, row);
                if !row.iter().fold(true, |finite, weight| finite & weight.is_finite()) {
                    return Err(refusal(filter, first, input, tap, scale));
                }
            }
        }
        Ok(packed)
    }

    /// Packs one filter per channel, in panels of one vector.
    pub(crate) fn depthwise(set: KernelSet, filter: &Filter, fold: &Fold, slope: &[f32]) -> Result<Self, LoadError> {
        Self::fill(set, filter, fold, slope, set.lanes())
    }

    fn shell(filter: &Filter, lanes: usize, width: usize, fold: &Fold, slope: &[f32]) -> Result<Self, LoadError> {
        finite(filter.name, "scale", &fold.scale)?;
        finite(filter.name, "shift", &fold.shift)?;
        finite(filter.name, "slope", slope)?;
        let (dims, taps) = (filter.dims, filter.dims.h * filter.dims.w);
        let padded = dims.out.next_multiple_of(lanes);
        Ok(Self {
            weights: Aligned::zeros(padded * taps * dims.input),
            bias: padded_copy(&fold.shift, padded),
            slope: padded_copy(slope, if slope.is_empty() { 0 } else { padded }),
            taps,
            input: dims.input,
            output: dims.out,
            width,
            lanes,
        })
    }

    /// Returns the start of an output channel's weights, and the distance from one weight to the next.
    fn place(&self, out: usize) -> (usize, usize) {
        let first = out / self.width * self.width;
        (first * self.taps * self.input + out - first, self.width_from(first))
    }

    fn width_from(&self, first: usize) -> usize {
        (self.output - first).next_multiple_of(self.lanes).min(self.width)
    }

    /// A weight, scale included.
    pub(crate) fn at(&self, out: usize, tap: usize, input: usize) -> f32 {
        let (at, step) = self.place(out);
        self.weights[at + (tap * self.input + input) * step]
    }

    /// The panels, in the order of their channels.
    pub(crate) fn panels(&self) -> impl Iterator<Item = Panel<'_>> {
        (0..self.output).step_by(self.width).map(move |first| {
            let width = self.width_from(first);
            let span = self.taps * self.input;
            Panel {
                weights: &self.weights[first * span..(first + width) * span],
                bias: &self.bias[first..first + width],
                slope: if self.slope.is_empty() { &[] } else { &self.slope[first..first + width] },
                width,
                first,
                channels: width.min(self.output - first),
            }
        })
    }

    /// Returns all panels, one after the other.
    pub(crate) fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Bytes of its numbers.
    pub(crate) fn bytes(&self) -> usize {
        (self.weights.len() + self.bias.len() + self.slope.len()) * size_of::<f32>()
    }
}

fn padded_copy(numbers: &[f32], len: usize) -> Aligned {
    let mut copy = Aligned::zeros(len);
    copy[..numbers.len()].copy_from_slice(numbers);
    copy
}

/// Weights at this distance (in elements) in the bytes, times their scales.
fn scaled(bytes: &[u8], stride: usize, scale: &[f32], row: &mut [f32]) {
    let weights = bytes.as_chunks::<4>().0;
    if stride == 1 {
        for ((packed, weight), scale) in row.iter_mut().zip(weights).zip(scale) {
            *packed = f32::from_le_bytes(*weight) * scale;
        }
    } else {
        for (lane, (packed, scale)) in row.iter_mut().zip(scale).enumerate() {
            *packed = f32::from_le_bytes(weights[lane * stride]) * scale;
        }
    }
}

/// Names the first weight of a row that is not finite, scale included.
fn refusal(filter: &Filter, first: usize, input: usize, tap: usize, scale: &[f32]) -> LoadError {
    let weights = (first..).map(|out| filter.at(out, input, tap / filter.dims.w, tap % filter.dims.w));
    let wrong = weights.zip(scale).enumerate().find(|(_, (weight, scale))| !(weight * **scale).is_finite());
    let found = wrong.map_or_else(String::new, |(lane, (weight, scale))| {
        format!("weight {weight:e} (times {scale:e}) in output channel {}", first + lane)
    });
    LoadError::NotFinite { tensor: filter.name.to_owned(), found }
}

fn finite(name: &str, what: &str, numbers: &[f32]) -> Result<(), LoadError> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(at) => {
            Err(LoadError::NotFinite { tensor: name.to_owned(), found: format!("{what} {:e} at {at}", numbers[at]) })
        }
    }
}
