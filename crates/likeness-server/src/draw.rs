//! Encodes an image as PNG, with or without faces drawn on it.

use likeness::detect::{Area, Face};
use likeness::image::Bgr;

const BOX: [u8; 3] = [0, 220, 0];
const POINT: [u8; 3] = [0, 0, 255];

/// Draws the boxes and landmarks of faces, and encodes the image as PNG.
///
/// # Errors
/// The encoder failed.
pub fn png(image: &Bgr, faces: &[Face]) -> Result<Vec<u8>, png::EncodingError> {
    let mut drawn = image.clone();
    let pen = (image.width().max(image.height()) / 400).max(1) as i64;
    for face in faces {
        frame(&mut drawn, &face.area, pen);
        for [x, y] in face.landmarks {
            fill(&mut drawn, [x - pen, y - pen], [x + pen, y + pen], POINT);
        }
    }
    encode(&drawn)
}

/// Encodes an image as PNG.
///
/// # Errors
/// The encoder failed.
pub fn encode(image: &Bgr) -> Result<Vec<u8>, png::EncodingError> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, image.width() as u32, image.height() as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let rgb: Vec<u8> = image.data().chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(out)
}

fn frame(image: &mut Bgr, area: &Area, pen: i64) {
    let Area { x, y, w, h } = *area;
    let (right, bottom) = (x + w, y + h);
    fill(image, [x, y], [right, y + pen], BOX);
    fill(image, [x, bottom - pen], [right, bottom], BOX);
    fill(image, [x, y], [x + pen, bottom], BOX);
    fill(image, [right - pen, y], [right, bottom], BOX);
}

/// Fills the part of a rectangle that is inside the image; `end` is exclusive.
fn fill(image: &mut Bgr, first: [i64; 2], end: [i64; 2], colour: [u8; 3]) {
    let clamp = |value: i64, side: usize| value.clamp(0, side as i64) as usize;
    let (left, right) = (clamp(first[0], image.width()), clamp(end[0], image.width()));
    let (top, bottom) = (clamp(first[1], image.height()), clamp(end[1], image.height()));
    for y in top..bottom {
        for pixel in image.row_mut(y)[left * 3..right.max(left) * 3].chunks_exact_mut(3) {
            pixel.copy_from_slice(&colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness::image::{Limits, decode};

    #[test]
    fn what_is_drawn_decodes_again_and_faces_beyond_the_edge_do_no_harm() {
        let area = Area { x: 20, y: 10, w: 500, h: 500 };
        let face = Face { area, unclipped: area, landmarks: [[-9, 3], [5, 5], [900, 9], [3, 99], [0, 0]], score: 1.0 };
        let drawn = decode(&png(&Bgr::black(64, 48), &[face]).unwrap(), &Limits::default()).unwrap();
        assert_eq!((drawn.width(), drawn.height()), (64, 48));
        assert_eq!((drawn.pixel(30, 10), drawn.pixel(5, 5), drawn.pixel(40, 40)), (BOX, POINT, [0; 3]));
    }
}
