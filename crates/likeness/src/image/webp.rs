//! WebP to 8-bit BGR. Touches nothing.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::error::{DecodeError, Decoded, Format, Limits};
use super::pixels::Bgr;

/// The pixels as stored, and the EXIF block.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Decoded {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    // Chunks beside the pixels, such as EXIF, can't be longer than the file.
    decoder.set_memory_limit(bytes.len());
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    limits.check(width, height)?;
    if decoder.is_animated() {
        return Err(DecodeError::Animated(Format::Webp));
    }
    let step = if decoder.has_alpha() { 4 } else { 3 };
    let mut data = vec![0; width * height * step];
    decoder.read_image(&mut data).map_err(damaged)?;
    let data = data.chunks_exact(step).flat_map(|p| [p[2], p[1], p[0]]).collect();
    let pixels = Bgr::new(width, height, data).ok_or_else(|| Format::Webp.damaged("it has no pixels"))?;
    Ok((pixels, decoder.exif_metadata().ok().flatten()))
}

fn damaged(error: DecodingError) -> DecodeError {
    match error {
        DecodingError::UnsupportedFeature(what) => Format::Webp.unsupported(what),
        other => Format::Webp.damaged(other),
    }
}
