//! The kernel's errors in words, with the name that operators search for. Touches nothing.

use std::io;

use rustix::io::Errno;

/// The kernel's error message with its name, such as ENOSPC.
pub fn named(error: &io::Error) -> String {
    let name = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ROFS) => "EROFS",
        Some(Errno::NOSPC) => "ENOSPC",
        Some(Errno::DQUOT) => "EDQUOT",
        Some(Errno::ACCESS) => "EACCES",
        Some(Errno::PERM) => "EPERM",
        Some(Errno::NOTDIR) => "ENOTDIR",
        _ => return error.to_string(),
    };
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    format!("{words} ({name})")
}
