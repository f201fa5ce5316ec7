//! Names the variables that no process gets that this program starts or becomes. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Passwords and tokens of registries, and mirrors whose URL contains a password or a query.
pub fn is_secret(name: &OsStr, value: &OsStr) -> bool {
    let name = name.as_bytes();
    let words = || value.as_bytes().split(u8::is_ascii_whitespace);
    name.starts_with(b"BALLAST_TOKENS")
        || name.starts_with(b"BALLAST_REGISTRY_")
        || (name == b"BALLAST_MIRRORS" && words().any(holds_secret))
}

fn holds_secret(url: &[u8]) -> bool {
    let rest = url.windows(3).position(|part| part == b"://").map(|at| &url[at + 3..]);
    let authority = rest.and_then(|rest| rest.split(|byte| b"/?#".contains(byte)).next());
    rest.is_some_and(|rest| rest.contains(&b'?')) || authority.is_some_and(|authority| authority.contains(&b'@'))
}
