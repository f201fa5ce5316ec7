//! The view that the detector gets of a photograph: its size, its border, and the part that is computed.
//!
//! `exact` is DeepFace's: the photograph with a black border of half its size, never reduced. Only
//! a margin of the border is computed; the response to the rest is recorded. `fast` is the
//! photograph alone, reduced. Touches nothing.

use std::ops::RangeInclusive;

use crate::detect::{Area, Face, Size, View};
use crate::engine::RunError;
use crate::error::ErrorKind;
use crate::image::resize::{Window, resize_window};
use crate::image::shrink::shrink;
use crate::image::{Bgr, Framed};
use crate::net::centerface::{MARGIN, MULTIPLE, REACH, STRIDE};

/// `exact` takes at most this many pixels.
pub const EXACT_PIXELS: usize = 4_500_000;
/// The longer side in the first native detection.
pub const FIRST_SIDE: usize = 320;
/// The longer side for small faces: used if 320 pixels show no face, if all faces are requested,
/// and by `fast`.
pub const FAST_SIDE: usize = 640;
/// How to detect faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    /// The native way, for the face that counts: at [`FIRST_SIDE`], and at [`FAST_SIDE`] if that
    /// shows no face.
    Auto,
    /// The native way, for all faces: at [`FIRST_SIDE`] and at [`FAST_SIDE`].
    All,
    /// DeepFace's border, at the photograph's own size.
    Exact,
    /// The photograph without a border; the longer side is at most this long in the first detection.
    Fast {
        /// Pixels.
        side: usize,
    },
}

impl Mode {
    /// The mode that finds all faces, not only the face that counts.
    #[must_use]
    pub fn for_all(self) -> Self {
        if self == Self::Auto { Self::All } else { self }
    }
}

/// How a detection ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectionPlan {
    /// Whether there was a border.
    pub exact: bool,
    /// Blocks of this many pixels a side were averaged first.
    pub block: usize,
    /// The least number of border pixels, in the network's input, that were computed; `None` if all
    /// were.
    pub margin: Option<usize>,
    /// The part of the network's input that was computed.
    pub window: Window,
    /// What the network saw.
    pub view: View,
    /// Degrees clockwise by which the photograph was turned first; results lie in the turned photograph.
    pub rotated: u16,
    /// The number of pixels of the file's side for one pixel of the photograph's side ([`Bgr::unit`]).
    pub unit: usize,
}

impl DetectionPlan {
    /// A face in pixels of the file.
    #[must_use]
    pub fn in_file(&self, face: &Face) -> Face {
        let unit = self.unit as i64;
        let times = |Area { x, y, w, h }| Area { x: x * unit, y: y * unit, w: w * unit, h: h * unit };
        let landmarks = face.landmarks.map(|[x, y]| [x * unit, y * unit]);
        Face { area: times(face.area), unclipped: times(face.unclipped), landmarks, ..*face }
    }

    /// The photograph's size in pixels of the file; one more if the file's side is odd and was halved.
    #[must_use]
    pub fn file_size(&self) -> Size {
        let Size { x, y } = self.view.image;
        Size { x: x * self.unit, y: y * self.unit }
    }

    /// `exact` or `fast`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.exact { "exact" } else { "fast" }
    }

    /// Returns whether the network saw a reduced photograph.
    #[must_use]
    pub fn reduced(&self) -> bool {
        self.view.net.x < self.view.canvas.x || self.view.net.y < self.view.canvas.y
    }

    /// Pixels of the network's input per pixel of the photograph: across, down.
    #[must_use]
    pub fn scale(&self) -> [f64; 2] {
        let View { net, canvas, .. } = self.view;
        [net.x as f64 / canvas.x as f64, net.y as f64 / canvas.y as f64]
    }

    /// Returns the same scale, per pixel of the file.
    #[must_use]
    pub fn scale_of_file(&self) -> [f64; 2] {
        self.scale().map(|scale| scale / self.unit as f64)
    }
}

