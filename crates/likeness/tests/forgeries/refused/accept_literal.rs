//! An accept from nothing.

#![allow(dead_code, unused)]

mod open {
    pub mod verdict {
        pub struct Accept {
            pub live: u8,
            pub similarity: u8,
        }
    }
}

use likeness::verdict::Accept;

fn forge() -> Accept {
    Accept { live: unreachable!(), similarity: unreachable!() }
}

fn main() {}
