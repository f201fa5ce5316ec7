//! Sets up the process before it does anything else, by the C library: large blocks of memory are returned to
//! the system as soon as they are freed, and a limit on file sizes does not end the program. Returns the free
//! memory of smaller blocks on request.
//!
//! By default, glibc raises the size from which it maps blocks separately when such a block is freed, up to 32 MiB. As
//! a result, the process would keep the memory of a large photograph. A fixed size prevents that. Smaller blocks are
//! kept for the next photograph: a new page costs a fault, and with each of its blocks new a photograph of 400 x 500
//! pixels took 4 % longer.

/// Blocks of at least this size are mapped separately, and unmapped when freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 8 << 20;

/// The C library returns free memory at the end of a heap if it is more than this.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 16 << 20;

/// Fixes the size from which blocks are mapped separately, and how much free memory is kept.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library has no other way to set it")]
pub fn return_large_blocks() {
    // SAFETY: `mallopt` takes two integers and no pointers, and both calls run before any other thread.
    let set = unsafe { [libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE), libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT)] };
    debug_assert_eq!(set, [1, 1], "glibc takes any size up to 32 MiB");
}

/// Does nothing: other C libraries, such as musl, map large blocks separately.
#[cfg(not(target_env = "gnu"))]
pub fn return_large_blocks() {}

/// Returns all free memory to the system, in some milliseconds. Blocks below [`LARGE`] lie in heaps, one for some
/// threads each, whose free pages the C library keeps where a used block lies above them.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library has no other way to ask for it")]
pub fn return_free_memory() {
    // SAFETY: `malloc_trim` takes an integer and locks each heap; it touches no block that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Does nothing: other C libraries keep little free memory.
#[cfg(not(target_env = "gnu"))]
pub fn return_free_memory() {}

/// Makes a write beyond the limit on file sizes return an error, as a write to a full disk does. By default, the
/// signal ends the program: a log file at its limit would end the service.
#[expect(unsafe_code, reason = "the C library has no other way to set it")]
pub fn survive_file_limits() {
    // SAFETY: ignoring a signal installs no function, and this call runs before any other thread.
    let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    debug_assert_ne!(before, libc::SIG_ERR, "the signal exists and can be ignored");
}

#[cfg(all(test, target_env = "gnu"))]
#[path = "process_tests.rs"]
mod tests;
