//! Where servers lead, `ADDRESS \0 LOCATION \0 LOCATION …`: whatever they say, a connection in the clear
//! leaves no further than the user named, and a secret stays with its origin.
#![no_main]

use ballast_cli::fuzzing::address::{Address, Clear, Secret};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.split('\0');
    let Ok((first, _)) = Address::named(parts.next().unwrap_or_default(), Clear::Refused) else { return };
    let secret = Secret::basic(&first, "user:password").expect("the way to it is private");
    let mut here = first.clone();
    for location in parts.take(8) {
        let Ok(next) = here.lead(location) else { continue };
        assert!(next.is_tls() || next.is_here(), "in the clear to {}", next.uri());
        assert!(!next.is_here() || here.is_here(), "inward to {}", next.uri());
        let authority = next.uri().authority().expect("a host").as_str();
        assert!(!authority.contains('@'), "{authority}");
        if secret.at(&next).is_some() {
            assert_eq!((next.host(), next.is_tls()), (first.host(), first.is_tls()), "the secret goes astray");
        }
        here = next;
    }
});
