//! The inner loops, written once for any vector; each kernel set adds its instructions.
//!
//! Everything here is `#[inline(always)]`, so that it becomes part of the `#[target_feature]`
//! function of the set that calls it. Accumulators stay in registers: a tile is as many pixels by
//! as many vectors as the set has registers for.

#![allow(unsafe_code, reason = "vector loads and stores through checked pointers")]
#![allow(clippy::needless_range_loop, reason = "iterators over accumulators put them on the stack")]

use super::task::{ConvTask, Residual};
use crate::engine::graph::Simple;

/// A vector of f32 and the instructions on it.
pub(super) trait Simd {
    /// The register.
    type V: Copy;
    /// Numbers of a vector.
    const LANES: usize;
    /// The most pixels of a tile.
    const PIXELS: usize;
    /// Whether the registers suffice for 8 pixels of a depthwise convolution.
    const WIDE: bool;

    /// # Safety
    /// The set's instructions are supported; `LANES` numbers can be read.
    unsafe fn load(at: *const f32) -> Self::V;
    /// # Safety
    /// The set's instructions are supported; `count` < `LANES` numbers can be read.
    unsafe fn load_part(at: *const f32, count: usize) -> Self::V;
    /// # Safety
    /// The set's instructions are supported; `LANES` numbers can be written.
    unsafe fn store(at: *mut f32, v: Self::V);
    /// # Safety
    /// The set's instructions are supported; `count` < `LANES` numbers can be written.
    unsafe fn store_part(at: *mut f32, v: Self::V, count: usize);
    /// # Safety
    /// The set's instructions are supported.
    unsafe fn splat(x: f32) -> Self::V;
    /// a * b + c.
    /// # Safety
    /// The set's instructions are supported.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The greater of 0 and x; NaN stays.
    /// # Safety
    /// The set's instructions are supported.
    unsafe fn positive(x: Self::V) -> Self::V;
    /// The lesser of 0 and x; NaN stays.
    /// # Safety
    /// The set's instructions are supported.
    unsafe fn negative(x: Self::V) -> Self::V;
}

/// Splits `n` pixels into tiles of nearly the same size.
pub(super) fn tiles(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(most).max(1);
    let (size, longer) = (n / count, n % count);
    (0..count).map(move |tile| (tile * size + tile.min(longer), size + usize::from(tile < longer)))
}

/// A tile of M pixels x VS vectors.
///
/// # Safety
/// `task.check` passed for `out`, the set's instructions are supported, `pixel + M` pixels exist,
/// and the panel is VS vectors wide.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const M: usize, const VS: usize>(task: &ConvTask, pixel: usize, out: *mut f32) {
    let (taps, input, pixels) = (task.taps(), task.rows.input(), task.places.len());
    let mut pointers = task.rows.pointers().as_ptr().wrapping_add(pixel);
    let mut weights = task.panel.weights.as_ptr();
    // SAFETY: the check ensures taps x pixels pointers, each good for `input` numbers, and taps x
    // input x VS vectors of weights; the loops visit exactly those.
    unsafe {
        let mut sums = [[S::splat(0.0); VS]; M];
        for v in 0..VS {
            let bias = S::load(task.panel.bias.as_ptr().add(v * S::LANES));
            for i in 0..M {
                sums[i][v] = bias;
            }
        }
        for _ in 0..taps {
            let mut from = [std::ptr::null::<f32>(); M];
            for (i, from) in from.iter_mut().enumerate() {
                *from = *pointers.add(i);
            }
            for k in 0..input {
                step::<S, M, VS>(&mut sums, &from, k, weights);
                weights = weights.add(VS * S::LANES);
            }
            pointers = pointers.wrapping_add(pixels);
        }
        finish::<S, M, VS>(task, pixel, sums, out);
    }
}

/// Adds one input channel of one tap.
///
/// # Safety
/// The conditions of [`tile`]; `from[..]` are good for k + 1 numbers, `weights` for VS vectors.
#[inline(always)]
unsafe fn step<S: Simd, const M: usize, const VS: usize>(
    sums: &mut [[S::V; VS]; M],
    from: &[*const f32; M],
    k: usize,
    weights: *const f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut w = [S::splat(0.0); VS];
        for (v, w) in w.iter_mut().enumerate() {
            *w = S::load(weights.add(v * S::LANES));
        }
        for i in 0..M {
            let x = S::splat(*from[i].add(k));
            for v in 0..VS {
                sums[i][v] = S::fma(x, w[v], sums[i][v]);
            }
        }
    }
}

