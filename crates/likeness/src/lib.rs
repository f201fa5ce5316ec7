//! Likeness: face verification on CPU, from upstream's own weight files, with DeepFace's answers.
//!
//! Bytes in, verdict out: `image -> detect -> align -> embed / spoof -> verdict`. This library
//! knows no path, socket, clock or thread, and prints nothing.

pub mod align;
pub mod contract;
pub mod crop;
pub mod deepface;
pub mod detect;
pub mod distance;
pub mod embed;
pub mod engine;
pub mod find;
pub mod image;
pub mod judge;
pub mod liveness;
pub mod net;
pub mod pipeline;
pub mod quality;
mod second_look;
pub mod selftest;
pub mod spoof;
pub mod verdict;
pub mod weights;
