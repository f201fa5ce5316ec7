//! Makes one thread of the test the app: with the app's uid and gid, and without capabilities.

use nix::libc;

pub const UID: u32 = 100;
pub const GID: u32 = 101;

/// Changes this thread to the app for the rest of its life. The C library would change every thread of the
/// process.
#[expect(unsafe_code, reason = "no safe wrapper changes the ids of one thread")]
pub fn become_app() {
    // SAFETY: three system calls that take integers and a null pointer for an empty list.
    let done = unsafe {
        [
            libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()),
            libc::syscall(libc::SYS_setresgid, GID, GID, GID),
            libc::syscall(libc::SYS_setresuid, UID, UID, UID),
        ]
    };
    assert_eq!(done, [0; 3], "the thread could not become the app");
}
