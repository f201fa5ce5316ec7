//! The inner loops of depthwise convolutions, once for any vector, as in `simd`.

#![allow(unsafe_code, reason = "vector loads and stores through checked pointers")]
#![allow(clippy::needless_range_loop, reason = "iterators over accumulators put them on the stack")]

use super::simd::{Simd, activate};
use super::task::{DepthwiseTask, Extent};

/// Rows of a depthwise convolution whose window is K x K (0: any size), with stride T (0: any).
///
/// # Safety
/// `task.check` passed for `out` and gave `extent`, and the set's instructions are supported.
#[inline(always)]
pub(super) unsafe fn depthwise<S: Simd, const K: usize, const T: usize>(
    task: &DepthwiseTask,
    extent: Extent,
    out: *mut f32,
) {
    let mut pixel = 0;
    // SAFETY: each call covers pixels that the check counted.
    unsafe {
        while S::WIDE && pixel + 8 <= extent.pixels {
            depthwise_tile::<S, 8, K, T>(task, extent, pixel, out);
            pixel += 8;
        }
        while pixel + 4 <= extent.pixels {
            depthwise_tile::<S, 4, K, T>(task, extent, pixel, out);
            pixel += 4;
        }
        while pixel < extent.pixels {
            depthwise_tile::<S, 1, K, T>(task, extent, pixel, out);
            pixel += 1;
        }
    }
}

/// M pixels of every row: what the rows share is still in the first cache.
///
/// # Safety
/// The conditions of [`depthwise`]; pixel + M pixels exist.
#[inline(always)]
unsafe fn depthwise_tile<S: Simd, const M: usize, const K: usize, const T: usize>(
    task: &DepthwiseTask,
    extent: Extent,
    pixel: usize,
    out: *mut f32,
) {
    let width = task.bias.len();
    let (height, columns) = if K == 0 { task.window } else { (K, K) };
    let stride = if T == 0 { task.stride } else { T };
    let mut weights = task.weights.as_ptr();
    // SAFETY: the check ensures that each row contains the last pixel's window, and that weights,
    // bias, slope and output are whole vectors of `width`.
    unsafe {
        for channel in (0..width).step_by(S::LANES) {
            for result in 0..extent.rows {
                let mut sums = [[S::load(task.bias.as_ptr().add(channel))]; M];
                for y in 0..height {
                    let row = task.rows.as_ptr().add(result * stride + y).read().as_ptr();
                    let row = row.add(pixel * stride * width + channel);
                    for x in 0..columns {
                        let weight = S::load(weights.add((y * columns + x) * S::LANES));
                        for i in 0..M {
                            sums[i][0] = S::fma(weight, S::load(row.add((i * stride + x) * width)), sums[i][0]);
                        }
                    }
                }
                activate::<S, M, 1>(task.activation, task.slope.as_ptr().wrapping_add(channel), &mut sums);
                let out = out.add((result * extent.pixels + pixel) * width + channel);
                for i in 0..M {
                    S::store(out.add(i * width), sums[i][0]);
                }
            }
            weights = weights.add(height * columns * S::LANES);
        }
    }
}
