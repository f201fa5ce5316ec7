//! An embedding that no embedder gave.

#![allow(dead_code, unused)]

mod open {
    pub mod embed {
        pub struct Embedding {
            pub direction: u8,
            pub numbers: u8,
            pub input: u8,
        }
    }
}

use likeness::embed::Embedding;

fn forge() -> Embedding {
    Embedding { direction: unreachable!(), numbers: unreachable!(), input: unreachable!() }
}

fn main() {}
