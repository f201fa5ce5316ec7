//! A verdict about a face whose liveness no network judged.

#![allow(dead_code, unused)]

use likeness::embed::Embedding;
use likeness::examine::{Absent, Examination};
use likeness::liveness::Liveness;
use likeness::policy::Threshold;
use likeness::verdict::compare;

fn forge(a: &Examination<Absent, Embedding>, b: &Examination<Liveness, Embedding>, threshold: Threshold) {
    let _ = compare(a, b, threshold);
}

fn main() {}
