//! The kernel sets: which inner loops this processor can run.
//!
//! A [`KernelSet`] can only be made if the processor and the operating system support it, so its
//! existence justifies every call of its `unsafe` functions.
//!
//! To add a kernel set:
//! 1. A file here with a type that implements `Simd`: its vector, how many numbers it has, how many pixels a tile has
//!    registers for, seven instructions. `positive` and `negative` must keep NaN.
//! 2. `conv`, `depthwise` and `saturate` as `#[target_feature]` functions that call the loops of `simd.rs`.
//! 3. A `Kind` below: its name, what it needs, its lanes and panel, three match arms.
//! 4. `cargo test -p likeness --lib engine` compares it with the reference. A `zmm` or `ymm` store inside the loop over
//!    channels means that the tile is too large. Loops over accumulators use an index: iterators put them on the stack.

#![allow(unsafe_code, reason = "calls into the set that this machine supports")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no vectors here"))]
mod deep;
#[cfg(all(test, not(target_arch = "aarch64")))]
mod emulated;
#[cfg(any(test, target_arch = "aarch64"))]
mod neon;
mod portable;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no vectors here"))]
mod simd;
pub(crate) mod task;

use std::fmt;

use task::{ConvTask, DepthwiseTask};

/// One family of inner loops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelSet(InstructionSet);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum InstructionSet {
    Avx512,
    Avx2,
    Neon,
    Portable,
}

const ALL: [InstructionSet; 4] =
    [InstructionSet::Avx512, InstructionSet::Avx2, InstructionSet::Neon, InstructionSet::Portable];

impl InstructionSet {
    fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn supported(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        match self {
            Self::Avx512 => has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq"),
            Self::Avx2 => has!("avx2") && has!("fma"),
            // Emulated in tests, so that this machine tests its tiles too.
            Self::Neon => cfg!(test),
            Self::Portable => true,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn supported(self) -> bool {
        matches!(self, Self::Neon | Self::Portable)
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn supported(self) -> bool {
        self == Self::Portable
    }
}

impl KernelSet {
    /// The fastest that this machine supports.
    #[must_use]
    pub fn best() -> Self {
        Self(ALL.into_iter().find(|isa| isa.supported()).unwrap_or(InstructionSet::Portable))
    }

    /// Returns all kernel sets that this machine supports, fastest first.
    pub fn available() -> Vec<Self> {
        ALL.into_iter().filter(|isa| isa.supported()).map(Self).collect()
    }

    /// The set of this name (`avx512`, `avx2`, `neon`, `portable`), if this machine supports it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|set| set.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Numbers of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.0 {
            InstructionSet::Avx512 => 16,
            InstructionSet::Avx2 => 8,
            InstructionSet::Portable => portable::LANES,
            InstructionSet::Neon => 4,
        }
    }

    /// Output channels of a full panel.
    pub(crate) fn panel(self) -> usize {
        match self.0 {
            InstructionSet::Avx512 => 32,
            InstructionSet::Avx2 | InstructionSet::Neon => 16,
            InstructionSet::Portable => portable::LANES,
        }
    }

    /// Computes one panel of a dense convolution.
    ///
    /// # Panics
    /// If the task would read or write outside of its slices.
    pub(crate) fn conv(self, task: &ConvTask, out: &mut [f32]) {
        task.check(self.lanes(), self.panel(), out);
        match self.0 {
            // SAFETY: the set is supported (only such a `KernelSet` can be had); the check passed.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512::conv(task, out) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2::conv(task, out) },
            // SAFETY: the same.
            #[cfg(any(test, target_arch = "aarch64"))]
            InstructionSet::Neon => unsafe { neon::conv(task, out) },
            _ => portable::conv(task, out),
        }
    }

    /// Rows of a depthwise convolution.
    ///
    /// # Panics
    /// If the task would read or write outside of its slices.
    pub(crate) fn depthwise(self, task: &DepthwiseTask, out: &mut [f32]) {
        let extent = task.check(self.lanes(), out);
        match self.0 {
            // SAFETY: the set is supported (only such a `KernelSet` can be had); the check passed.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512::depthwise(task, extent, out) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2::depthwise(task, extent, out) },
            // SAFETY: the same.
            #[cfg(any(test, target_arch = "aarch64"))]
            InstructionSet::Neon => unsafe { neon::depthwise(task, extent, out) },
            _ => portable::depthwise(task, extent, out),
        }
    }

    /// Multiplies and adds in registers alone, `rounds` times; how many floating-point operations
    /// that was. Timed by the caller, it gives this core's peak.
    #[must_use]
    pub fn saturate(self, rounds: usize) -> u64 {
        match self.0 {
            // SAFETY: the set is supported: only such a `KernelSet` can be had.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512::saturate(rounds) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2::saturate(rounds) },
            // SAFETY: the same.
            #[cfg(any(test, target_arch = "aarch64"))]
            InstructionSet::Neon => unsafe { neon::saturate(rounds) },
            _ => portable::saturate(rounds),
        }
        let chains = if self.0 == InstructionSet::Portable { portable::PIXELS } else { simd::CHAINS };
        (2 * rounds * chains * self.lanes()) as u64
    }
}

impl fmt::Display for KernelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
