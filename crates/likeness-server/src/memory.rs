//! Where large blocks of memory go when they are freed: back to the system at once.
//!
//! By default glibc raises the size above which it maps a block of its own, up to 32 MiB, as soon as one was freed.
//! Then the process keeps the memory of one large photograph. A fixed size prevents that. Changes one number of the C
//! library; touches nothing else.

/// Blocks of this size and more are mapped, and unmapped when they are freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 1 << 20;

/// Fixes the size above which a block is mapped on its own.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library has no other way to set it")]
pub fn return_large_blocks() {
    // SAFETY: `mallopt` takes two integers and no pointers, and is called before any other thread runs.
    let set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    debug_assert_eq!(set, 1, "glibc takes any size up to 32 MiB");
}

/// Other C libraries map every large block.
#[cfg(not(target_env = "gnu"))]
pub fn return_large_blocks() {}
