//! A similarity in the place of a verdict.

#![allow(dead_code, unused)]

use likeness::verdict::{Accept, Similarity, Verdict};

fn forge(proof: Accept) -> Verdict {
    Verdict::Accept(proof)
}

fn main() {}
