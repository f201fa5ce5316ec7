//! An embedder without an acceptance.

#![allow(dead_code, unused)]

mod open {
    pub mod embed {
        pub struct TrustedEmbedder {
            pub embedder: u8,
            pub trust: u8,
        }
    }
}

use open::embed::TrustedEmbedder;

fn forge() -> TrustedEmbedder {
    TrustedEmbedder { embedder: unreachable!(), trust: unreachable!() }
}

fn main() {}
