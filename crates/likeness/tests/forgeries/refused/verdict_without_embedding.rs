//! A verdict about a face that no embedder saw.

#![allow(dead_code, unused)]

use likeness::embed::{Embedding, Template};
use likeness::examine::{Absent, Examination};
use likeness::liveness::Liveness;
use likeness::policy::Threshold;
use likeness::verdict::verify;

fn forge(probe: &Examination<Liveness, Absent>, template: &Template, threshold: Threshold) {
    let _ = verify(probe, template, threshold);
}

fn main() {}
