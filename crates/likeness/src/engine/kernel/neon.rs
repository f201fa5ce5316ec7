//! NEON, which every aarch64 has: tiles of 6 pixels x 4 vectors of 4.
//!
//! Tests on other processors run it on `emulated`, so every machine tests its tiles.

#![allow(unsafe_code, reason = "intrinsics; the kernel set is the proof that they exist")]
#![allow(unused_unsafe, reason = "where NEON is always there, some of its intrinsics are safe")]

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;

use super::deep;
#[cfg(not(target_arch = "aarch64"))]
use super::emulated::*;
use super::simd::{self, Simd, conv_for, tile, tiles};
use super::task::{ConvTask, DepthwiseTask, Extent};

struct Neon;

impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    const PIXELS: usize = 6;
    const WIDE: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> float32x4_t {
        // SAFETY: the caller's.
        unsafe { vld1q_f32(at) }
    }

    #[inline(always)]
    unsafe fn load_part(at: *const f32, count: usize) -> float32x4_t {
        let mut whole = [0.0; 4];
        // SAFETY: `count` < 4 numbers can be read, and the copy has four.
        unsafe {
            std::ptr::copy_nonoverlapping(at, whole.as_mut_ptr(), count.min(4));
            vld1q_f32(whole.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, v: float32x4_t) {
        // SAFETY: the caller's.
        unsafe { vst1q_f32(at, v) }
    }

    #[inline(always)]
    unsafe fn store_part(at: *mut f32, v: float32x4_t, count: usize) {
        let mut whole = [0.0; 4];
        // SAFETY: `count` < 4 numbers can be written, and the copy has four.
        unsafe {
            vst1q_f32(whole.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(whole.as_ptr(), at, count.min(4));
        }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> float32x4_t {
        // SAFETY: the caller's.
        unsafe { vdupq_n_f32(x) }
    }

    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: the caller's.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    unsafe fn positive(x: float32x4_t) -> float32x4_t {
        // SAFETY: the caller's. The result is NaN where an operand is.
        unsafe { vmaxq_f32(vdupq_n_f32(0.0), x) }
    }

    #[inline(always)]
    unsafe fn negative(x: float32x4_t) -> float32x4_t {
        // SAFETY: the caller's. The result is NaN where an operand is.
        unsafe { vminq_f32(vdupq_n_f32(0.0), x) }
    }
}

/// # Safety
/// `task.check` passed for `out`.
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
pub(super) unsafe fn conv(task: &ConvTask, out: &mut [f32]) {
    let out = out.as_mut_ptr();
    conv_for!(Neon, task, out, vectors: [1 2 3 4], pixels: [1 2 3 4 5 6]);
}

/// # Safety
/// `task.check` passed for `out` and gave `extent`.
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
pub(super) unsafe fn depthwise(task: &DepthwiseTask, extent: Extent, out: &mut [f32]) {
    let (shape, out) = ((task.window, task.stride), out.as_mut_ptr());
    // SAFETY: the caller's.
    unsafe {
        match shape {
            ((3, 3), 1) => deep::depthwise::<Neon, 3, 1>(task, extent, out),
            ((3, 3), 2) => deep::depthwise::<Neon, 3, 2>(task, extent, out),
            _ => deep::depthwise::<Neon, 0, 0>(task, extent, out),
        }
    }
}

/// # Safety
/// The set is supported.
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
pub(super) unsafe fn saturate(rounds: usize) {
    // SAFETY: the caller's.
    unsafe { simd::saturate::<Neon>(rounds) }
}
