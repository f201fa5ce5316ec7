//! Image bytes to 8-bit pixels, and the two resamplings that the networks were trained behind.
//!
//! [`decode`](decode::decode) is the only way in. [`resize`] and [`warp`] equal OpenCV 5's results byte for byte,
//! since one grey level of rounding moves a spoof score by hundredths.

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
