//! A similarity in the place of a verdict.

#![allow(dead_code, unused)]

use likeness::verdict::{Accept, Similarity, Verdict};

fn forge(proof: Similarity) -> Verdict {
    Verdict::Accept(proof)
}

fn main() {}
