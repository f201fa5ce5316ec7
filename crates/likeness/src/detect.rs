//! Turns the detector's maps into faces in the photograph's pixels, with DeepFace's integers.
//!
//! A [`View`] says how the network sees a photograph: alone or with a black border, resampled to
//! the network's size. The network sees a window of that; its cells become boxes and landmarks in
//! the view (f64 sums, stored as f32), overlapping boxes are dropped, and what is left is truncated
//! to integers **in the view** and only then moved into the photograph. Touches nothing.

use crate::net::centerface::Maps;

/// A cell's heat must be above this.
pub const THRESHOLD: f32 = crate::policy::SCORE.value as f32;
/// Two boxes whose intersection over union is at least this are one face.
const OVERLAP: f32 = 0.3;
/// Pixels of the network's input per cell.
const STRIDE: f64 = 4.0;

/// The geometry of the canvas that the network sees, relative to the photograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Size of the photograph.
    pub image: Size,
    /// Black pixels of the photograph's scale on the left (and right), and above (and below).
    pub border: Size,
    /// Size of the canvas that was resampled, in the photograph's pixels: the photograph and its
    /// borders, without the last pixels that did not fill a block.
    pub canvas: Size,
    /// The resampled canvas's size: multiples of 32.
    pub net: Size,
    /// First cell of the window that the network saw.
    pub first_cell: Size,
}

/// A width and a height, or a column and a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Across.
    pub x: usize,
    /// Down.
    pub y: usize,
}

/// A detection before truncation, in the pixels of the view's canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raw {
    /// Left, top, right, bottom.
    pub corners: [f32; 4],
    /// The confidence that this is a face, 0 to 1.
    pub score: f32,
    /// x and y of the right eye, left eye, nose, right and left corner of the mouth (the person's
    /// own right and left).
    pub landmarks: [[f32; 2]; 5],
}

/// A box: left, top, width, height, in the photograph's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: i64,
    /// Top edge.
    pub y: i64,
    /// Width.
    pub w: i64,
    /// Height.
    pub h: i64,
}

/// A point: column and row.
pub type Point = [i64; 2];

/// A face in a photograph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// The box as DeepFace reports it: from 0, and at most to one pixel before the far edge.
    pub area: Area,
    /// The box as it was found; with a border, it may reach beyond the photograph. Alignment uses
    /// this box.
    pub unclipped: Area,
    /// Right eye, left eye, nose, right and left corner of the mouth; they may lie outside of the photograph.
    pub landmarks: [Point; 5],
    /// The confidence that this is a face, 0 to 1.
    pub score: f32,
}

/// A detection, placed in the photograph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Placed {
    /// A face with at least one pixel in the photograph.
    Inside(Face),
    /// A box that lies wholly in the border, or has no pixel.
    Outside(Raw),
}

impl Face {
    /// The person's right eye.
    #[must_use]
    pub fn right_eye(&self) -> Point {
        self.landmarks[0]
    }

    /// The person's left eye.
    #[must_use]
    pub fn left_eye(&self) -> Point {
        self.landmarks[1]
    }

    /// The confidence as DeepFace reports it, rounded to two decimals.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        (f64::from(self.score) * 100.0).round_ties_even() / 100.0
    }
}

/// A point if it lies in the photograph.
#[must_use]
pub fn inside(point: Point, image: Size) -> Option<Point> {
    let [x, y] = point;
    ((0..image.x as i64).contains(&x) && (0..image.y as i64).contains(&y)).then_some(point)
}

/// Returns all detections in the maps, best first, in pixels of the canvas.
#[must_use]
pub fn read(maps: &Maps, view: &View, threshold: f32) -> Vec<Raw> {
    let hot = (0..maps.heat.len()).filter(|cell| maps.heat[*cell] > threshold);
    let found: Vec<Raw> = hot.map(|cell| cell_to_raw(maps, cell, view)).collect();
    let scale = |target: usize, source: usize| (target as f64 / source as f64) as f32;
    let (across, down) = (scale(view.net.x, view.canvas.x), scale(view.net.y, view.canvas.y));
    without_overlaps(found).into_iter().map(|raw| raw.divided(across, down)).collect()
}

