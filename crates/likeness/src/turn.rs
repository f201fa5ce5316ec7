//! Decides from landmarks whether a face is upright, and how to turn the photograph upright. Pure.
//!
//! A telephone's photograph without its EXIF orientation lies on its side. The detector finds a face
//! there too, but places landmarks as in an upright face. Therefore the score does not show the
//! turn, but the landmarks' geometry does.

use crate::detect::{Face, Point};
use crate::policy::{SKEW_ABOVE, STRETCH_ABOVE, TILT_ABOVE};

/// The landmarks' geometry. The numbers are NaN if two landmarks coincide: then the face counts as turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Degrees between upright and the axis from the mouth to the eyes, 0 to 180.
    pub tilt: f64,
    /// The deviation of the line of the eyes from a right angle to that axis: the cosine of the angle, 0 to 1.
    pub skew: f64,
    /// The axis's length in distances between the eyes.
    pub stretch: f64,
}

impl Pose {
    /// The pose of a face.
    #[must_use]
    pub fn of(face: &Face) -> Self {
        let [right_eye, left_eye, _, mouth_right, mouth_left] = face.landmarks;
        let (eyes, mouth) = (middle(right_eye, left_eye), middle(mouth_right, mouth_left));
        let axis = [eyes[0] - mouth[0], eyes[1] - mouth[1]];
        let line = [(left_eye[0] - right_eye[0]) as f64, (left_eye[1] - right_eye[1]) as f64];
        let (length, between) = (axis[0].hypot(axis[1]), line[0].hypot(line[1]));
        Self {
            tilt: (-axis[1] / length).clamp(-1.0, 1.0).acos().to_degrees(),
            skew: ((axis[0] * line[0] + axis[1] * line[1]) / (length * between)).abs(),
            stretch: length / between,
        }
    }

    /// Returns whether the face is not upright, or not seen from the front.
    #[must_use]
    pub fn is_turned(&self) -> bool {
        // Written so that NaN counts as turned.
        !(self.tilt <= TILT_ABOVE && self.skew <= SKEW_ABOVE && self.stretch <= STRETCH_ABOVE)
    }
}

fn middle(a: Point, b: Point) -> [f64; 2] {
    [(a[0] + b[0]) as f64 / 2.0, (a[1] + b[1]) as f64 / 2.0]
}

/// The turns that are tried, in degrees clockwise, each with the EXIF orientation that does it without loss.
pub const TURNS: [(u16, u8); 3] = [(90, 6), (180, 3), (270, 8)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Area;

    /// An upright face: eyes 40 apart, the mouth 44 below them.
    const UPRIGHT: [Point; 5] = [[30, 30], [70, 30], [50, 52], [35, 74], [65, 74]];

    fn face(landmarks: [Point; 5]) -> Face {
        let area = Area { x: 0, y: 0, w: 100, h: 120 };
        Face { area, unclipped: area, landmarks, score: 0.9 }
    }

    fn turned_by(degrees: f64) -> Pose {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let turn = |[x, y]: Point| {
            let (x, y) = ((x - 50) as f64 * 100.0, (y - 50) as f64 * 100.0);
            [(x * cos - y * sin).round() as i64, (x * sin + y * cos).round() as i64]
        };
        Pose::of(&face(UPRIGHT.map(turn)))
    }

    #[test]
    fn a_face_is_turned_beyond_forty_degrees_in_either_direction() {
        let table =
            [(0.0, false), (39.0, false), (41.0, true), (-39.0, false), (-41.0, true), (90.0, true), (180.0, true)];
        let wrong: Vec<_> =
            table.into_iter().filter(|(degrees, turned)| turned_by(*degrees).is_turned() != *turned).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let off = (0..360).map(f64::from).find(|degrees| {
            let expected = if *degrees > 180.0 { 360.0 - degrees } else { *degrees };
            (turned_by(*degrees).tilt - expected).abs() > 0.1
        });
        assert_eq!(off, None);
    }

    #[test]
    fn eyes_aslant_to_the_axis_a_long_axis_and_landmarks_in_one_place_are_turned() {
        let aslant = face([[30, 20], [70, 42], [50, 52], [35, 74], [65, 74]]);
        let long = face([[40, 10], [60, 10], [50, 30], [42, 74], [58, 74]]);
        let one = face([[5, 5]; 5]);
        let wrong: Vec<_> = [aslant, long, one].iter().map(Pose::of).filter(|pose| !pose.is_turned()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
