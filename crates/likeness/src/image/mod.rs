//! Image bytes to 8-bit pixels, and the two resamplings that the networks were trained behind.
//!
//! [`decode`](decode::decode) is the only way in. [`resize`] and [`warp`] equal OpenCV 5's results byte for byte,
//! since one grey level of rounding moves a spoof score by hundredths.

pub mod decode;
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

pub use decode::{DecodeError, Format, Limits, decode};
pub use frame::Framed;
pub use pixels::Bgr;
