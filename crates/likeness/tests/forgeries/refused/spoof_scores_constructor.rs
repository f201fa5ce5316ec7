//! Probabilities that no network gave.

#![allow(dead_code, unused)]

mod open {
    pub mod liveness {
        pub struct SpoofScores;
        impl SpoofScores {
            pub fn new(crops: u8, softmax: u8) -> Self {
                Self
            }
        }
    }
}

use likeness::liveness::SpoofScores;

fn forge() -> SpoofScores {
    SpoofScores::new(unreachable!(), unreachable!())
}

fn main() {}
