//! Bilinear resampling as OpenCV 5 does it: of 8-bit values in OpenCV's fixed point, and in f64.
//!
//! Both functions equal `cv2.resize(.., INTER_LINEAR)`: the 8-bit one to the byte, the other after
//! its rounding to f32. The 8-bit column coefficients are clamped at the edges and the row
//! coefficients are not (only the row numbers are), which differs by one grey level in the first and
//! last rows of an enlargement. Touches nothing.

use super::frame::Framed;
use super::pixels::Bgr;

/// A part of a resampled image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first column.
    pub left: usize,
    /// Its first row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Resamples a whole image; the same size gives a copy.
///
/// # Panics
/// If a side of the target is 0.
#[must_use]
pub fn resize(image: &Bgr, width: usize, height: usize) -> Bgr {
    resize_window(Framed::bare(image), width, height, Window { left: 0, top: 0, width, height })
}

/// Resamples a canvas to `width` x `height`, but computes only a window of the result.
///
/// # Panics
/// If the window has no pixels or reaches beyond the target.
#[must_use]
pub fn resize_window(canvas: Framed, width: usize, height: usize, window: Window) -> Bgr {
    let (right, bottom) = (window.left + window.width, window.top + window.height);
    assert!(right <= width && bottom <= height, "a window of {window:?} in {width}x{height}");
    if (canvas.width(), canvas.height()) == (width, height) {
        let (left, top) = (window.left as i64 - canvas.x as i64, window.top as i64 - canvas.y as i64);
        return canvas.image().window(left, top, window.width, window.height);
    }
    let columns: Vec<Tap> = (window.left..right).map(|x| Tap::column(x, width, &canvas)).collect();
    let mut lines = Lines { canvas, columns, kept: [(None, Vec::new()), (None, Vec::new())] };
    let mut out = Bgr::black(window.width, window.height);
    for y in 0..window.height {
        let row = Tap::row(window.top + y, height, canvas.height());
        lines.blend(&row, out.row_mut(y));
    }
    out
}

/// The source position of a target coordinate: the lower neighbour, and the fraction of the way to
/// the next. Rounds as OpenCV does: the position in f64, then everything in f32.
fn place(at: usize, target: usize, source: usize) -> (i64, f32) {
    let scale = 1.0 / (target as f64 / source as f64);
    let position = ((at as f64 + 0.5) * scale - 0.5) as f32;
    let below = position.floor();
    (below as i64, position - below)
}

/// Weights in units of 1/2048; ties round to the even number.
fn fixed(part: f32) -> (i32, i32) {
    let weight = |share: f32| (share * 2048.0).round_ties_even() as i32;
    (weight(1.0 - part), weight(part))
}

/// The two sources of a target coordinate, and their weights. For a column: offsets in the image's own row; a pixel of
/// the black margin has the weight 0. For a row: rows of the canvas.
struct Tap {
    at: [usize; 2],
    weight: [i32; 2],
}

impl Tap {
    fn column(x: usize, target: usize, canvas: &Framed) -> Self {
        let (source, image) = (canvas.width(), canvas.image().width());
        let (below, part) = match place(x, target, source) {
            (below, _) if below < 0 => (0, 0.0),
            (below, _) if below >= source as i64 - 1 => (source as i64 - 1, 0.0),
            inside => inside,
        };
        let (first, second) = fixed(part);
        let pixel = |column: i64, weight: i32| {
            let inside = column - canvas.x as i64;
            if (0..image as i64).contains(&inside) { (inside as usize * 3, weight) } else { (0, 0) }
        };
        let (a, b) = (pixel(below, first), pixel(below + 1, second));
        Self { at: [a.0, b.0], weight: [a.1, b.1] }
    }

    fn row(y: usize, target: usize, source: usize) -> Self {
        let (below, part) = place(y, target, source);
        let (first, second) = fixed(part);
        let clamp = |row: i64| row.clamp(0, source as i64 - 1) as usize;
        Self { at: [clamp(below), clamp(below + 1)], weight: [first, second] }
    }
}

/// Source rows resampled to the target's columns; the last two are kept.
struct Lines<'a> {
    canvas: Framed<'a>,
    columns: Vec<Tap>,
    kept: [(Option<usize>, Vec<i32>); 2],
}

impl Lines<'_> {
    fn blend(&mut self, row: &Tap, out: &mut [u8]) {
        // Rows come in order, so the later one of the pair before is often the earlier one now.
        if self.kept[1].0 == Some(row.at[0]) {
            self.kept.swap(0, 1);
        }
        for (slot, at) in row.at.into_iter().enumerate() {
            if self.kept[slot].0 != Some(at) {
                let (canvas, columns) = (&self.canvas, &self.columns);
                across(canvas.row(at), columns, &mut self.kept[slot].1);
                self.kept[slot].0 = Some(at);
            }
        }
        let (upper, lower) = (&self.kept[0].1, &self.kept[1].1);
        for ((out, a), b) in out.iter_mut().zip(upper).zip(lower) {
            let (a, b) = ((row.weight[0] * (a >> 4)) >> 16, (row.weight[1] * (b >> 4)) >> 16);
            *out = ((a + b + 2) >> 2) as u8;
        }
    }
}

fn across(source: Option<&[u8]>, columns: &[Tap], out: &mut Vec<i32>) {
    out.clear();
    out.resize(columns.len() * 3, 0);
    let Some(source) = source else { return };
    for (out, Tap { at: [a, b], weight }) in out.as_chunks_mut::<3>().0.iter_mut().zip(columns) {
        let pixel = |at: usize| source[at..].first_chunk::<3>().map_or([0; 3], |pixel| pixel.map(i32::from));
        let (a, b) = (pixel(*a), pixel(*b));
        *out = std::array::from_fn(|c| a[c] * weight[0] + b[c] * weight[1]);
    }
}

/// Resamples to f64 values of 0 to 1 (byte / 255): `height` rows of `width` pixels, blue first.
///
/// # Panics
/// If a side of the target is 0.
#[must_use]
pub fn resize_f64(image: &Bgr, width: usize, height: usize) -> Vec<f64> {
    assert!(width > 0 && height > 0, "a target of {width}x{height}");
    let columns: Vec<_> = (0..width).map(|x| place_f64(x, width, image.width())).collect();
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let (upper, lower, down) = place_f64(y, height, image.height());
        for &(left, right, along) in &columns {
            let mix = |row: usize, c: usize| {
                let value = |x: usize| f64::from(image.pixel(x, row)[c]) / 255.0;
                value(left) + (value(right) - value(left)) * along
            };
            out.extend((0..3).map(|c| mix(upper, c) + (mix(lower, c) - mix(upper, c)) * down));
        }
    }
    out
}

/// Two neighbours and the fraction of the way between them, all in f64.
fn place_f64(at: usize, target: usize, source: usize) -> (usize, usize, f64) {
    let position = (at as f64 + 0.5) * (source as f64 / target as f64) - 0.5;
    if position < 0.0 {
        return (0, 0, 0.0);
    }
    let below = position.floor() as usize;
    if below >= source - 1 { (source - 1, source - 1, 0.0) } else { (below, below + 1, position - below as f64) }
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
