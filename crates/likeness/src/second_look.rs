//! A second look at a face that was found in a reduced photograph. Touches nothing.
//!
//! A reduced face gives rough landmarks: one pixel there is several in the photograph. So the
//! detector looks once more at the face's surroundings as `exact` would see them: the same canvas
//! with its border, the same resampling, the same grid of cells, but only a window. Faces too large
//! for the detector's own field of view keep the first look, which shows them better.

use crate::detect::{self, Area, Face, Placed, Size};
use crate::engine::{RunError, Scratch};
use crate::find::{Look, whole};
use crate::image::resize::{Window, resize_window};
use crate::image::{Bgr, Framed};
use crate::net::Detector;
use crate::net::centerface::{MULTIPLE, STRIDE};

/// Pixels around the face that are looked at as well.
const AROUND: f64 = 96.0;
/// A face with a longer side than this is not looked at again.
const LARGEST: i64 = 420;
/// Pixels that all second looks at a photograph may cost: as many as a first look at most.
pub(crate) const BUDGET: usize = 640 * 640;
/// Parts of the boxes that must be shared for both looks to mean one face.
const SAME: f64 = 0.3;

/// Looks again at each face, best first, as far as the budget goes. The number of faces that a
/// second look found again.
///
/// # Errors
/// [`RunError`]
pub(crate) fn refine(
    detector: &Detector,
    scratch: &mut Scratch,
    image: &Bgr,
    faces: &mut [Face],
) -> Result<usize, RunError> {
    let look = whole(Size { x: image.width(), y: image.height() });
    let (mut left, mut again) = (BUDGET, 0);
    for face in faces.iter_mut() {
        let window = around(&face.area, &look);
        let cost = window.width * window.height;
        if face.area.w.max(face.area.h) > LARGEST || cost > left {
            continue;
        }
        left -= cost;
        if let Some(found) = look_again(detector, scratch, image, &look, window, &face.area)? {
            (*face, again) = (found, again + 1);
        }
    }
    Ok(again)
}

/// The window of the network's input around a box of the photograph, on the grid of 32 pixels.
fn around(area: &Area, look: &Look) -> Window {
    let view = &look.view;
    let span = |start: i64, length: i64, border: usize, canvas: usize, net: usize| {
        let scale = net as f64 / canvas as f64;
        let at = |pixel: i64| (pixel + border as i64) as f64 * scale;
        let grid = MULTIPLE as f64;
        let first = ((at(start) - AROUND) / grid).floor().max(0.0) * grid;
        let end = (((at(start + length) + AROUND) / grid).ceil() * grid).min(net as f64);
        (first as usize, (end - first).max(grid) as usize)
    };
    let (left, width) = span(area.x, area.w, view.border.x, view.canvas.x, view.net.x);
    let (top, height) = span(area.y, area.h, view.border.y, view.canvas.y, view.net.y);
    Window { left, top, width, height }
}

fn look_again(
    detector: &Detector,
    scratch: &mut Scratch,
    image: &Bgr,
    look: &Look,
    window: Window,
    first: &Area,
) -> Result<Option<Face>, RunError> {
    let mut view = look.view;
    view.first_cell = Size { x: window.left / STRIDE, y: window.top / STRIDE };
    let seen = resize_window(Framed::half(image), view.net.x, view.net.y, window);
    let maps = detector.maps(scratch, window.height, window.width, &seen.to_rgb())?;
    let faces = detect::read(&maps, &view, detect::THRESHOLD).into_iter().filter_map(|raw| match raw.placed(&view) {
        Placed::Inside(face) => Some(face),
        Placed::Outside(_) => None,
    });
    let shared = |face: &Face| face.area.overlap(first);
    let best = faces.max_by(|a, b| shared(a).total_cmp(&shared(b)));
    Ok(best.filter(|face| shared(face) >= SAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_lies_on_the_grid_within_the_canvas_and_holds_the_face() {
        for (width, height) in [(600, 800), (2280, 1588), (33, 1000), (4000, 3000)] {
            let look = whole(Size { x: width, y: height });
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
                assert!(right >= look.view.border.x + (area.x + area.w) as usize, "{width}x{height} {area:?}");
            }
        }
    }
}
