//! A template that no store opened.

#![allow(dead_code, unused)]

mod open {
    pub mod embed {
        pub struct Template {
            pub space: u8,
            pub direction: u8,
        }
    }
}

use likeness::embed::Template;

fn forge() -> Template {
    Template { space: unreachable!(), direction: unreachable!() }
}

fn main() {}
