//! Likeness verifies faces on CPU, with upstream's own weight files and DeepFace's results.
//!
//! This program loads four weight files, each checked against a line of `sha256sum`, and compares two
//! photographs. The verdict is `accept`, `review` or `reject`; its thresholds are not calibrated
//! (`docs/verdict.md`).
//!
//! ```no_run
//! use likeness::{engine::KernelSet, engine::Scratch, examine::Photograph, net::Digest, net::WeightFile};
//! use likeness::{models::Model, models::Models, models::Role, policy::Policy, verdict};
//! use std::{error::Error, fs};
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let mut models = Models::default();
//!     for (role, line) in Role::ALL.into_iter().zip(fs::read_to_string("weights.sha256")?.lines()) {
//!         let (digest, name) = line.split_once("  ").ok_or("expected a line of sha256sum")?;
//!         let digest = Digest::parse(digest).ok_or("expected 64 hex digits")?;
//!         models.insert(Model::load(role, WeightFile::pinned(fs::read(name)?, digest)?, KernelSet::best())?);
//!     }
//!     let (policy, mut scratch) = (Policy::default(), Scratch::default());
//!     let (finder, spoof) = (models.finder(&policy).ok_or("no detector")?, models.spoof().ok_or("no spoof networks")?);
//!     let encoder = models.encoder(models.digest(Role::Embedder))?;
//!     let mut examine = |name| -> Result<_, Box<dyn Error>> {
//!         let photograph = Photograph::of(&finder, &mut scratch, &fs::read(name)?, &Default::default(), &mut |_| ())?;
//!         let face = photograph.examine(&policy, false, &mut |_| ())?;
//!         let judged = face.with_liveness(&spoof, &policy, &mut scratch, &mut |_| ())?;
//!         Ok(judged.with_embedding(&encoder, &mut scratch, &mut |_| ())?)
//!     };
//!     let decision = verdict::compare(&examine("a.jpg")?, &examine("b.jpg")?, policy.threshold)?;
//!     println!("{}, distance {}", decision.verdict().name(), decision.similarity().distance());
//!     Ok(())
//! }
//! ```
//!
//! The library turns bytes into a verdict: `examine` (image, detect, quality, spoof, align, embed)
//! `-> verdict`, by one `policy`. The library uses no path, socket, clock or thread, and prints
//! nothing. Lengths are pixels, images are rows of 8-bit BGR, tensors are f32 in the order NHWC.
//! Every error has a `kind()`, one [`ErrorKind`] for all of them.
#![warn(clippy::missing_errors_doc, clippy::must_use_candidate, clippy::undocumented_unsafe_blocks)]

pub mod align;
pub mod calibration;
pub mod capture;
mod colour;
pub mod crop;
pub mod deepface;
pub mod detect;
pub mod distance;
pub mod embed;
pub mod engine;
mod error;
pub mod examine;
pub mod find;
pub mod image;
pub mod liveness;
pub mod models;
pub mod net;
mod plan;
pub mod policy;
pub mod quality;
mod second_look;
pub mod selftest;
pub mod space;
pub mod spoof;
mod stage;
pub mod turn;
pub mod verdict;
pub mod weights;

pub use error::ErrorKind;
