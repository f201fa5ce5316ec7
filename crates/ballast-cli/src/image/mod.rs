//! Images: weights as an ordinary OCI image, written and read.
//!
//! Promise: the same input gives the same manifest digest, on any day and machine. Blobs are
//! checked by digests, a weight's bytes by the lock file's pin alone. No sockets here.

pub mod archive;
mod blob;
pub mod built;
mod chunks;
pub mod entries;
pub mod index;
pub mod layer;
pub mod manifest;
mod packs;
pub mod programs;
pub mod remote;
pub mod service;
pub mod weights;

pub use blob::{BALLAST, Blob, Measured};
pub use built::Image;
pub use layer::Layer;
pub use remote::{Blobs, RemoteImage};
