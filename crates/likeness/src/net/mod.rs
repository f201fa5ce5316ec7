//! Loads the four networks from weight files' bytes, tests them, and gives them typed calls.
//!
//! Each network is a type of its own, so that no file and no input can take another's place.
//! Loading consumes the file, checks every tensor by name or order and by shape, and runs the
//! self-test: every value of these types has passed it.
//!
//! This module knows layers and the files' order of tensors; [`crate::engine`] computes.

pub mod centerface;
mod exported;
pub mod facenet512;
pub(crate) mod file;
mod fold;
mod form;
pub mod minifasnet;
mod outline;
pub(crate) mod refusal;

pub use centerface::Detector;
pub use facenet512::Embedder;
pub use file::{Digest, WeightFile, WrongDigest};
pub use minifasnet::{SpoofV1Se, SpoofV2};
pub use refusal::{Refusal, WrongAnswer};
