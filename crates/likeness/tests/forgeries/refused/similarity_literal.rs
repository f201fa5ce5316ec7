//! A distance without a measurement.

#![allow(dead_code, unused)]

mod open {
    pub mod verdict {
        pub struct Similarity {
            pub distance: f64,
            pub threshold: u8,
        }
    }
}

use likeness::verdict::Similarity;

fn forge() -> Similarity {
    Similarity { distance: 0.0, threshold: unreachable!() }
}

fn main() {}
