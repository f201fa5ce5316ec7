//! Turns a face so that its eyes lie level, and cuts it out, as DeepFace does. Touches nothing.

use crate::detect::{Area, Face, Point};
use crate::image::resize::Window;
use crate::image::{Bgr, warp};

/// Returns the face upright. Enlarges the face's box by half its size on each side (black beyond the
/// photograph), turns this cut about its middle by the angle of the eyes, and cuts out the turned
/// face's box. `None` if no pixel is left.
#[must_use]
pub fn aligned(image: &Bgr, face: &Face) -> Option<Bgr> {
    let Area { x, y, w, h } = face.unclipped;
    let (beside, above) = (w / 2, h / 2);
    let (width, height) = (positive(w + 2 * beside)?, positive(h + 2 * above)?);
    let around = image.window(x - beside, y - above, width, height);
    let angle = angle(face.left_eye(), face.right_eye());
    let inner = [beside as f64, above as f64, (beside + w) as f64, (above + h) as f64];
    let [left, top, right, bottom] = projected(inner, angle, width as f64, height as f64);
    let window = Window {
        left: usize::try_from(left).ok()?,
        top: usize::try_from(top).ok()?,
        width: positive(right - left)?,
        height: positive(bottom - top)?,
    };
    Some(warp::rotate(&around, angle, window))
}

/// Returns the face as it stands: the part of its box within the photograph. `None` if no pixel is left.
#[must_use]
pub fn unaligned(image: &Bgr, face: &Face) -> Option<Bgr> {
    let Area { x, y, w, h } = face.unclipped;
    let (right, bottom) = ((x + w).min(image.width() as i64), (y + h).min(image.height() as i64));
    let (left, top) = (x.max(0), y.max(0));
    Some(image.window(left, top, positive(right - left)?, positive(bottom - top)?))
}

fn positive(length: i64) -> Option<usize> {
    usize::try_from(length).ok().filter(|length| *length > 0)
}

/// Degrees from the right eye to the left eye.
fn angle(left: Point, right: Point) -> f64 {
    ((left[1] - right[1]) as f64).atan2((left[0] - right[0]) as f64).to_degrees()
}

/// The corners of a box in a picture of this size after turning by `angle` degrees about the
/// picture's real middle, truncated and clamped to the picture.
fn projected(corners: [f64; 4], angle: f64, width: f64, height: f64) -> [i64; 4] {
    let [x1, y1, x2, y2] = corners;
    if angle == 0.0 {
        return corners.map(|value| value as i64);
    }
    let direction = if angle >= 0.0 { 1.0 } else { -1.0 };
    let (sin, cos) = (angle.abs() * std::f64::consts::PI / 180.0).sin_cos();
    let (x, y) = ((x1 + x2) / 2.0 - width / 2.0, (y1 + y2) / 2.0 - height / 2.0);
    let turned_x = x * cos + y * direction * sin + width / 2.0;
    let turned_y = -x * direction * sin + y * cos + height / 2.0;
    let (half_w, half_h) = ((x2 - x1) / 2.0, (y2 - y1) / 2.0);
    let low = |value: f64| (value as i64).max(0);
    [
        low(turned_x - half_w),
        low(turned_y - half_h),
        ((turned_x + half_w) as i64).min(width as i64),
        ((turned_y + half_h) as i64).min(height as i64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(unclipped: Area, right_eye: Point, left_eye: Point) -> Face {
        Face { area: unclipped, unclipped, landmarks: [right_eye, left_eye, [0, 0], [0, 0], [0, 0]], score: 0.9 }
    }

    fn numbered(width: usize, height: usize) -> Bgr {
        let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 77])).collect();
        Bgr::new(width, height, data).unwrap()
    }

    #[test]
    fn level_eyes_cut_the_box_itself() {
        let image = numbered(50, 40);
        let face = face(Area { x: 10, y: 5, w: 11, h: 13 }, [12, 9], [18, 9]);
        let cut = aligned(&image, &face).unwrap();
        assert_eq!(cut, image.window(10, 5, 11, 13));
        assert_eq!(unaligned(&image, &face).unwrap(), cut);
    }

    #[test]
    fn tilted_eyes_come_level() {
        // A bright bar from eye to eye, tilted by 45 degrees: upright it fills one row.
        let mut image = Bgr::black(60, 60);
        for step in 0..20 {
            let at = (20 + step) * 3;
            image.row_mut(20 + step)[at..at + 3].fill(255);
        }
        let cut = aligned(&image, &face(Area { x: 15, y: 15, w: 30, h: 30 }, [20, 20], [39, 39])).unwrap();
        let bright = |y: usize| cut.row(y).iter().filter(|value| **value > 100).count() / 3;
        let best = (0..cut.height()).max_by_key(|y| bright(*y)).unwrap();
        assert!(bright(best) >= 18, "{} in row {best}", bright(best));
    }

    #[test]
    fn a_box_beyond_the_photograph_is_black_there_when_aligned_and_cut_when_not() {
        let image = numbered(50, 40);
        let face = face(Area { x: -4, y: -3, w: 10, h: 10 }, [1, 2], [5, 2]);
        assert_eq!(aligned(&image, &face).unwrap().pixel(0, 0), [0, 0, 0]);
        assert_eq!(unaligned(&image, &face).unwrap(), image.window(0, 0, 6, 7));
    }

    #[test]
    fn a_box_without_pixels_gives_no_face() {
        let image = numbered(50, 40);
        for area in [Area { x: 3, y: 3, w: 0, h: 5 }, Area { x: 3, y: 3, w: 5, h: 0 }, Area { x: 60, y: 3, w: 5, h: 5 }]
        {
            assert!(unaligned(&image, &face(area, [1, 1], [2, 1])).is_none(), "{area:?}");
        }
        assert!(aligned(&image, &face(Area { x: 3, y: 3, w: 0, h: 5 }, [1, 1], [2, 1])).is_none());
    }

    #[test]
    fn a_turned_box_stays_within_its_picture() {
        for angle in [-180.0, -90.0, -0.001, 0.0, 0.001, 37.0, 179.0] {
            let [left, top, right, bottom] = projected([50.0, 25.0, 150.0, 75.0], angle, 200.0, 100.0);
            assert!(left >= 0 && top >= 0 && right <= 200 && bottom <= 100, "{angle}");
        }
    }
}
