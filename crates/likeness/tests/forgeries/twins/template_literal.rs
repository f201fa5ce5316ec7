//! A template that no store opened.

#![allow(dead_code, unused)]

mod open {
    pub mod embed {
        pub struct Template {
            pub direction: u8,
        }
    }
}

use open::embed::Template;

fn forge() -> Template {
    Template { direction: unreachable!() }
}

fn main() {}
