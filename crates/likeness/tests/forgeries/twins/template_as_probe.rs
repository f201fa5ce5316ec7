//! A template verified against itself, as if it were a face.

#![allow(dead_code, unused)]

use likeness::embed::{Embedding, Template};
use likeness::examine::Examination;
use likeness::liveness::Liveness;
use likeness::policy::Threshold;
use likeness::verdict::verify;

type Face = Examination<Liveness, Embedding>;

fn forge(probe: &Face, template: &Template, threshold: Threshold) {
    let _ = verify(probe, template, threshold);
}

fn main() {}
