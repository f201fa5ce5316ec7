//! Kernels for any processor: safe Rust, every access checked; what the compiler makes of it.
//!
//! Tiles of 4 pixels x 8 channels; products are rounded before they are added.

use super::task::{ConvTask, DepthwiseTask, Extent};
use crate::engine::graph::Simple;

/// Numbers of a vector, and channels of a panel.
pub(super) const LANES: usize = 8;
pub(super) const PIXELS: usize = 4;

type Sums = [f32; LANES];

pub(super) fn conv(task: &ConvTask, out: &mut [f32]) {
    for pixel in (0..task.places.len()).step_by(PIXELS) {
        let size = PIXELS.min(task.places.len() - pixel);
        let sums = tile(task, pixel, size);
        for (i, sums) in sums.into_iter().take(size).enumerate() {
            finish(task, pixel + i, sums, out);
        }
    }
}

/// A tile at the end of a row computes its last pixel again.
fn tile(task: &ConvTask, pixel: usize, size: usize) -> [Sums; PIXELS] {
    let input = task.rows.input();
    let mut sums = [array(task.panel.bias); PIXELS];
    for tap in 0..task.taps() {
        let from: [&[f32]; PIXELS] = std::array::from_fn(|i| task.rows.pixel(tap, pixel + i.min(size - 1), task));
        let weights = task.panel.weights[tap * input * LANES..(tap + 1) * input * LANES].chunks_exact(LANES);
        for (k, weights) in weights.enumerate() {
            let weights = array(weights);
            for (sums, from) in sums.iter_mut().zip(from) {
                add_product(sums, from[k], weights);
            }
        }
    }
    sums
}

fn array(numbers: &[f32]) -> Sums {
    let mut array = [0.0; LANES];
    array.copy_from_slice(&numbers[..LANES]);
    array
}

fn add_product(sums: &mut Sums, x: f32, weights: Sums) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += x * weight;
    }
}

fn finish(task: &ConvTask, pixel: usize, mut sums: Sums, out: &mut [f32]) {
    let (first, channels) = (task.panel.first, task.panel.channels);
    activate(task.activation, task.panel.slope, &mut sums);
    if let Some(residual) = &task.residual {
        let place = residual.places.offsets()[pixel] + first;
        for (sum, other) in sums.iter_mut().zip(&residual.data[place..place + channels]) {
            *sum = other + residual.scale * *sum;
        }
        activate(residual.then, &[], &mut sums);
    }
    let place = task.places.offsets()[pixel] + first;
    out[place..place + channels].copy_from_slice(&sums[..channels]);
}

fn activate(activation: Simple, slopes: &[f32], sums: &mut Sums) {
    match activation {
        Simple::None => {}
        Simple::Relu => sums.iter_mut().for_each(|sum| *sum = if *sum < 0.0 { 0.0 } else { *sum }),
        Simple::Prelu => {
            for (sum, slope) in sums.iter_mut().zip(slopes) {
                *sum = if *sum < 0.0 { *sum * slope } else { *sum };
            }
        }
    }
}

pub(super) fn depthwise(task: &DepthwiseTask, extent: Extent, out: &mut [f32]) {
    let width = task.bias.len();
    for (at, out) in out.chunks_exact_mut(width).enumerate() {
        let (row, start) = (at / extent.pixels * task.stride, at % extent.pixels * task.stride * width);
        let rows = &task.rows[row..row + task.window.0];
        for channel in (0..width).step_by(LANES) {
            let mut sums = window(task, rows, start, channel);
            activate(task.activation, task.slope.get(channel..).unwrap_or_default(), &mut sums);
            out[channel..channel + LANES].copy_from_slice(&sums);
        }
    }
}

fn window(task: &DepthwiseTask, rows: &[&[f32]], start: usize, channel: usize) -> Sums {
    let (width, (height, columns)) = (task.bias.len(), task.window);
    let mut sums = array(&task.bias[channel..]);
    let mut weights = task.weights[channel * height * columns..].chunks_exact(LANES);
    for row in rows {
        for (x, weights) in (0..columns).zip(weights.by_ref()) {
            let (from, weights) = (array(&row[start + x * width + channel..]), array(weights));
            sums.iter_mut().zip(from).zip(weights).for_each(|((sum, from), weight)| *sum += from * weight);
        }
    }
    sums
}

/// Products and sums in registers alone.
pub(super) fn saturate(rounds: usize) {
    let factor = std::hint::black_box([0.999f32; LANES]);
    let mut sums = [factor; PIXELS];
    for _ in 0..rounds {
        sums.iter_mut().for_each(|sum| add_product(sum, 0.5, factor));
    }
    std::hint::black_box(sums);
}
