//! The kernel's session keyring: a process that possesses it may use its keys, whatever the uid is.
//! Therefore the process leaves root's keyring, and joins a new and empty one.
//!
//! Touches only the calling thread's session keyring, which the command inherits.

use std::io;

use nix::errno::Errno;
use nix::libc;

/// `KEYCTL_GET_KEYRING_ID`
const GET_KEYRING_ID: libc::c_long = 0;
/// `KEYCTL_JOIN_SESSION_KEYRING`
const JOIN_SESSION_KEYRING: libc::c_long = 1;
/// `KEY_SPEC_SESSION_KEYRING`
const SESSION: libc::c_long = -3;

/// Joins a new session keyring without a name. If the kernel has no keys, or a filter keeps them from
/// this process (and so from the command), no keyring has to be left.
///
/// # Errors
/// The kernel refuses a new keyring, and the old one is still accessible.
pub fn leave() -> io::Result<()> {
    match keyctl(JOIN_SESSION_KEYRING, 0) {
        Ok(()) => Ok(()),
        // This call finds out whether a session keyring exists. `keyctl` passes 0 as the last argument: the kernel
        // creates none.
        Err(refused) if keyctl(GET_KEYRING_ID, SESSION).is_ok() => Err(refused.into()),
        Err(_) => Ok(()),
    }
}

fn keyctl(operation: libc::c_long, argument: libc::c_long) -> Result<(), Errno> {
    let nothing: libc::c_long = 0;
    #[expect(unsafe_code, reason = "no crate used here has a safe call for keys")]
    // SAFETY: five integers; a name of 0 is none, so that the kernel reads and writes no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_keyctl, operation, argument, nothing, nothing, nothing) };
    if answer < 0 { Err(Errno::last()) } else { Ok(()) }
}
