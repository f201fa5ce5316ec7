//! PNG to 8-bit BGR. Touches nothing.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits as PngLimits, Transformations};

use super::error::{DecodeError, Decoded, Format, Limits};
use super::pixels::Bgr;

/// The pixels as stored, and the EXIF block.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Decoded {
    // Memory for 16-bit samples before they are halved, and for the lines being decoded.
    let memory = PngLimits { bytes: limits.pixels.saturating_mul(8).saturating_add(limits.bytes) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), memory);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(|why| Format::Png.damaged(why))?;
    let (width, height) = (header.width as usize, header.height as usize);
    limits.check(width, height)?;
    let mut reader = decoder.read_info().map_err(|why| Format::Png.damaged(why))?;
    if reader.info().animation_control.is_some() {
        return Err(DecodeError::Animated(Format::Png));
    }
    let size = reader.output_buffer_size().ok_or_else(|| Format::Png.damaged("its size overflows"))?;
    let mut data = vec![0; size];
    let frame = reader.next_frame(&mut data).map_err(|why| Format::Png.damaged(why))?;
    data.truncate(frame.buffer_size());
    let pixels = Bgr::new(width, height, bgr(&data, frame.color_type)?);
    let block = reader.info().exif_metadata.as_ref().map(|block| block.to_vec());
    Ok((pixels.ok_or_else(|| Format::Png.damaged("sizes of header and pixels differ"))?, block))
}

fn bgr(data: &[u8], color: ColorType) -> Result<Vec<u8>, DecodeError> {
    let grey = |step: usize| data.iter().step_by(step).flat_map(|&v| [v; 3]).collect();
    let coloured = |step: usize| data.chunks_exact(step).flat_map(|p| [p[2], p[1], p[0]]).collect();
    match color {
        ColorType::Grayscale => Ok(grey(1)),
        ColorType::GrayscaleAlpha => Ok(grey(2)),
        ColorType::Rgb => Ok(coloured(3)),
        ColorType::Rgba => Ok(coloured(4)),
        ColorType::Indexed => Err(Format::Png.damaged("a palette was not expanded")),
    }
}
