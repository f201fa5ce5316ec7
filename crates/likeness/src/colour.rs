//! Measures how much of a face's colour does not follow from its lightness. Touches nothing.
//!
//! A grey, toned or infrared photograph has one colour for each lightness: in CIE Lab, `a` and `b` are then smooth
//! functions of `L`. The residue after a cubic regression on `L` is the colour of skin, lips and eyes.

use crate::image::Bgr;
use crate::image::resize::resize;
use crate::image::shrink::shrink;

/// A face is measured at this width and height, so that noise and size change little.
const SIZE: [usize; 2] = [64, 80];

/// The greater standard deviation of Lab's `a` and `b` after a cubic regression on `L`.
pub(crate) fn colour(face: &Bgr) -> f64 {
    let linear: [f64; 256] = std::array::from_fn(|value| linear(value as f64 / 255.0));
    let small = reduced(face);
    let lab: Vec<[f64; 3]> =
        small.data().chunks_exact(3).map(|p| lab([2, 1, 0].map(|channel| linear[usize::from(p[channel])]))).collect();
    let lightness: Vec<f64> = lab.iter().map(|pixel| pixel[0] / 100.0).collect();
    let basis = cubic_basis(&lightness);
    [1, 2].map(|at| residue(lab.iter().map(|pixel| pixel[at]).collect(), &basis)).into_iter().fold(0.0, f64::max)
}

/// Averages whole blocks first, so that bilinear resampling leaves no pixel out.
fn reduced(face: &Bgr) -> Bgr {
    let [width, height] = SIZE;
    let block = (face.width() / width).min(face.height() / height).clamp(1, 256);
    resize(&shrink(face, block), width, height)
}

/// sRGB's transfer function.
fn linear(value: f64) -> f64 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// CIE Lab under D65, of linear red, green and blue.
fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let x = (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175_0 * b;
    let z = (0.019_333_9 * r + 0.119_192_0 * g + 0.950_304_1 * b) / 1.088_83;
    const EDGE: f64 = 6.0 / 29.0;
    let [x, y, z] =
        [x, y, z].map(|t: f64| if t > EDGE.powi(3) { t.cbrt() } else { t / (3.0 * EDGE * EDGE) + 4.0 / 29.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Subtracts a vector's projection on a unit vector.
fn remove(from: &mut [f64], unit: &[f64]) {
    let along = dot(from, unit);
    from.iter_mut().zip(unit).for_each(|(value, part)| *value -= along * part);
}

/// Orthonormal vectors that span the polynomials of `x` up to the third degree; fewer if `x` has few values.
fn cubic_basis(x: &[f64]) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for degree in 0..4 {
        let mut power: Vec<f64> = x.iter().map(|x| x.powi(degree)).collect();
        // Orthogonalised twice: once leaves rounding errors if the powers are nearly parallel.
        for _ in 0..2 {
            basis.iter().for_each(|unit| remove(&mut power, unit));
        }
        let length = dot(&power, &power).sqrt();
        if length > 1e-9 * (x.len() as f64).sqrt() {
            basis.push(power.iter().map(|value| value / length).collect());
        }
    }
    basis
}

/// The standard deviation of the values after their projection on the basis is subtracted.
fn residue(mut values: Vec<f64>, basis: &[Vec<f64>]) -> f64 {
    basis.iter().for_each(|unit| remove(&mut values, unit));
    (dot(&values, &values) / values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Bgr {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Bgr::new(width, height, pixels.flat_map(|(x, y)| pixel(x, y)).collect()).unwrap()
    }

    #[test]
    fn lab_of_known_colours() {
        // Red, green and blue of sRGB, and their Lab values under D65.
        let table = [
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([1.0, 1.0, 1.0], [100.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [53.24, 80.09, 67.20]),
            ([0.0, 1.0, 0.0], [87.73, -86.18, 83.18]),
            ([0.0, 0.0, 1.0], [32.30, 79.19, -107.86]),
            ([0.5, 0.5, 0.5], [53.39, 0.0, 0.0]),
        ];
        let near = |found: [f64; 3], expected: [f64; 3]| (0..3).all(|at| (found[at] - expected[at]).abs() < 0.02);
        let found = table.map(|(rgb, expected)| (rgb, lab(rgb.map(linear)), expected));
        let wrong: Vec<_> = found.into_iter().filter(|(_, found, expected)| !near(*found, *expected)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn one_colour_for_each_lightness_is_no_colour_at_any_size() {
        let grey = |x: usize, y: usize| ((7 * x + 3 * y) % 256) as u8;
        let sepia = |v: u8| [v / 2 + v / 8, v / 2 + v / 4 + v / 16, v];
        let mut wrong = Vec::new();
        for (width, height) in [(1, 1), (3, 200), (48, 60), (64, 80), (127, 159), (700, 900)] {
            let table: [(&str, Bgr); 5] = [
                ("black", Bgr::black(width, height)),
                ("white", picture(width, height, |_, _| [255; 3])),
                ("one colour", picture(width, height, |_, _| [10, 60, 200])),
                ("grey", picture(width, height, |x, y| [grey(x, y); 3])),
                ("sepia", picture(width, height, |x, y| sepia(grey(x, y)))),
            ];
            let found = table.map(|(name, image)| (name, width, height, colour(&image)));
            wrong.extend(found.into_iter().filter(|(.., colour)| colour.is_nan() || *colour >= 1.0));
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn two_colours_at_each_lightness_are_colour_in_either_channel() {
        // Blue, green, red of the right half, of a grey `v`: apart from it in `a`, in `b`.
        let tints: [fn(u8) -> [u8; 3]; 2] = [|v| [v, v - 20, v + 40], |v| [v - 50, v, v]];
        let found = tints.map(|tint| {
            let grey = |y: usize| 60 + y as u8 / 2;
            colour(&picture(128, 160, |x, y| if x < 64 { [grey(y); 3] } else { tint(grey(y)) }))
        });
        assert!(found.iter().all(|colour| *colour > 5.0), "{found:?}");
    }

    #[test]
    fn a_cubic_of_lightness_leaves_nothing_and_a_step_does() {
        let x: Vec<f64> = (0..1000).map(|at| f64::from(at) / 1000.0).collect();
        let basis = cubic_basis(&x);
        let cubic = x.iter().map(|x| 30.0 * x.powi(3) - 12.0 * x * x + 7.0 * x - 4.0).collect();
        let step = x.iter().map(|x| if (x * 10.0) as i32 % 2 == 0 { 10.0 } else { -10.0 }).collect();
        assert!(residue(cubic, &basis) < 1e-9);
        assert!(residue(step, &basis) > 5.0);
        assert_eq!((basis.len(), cubic_basis(&[0.5; 9]).len()), (4, 1));
    }
}
