//! The NEON instructions that `neon` uses, for tests on other processors.

#![allow(non_camel_case_types, reason = "the names are the processor's")]
#![allow(unsafe_code, reason = "loads and stores through the caller's pointers")]

pub(super) type float32x4_t = [f32; 4];

/// # Safety
/// Four numbers can be read.
pub(super) unsafe fn vld1q_f32(at: *const f32) -> float32x4_t {
    // SAFETY: the caller's.
    unsafe { at.cast::<float32x4_t>().read_unaligned() }
}

/// # Safety
/// Four numbers can be written.
pub(super) unsafe fn vst1q_f32(at: *mut f32, v: float32x4_t) {
    // SAFETY: the caller's.
    unsafe { at.cast::<float32x4_t>().write_unaligned(v) }
}

pub(super) fn vdupq_n_f32(x: f32) -> float32x4_t {
    [x; 4]
}

/// a + b * c.
pub(super) fn vfmaq_f32(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
    std::array::from_fn(|lane| b[lane].mul_add(c[lane], a[lane]))
}

/// NaN where either is.
pub(super) fn vmaxq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    std::array::from_fn(|lane| if a[lane].is_nan() || b[lane].is_nan() { f32::NAN } else { a[lane].max(b[lane]) })
}

/// NaN where either is.
pub(super) fn vminq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    std::array::from_fn(|lane| if a[lane].is_nan() || b[lane].is_nan() { f32::NAN } else { a[lane].min(b[lane]) })
}
