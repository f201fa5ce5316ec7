//! Measures from five landmarks how far a nose lies from its place in a plane face. Touches nothing.
//!
//! Eyes and mouth corners of two views of a plane are related by a homography, which maps the nose of one view to
//! that of the other. The nose of a head is in front of the plane of eyes and mouth: when the head turns, the nose
//! leaves that place, towards the side to which the head turns.

use crate::detect::Face;

/// Right eye, left eye, nose, right and left corner of the mouth, in pixels.
pub type Landmarks = [[f64; 2]; 5];

/// The landmarks of a face.
#[must_use]
pub fn landmarks(face: &Face) -> Landmarks {
    face.landmarks.map(|[x, y]| [x as f64, y as f64])
}

/// The distance between the eyes.
#[must_use]
pub fn eye_distance(points: &Landmarks) -> f64 {
    let [right, left, ..] = points;
    (left[0] - right[0]).hypot(left[1] - right[1])
}

/// Returns the distance of the nose from the line through the middles of eyes and mouth, in distances between the eyes;
/// positive towards the person's left eye. NaN if landmarks coincide.
#[must_use]
pub fn offset(points: &Landmarks) -> f64 {
    let [right, left, nose, mouth_right, mouth_left] = points;
    let (eyes, mouth) = (middle(right, left), middle(mouth_right, mouth_left));
    let (axis, to_nose) = ([mouth[0] - eyes[0], mouth[1] - eyes[1]], [nose[0] - eyes[0], nose[1] - eyes[1]]);
    // In an image, whose rows go down, the left eye of an upright face lies at the right.
    let beside = to_nose[0] * axis[1] - to_nose[1] * axis[0];
    beside / axis[0].hypot(axis[1]) / eye_distance(points)
}

fn middle(a: &[f64; 2], b: &[f64; 2]) -> [f64; 2] {
    [f64::midpoint(a[0], b[0]), f64::midpoint(a[1], b[1])]
}

/// How far the nose of `now` lies from where the homography of eyes and mouth puts the nose of `before`, along the line
/// of the eyes, in their distance; positive towards the person's left eye: the head has turned to its left. `None` if
/// no homography relates the points.
#[must_use]
pub fn residual(before: &Landmarks, now: &Landmarks) -> Option<f64> {
    let expected = mapped(before, now)?;
    let [right, left, nose, ..] = now;
    let length = eye_distance(now);
    let along = [(left[0] - right[0]) / length, (left[1] - right[1]) / length];
    let away = [nose[0] - expected[0], nose[1] - expected[1]];
    let residual = (away[0] * along[0] + away[1] * along[1]) / length;
    residual.is_finite().then_some(residual)
}

/// The place of the nose of `before` in the view of `now`, if eyes, mouth and nose lie in one plane.
fn mapped(before: &Landmarks, now: &Landmarks) -> Option<[f64; 2]> {
    let [from, to] = [before, now].map(|points| [points[0], points[1], points[3], points[4]]);
    let from = basis(&from)?;
    let to = basis(&to)?;
    let [x, y] = before[2];
    let weights = times(&inverse(&from)?, [x, y, 1.0]);
    let [x, y, w] = times(&to, weights);
    (w.abs() > f64::EPSILON).then(|| [x / w, y / w])
}

/// Three rows of three.
type Matrix = [[f64; 3]; 3];

/// The matrix that maps the projective frame of unit points to these four points.
fn basis(points: &[[f64; 2]; 4]) -> Option<Matrix> {
    let [a, b, c, d] = points;
    let columns = [[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1.0; 3]];
    let weights = times(&inverse(&columns)?, [d[0], d[1], 1.0]);
    // A weight near zero: three of the points lie in a line.
    let plain = weights.iter().all(|weight| weight.abs() > 1e-3);
    plain.then(|| columns.map(|row| [row[0] * weights[0], row[1] * weights[1], row[2] * weights[2]]))
}

fn times(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}

fn inverse(matrix: &Matrix) -> Option<Matrix> {
    let [[a, b, c], [d, e, f], [g, h, i]] = *matrix;
    let determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    // Twice the area of the triangle of three landmarks, in pixels.
    if determinant.is_nan() || determinant.abs() <= 1e-6 {
        return None;
    }
    let adjugate = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ];
    Some(adjugate.map(|row| row.map(|value| value / determinant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Landmarks = [[70.0, 80.0], [130.0, 82.0], [101.0, 118.0], [78.0, 150.0], [124.0, 151.0]];

    /// A view of the plane of [`FACE`] under a homography.
    fn seen(matrix: Matrix) -> Landmarks {
        FACE.map(|[x, y]| {
            let [x, y, w] = times(&matrix, [x, y, 1.0]);
            [x / w, y / w]
        })
    }

    #[test]
    fn a_plane_moved_scaled_and_tilted_has_no_residual() {
        let views = [
            ("the same", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            ("moved", [[1.0, 0.0, 40.0], [0.0, 1.0, -9.0], [0.0, 0.0, 1.0]]),
            ("scaled", [[2.5, 0.0, 0.0], [0.0, 2.5, 0.0], [0.0, 0.0, 1.0]]),
            ("rotated", [[0.8, -0.6, 9.0], [0.6, 0.8, 9.0], [0.0, 0.0, 1.0]]),
            ("narrowed", [[0.6, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            ("in perspective", [[0.7, 0.1, 3.0], [0.0, 0.9, 5.0], [0.002, 0.0005, 1.0]]),
        ];
        let far = |(name, matrix): &(&'static str, Matrix)| {
            let residual = residual(&FACE, &seen(*matrix)).unwrap_or(f64::NAN);
            (residual.is_nan() || residual.abs() >= 1e-9).then_some((*name, residual))
        };
        let wrong: Vec<_> = views.iter().filter_map(far).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn the_sign_is_that_of_the_person_s_side_in_every_rotation_of_the_image() {
        for degrees in (0..360_i32).step_by(15) {
            let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
            let mut turned = FACE;
            turned[2][0] += 12.0;
            let turn = |points: Landmarks| points.map(|[x, y]| [x * cos - y * sin, x * sin + y * cos]);
            let (before, now) = (turn(FACE), turn(turned));
            let found = residual(&before, &now).unwrap();
            assert!((found - 0.2).abs() < 0.01 && offset(&now) > 0.15, "{degrees}: {found} {}", offset(&now));
            assert!(residual(&now, &before).unwrap() < -0.15, "{degrees}");
        }
    }

    #[test]
    fn landmarks_in_a_line_or_in_one_place_have_no_residual() {
        let line: Landmarks = [[0.0, 0.0], [10.0, 10.0], [15.0, 15.0], [20.0, 20.0], [30.0, 30.0]];
        let three: Landmarks = [[0.0, 0.0], [50.0, 0.0], [25.0, 20.0], [100.0, 0.0], [40.0, 50.0]];
        let nan = FACE.map(|[x, _]| [x, f64::NAN]);
        for (name, points) in [("a line", line), ("one place", [[5.0, 5.0]; 5]), ("three", three), ("NaN", nan)] {
            assert_eq!((residual(&points, &FACE), residual(&FACE, &points)), (None, None), "{name}");
        }
    }
}
