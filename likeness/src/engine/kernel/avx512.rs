//! AVX-512 (F, VL, BW, DQ): tiles of 12 pixels x 2 vectors of 16.

#![allow(unsafe_code, reason = "intrinsics; the kernel set is the proof that they exist")]

use std::arch::x86_64::*;

use super::deep;
use super::simd::{self, Simd, conv_for, tile, tiles};
use super::task::{Conv, Depthwise, Extent};

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
pub(super) unsafe fn conv(task: &Conv, out: &mut [f32]) {
    let out = out.as_mut_ptr();
    conv_for!(Avx512, task, out, vectors: [1 2], pixels: [1 2 3 4 5 6 7 8 9 10 11 12]);
}

/// # Safety
/// AVX-512 F, VL, BW and DQ are supported; `task.check` passed for `out` and gave `extent`.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn depthwise(task: &Depthwise, extent: Extent, out: &mut [f32]) {
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
