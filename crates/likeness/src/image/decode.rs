//! Bytes of a photograph to pixels. The content decides the format, and the header is checked first.
//!
//! Promises: every refusal names what came; sizes are checked on the header, before anything of their size is
//! allocated; no input panics, because a codec that panics is an error with its own code. A file that ends early or is
//! damaged is an error: half a photograph gets no verdict. Touches nothing.

use std::fmt;
use std::panic::catch_unwind;

use super::foreign::foreign;
use super::{exif, jpeg, pixels::Bgr, png, webp};
use crate::error::ErrorKind;

/// What may be asked of the decoder at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Pixels, width times height.
    pub pixels: usize,
    /// Pixels of either side.
    pub side: usize,
}

impl Default for Limits {
    /// 20 MiB, 25 million pixels, 10,000 pixels a side: every telephone's photograph.
    fn default() -> Self {
        Self { bytes: 20 << 20, pixels: 25_000_000, side: 10_000 }
    }
}

/// The kinds of file that are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG.
    Png,
    /// WebP, lossy or lossless.
    Webp,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Webp => "WebP",
        })
    }
}

/// Why there are no pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// No bytes at all.
    Empty,
    /// The content is none of JPEG, PNG and WebP.
    UnknownFormat {
        /// What it is and what to do, in words.
        found: String,
    },
    /// The file is longer than allowed.
    TooManyBytes {
        /// Bytes allowed.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// A side is longer than allowed.
    SideTooLong {
        /// Pixels allowed.
        limit: usize,
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// More pixels than allowed.
    TooManyPixels {
        /// Pixels allowed.
        limit: usize,
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// Several frames, not one photograph.
    Animated(Format),
    /// A variant of the format that this decoder refuses.
    Unsupported {
        /// Of which format.
        format: Format,
        /// Which variant.
        what: String,
    },
    /// The file ends early or is damaged.
    Damaged {
        /// Of which format.
        format: Format,
        /// What the decoder met.
        what: String,
    },
    /// The codec panicked: a fault of this program, which the file brought about.
    CodecFailed(Format),
}

impl DecodeError {
    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Photograph
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("expected a JPEG, PNG or WebP file, found no bytes"),
            Self::UnknownFormat { found } => {
                write!(f, "expected a JPEG, PNG or WebP file, found {found}")
            }
            Self::TooManyBytes { limit, found } => write!(f, "expected at most {limit} bytes, found {found}"),
            Self::SideTooLong { limit, width, height } => {
                write!(f, "expected sides of at most {limit} pixels, found {width}x{height}")
            }
            Self::TooManyPixels { limit, width, height } => {
                write!(f, "expected at most {limit} pixels, found {width}x{height}")
            }
            Self::Animated(format) => {
                write!(f, "expected a photograph, found an animated {format}; send one frame of it")
            }
            Self::Unsupported { format, what } => {
                write!(f, "this kind of {format} is not decoded: {what}; save it as an ordinary 8-bit JPEG or PNG")
            }
            Self::Damaged { format, what } => {
                write!(f, "the {format} file is damaged or ends early: {what}; send the whole file again")
            }
            Self::CodecFailed(format) => {
                write!(
                    f,
                    "the {format} decoder failed on this file; save the photograph again as an ordinary JPEG or PNG"
                )
            }
        }
    }
}

impl std::error::Error for DecodeError {}

impl DecodeError {
    /// A stable word for reports.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "image_empty",
            Self::UnknownFormat { .. } => "image_format_unknown",
            Self::TooManyBytes { .. } => "image_too_many_bytes",
            Self::SideTooLong { .. } => "image_side_too_long",
            Self::TooManyPixels { .. } => "image_too_many_pixels",
            Self::Animated(_) => "image_animated",
            Self::Unsupported { .. } => "image_unsupported",
            Self::Damaged { .. } => "image_damaged",
            Self::CodecFailed(_) => "image_decoder_failed",
        }
    }
}

impl Limits {
    /// Checks the sizes that a header claims.
    pub(super) fn check(&self, width: usize, height: usize) -> Result<(), DecodeError> {
        if width > self.side || height > self.side {
            return Err(DecodeError::SideTooLong { limit: self.side, width, height });
        }
        match width.checked_mul(height) {
            Some(pixels) if pixels <= self.pixels.min(super::pixels::MAX_PIXELS) => Ok(()),
            _ => Err(DecodeError::TooManyPixels { limit: self.pixels, width, height }),
        }
    }
}

/// The format, by content.
///
/// # Errors
/// [`DecodeError::Empty`] or [`DecodeError::UnknownFormat`].
pub fn sniff(bytes: &[u8]) -> Result<Format, DecodeError> {
    match bytes {
        [] => Err(DecodeError::Empty),
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::Webp),
        _ => Err(DecodeError::UnknownFormat { found: in_words(bytes) }),
    }
}

fn in_words(bytes: &[u8]) -> String {
    match foreign(bytes) {
        Some(known) => format!("{}; {}", known.name, known.way_out),
        None => {
            let first: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("content of an unknown format (first bytes {}); convert it to JPEG, PNG or WebP", first.join(" "))
        }
    }
}

/// Decodes a photograph and turns it upright: JPEG to libjpeg-turbo's bytes, alpha dropped (not
/// blended), grey repeated, 16-bit samples shifted right by 8, CMYK as OpenCV converts it.
///
/// # Errors
/// [`DecodeError`], by name.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Bgr, DecodeError> {
    let format = sniff(bytes)?;
    if bytes.len() > limits.bytes {
        return Err(DecodeError::TooManyBytes { limit: limits.bytes, found: bytes.len() });
    }
    let codec = match format {
        Format::Jpeg => jpeg::decode,
        Format::Png => png::decode,
        Format::Webp => webp::decode,
    };
    let (image, block) = guarded(format, bytes, limits, codec)?;
    Ok(image.oriented(block.as_deref().map_or(1, exif::orientation)))
}

/// The pixels as stored, and the EXIF block.
pub(super) type Decoded = Result<(Bgr, Option<Vec<u8>>), DecodeError>;

/// Runs a codec, whose panic is an error. A codec gets shared references only, so a panic leaves nothing half changed.
fn guarded(format: Format, bytes: &[u8], limits: &Limits, codec: fn(&[u8], &Limits) -> Decoded) -> Decoded {
    let limits = *limits;
    catch_unwind(|| codec(bytes, &limits)).unwrap_or(Err(DecodeError::CodecFailed(format)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_that_panics_is_an_error_with_its_own_code() {
        let found = guarded(Format::Jpeg, &[], &Limits::default(), |_, _| panic!("index out of bounds"));
        assert_eq!(found.unwrap_err().code(), "image_decoder_failed");
    }

    #[test]
    fn an_unknown_format_shows_its_first_bytes_in_hexadecimal() {
        let said = sniff(&[0x9d, 1, 2]).unwrap_err().to_string();
        assert!(said.contains("unknown format (first bytes 9d 01 02)"), "{said}");
    }
}
