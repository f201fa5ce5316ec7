//! The signal state that this process was started with, and the way back to it.
//!
//! Rust's runtime ignores SIGPIPE before `main`, and an ignored signal survives exec. So what
//! SIGPIPE did is recorded by a constructor that the loader runs before the runtime, and put back
//! just before exec. No other signal is ever ignored here, and handlers need no care: exec resets
//! them. Touches signal dispositions and the caller's mask.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use nix::libc;

static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// No umask yet.
const UNSET: u32 = u32::MAX;
static UMASK: AtomicU32 = AtomicU32::new(UNSET);

/// Makes this process fit for a boot: an umask that hides nothing from the app, and, for the
/// first process of a container, signals that end it. The kernel drops those that have no
/// handler there, and a stop would wait for its grace to run out.
pub fn prepare() {
    let found = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
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

/// As a shell tells it: 128 and the signal. Whatever was being written has no name yet.
#[expect(unsafe_code, reason = "the one way out of a handler")]
extern "C" fn end(signal: i32) {
    // SAFETY: _exit is safe in a handler.
    unsafe { libc::_exit(128 + signal) }
}

#[used]
#[expect(unsafe_code, reason = "the only hook on stable that runs before the runtime")]
// SAFETY: the loader calls each entry of .init_array as a C function, once, before any other
// thread exists; `record` ignores the arguments it is passed and can't unwind.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = record;

extern "C" fn record() {
    PIPE_IGNORED.store(disposition(libc::SIGPIPE) == Some(libc::SIG_IGN), Relaxed);
    BLOCKED.store(blocked(), Relaxed);
}

/// Makes dispositions, mask and umask those that were received.
pub(super) fn restore() {
    let pipe = if PIPE_IGNORED.load(Relaxed) { libc::SIG_IGN } else { libc::SIG_DFL };
    set_disposition(libc::SIGPIPE, pipe);
    set_blocked(BLOCKED.load(Relaxed));
    let umask = UMASK.load(Relaxed);
    if umask != UNSET {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
    }
}

/// Ignores SIGPIPE again, so that telling why an exec failed can't kill the teller.
pub(super) fn keep_writing() {
    set_disposition(libc::SIGPIPE, libc::SIG_IGN);
}

fn signals() -> std::ops::RangeInclusive<i32> {
    1..=64
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// What a signal does now; `None` for those that the C library keeps to itself.
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

/// Only ever SIG_IGN or SIG_DFL. KILL and STOP refuse, rightly.
#[expect(unsafe_code, reason = "no safe call sets a disposition")]
fn set_disposition(signal: i32, to: libc::sighandler_t) {
    // SAFETY: SIG_IGN and SIG_DFL run no code of ours.
    unsafe { libc::signal(signal, to) };
}

#[expect(unsafe_code, reason = "the set's layout is the C library's own")]
fn blocked() -> u64 {
    // SAFETY: sigemptyset makes the set valid before it is read; a null new set changes nothing.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
        let held = signals().filter(|&signal| libc::sigismember(&set, signal) == 1);
        held.fold(0, |bits, signal| bits | bit(signal))
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
