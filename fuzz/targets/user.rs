//! The user grammar and the two account files: `SPEC \0 PASSWD \0 GROUP`. The result is
//! who the spec says, and never the kernel's "leave unchanged".
#![no_main]

use ballast_cli::fuzzing::{Accounts, UserSpec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\0');
    let spec = parts.next().unwrap_or_default();
    let mut file = || parts.next().unwrap_or_default().to_owned();
    let accounts = Accounts { passwd: file(), group: file() };
    let Ok(parsed) = spec.parse::<UserSpec>() else { return };
    let Ok(identity) = accounts.resolve(&parsed, 7) else { return };
    assert!(identity.uid != u32::MAX && identity.gid != u32::MAX);
    assert!(identity.groups.contains(&identity.gid));
    assert!(identity.groups.windows(2).all(|pair| pair[0] < pair[1]));
    let number = |part: Option<&str>| part.filter(|part| part.bytes().all(|b| b.is_ascii_digit()))?.parse::<u32>().ok();
    let mut halves = spec.splitn(2, ':');
    assert!(number(halves.next()).is_none_or(|uid| uid == identity.uid), "a number is that user");
    let gid = number(halves.next());
    assert!(gid.is_none_or(|gid| gid == identity.gid && identity.groups == [gid]), "a named group stands alone");
});
