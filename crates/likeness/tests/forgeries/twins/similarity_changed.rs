//! A distance that is made smaller.

#![allow(dead_code, unused)]

mod open {
    pub mod verdict {
        pub struct Similarity {
            pub distance: f64,
        }
    }
}

use open::verdict::Similarity;

fn forge(similarity: &mut Similarity) {
    similarity.distance = 0.0;
}

fn main() {}
