//! Likeness: face verification on CPU, from upstream's own weight files, with DeepFace's answers.
//!
//! Bytes in, verdict out: `examine` (image, detect, quality, spoof, align, embed) `-> verdict`, by one
//! `policy`. This library
//! knows no path, socket, clock or thread, and prints nothing.

pub mod align;
mod colour;
pub mod crop;
pub mod deepface;
pub mod detect;
pub mod distance;
pub mod embed;
pub mod engine;
pub mod examine;
pub mod find;
pub mod image;
pub mod liveness;
pub mod models;
pub mod net;
pub mod policy;
pub mod quality;
mod second_look;
pub mod selftest;
pub mod space;
pub mod spoof;
pub mod verdict;
pub mod weights;
