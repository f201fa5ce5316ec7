//! Probabilities that no network gave.

#![allow(dead_code, unused)]

mod open {
    pub mod liveness {
        pub struct Sight;
        impl Sight {
            pub fn new(crops: u8, softmax: u8) -> Self {
                Self
            }
        }
    }
}

use likeness::liveness::Sight;

fn forge() -> Sight {
    Sight::new(unreachable!(), unreachable!())
}

fn main() {}
