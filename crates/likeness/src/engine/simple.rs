//! The operations without weights, pixel by pixel.

use super::graph::Simple;
use super::shape::Shape;
use super::view::{Target, TensorView};

/// a + scale * b.
pub(crate) fn add(a: TensorView, b: TensorView, scale: f32, activation: Simple, out: &mut Target) {
    for ((a, b), out) in a.pixels().zip(b.pixels()).zip(out.pixels()) {
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            let sum = a + scale * b;
            *out = if activation == Simple::Relu { positive(sum) } else { sum };
        }
    }
}

/// Multiplies each pixel by the factors of its image.
pub(crate) fn mul_channels(x: TensorView, s: TensorView, out: &mut Target) {
    let plane = x.shape.h * x.shape.w;
    for ((at, x), out) in x.pixels().enumerate().zip(out.pixels()) {
        let factors = &s.data[s.at(at / plane, 0, 0)..];
        for ((x, factor), out) in x.iter().zip(factors).zip(out) {
            *out = x * factor;
        }
    }
}

/// Number by number.
pub(crate) fn map(x: TensorView, out: &mut Target, f: impl Fn(f32) -> f32) {
    for (x, out) in x.pixels().zip(out.pixels()) {
        x.iter().zip(out).for_each(|(x, out)| *out = f(*x));
    }
}

/// 1 / (1 + exp(-x)).
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Zero where negative; NaN stays.
pub(crate) fn positive(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// The greatest of each 3x3 window, stride 2; NaN stays.
pub(crate) fn max_pool(x: TensorView, out: &mut Target) {
    let Shape { h, w, c, .. } = out.shape;
    for (at, out) in out.pixels().enumerate() {
        let (n, y, column) = (at / (h * w), at / w % h, at % w);
        out.fill(f32::NEG_INFINITY);
        for k in 0..9 {
            let from = x.at(n, 2 * y + k / 3, 2 * column + k % 3);
            for (out, x) in out.iter_mut().zip(&x.data[from..from + c]) {
                *out = if *x > *out || x.is_nan() { *x } else { *out };
            }
        }
    }
}

/// The mean of each channel.
pub(crate) fn global_average(x: TensorView, out: &mut Target) {
    let plane = x.shape.h * x.shape.w;
    let mut pixels = x.pixels();
    for out in out.pixels() {
        out.fill(0.0);
        for pixel in pixels.by_ref().take(plane) {
            out.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x);
        }
        out.iter_mut().for_each(|sum| *sum /= plane as f32);
    }
}

/// Copies a part of a concatenation to its channels.
pub(crate) fn copy(x: TensorView, out: &mut Target) {
    for (x, out) in x.pixels().zip(out.pixels()) {
        out.copy_from_slice(x);
    }
}
