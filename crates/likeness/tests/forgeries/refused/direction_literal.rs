//! Numbers of another crate that claim to be comparable.

#![allow(dead_code, unused)]

mod open {
    pub mod embed {
        pub struct Direction {
            pub space: u8,
            pub numbers: u8,
        }
    }
}

use likeness::embed::Direction;

fn forge() -> Direction {
    Direction { space: unreachable!(), numbers: unreachable!() }
}

fn main() {}
