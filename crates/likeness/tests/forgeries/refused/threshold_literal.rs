//! A threshold that claims to be DeepFace's.

#![allow(dead_code, unused)]

mod open {
    pub mod policy {
        pub struct Threshold {
            pub distance: f64,
            pub source: u8,
            pub unmeasured: bool,
            pub calibrated: Option<u8>,
        }
    }
}

use likeness::policy::Threshold;

fn forge() -> Threshold {
    Threshold { distance: 2.0, source: unreachable!(), unmeasured: false, calibrated: None }
}

fn main() {}
