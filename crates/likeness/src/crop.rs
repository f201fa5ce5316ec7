//! The spoof networks' input: the reported box, enlarged within the frame. Touches nothing.

use crate::detect::Area;
use crate::image::{Bgr, resize};
use crate::net::minifasnet::SIDE;

/// A crop of a photograph: both corners belong to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    /// First column, first row.
    pub first: [i64; 2],
    /// Last column, last row.
    pub last: [i64; 2],
    /// The crop's real size, in sizes of the box; less than requested if the frame is too small.
    pub scale: f64,
}

/// How many times the box fits into the frame. `area` must have pixels.
#[must_use]
pub fn room(width: usize, height: usize, area: &Area) -> f64 {
    let (right, bottom) = (width as f64 - 1.0, height as f64 - 1.0);
    (bottom / area.h as f64).min(right / area.w as f64)
}

/// The crop of `scale` times the box: smaller if the frame is too small for it, and moved if it
/// would leave the frame. `area` must have pixels.
#[must_use]
pub fn crop(width: usize, height: usize, area: &Area, scale: f64) -> Crop {
    let (right, bottom) = (width as f64 - 1.0, height as f64 - 1.0);
    let (w, h) = (area.w as f64, area.h as f64);
    let scale = room(width, height, area).min(scale);
    let (x1, x2) = span(area.x as f64, w, scale, right);
    let (y1, y2) = span(area.y as f64, h, scale, bottom);
    Crop { first: [x1, y1], last: [x2, y2], scale }
}

/// The first and last pixel along one side.
fn span(start: f64, length: f64, scale: f64, end: f64) -> (i64, i64) {
    let (half, centre) = (length * scale / 2.0, start + length / 2.0);
    let (mut low, mut high) = (centre - half, centre + half);
    if low < 0.0 {
        high -= low;
        low = 0.0;
    }
    if high > end {
        low -= high - end;
        high = end;
    }
    (low as i64, high as i64)
}

impl Crop {
    /// The crop's pixels, resampled to the networks' 80 x 80.
    #[must_use]
    pub fn pixels(&self, image: &Bgr) -> Bgr {
        let [x1, y1] = self.first;
        let side = |first: i64, last: i64| usize::try_from(last - first + 1).unwrap_or(1).max(1);
        let (width, height) = (side(x1, self.last[0]), side(y1, self.last[1]));
        resize::resize(&image.window(x1, y1, width, height), SIDE, SIDE)
    }
}

/// Pixels as the networks take them: BGR, 0 to 255, row by row.
#[must_use]
pub fn input(pixels: &Bgr) -> Vec<f32> {
    pixels.data().iter().map(|byte| f32::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_are_shrunk_then_moved_into_the_frame() {
        // (frame, box, scale, corners, real scale)
        type Row = ([usize; 2], [i64; 4], f64, [i64; 4], f64);
        let table: [Row; 6] = [
            ([1000, 1000], [450, 450, 100, 100], 2.0, [400, 400, 600, 600], 2.0),
            ([1000, 1000], [0, 450, 100, 100], 2.0, [0, 400, 200, 600], 2.0),
            ([1000, 1000], [890, 890, 100, 100], 2.0, [799, 799, 999, 999], 2.0),
            ([201, 401], [50, 50, 100, 100], 4.0, [0, 0, 200, 200], 2.0),
            ([101, 101], [0, 0, 100, 100], 2.7, [0, 0, 100, 100], 1.0),
            ([640, 480], [0, 0, 1, 1], 2.7, [0, 0, 2, 2], 2.7),
        ];
        for ([width, height], [x, y, w, h], scale, corners, real) in table {
            let found = crop(width, height, &Area { x, y, w, h }, scale);
            let [x1, y1] = found.first;
            let [x2, y2] = found.last;
            assert_eq!(([x1, y1, x2, y2], found.scale), (corners, real), "{width}x{height} {x},{y} {w}x{h}");
        }
    }

    #[test]
    fn any_box_in_any_frame_stays_in_the_frame() {
        for (width, height) in [(2, 2), (3, 50), (50, 3), (97, 61)] {
            for (x, y) in [(0, 0), (width / 2, height / 2), (width - 2, height - 2)] {
                for (w, h) in [(1, 1), (width - x - 1, 1), (1, height - y - 1), (width - x - 1, height - y - 1)] {
                    let area = Area { x: x as i64, y: y as i64, w: w as i64, h: h as i64 };
                    for scale in [1.0, 2.7, 4.0] {
                        let Crop { first, last, .. } = crop(width, height, &area, scale);
                        let fits = |axis: usize, side: usize| {
                            first[axis] >= 0 && last[axis] >= first[axis] && last[axis] < side as i64
                        };
                        assert!(
                            fits(0, width) && fits(1, height),
                            "{width}x{height} {area:?} x{scale}: {first:?} {last:?}"
                        );
                    }
                }
            }
        }
    }
}
