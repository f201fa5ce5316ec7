//! Likeness: face verification on CPU, from upstream's own weight files, with DeepFace's answers.
//!
//! Bytes in, verdict out: `image -> detect -> align -> embed / spoof -> verdict`. This library
//! knows no path, socket, clock or thread, and prints nothing.

pub mod contract;
pub mod engine;
pub mod image;
pub mod net;
pub mod selftest;
pub mod weights;
