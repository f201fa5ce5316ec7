//! The kernel's answers in words, with the name of the error where operators look for it. Touches nothing.

use std::io;

use rustix::io::Errno;

/// The kernel's answer with the name that people search for.
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
