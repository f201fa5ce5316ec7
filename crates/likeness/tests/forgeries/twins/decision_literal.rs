//! A decision from nothing.

#![allow(dead_code, unused)]

mod open {
    pub mod verdict {
        pub struct Decision {
            pub similarity: u8,
            pub verdict: u8,
        }
    }
}

use open::verdict::Decision;

fn forge() -> Decision {
    Decision { similarity: unreachable!(), verdict: unreachable!() }
}

fn main() {}
