//! Numbers of another crate that claim to be comparable.

#![allow(dead_code, unused)]

mod open {
    pub mod embed {
        pub trait Comparable {
            fn parts(&self) -> (likeness::space::SpaceId, &[f32]);
        }
    }
}

use open::embed::Comparable;

struct Own;

impl Comparable for Own {
    fn parts(&self) -> (likeness::space::SpaceId, &[f32]) {
        unreachable!()
    }
}

fn main() {}
