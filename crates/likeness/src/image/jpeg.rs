//! JPEG to libjpeg-turbo's bytes (islow IDCT, fancy upsampling). Only this file uses the JPEG
//! crate, so that the crate can be replaced. Touches nothing.
//!
//! A photograph above the limit of pixels is decoded at half its width and height, from 4 x 4 of
//! each block's 8 x 8 coefficients, without decoding its full size.
//!
//! Promises: a layout of components is decoded only where the crate's pixels equal libjpeg-turbo's, which
//! `tests/jpeg` checks for every sampling; any other layout is refused by name before it is decoded.

use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, JpegError, PixelFormat, ScalingFactor};

use super::layout;

use super::error::{DecodeError, Decoded, Format, Limits};
use super::pixels::Bgr;

/// Scans of a progressive file; real ones have about ten.
const MAX_SCANS: usize = 32;

/// Bytes of working memory that a pixel may cost: coefficients and planes of a progressive file
/// without subsampling, and a reserve.
const BYTES_PER_PIXEL: u64 = 24;
/// The same number for a halved photograph. The crate counts planes at full size; at half, these are
/// 8 bytes at most.
const BYTES_PER_HALVED_PIXEL: u64 = 12;

/// The pixels as stored, and the EXIF block.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Decoded {
    let mut decoder = Decoder::new_with_limits(bytes, decode_limits(limits)).map_err(damaged)?;
    let header = decoder.header();
    let (width, height) = (usize::from(header.width), usize::from(header.height));
    if width == 0 || height == 0 {
        return Err(Format::Jpeg.damaged(format!("its header says {width}x{height} pixels")));
    }
    let halved = limits.check_jpeg(width, height)?;
    refuse_other_precisions(header.precision, header.is_lossless)?;
    let sampling: Vec<_> =
        header.components.iter().map(|c| [c.horizontal_sampling, c.vertical_sampling].map(usize::from)).collect();
    let colours = decoder.jpeg_color_space();
    layout::check(&sampling, colours == ColorSpace::YCbCr).map_err(|why| Format::Jpeg.unsupported(why))?;
    let (width, height, unit) = if halved { (width.div_ceil(2), height.div_ceil(2), 2) } else { (width, height, 1) };
    if halved {
        decoder.set_scale(half()?);
    }
    let cmyk = matches!(colours, ColorSpace::Cmyk | ColorSpace::Ycck);
    decoder.set_output_format(if cmyk { PixelFormat::Cmyk } else { PixelFormat::Bgr });
    let image = decoder.decode_image().map_err(damaged)?;
    let bytes = if cmyk { 4 } else { 3 };
    if (image.width, image.height, image.data.len()) != (width, height, width * height * bytes) {
        return Err(Format::Jpeg.damaged("sizes of header and pixels differ"));
    }
    let data = if cmyk { from_cmyk(&image.data) } else { image.data };
    let pixels = Bgr::new(width, height, data)
        .map(|pixels| pixels.of_unit(unit))
        .ok_or_else(|| Format::Jpeg.damaged("it has no pixels"))?;
    Ok((pixels, image.exif_data))
}

fn decode_limits(limits: &Limits) -> DecodeLimits {
    let whole = (limits.pixels as u64).saturating_mul(BYTES_PER_PIXEL);
    DecodeLimits {
        max_width: limits.side,
        max_height: limits.side,
        max_pixels: limits.pixels.max(limits.halved) as u64,
        max_scans: MAX_SCANS,
        max_memory: Some(whole.max((limits.halved as u64).saturating_mul(BYTES_PER_HALVED_PIXEL))),
    }
}

fn half() -> Result<ScalingFactor, DecodeError> {
    ScalingFactor::try_new(1, 2).map_err(damaged)
}

fn refuse_other_precisions(precision: u8, lossless: bool) -> Result<(), DecodeError> {
    match (precision, lossless) {
        (8, false) => Ok(()),
        (8, true) => Err(Format::Jpeg.unsupported("lossless")),
        (bits, _) => Err(Format::Jpeg.unsupported(format!("{bits} bits a sample"))),
    }
}

/// Converts CMYK as OpenCV does, from the inverted values that Adobe's files store.
fn from_cmyk(data: &[u8]) -> Vec<u8> {
    let ink = |value: u8, black: u8| (i32::from(black) - (((255 - i32::from(value)) * i32::from(black)) >> 8)) as u8;
    data.chunks_exact(4).flat_map(|p| [ink(p[2], p[3]), ink(p[1], p[3]), ink(p[0], p[3])]).collect()
}

fn damaged(error: JpegError) -> DecodeError {
    match error {
        JpegError::Unsupported(what) => Format::Jpeg.unsupported(what),
        other => Format::Jpeg.damaged(other),
    }
}