/// The reason why detection did not run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FindError {
    /// The photograph is too large for `exact`.
    #[error("exact detection: expected at most {} pixels, found {}x{}", EXACT_PIXELS, .found.x, .found.y)]
    TooLargeForExact {
        /// Width and height found.
        found: Size,
    },
    /// A longer side that `fast` can't reduce to.
    #[error("fast detection: expected a longer side of {} to {} pixels, found {found}", FAST_SIDES.start(), FAST_SIDES.end())]
    BadSide {
        /// The side found.
        found: usize,
    },
    /// The network gave no answer.
    #[error("detector: {0}")]
    Run(#[from] RunError),
}

impl FindError {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLargeForExact { .. } | Self::BadSide { .. } => ErrorKind::Limit,
            Self::Run(why) => why.kind(),
        }
    }
}

/// The longer sides that `fast` can reduce to.
pub const FAST_SIDES: RangeInclusive<usize> = MULTIPLE..=4096;

/// Plans the detection for a photograph of this size.
///
/// # Errors
/// [`FindError::TooLargeForExact`] and [`FindError::BadSide`].
pub fn plan(mode: Mode, image: Size) -> Result<DetectionPlan, FindError> {
    let pixels = image.x * image.y;
    match mode {
        Mode::Auto | Mode::All => Ok(fast(image, FIRST_SIDE)),
        Mode::Exact if pixels <= EXACT_PIXELS => Ok(whole(image).within(MARGIN)),
        Mode::Exact => Err(FindError::TooLargeForExact { found: image }),
        Mode::Fast { side } if FAST_SIDES.contains(&side) => Ok(fast(image, side)),
        Mode::Fast { side } => Err(FindError::BadSide { found: side }),
    }
}

fn up(length: usize) -> usize {
    length.next_multiple_of(MULTIPLE)
}

fn all(net: Size) -> Window {
    Window { left: 0, top: 0, width: net.x, height: net.y }
}

/// `exact` with the whole canvas computed, as DeepFace does.
#[must_use]
pub fn whole(image: Size) -> DetectionPlan {
    let border = Size { x: image.x / 2, y: image.y / 2 };
    let canvas = Size { x: image.x + 2 * border.x, y: image.y + 2 * border.y };
    let net = Size { x: up(canvas.x), y: up(canvas.y) };
    let view = View { image, border, canvas, net, first_cell: Size::default() };
    DetectionPlan { exact: true, block: 1, margin: None, window: all(net), view, rotated: 0, unit: 1 }
}

impl DetectionPlan {
    /// Returns the same plan with only this margin of the border computed; with the whole canvas if
    /// recording the response to the rest would cost more than it saves.
    #[must_use]
    pub fn within(mut self, margin: usize) -> Self {
        let View { image, border, canvas, net, .. } = self.view;
        let (left, width) = span(border.x, image.x, canvas.x, net.x, margin);
        let (top, height) = span(border.y, image.y, canvas.y, net.y, margin);
        let once = net.x.min(2 * REACH) * net.y.min(2 * REACH);
        if width * height + once <= net.x * net.y {
            self.window = Window { left, top, width, height };
            self.view.first_cell = Size { x: left / STRIDE, y: top / STRIDE };
            self.margin = Some(margin);
        }
        self
    }
}

/// First pixel and length of the photograph and its margin in the network's input, on its grid.
fn span(border: usize, image: usize, canvas: usize, net: usize, margin: usize) -> (usize, usize) {
    let first = (border * net / canvas).saturating_sub(margin) / MULTIPLE * MULTIPLE;
    let end = up(((border + image) * net).div_ceil(canvas) + margin).min(net);
    (first, end - first)
}

/// The photograph alone, its longer side at most this long.
pub(crate) fn fast(image: Size, side: usize) -> DetectionPlan {
    let longer = image.x.max(image.y);
    let reduced = |length: usize| if longer <= side { length } else { (length * side).div_ceil(longer) };
    let net = Size { x: up(reduced(image.x)), y: up(reduced(image.y)) };
    // A photograph of one pixel's width keeps that pixel.
    let block = (longer / side).clamp(1, image.x.min(image.y).min(256));
    let canvas = Size { x: image.x / block * block, y: image.y / block * block };
    let view = View { image, border: Size::default(), canvas, net, first_cell: Size::default() };
    DetectionPlan { exact: false, block, margin: None, window: all(net), view, rotated: 0, unit: 1 }
}

