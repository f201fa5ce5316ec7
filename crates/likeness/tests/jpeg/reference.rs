//! Computes the pixels that libjpeg-turbo and OpenCV give for a [`Jpeg`]: upsampling and colour conversion as
//! in `jdsample.c`, `jdcolor.c` and `utils.cpp`. Reads no file, because the samples are known.

use super::writer::{Colours, Jpeg, value};

/// Returns BGR row by row; `None` if libjpeg-turbo refuses the file, because a sampling ratio is not whole.
pub fn pixels(file: &Jpeg<'_>) -> Option<Vec<u8>> {
    let planes: Option<Vec<Plane>> = (0..file.sampling.len()).map(|at| upsampled(file, at)).collect();
    let planes = planes?;
    let mut out = Vec::with_capacity(file.width * file.height * 3);
    for (y, x) in (0..file.height).flat_map(|y| (0..file.width).map(move |x| (y, x))) {
        let samples: Vec<u8> = planes.iter().map(|plane| plane.at(x, y)).collect();
        out.extend(bgr(&samples, file.colours));
    }
    Some(out)
}

struct Plane {
    width: usize,
    data: Vec<u8>,
}

impl Plane {
    fn at(&self, x: usize, y: usize) -> u8 {
        self.data[y * self.width + x]
    }
}

/// Returns a component upsampled to the picture's size.
fn upsampled(file: &Jpeg<'_>, component: usize) -> Option<Plane> {
    let ((h, v), (most_h, most_v)) = (file.sampling[component], file.max());
    let (wide, high) = file.samples(component);
    let sample = |x: usize, y: usize| i32::from(value(component, x / 8, y / 8));
    let clamped = |x: i64, y: i64| sample(x.clamp(0, wide as i64 - 1) as usize, y.clamp(0, high as i64 - 1) as usize);
    let (fx, fy) = (most_h / h, most_v / v);
    if most_h % h != 0 || most_v % v != 0 {
        return None;
    }
    let mut data = Vec::new();
    for (y, x) in (0..file.height).flat_map(|y| (0..file.width).map(move |x| (y, x))) {
        let (sx, sy) = ((x / fx) as i64, (y / fy) as i64);
        let (dx, dy) = (if x % 2 == 0 { -1 } else { 1 }, if y % 2 == 0 { -1 } else { 1 });
        let rows = |at: i64| 3 * clamped(at, sy) + clamped(at, sy + dy);
        let edge = sx + dx < 0 || sx + dx >= wide as i64;
        let found = match (fx, fy) {
            (2, 1) if wide > 2 && edge => clamped(sx, sy),
            (2, 1) if wide > 2 => (3 * clamped(sx, sy) + clamped(sx + dx, sy) + if dx < 0 { 1 } else { 2 }) >> 2,
            (1, 2) => (rows(sx) + if dy < 0 { 1 } else { 2 }) >> 2,
            (2, 2) if wide > 2 && edge => (4 * rows(sx) + if dx < 0 { 8 } else { 7 }) >> 4,
            (2, 2) if wide > 2 => (3 * rows(sx) + rows(sx + dx) + if dx < 0 { 8 } else { 7 }) >> 4,
            _ => clamped(sx, sy),
        };
        data.push(found as u8);
    }
    Some(Plane { width: file.width, data })
}

fn bgr(samples: &[u8], colours: Colours) -> [u8; 3] {
    match (samples, colours) {
        (&[grey], _) => [grey; 3],
        (&[y, cb, cr], Colours::Jfif) => from_ycc(y, cb, cr),
        (&[r, g, b], _) => [b, g, r],
        (&[y, cb, cr, k], Colours::Ycck) => {
            let [b, g, r] = from_ycc(y, cb, cr).map(|v| 255 - v);
            [ink(b, k), ink(g, k), ink(r, k)]
        }
        (&[c, m, y, k], _) => [ink(y, k), ink(m, k), ink(c, k)],
        _ => unreachable!("1, 3 or 4 components"),
    }
}

fn from_ycc(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let near = |v: i32| v.clamp(0, 255) as u8;
    let green = (-22_554 * cb - 46_802 * cr + 32_768) >> 16;
    [near(y + ((116_130 * cb + 32_768) >> 16)), near(y + green), near(y + ((91_881 * cr + 32_768) >> 16))]
}

fn ink(value: u8, black: u8) -> u8 {
    (i32::from(black) - (((255 - i32::from(value)) * i32::from(black)) >> 8)) as u8
}
