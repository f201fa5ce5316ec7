//! The formats that the decoder accepts, and the reasons why it returns no pixels. Touches nothing.

use std::fmt;

use super::pixels::{Bgr, MAX_PIXELS};
use crate::error::ErrorKind;

/// The decoder's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Pixels, width times height, that are decoded one by one.
    pub pixels: usize,
    /// Pixels of a JPEG file. Above `pixels` it is decoded at half its width and height.
    pub halved: usize,
    /// Pixels of either side.
    pub side: usize,
}

impl Default for Limits {
    /// 24 MiB, 25 million pixels (64 million of a JPEG file), 12,000 pixels a side. The version of
    /// the detection policy (`space.rs`) covers which photographs are halved.
    fn default() -> Self {
        Self { bytes: 24 << 20, pixels: 25_000_000, halved: 64_000_000, side: 12_000 }
    }
}

/// The file formats that are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG.
    Png,
    /// WebP, lossy or lossless.
    Webp,
}

impl Format {
    /// The error for a damaged file of this format.
    pub(super) fn damaged(self, what: impl fmt::Display) -> DecodeError {
        DecodeError::Damaged { format: self, what: what.to_string() }
    }

    /// The error for a variant of this format that is not decoded.
    pub(super) fn unsupported(self, what: impl fmt::Display) -> DecodeError {
        DecodeError::Unsupported { format: self, what: what.to_string() }
    }
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

/// The reason why there are no pixels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("expected a JPEG, PNG or WebP file, found no bytes")]
    Empty,
    /// The content is none of JPEG, PNG and WebP.
    #[error("expected a JPEG, PNG or WebP file, found {found}")]
    UnknownFormat {
        /// The content that was found and the way out, in words.
        found: String,
    },
    /// The file is longer than allowed.
    #[error("expected at most {limit} bytes, found {found}")]
    TooManyBytes {
        /// Bytes allowed.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// A side is longer than allowed.
    #[error("expected sides of at most {limit} pixels, found {width}x{height}")]
    SideTooLong {
        /// Pixels allowed.
        limit: usize,
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// More pixels than allowed.
    #[error("expected at most {limit} pixels, found {width}x{height}")]
    TooManyPixels {
        /// Pixels allowed.
        limit: usize,
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// Several frames, not one photograph.
    #[error("expected a photograph, found an animated {0}; send one frame of it")]
    Animated(Format),
    /// A variant of the format that this decoder refuses.
    #[error("this kind of {format} is not decoded: {what}; save it as an ordinary 8-bit JPEG or PNG")]
    Unsupported {
        /// The format.
        format: Format,
        /// Which variant.
        what: String,
    },
    /// The file ends early or is damaged.
    #[error("the {format} file is damaged or ends early: {what}; send the whole file again")]
    Damaged {
        /// The format.
        format: Format,
        /// The decoder's message.
        what: String,
    },
    /// The codec panicked: a defect of this program, which the file triggered.
    #[error("the {0} decoder failed on this file; save the photograph again as an ordinary JPEG or PNG")]
    CodecFailed(Format),
}

impl DecodeError {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Photograph
    }
}

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
        self.check_pixels(width, height, self.pixels)
    }

    /// Checks the sizes that a JPEG header claims; returns whether the photograph is decoded at
    /// half its size.
    pub(super) fn check_jpeg(&self, width: usize, height: usize) -> Result<bool, DecodeError> {
        self.check_pixels(width, height, self.pixels.max(self.halved))?;
        Ok(self.check(width, height).is_err())
    }

    fn check_pixels(&self, width: usize, height: usize, limit: usize) -> Result<(), DecodeError> {
        if width > self.side || height > self.side {
            return Err(DecodeError::SideTooLong { limit: self.side, width, height });
        }
        match width.checked_mul(height) {
            Some(pixels) if pixels <= limit.min(MAX_PIXELS) => Ok(()),
            _ => Err(DecodeError::TooManyPixels { limit, width, height }),
        }
    }
}

/// The pixels as stored, and the EXIF block.
pub(super) type Decoded = Result<(Bgr, Option<Vec<u8>>), DecodeError>;