/// Activation, residual, store.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn finish<S: Simd, const M: usize, const VS: usize>(
    task: &ConvTask,
    pixel: usize,
    mut sums: [[S::V; VS]; M],
    out: *mut f32,
) {
    let panel = &task.panel;
    let places = task.places.offsets().as_ptr().wrapping_add(pixel);
    // SAFETY: the check ensures that every place has room for first + channels numbers, in the
    // output and in the residual; only the last vector can be partial.
    unsafe {
        activate::<S, M, VS>(task.activation, panel.slope.as_ptr(), &mut sums);
        if let Some(residual) = &task.residual {
            join::<S, M, VS>(task, residual, pixel, &mut sums);
        }
        let rest = panel.channels - (VS - 1) * S::LANES;
        for i in 0..M {
            let at = out.add(*places.add(i) + panel.first);
            for v in 0..VS {
                if v + 1 < VS || rest == S::LANES {
                    S::store(at.add(v * S::LANES), sums[i][v]);
                } else {
                    S::store_part(at.add(v * S::LANES), sums[i][v], rest);
                }
            }
        }
    }
}

/// # Safety
/// The conditions of [`tile`]; `slope` is good for VS vectors if the activation is PReLU.
#[inline(always)]
pub(super) unsafe fn activate<S: Simd, const M: usize, const VS: usize>(
    activation: Simple,
    slope: *const f32,
    sums: &mut [[S::V; VS]; M],
) {
    // SAFETY: the caller's.
    unsafe {
        match activation {
            Simple::None => {}
            Simple::Relu => {
                for i in 0..M {
                    for v in 0..VS {
                        sums[i][v] = S::positive(sums[i][v]);
                    }
                }
            }
            Simple::Prelu => {
                for v in 0..VS {
                    let slope = S::load(slope.add(v * S::LANES));
                    for i in 0..M {
                        sums[i][v] = S::fma(slope, S::negative(sums[i][v]), S::positive(sums[i][v]));
                    }
                }
            }
        }
    }
}

/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn join<S: Simd, const M: usize, const VS: usize>(
    task: &ConvTask,
    residual: &Residual,
    pixel: usize,
    sums: &mut [[S::V; VS]; M],
) {
    let places = residual.places.offsets().as_ptr().wrapping_add(pixel);
    let rest = task.panel.channels - (VS - 1) * S::LANES;
    // SAFETY: the check ensures that every place of the residual has first + channels numbers.
    unsafe {
        let scale = S::splat(residual.scale);
        for i in 0..M {
            let at = residual.data.as_ptr().add(*places.add(i) + task.panel.first);
            for v in 0..VS {
                let whole = v + 1 < VS || rest == S::LANES;
                let at = at.add(v * S::LANES);
                let other = if whole { S::load(at) } else { S::load_part(at, rest) };
                sums[i][v] = S::fma(scale, sums[i][v], other);
            }
        }
        activate::<S, M, VS>(residual.then, std::ptr::null(), sums);
    }
}

/// Multiply-adds in registers alone, enough chains to fill the pipes: the core's peak.
///
/// # Safety
/// The set's instructions are supported.
#[inline(always)]
pub(super) unsafe fn saturate<S: Simd>(rounds: usize) {
    // SAFETY: the caller's; nothing is read or written.
    unsafe {
        let factor = std::hint::black_box(S::splat(0.999));
        let mut sums = [factor; CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = S::fma(factor, *sum, factor);
            }
        }
        std::hint::black_box(sums);
    }
}

/// Independent chains of [`saturate`].
pub(super) const CHAINS: usize = 12;

/// Runs `tile` for a number of pixels and vectors that is known at run time.
macro_rules! conv_for {
    ($simd:ty, $task:expr, $out:expr, vectors: [$($vs:literal)*], pixels: $pixels:tt) => {
        match $task.panel.width / <$simd as Simd>::LANES {
            $($vs => conv_for!(@tiles $simd, $task, $out, $vs, $pixels),)*
            _ => unreachable!("the check bounds the width"),
        }
    };
    (@tiles $simd:ty, $task:expr, $out:expr, $vs:literal, [$($m:literal)*]) => {
        for (pixel, size) in tiles($task.places.len(), <$simd as Simd>::PIXELS) {
            // SAFETY: the caller checked the task; `tiles` covers its pixels, each once.
            unsafe {
                match size {
                    $($m => tile::<$simd, $m, $vs>($task, pixel, $out),)*
                    _ => {}
                }
            }
        }
    };
}
pub(super) use conv_for;
