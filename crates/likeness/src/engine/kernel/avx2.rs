//! AVX2 with FMA: tiles of 6 pixels x 2 vectors of 8.

#![allow(unsafe_code, reason = "intrinsics; the kernel set is the proof that they exist")]

use std::arch::x86_64::*;

use super::deep;
use super::simd::{self, Simd, conv_for, tile, tiles};
use super::task::{ConvTask, DepthwiseTask, Extent};

struct Avx2;

/// Read from `8 - count`: the first `count` lanes are chosen.
static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

#[inline(always)]
unsafe fn mask(count: usize) -> __m256i {
    // SAFETY: count <= 8 by the contract of the trait, so eight of the sixteen are read.
    unsafe { _mm256_loadu_si256(MASK.as_ptr().add(8 - count).cast()) }
}

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const PIXELS: usize = 6;
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(at) }
    }

    #[inline(always)]
    unsafe fn load_part(at: *const f32, count: usize) -> __m256 {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm256_maskload_ps(at, mask(count)) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, v: __m256) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(at, v) }
    }

    #[inline(always)]
    unsafe fn store_part(at: *mut f32, v: __m256, count: usize) {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm256_maskstore_ps(at, mask(count), v) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn positive(x: __m256) -> __m256 {
        // SAFETY: the caller's. The second operand is the result where one is NaN.
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), x) }
    }

    #[inline(always)]
    unsafe fn negative(x: __m256) -> __m256 {
        // SAFETY: the caller's. The second operand is the result where one is NaN.
        unsafe { _mm256_min_ps(_mm256_setzero_ps(), x) }
    }
}

/// # Safety
/// AVX2 and FMA are supported; `task.check` passed for `out`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn conv(task: &ConvTask, out: &mut [f32]) {
    let out = out.as_mut_ptr();
    conv_for!(Avx2, task, out, vectors: [1 2], pixels: [1 2 3 4 5 6]);
}

/// # Safety
/// AVX2 and FMA are supported; `task.check` passed for `out` and gave `extent`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn depthwise(task: &DepthwiseTask, extent: Extent, out: &mut [f32]) {
    let (shape, out) = ((task.window, task.stride), out.as_mut_ptr());
    // SAFETY: the caller's.
    unsafe {
        match shape {
            ((3, 3), 1) => deep::depthwise::<Avx2, 3, 1>(task, extent, out),
            ((3, 3), 2) => deep::depthwise::<Avx2, 3, 2>(task, extent, out),
            _ => deep::depthwise::<Avx2, 0, 0>(task, extent, out),
        }
    }
}

/// # Safety
/// The set is supported.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn saturate(rounds: usize) {
    // SAFETY: the caller's.
    unsafe { simd::saturate::<Avx2>(rounds) }
}
