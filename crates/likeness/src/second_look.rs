//! A second detection of a face that was too small or too large in the first. Touches nothing.
//!
//! Landmarks of a small face are imprecise: one pixel of the reduced photograph is several of the
//! photograph. A second detection therefore sees the face's surroundings again, at a scale at which
//! the face has its best height. A face that fills the first detection's input is handled in the
//! same way. Any other face keeps its first result.

use crate::detect::{self, Area, Face, Placed, Size};
use crate::engine::{RunError, Scratch};
use crate::image::Bgr;
use crate::image::resize::Window;
use crate::net::Detector;
use crate::net::centerface::{MULTIPLE, STRIDE};
use crate::plan::{DetectionPlan, fast, seen};

/// Pixels around the face that the second detection includes.
const AROUND: f64 = 96.0;
/// A face whose longer side is at least this many pixels in the first detection keeps its result,
/// up to [`MOST`].
const ENOUGH: f64 = 130.0;
/// A face whose longer side is more than this many pixels in the first detection is reduced
/// further: the detector's field of view is bounded.
const MOST: f64 = 270.0;
/// The longer side of the face in the second detection, in pixels; less if the photograph has fewer.
const AIM: f64 = 180.0;
/// The most pixels of all second detections in one photograph.
pub(crate) const BUDGET: usize = 640 * 640;
/// The intersection over union from which both detections mean one face.
const SAME: f64 = 0.3;

/// The inputs of second detections in one photograph.
pub(crate) struct SecondLook<'a> {
    detector: &'a Detector,
    threshold: f32,
    image: &'a Bgr,
    first: &'a DetectionPlan,
}

impl<'a> SecondLook<'a> {
    /// Prepares second detections after this first detection.
    pub(crate) fn of(detector: &'a Detector, threshold: f32, image: &'a Bgr, first: &'a DetectionPlan) -> Self {
        Self { detector, threshold, image, first }
    }

    /// Detects each such face again, best first, within the budget. Returns the number of faces
    /// that were found again.
    ///
    /// # Errors
    /// [`RunError`]
    pub(crate) fn refine(&self, scratch: &mut Scratch, faces: &mut [Face]) -> Result<usize, RunError> {
        let (mut left, mut again) = (BUDGET, 0);
        for face in faces.iter_mut() {
            let Some(look) = self.plan(&face.area) else { continue };
            let cost = look.window.width * look.window.height;
            if cost > left {
                continue;
            }
            left -= cost;
            if let Some(found) = self.look(scratch, &look, &face.area)? {
                (*face, again) = (found, again + 1);
            }
        }
        Ok(again)
    }

    /// Plans a face's second detection, if it would show more than the first.
    fn plan(&self, area: &Area) -> Option<DetectionPlan> {
        let size = self.first.view.image;
        let (face, longer) = (area.w.max(area.h) as f64, size.x.max(size.y) as f64);
        let seen = face * self.first.scale()[1];
        if (ENOUGH..=MOST).contains(&seen) {
            return None;
        }
        let side = (longer * (AIM / face).min(1.0)).round() as usize;
        let mut look = fast(size, side.max(MULTIPLE));
        if seen < ENOUGH && look.scale()[1] <= self.first.scale()[1] {
            return None;
        }
        look.window = around(area, &look);
        look.view.first_cell = Size { x: look.window.left / STRIDE, y: look.window.top / STRIDE };
        Some(look)
    }

    fn look(&self, scratch: &mut Scratch, look: &DetectionPlan, first: &Area) -> Result<Option<Face>, RunError> {
        let DetectionPlan { window, view, .. } = look;
        let maps = self.detector.maps(scratch, window.height, window.width, &seen(self.image, look).to_rgb())?;
        let faces = detect::read(&maps, view, self.threshold).into_iter().filter_map(|raw| match raw.placed(view) {
            Placed::Inside(face) => Some(face),
            Placed::Outside(_) => None,
        });
        let shared = |face: &Face| face.area.overlap(first);
        let best = faces.max_by(|a, b| shared(a).total_cmp(&shared(b)));
        Ok(best.filter(|face| shared(face) >= SAME))
    }
}

/// The window of the network's input around a box of the photograph, on the grid of 32 pixels.
fn around(area: &Area, look: &DetectionPlan) -> Window {
    let view = &look.view;
    let span = |start: i64, length: i64, canvas: usize, net: usize| {
        let scale = net as f64 / canvas as f64;
        let grid = MULTIPLE as f64;
        let first = ((start as f64 * scale - AROUND) / grid).floor().clamp(0.0, net as f64 / grid - 1.0) * grid;
        let end = ((((start + length) as f64 * scale + AROUND) / grid).ceil() * grid).min(net as f64);
        (first as usize, (end - first).max(grid) as usize)
    };
    let (left, width) = span(area.x, area.w, view.canvas.x, view.net.x);
    let (top, height) = span(area.y, area.h, view.canvas.y, view.net.y);
    Window { left, top, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_lies_on_the_grid_within_the_canvas_and_holds_the_face() {
        for (width, height) in [(600, 800), (2280, 1588), (33, 1000), (4000, 3000)] {
            for side in [320, 640, 1200] {
                let look = fast(Size { x: width, y: height }, side);
                for area in [
                    Area { x: 0, y: 0, w: 30, h: 40 },
                    Area { x: width as i64 - 32, y: height as i64 - 42, w: 31, h: 41 },
                    Area { x: 1, y: 1, w: width as i64 - 2, h: height as i64 - 2 },
                ] {
                    let window = around(&area, &look);
                    let on_grid = [window.left, window.top, window.width, window.height].map(|v| v % MULTIPLE);
                    assert_eq!(on_grid, [0; 4], "{width}x{height} {area:?}");
                    let (right, bottom) = (window.left + window.width, window.top + window.height);
                    assert!(right <= look.view.net.x && bottom <= look.view.net.y, "{width}x{height} {area:?}");
                    let end = ((area.x + area.w) as f64 * look.scale()[0]) as usize;
                    assert!(right >= end.min(look.view.net.x), "{width}x{height} {area:?}");
                }
            }
        }
    }
}
