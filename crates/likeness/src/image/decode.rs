//! Decodes a photograph's bytes to pixels. The content decides the format, and the header is checked first.
//!
//! Promises: every refusal names what was found; sizes are checked in the header, before memory of
//! that size is allocated; no input panics, because a codec that panics is an error with its own
//! code. A file that ends early or is damaged is an error: a partial photograph gets no verdict.
//! Touches nothing.

use std::panic::catch_unwind;

use super::error::{DecodeError, Decoded, Format, Limits};
use super::foreign::foreign;
use super::pixels::Bgr;
use super::{exif, jpeg, png, webp};

/// Recognises the format by content.
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

/// Runs a codec, and turns its panic into an error. A codec gets shared references only, so a panic
/// leaves nothing half changed.
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