/// Converts one cell with a high score to a detection, in pixels of the network's input.
fn cell_to_raw(maps: &Maps, cell: usize, view: &View) -> Raw {
    let (row, column) = (cell / maps.columns + view.first_cell.y, cell % maps.columns + view.first_cell.x);
    let number = |map: &[f32], channels: usize, channel: usize| map[cell * channels + channel];
    let height = number(maps.scale, 2, 0).exp() * 4.0;
    let width = number(maps.scale, 2, 1).exp() * 4.0;
    let corner = |at: usize, channel: usize, side: f32, end: usize| {
        let centre = (at as f64 + f64::from(number(maps.offset, 2, channel)) + 0.5) * STRIDE;
        (centre - f64::from(side / 2.0)).max(0.0).min(end as f64)
    };
    let (x, y) = (corner(column, 1, width, view.net.x), corner(row, 0, height, view.net.y));
    let far = |near: f64, side: f32, end: usize| (near + f64::from(side)).min(end as f64) as f32;
    let landmark = |j: usize| {
        let part = |channel: usize| number(maps.landmarks, 10, channel);
        [(f64::from(part(2 * j + 1) * width) + x) as f32, (f64::from(part(2 * j) * height) + y) as f32]
    };
    Raw {
        corners: [x as f32, y as f32, far(x, width, view.net.x), far(y, height, view.net.y)],
        score: maps.heat[cell],
        landmarks: std::array::from_fn(landmark),
    }
}

/// Keeps the box with the highest score among boxes that overlap, in descending order of score.
fn without_overlaps(mut found: Vec<Raw>) -> Vec<Raw> {
    // Equal scores: the later cell first, as a reversed ascending sort gives.
    found.reverse();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Raw> = Vec::new();
    for raw in found {
        if kept.iter().all(|better| better.overlap(&raw) < OVERLAP) {
            kept.push(raw);
        }
    }
    kept
}

impl Raw {
    fn size(&self) -> f32 {
        let [x1, y1, x2, y2] = self.corners;
        (x2 - x1 + 1.0) * (y2 - y1 + 1.0)
    }

    /// Intersection over union, pixels counted at both ends.
    fn overlap(&self, other: &Self) -> f32 {
        let ([ax1, ay1, ax2, ay2], [bx1, by1, bx2, by2]) = (self.corners, other.corners);
        let width = (ax2.min(bx2) - ax1.max(bx1) + 1.0).max(0.0);
        let height = (ay2.min(by2) - ay1.max(by1) + 1.0).max(0.0);
        let shared = width * height;
        shared / (self.size() + other.size() - shared)
    }

    fn divided(&self, across: f32, down: f32) -> Self {
        let [x1, y1, x2, y2] = self.corners;
        let landmarks = self.landmarks.map(|[x, y]| [x / across, y / down]);
        Self { corners: [x1 / across, y1 / down, x2 / across, y2 / down], score: self.score, landmarks }
    }

    /// Truncates to integers in the canvas and moves into the photograph.
    #[must_use]
    pub fn placed(self, view: &View) -> Placed {
        let [x1, y1, x2, y2] = self.corners;
        let (left, top) = (view.border.x as i64, view.border.y as i64);
        let unclipped = Area { x: x1 as i64 - left, y: y1 as i64 - top, w: (x2 - x1) as i64, h: (y2 - y1) as i64 };
        let Some(area) = unclipped.reported(view.image) else { return Placed::Outside(self) };
        let landmarks = self.landmarks.map(|[x, y]| [x as i64 - left, y as i64 - top]);
        Placed::Inside(Face { area, unclipped, landmarks, score: self.score })
    }
}

impl Area {
    /// The box as DeepFace reports it: it ends one pixel before the far edge, and clipping at the
    /// left does not reduce its width. `None` if no part of the box is in the photograph.
    fn reported(&self, image: Size) -> Option<Self> {
        let (width, height) = (image.x as i64, image.y as i64);
        let (x, y) = (self.x.max(0), self.y.max(0));
        let area = Self { x, y, w: self.w.min(width - x - 1), h: self.h.min(height - y - 1) };
        let meets = self.x + self.w > 0 && self.y + self.h > 0;
        (area.w > 0 && area.h > 0 && meets).then_some(area)
    }

    /// Pixels in both boxes.
    fn shared(&self, other: &Self) -> i64 {
        let along = |a: i64, al: i64, b: i64, bl: i64| ((a + al).min(b + bl) - a.max(b)).max(0);
        along(self.x, self.w, other.x, other.w) * along(self.y, self.h, other.y, other.h)
    }

    /// Intersection over union.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> f64 {
        let both = self.shared(other);
        both as f64 / (self.pixels() + other.pixels() - both).max(1) as f64
    }

    /// The part of the smaller box that lies in the other one.
    #[must_use]
    pub fn shares(&self, other: &Self) -> f64 {
        self.shared(other) as f64 / self.pixels().min(other.pixels()).max(1) as f64
    }

    /// Its number of pixels.
    #[must_use]
    pub fn pixels(&self) -> i64 {
        self.w * self.h
    }
}

#[cfg(test)]
#[path = "detect_tests.rs"]
mod tests;
