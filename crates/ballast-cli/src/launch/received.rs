//! The signal state that this process was started with, and how to restore it.
//!
//! SIGPIPE and SIGXFSZ are ignored here, and an ignored signal survives exec. Therefore the earlier
//! disposition of each signal is recorded, and restored just before exec. No other signal is ever
//! ignored here, and handlers need no care: exec resets them. Touches signal dispositions, the
//! caller's mask, and descriptors 0 to 2 where they are closed.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use nix::libc;
use rustix::fs::{self, Mode, OFlags};
use rustix::io::{Errno, fcntl_getfd};
use rustix::stdio;

/// A closed pipe and a file size limit are then errors of a write, and do not end the process.
const OF_WRITES: [i32; 2] = [libc::SIGPIPE, libc::SIGXFSZ];
/// Which of these signals were ignored before.
static IGNORED: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// No umask yet.
const UNSET: u32 = u32::MAX;
static UMASK: AtomicU32 = AtomicU32::new(UNSET);

/// Runs first. Afterwards a failed write is an error and does not end the process, and no file that
/// is opened later gets the number of a standard stream.
pub fn receive() {
    for (signal, ignored) in OF_WRITES.iter().zip(&IGNORED) {
        ignored.store(set_disposition(*signal, libc::SIG_IGN) == libc::SIG_IGN, Relaxed);
    }
    BLOCKED.store(blocked(), Relaxed);
    for stream in [stdio::stdin(), stdio::stdout(), stdio::stderr()] {
        if fcntl_getfd(stream) == Err(Errno::BADF) {
            occupy();
        }
    }
}

/// Fills the lowest free descriptor number, with `/dev/null` or, if that is missing, with a
/// descriptor that can be neither read nor written.
fn occupy() {
    let null = fs::open("/dev/null", OFlags::RDWR, Mode::empty());
    let taken = null.or_else(|_| fs::open("/", OFlags::PATH, Mode::empty()));
    if taken.map(OwnedFd::into_raw_fd).is_err() {
        // If the program continued, output would go into a file that it opens later.
        std::process::abort();
    }
}

/// Prepares this process for a boot: sets an umask that hides no file from the app and, for the
/// first process of a container, handlers that end it. Without a handler the kernel ignores such
/// signals there, and a stop would wait for the grace period.
pub fn prepare() {
    let found = rustix::process::umask(Mode::from_raw_mode(0o022));
    UMASK.store(found.as_raw_mode(), Relaxed);
    if std::process::id() == 1 {
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
            if disposition(signal) == Some(libc::SIG_DFL) {
                end_on(signal);
            }
        }
    }
}

#[expect(unsafe_code, reason = "no safe call sets a handler")]
fn end_on(signal: i32) {
    // SAFETY: the handler makes one call, which is safe in a handler.
    unsafe { libc::signal(signal, end as extern "C" fn(i32) as libc::sighandler_t) };
}

/// The exit code of a shell: 128 plus the signal. A file in progress has no name yet.
#[expect(unsafe_code, reason = "the one way out of a handler")]
extern "C" fn end(signal: i32) {
    // SAFETY: _exit is safe in a handler.
    unsafe { libc::_exit(128 + signal) }
}

/// Restores dispositions, mask and umask as they were received.
pub(super) fn restore() {
    for (signal, ignored) in OF_WRITES.iter().zip(&IGNORED) {
        set_disposition(*signal, if ignored.load(Relaxed) { libc::SIG_IGN } else { libc::SIG_DFL });
    }
    set_blocked(BLOCKED.load(Relaxed));
    let umask = UMASK.load(Relaxed);
    if umask != UNSET {
        rustix::process::umask(Mode::from_raw_mode(umask));
    }
}

/// Ignores them again, so that printing why an exec failed can't end the process.
pub(super) fn keep_writing() {
    for signal in OF_WRITES {
        set_disposition(signal, libc::SIG_IGN);
    }
}

fn signals() -> std::ops::RangeInclusive<i32> {
    1..=64
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Returns the present action of a signal; `None` for those that the C library reserves.
#[expect(unsafe_code, reason = "no safe call reads a disposition")]
fn disposition(signal: i32) -> Option<libc::sighandler_t> {
    // SAFETY: a sigaction is plain data, all zero is a valid one; with a null action the call
    // only writes to the one it is given, and refuses a bad number.
    let (code, found) = unsafe {
        let mut found: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &mut found), found)
    };
    (code == 0).then_some(found.sa_sigaction)
}

/// Sets SIG_IGN or SIG_DFL, and returns the earlier disposition. The kernel refuses KILL and STOP.
#[expect(unsafe_code, reason = "no safe call sets a disposition")]
fn set_disposition(signal: i32, to: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: SIG_IGN and SIG_DFL run no code of ours.
    unsafe { libc::signal(signal, to) }
}

#[expect(unsafe_code, reason = "the set's layout is the C library's own")]
fn blocked() -> u64 {
    // SAFETY: sigemptyset makes the set valid before it is read; a null new set changes nothing.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
        let blocked = signals().filter(|&signal| libc::sigismember(&set, signal) == 1);
        blocked.fold(0, |bits, signal| bits | bit(signal))
    }
}

#[expect(unsafe_code, reason = "the set's layout is the C library's own")]
fn set_blocked(bits: u64) {
    // SAFETY: sigemptyset makes the set valid; sigaddset refuses a bad number; the mask is
    // the calling thread's own.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals().filter(|&signal| bits & bit(signal) != 0) {
            libc::sigaddset(&mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
    }
}
