//! AVX-512 (F, VL, BW, DQ): tiles of 12 pixels x 2 vectors of 16, or 24 channels without waste.

#![allow(unsafe_code, reason = "intrinsics; the kernel set is the proof that they exist")]
#![allow(clippy::needless_range_loop, reason = "iterators over accumulators put them on the stack")]

use std::arch::x86_64::*;

use super::deep;
use super::simd::{self, Simd, conv_for, tile, tiles};
use super::task::{ConvTask, DepthwiseTask, Extent};
use crate::engine::graph::Simple;

struct Avx512;

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const PIXELS: usize = 12;
    const WIDE: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn load_part(at: *const f32, count: usize) -> __m512 {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm512_maskz_loadu_ps((1u16 << count) - 1, at) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, v: __m512) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(at, v) }
    }

    #[inline(always)]
    unsafe fn store_part(at: *mut f32, v: __m512, count: usize) {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm512_mask_storeu_ps(at, (1u16 << count) - 1, v) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn positive(x: __m512) -> __m512 {
        // SAFETY: the caller's. The second operand is the result where one is NaN.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), x) }
    }

    #[inline(always)]
    unsafe fn negative(x: __m512) -> __m512 {
        // SAFETY: the caller's. The second operand is the result where one is NaN.
        unsafe { _mm512_min_ps(_mm512_setzero_ps(), x) }
    }
}

/// # Safety
/// AVX-512 F, VL, BW and DQ are supported; `task.check` passed for `out`.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn conv(task: &ConvTask, out: &mut [f32]) {
    let out = out.as_mut_ptr();
    if task.panel.channels == 24 && task.activation != Simple::Prelu {
        for pixel in (0..task.places.len()).step_by(Avx512::PIXELS) {
            let size = Avx512::PIXELS.min(task.places.len() - pixel);
            // SAFETY: the caller's; the loop covers the pixels, each once.
            unsafe {
                match size.div_ceil(2) {
                    1 => tile_24::<1>(task, pixel, size, out),
                    2 => tile_24::<2>(task, pixel, size, out),
                    3 => tile_24::<3>(task, pixel, size, out),
                    4 => tile_24::<4>(task, pixel, size, out),
                    5 => tile_24::<5>(task, pixel, size, out),
                    6 => tile_24::<6>(task, pixel, size, out),
                    _ => {}
                }
            }
        }
        return;
    }
    conv_for!(Avx512, task, out, vectors: [1 2], pixels: [1 2 3 4 5 6 7 8 9 10 11 12]);
}

/// # Safety
/// AVX-512 F, VL, BW and DQ are supported; `task.check` passed for `out` and gave `extent`.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn depthwise(task: &DepthwiseTask, extent: Extent, out: &mut [f32]) {
    let (shape, out) = ((task.window, task.stride), out.as_mut_ptr());
    // SAFETY: the caller's.
    unsafe {
        match shape {
            ((3, 3), 1) => deep::depthwise::<Avx512, 3, 1>(task, extent, out),
            ((3, 3), 2) => deep::depthwise::<Avx512, 3, 2>(task, extent, out),
            _ => deep::depthwise::<Avx512, 0, 0>(task, extent, out),
        }
    }
}

/// # Safety
/// The set is supported.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn saturate(rounds: usize) {
    // SAFETY: the caller's.
    unsafe { simd::saturate::<Avx512>(rounds) }
}

/// A tile of up to P pairs of pixels x 24 channels: a vector of 16 for each pixel, and one for the
/// last 8 channels of both. The last pair of an odd `size` holds its pixel twice.
///
/// # Safety
/// AVX-512 F and DQ are supported, `task.check` passed for `out`, the panel is two vectors wide with
/// 24 channels, no PReLU; `size` pixels from `pixel` exist, and need P pairs.
#[inline(always)]
unsafe fn tile_24<const P: usize>(task: &ConvTask, pixel: usize, size: usize, out: *mut f32) {
    let (taps, input, pixels) = (task.taps(), task.rows.input(), task.places.len());
    let mut pointers = task.rows.pointers().as_ptr().wrapping_add(pixel);
    let mut weights = task.panel.weights.as_ptr();
    // SAFETY: the check ensures taps x pixels pointers, each good for `input` numbers, taps x input
    // x 32 weights and 32 biases.
    unsafe {
        let bias = task.panel.bias.as_ptr();
        let mut firsts = [[_mm512_loadu_ps(bias); 2]; P];
        let mut lasts = [[_mm512_broadcast_f32x8(_mm256_loadu_ps(bias.add(16)))]; P];
        for _ in 0..taps {
            let mut from = [[std::ptr::null::<f32>(); 2]; P];
            for i in 0..P {
                from[i] = [*pointers.add(2 * i), *pointers.add((2 * i + 1).min(size - 1))];
            }
            for k in 0..input {
                let first = _mm512_loadu_ps(weights);
                let last = _mm512_broadcast_f32x8(_mm256_loadu_ps(weights.add(16)));
                for i in 0..P {
                    let x = [_mm512_set1_ps(*from[i][0].add(k)), _mm512_set1_ps(*from[i][1].add(k))];
                    firsts[i][0] = _mm512_fmadd_ps(x[0], first, firsts[i][0]);
                    firsts[i][1] = _mm512_fmadd_ps(x[1], first, firsts[i][1]);
                    lasts[i][0] = _mm512_fmadd_ps(_mm512_mask_blend_ps(0xff00, x[0], x[1]), last, lasts[i][0]);
                }
                weights = weights.add(32);
            }
            pointers = pointers.wrapping_add(pixels);
        }
        simd::activate::<Avx512, P, 2>(task.activation, std::ptr::null(), &mut firsts);
        simd::activate::<Avx512, P, 1>(task.activation, std::ptr::null(), &mut lasts);
        if let Some(residual) = &task.residual {
            let places = &residual.places.offsets()[pixel..pixel + size];
            let scale = _mm512_set1_ps(residual.scale);
            for i in 0..P {
                let at = [places[2 * i], places[(2 * i + 1).min(size - 1)]];
                let at = at.map(|place| residual.data.as_ptr().add(place + task.panel.first));
                firsts[i][0] = _mm512_fmadd_ps(scale, firsts[i][0], _mm512_loadu_ps(at[0]));
                firsts[i][1] = _mm512_fmadd_ps(scale, firsts[i][1], _mm512_loadu_ps(at[1]));
                let both = _mm512_castps256_ps512(_mm256_loadu_ps(at[0].add(16)));
                let both = _mm512_insertf32x8(both, _mm256_loadu_ps(at[1].add(16)), 1);
                lasts[i][0] = _mm512_fmadd_ps(scale, lasts[i][0], both);
            }
            simd::activate::<Avx512, P, 2>(residual.then, std::ptr::null(), &mut firsts);
            simd::activate::<Avx512, P, 1>(residual.then, std::ptr::null(), &mut lasts);
        }
        let places = &task.places.offsets()[pixel..pixel + size];
        for i in 0..P {
            let at = [places[2 * i], places[(2 * i + 1).min(size - 1)]];
            let at = at.map(|place| out.add(place + task.panel.first));
            _mm512_storeu_ps(at[0], firsts[i][0]);
            _mm256_storeu_ps(at[0].add(16), _mm512_castps512_ps256(lasts[i][0]));
            _mm512_storeu_ps(at[1], firsts[i][1]);
            _mm256_storeu_ps(at[1].add(16), _mm512_extractf32x8_ps(lasts[i][0], 1));
        }
    }
}