/// What the network sees.
pub(crate) fn seen(image: &Bgr, look: &DetectionPlan) -> Bgr {
    let (Size { x: width, y: height }, window) = (look.view.net, look.window);
    match (look.exact, look.block) {
        (true, _) => resize_window(Framed::half(image), width, height, window),
        (false, 1) => resize_window(Framed::bare(image), width, height, window),
        (false, block) => resize_window(Framed::bare(&shrink(image, block)), width, height, window),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_for_every_mode_and_size() {
        let fast = |side| Mode::Fast { side };
        // (mode, photograph, exact, border, canvas, net, block)
        type Row = (Mode, [usize; 2], bool, [usize; 2], [usize; 2], [usize; 2], usize);
        let table: [Row; 11] = [
            (Mode::Auto, [480, 640], false, [0, 0], [480, 640], [256, 320], 2),
            (Mode::Auto, [200, 300], false, [0, 0], [200, 300], [224, 320], 1),
            (Mode::All, [1301, 1000], false, [0, 0], [1300, 1000], [320, 256], 4),
            (Mode::Exact, [480, 640], true, [240, 320], [960, 1280], [960, 1280], 1),
            (Mode::Exact, [330, 511], true, [165, 255], [660, 1021], [672, 1024], 1),
            (Mode::Exact, [1, 1], true, [0, 0], [1, 1], [32, 32], 1),
            (fast(640), [330, 512], false, [0, 0], [330, 512], [352, 512], 1),
            (fast(640), [641, 10], false, [0, 0], [641, 10], [640, 32], 1),
            (fast(640), [4000, 3000], false, [0, 0], [3996, 3000], [640, 480], 6),
            (fast(640), [10_000, 1], false, [0, 0], [10_000, 1], [640, 32], 1),
            (fast(4096), [4000, 3000], false, [0, 0], [4000, 3000], [4000, 3008], 1),
        ];
        let pair = |size: Size| [size.x, size.y];
        for (mode, [x, y], exact, border, canvas, net, block) in table {
            let look = plan(mode, Size { x, y }).unwrap();
            let found = (look.exact, pair(look.view.border), pair(look.view.canvas), pair(look.view.net), look.block);
            assert_eq!(found, (exact, border, canvas, net, block), "{mode:?} {x}x{y}");
        }
    }

    #[test]
    fn the_window_holds_the_photograph_and_its_margin_on_the_grid() {
        for (x, y) in [(480, 640), (400, 500), (641, 479), (2280, 1588), (1000, 330)] {
            let look = whole(Size { x, y }).within(128);
            let View { border, canvas, net, .. } = look.view;
            let Window { left, top, width, height } = look.window;
            assert_eq!([left, top, width, height].map(|v| v % MULTIPLE), [0; 4], "{x}x{y}");
            let scaled = |pixel: usize, net: usize, canvas: usize| pixel as f64 * net as f64 / canvas as f64;
            for (first, length, border, image, net, canvas) in
                [(left, width, border.x, x, net.x, canvas.x), (top, height, border.y, y, net.y, canvas.y)]
            {
                let (start, end) = (scaled(border, net, canvas), scaled(border + image, net, canvas));
                assert!(first == 0 || start - first as f64 >= 128.0, "{x}x{y}");
                assert!(first + length == net || (first + length) as f64 - end >= 128.0, "{x}x{y}");
            }
        }
        let small = whole(Size { x: 100, y: 100 }).within(128);
        assert_eq!((small.margin, small.window.width), (None, 224));
    }

    #[test]
    fn what_is_refused_is_refused_by_name() {
        let size = Size { x: 4501, y: 1000 };
        assert_eq!(plan(Mode::Exact, size), Err(FindError::TooLargeForExact { found: size }));
        assert!(plan(Mode::Exact, Size { x: 4500, y: 1000 }).is_ok());
        for side in [0, 31, 4097, usize::MAX] {
            assert_eq!(plan(Mode::Fast { side }, size), Err(FindError::BadSide { found: side }));
        }
    }
}
