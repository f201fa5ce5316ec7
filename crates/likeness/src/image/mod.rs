//! Decodes image bytes to 8-bit pixels, and resamples them in the two ways that the networks need.
//!
//! Images are made by [`decode`](decode::decode). [`resize`] and [`warp`] equal OpenCV 5's results
//! byte for byte, since one grey level of rounding moves a spoof score by hundredths.

pub mod decode;
mod error;
pub mod exif;
mod foreign;
pub mod frame;
mod jpeg;
mod layout;
pub mod pixels;
mod png;
pub mod resize;
pub mod shrink;
pub mod warp;
mod webp;

pub use decode::decode;
pub use error::{DecodeError, Format, Limits};
pub use frame::Framed;
pub use pixels::Bgr;
