//! Encodes an image as PNG, with or without faces drawn on it.

use likeness::detect::{Area, Face};
use likeness::image::Bgr;

const BOX: [u8; 3] = [0, 220, 0];
const POINT: [u8; 3] = [0, 0, 255];
const INK: [u8; 3] = [0; 3];

/// The digits 0 to 9, in 3 columns and 5 rows; each row's highest bit is its left column.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 2, 2],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];

/// Draws the boxes and landmarks of faces, and encodes the image as PNG. Each box has the number of its face,
/// from 1, as `likeness detect` prints it.
///
/// # Errors
/// The encoder failed.
pub fn png(image: &Bgr, faces: &[Face]) -> Result<Vec<u8>, png::EncodingError> {
    let mut drawn = image.clone();
    let pen = (image.width().max(image.height()) / 400).max(1) as i64;
    for (face, number) in faces.iter().zip(1..) {
        frame(&mut drawn, &face.area, pen);
        label(&mut drawn, number, [face.area.x, face.area.y], pen * 2);
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

/// Draws a number on a ground of the box's colour; `pixel` is the side of a digit's pixel.
fn label(image: &mut Bgr, number: usize, [x, y]: [i64; 2], pixel: i64) {
    let digits: Vec<usize> = number.to_string().bytes().map(|digit| usize::from(digit - b'0')).collect();
    let wide = pixel * (4 * digits.len() as i64 + 1);
    fill(image, [x, y], [x + wide, y + 7 * pixel], BOX);
    for (digit, at) in digits.into_iter().zip(0..) {
        for (row, down) in DIGITS[digit].into_iter().zip(1..) {
            for across in (0..3).filter(|across| row & (4 >> across) != 0) {
                let (left, top) = (x + pixel * (4 * at + 1 + across), y + pixel * down);
                fill(image, [left, top], [left + pixel, top + pixel], INK);
            }
        }
    }
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
        assert_eq!((drawn.pixel(50, 10), drawn.pixel(5, 5), drawn.pixel(40, 40)), (BOX, POINT, [0; 3]));
    }

    #[test]
    fn each_box_has_its_number() {
        let face = |x| {
            let area = Area { x, y: 0, w: 30, h: 30 };
            Face { area, unclipped: area, landmarks: [[-9, -9]; 5], score: 1.0 }
        };
        let faces: Vec<Face> = (0..12).map(|at| face(32 * at)).collect();
        let png = png(&Bgr::black(400, 32), &faces).unwrap();
        let drawn = decode(&png, &Limits::default()).unwrap();
        // Reads the digits of a box back, from the middles of their pixels.
        let read = |left: usize, digits: usize| -> Vec<Option<usize>> {
            let digit = |at: usize| {
                let row = |down: usize| {
                    let ink = |across: usize| drawn.pixel(left + 2 * (4 * at + 1 + across), 2 * down) == INK;
                    (0..3).fold(0, |bits, across| bits << 1 | u8::from(ink(across)))
                };
                let rows = [1, 2, 3, 4, 5].map(row);
                DIGITS.iter().position(|digit| *digit == rows)
            };
            (0..digits).map(digit).collect()
        };
        let found: Vec<_> = (0..12).map(|at| read(32 * at, if at < 9 { 1 } else { 2 })).collect();
        let expected: Vec<Vec<_>> =
            (1..=12).map(|n: usize| n.to_string().bytes().map(|b| Some(usize::from(b - b'0'))).collect()).collect();
        assert_eq!(found, expected);
    }
}
