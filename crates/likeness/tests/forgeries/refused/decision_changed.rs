//! A decision whose verdict is exchanged.

#![allow(dead_code, unused)]

mod open {
    pub mod verdict {
        pub struct Decision {
            pub similarity: u8,
            pub verdict: u8,
        }
    }
}

use likeness::verdict::Decision;

fn forge(decision: &mut Decision) {
    let _ = &mut decision.verdict;
}

fn main() {}
