//! A live face that no network judged.

#![allow(dead_code, unused)]

mod open {
    pub mod liveness {
        pub struct Live(pub u8);
    }
}

use likeness::liveness::Live;

fn forge() -> Live {
    Live(unreachable!())
}

fn main() {}
