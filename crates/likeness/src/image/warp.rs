//! Rotation about a centre with cubic interpolation, as OpenCV 5's `getRotationMatrix2D` and
//! `warpAffine(INTER_CUBIC, BORDER_CONSTANT)` do it. Touches nothing.
//!
//! OpenCV 5 interpolates at the exact position; OpenCV 4 rounded positions to 1/32 pixel, which
//! changes a tenth of the pixels. The embedding space's version covers this choice.

use super::pixels::Bgr;
use super::resize::Window;

/// Rotates by `degrees`, counter-clockwise in the picture, about `(width / 2, height / 2)` rounded
/// down, with black from outside; returns the window of the result.
///
/// # Panics
/// If the window has no pixels.
#[must_use]
pub fn rotate(image: &Bgr, degrees: f64, window: Window) -> Bgr {
    let map = inverse(degrees, (image.width() / 2) as f64, (image.height() / 2) as f64);
    let mut out = Bgr::black(window.width, window.height);
    for y in 0..window.height {
        let [row_x, row_y] = map.map(|line| (window.top + y) as f32 * line[1] + line[2]);
        for (x, pixel) in out.row_mut(y).chunks_exact_mut(3).enumerate() {
            let along = (window.left + x) as f32;
            pixel.copy_from_slice(&cubic(image, along * map[0][0] + row_x, along * map[1][0] + row_y));
        }
    }
    out
}

/// The map from a target pixel to its source: computed in f64, used in f32.
fn inverse(degrees: f64, centre_x: f64, centre_y: f64) -> [[f32; 3]; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let forth =
        [[cos, sin, (1.0 - cos) * centre_x - sin * centre_y], [-sin, cos, sin * centre_x + (1.0 - cos) * centre_y]];
    let [[a, b, c], [d, e, f]] = forth;
    let scale = 1.0 / (a * e - b * d);
    let (a, b, d, e) = (e * scale, -b * scale, -d * scale, a * scale);
    let back = [[a, b, -a * c - b * f], [d, e, -d * c - e * f]];
    back.map(|line| line.map(|value| value as f32))
}

/// The weights of four neighbours for a position `t` past the second, with a = -0.75.
fn weights(t: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let far = |t: f32| ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A;
    let near = |t: f32| ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0;
    let (first, second, third) = (far(t + 1.0), near(t), near(1.0 - t));
    [first, second, third, 1.0 - first - second - third]
}

fn cubic(image: &Bgr, x: f32, y: f32) -> [u8; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (weights(x - left), weights(y - top));
    let (left, top) = (left as i64 - 1, top as i64 - 1);
    let mut sum = [0.0_f32; 3];
    for (row, down) in (top..).zip(down) {
        let line = weighed(&neighbours(image, left, row), &across);
        for c in 0..3 {
            sum[c] += line[c] * down;
        }
    }
    sum.map(|value| value.round_ties_even() as u8)
}

fn weighed(pixels: &[u8; 12], across: &[f32; 4]) -> [f32; 3] {
    let mut sum = [0.0_f32; 3];
    for (pixel, weight) in pixels.as_chunks::<3>().0.iter().zip(across) {
        for c in 0..3 {
            sum[c] += f32::from(pixel[c]) * weight;
        }
    }
    sum
}

/// Four pixels of a row; black where they lie outside.
fn neighbours(image: &Bgr, left: i64, row: i64) -> [u8; 12] {
    let mut out = [0; 12];
    if !(0..image.height() as i64).contains(&row) {
        return out;
    }
    let bytes = image.row(row as usize);
    if let Some(pixels) = usize::try_from(left).ok().and_then(|left| bytes.get(left * 3..)?.first_chunk::<12>()) {
        return *pixels;
    }
    for (column, pixel) in (left..).zip(out.as_chunks_mut::<3>().0) {
        if (0..image.width() as i64).contains(&column) {
            *pixel = image.pixel(column as usize, row as usize);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(image: &Bgr) -> Window {
        Window { left: 0, top: 0, width: image.width(), height: image.height() }
    }

    fn pattern(width: usize, height: usize) -> Bgr {
        let value = |at: usize| (at.wrapping_mul(2_654_435_761) >> 7) as u8;
        Bgr::new(width, height, (0..width * height * 3).map(value).collect()).unwrap()
    }

    #[test]
    fn no_angle_changes_nothing() {
        for (width, height) in [(1, 1), (2, 3), (31, 17), (64, 64)] {
            let image = pattern(width, height);
            assert_eq!(rotate(&image, 0.0, all(&image)), image, "{width}x{height}");
        }
    }

    #[test]
    fn a_quarter_turn_moves_pixels_whole() {
        let image = pattern(32, 32);
        let turned = rotate(&image, 90.0, all(&image));
        for (x, y) in [(1, 1), (5, 9), (16, 16), (31, 30)] {
            assert_eq!(turned.pixel(x, y), image.pixel(32 - y, x), "at {x},{y}");
        }
        assert_eq!(turned.pixel(3, 0), [0; 3], "beyond the right edge is black");
    }

    #[test]
    fn the_weights_sum_to_one_and_meet_at_the_pixels() {
        assert_eq!(weights(0.0), [0.0, 1.0, 0.0, 0.0]);
        for step in 0..32 {
            let sum: f32 = weights(step as f32 / 32.0).iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{step}/32: {sum}");
        }
    }

    #[test]
    fn any_angle_and_size_stays_within_bounds() {
        for degrees in [f64::MIN_POSITIVE, 1e-9, 45.0, 179.999, -179.999, 360.0, 1e6] {
            for (width, height) in [(1, 1), (1, 9), (9, 1), (8, 5)] {
                let image = pattern(width, height);
                let turned = rotate(&image, degrees, all(&image));
                let part = Window { left: width / 2, top: height / 2, width: 1, height: 1 };
                assert_eq!(rotate(&image, degrees, part).pixel(0, 0), turned.pixel(part.left, part.top));
            }
        }
    }
}
