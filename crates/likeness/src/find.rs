//! Face detection in a photograph, in one of two ways.
//!
//! `exact` runs the detector once, as DeepFace does. The native way takes several steps, because the
//! detector's scores are best for faces of 130 to 300 pixels in its input. It first detects faces in
//! the photograph with the longer side reduced to 320 pixels; then it detects each small face again,
//! reduced less, and each large face again, reduced more (`second_look`). If it finds no face, or if
//! all faces are requested, it also detects at 640 pixels. A photograph on its side is turned
//! upright ([`Finder::upright`]). Results are in the photograph's own pixels, and say how they were
//! found. Touches nothing.

use std::sync::Arc;

use crate::detect::{self, Face, Placed, Raw, Size};
use crate::engine::{Region, RunError, Scratch};
use crate::image::Bgr;
use crate::net::Detector;
use crate::net::centerface::Maps;
pub use crate::plan::{DetectionPlan, EXACT_PIXELS, FAST_SIDE, FAST_SIDES, FIRST_SIDE, FindError, Mode, plan, whole};
use crate::plan::{fast, seen};
use crate::second_look::SecondLook;
use crate::turn::{Pose, TURNS};

/// If more than this part of a face lies in a larger face's box, both are one face.
const PART: f64 = 0.5;

/// A photograph's faces.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// How the faces were detected.
    pub look: DetectionPlan,
    /// All detections, best first, before their coordinates are truncated to integers.
    pub raw: Vec<Raw>,
    /// The faces, best first.
    pub faces: Vec<Face>,
    /// Detections outside of the photograph.
    pub outside: Vec<Raw>,
    /// The number of faces that a second detection in a reduced photograph found.
    pub second_looks: usize,
}

/// The detector, and the score that a face needs.
#[derive(Clone)]
pub struct Finder {
    detector: Arc<Detector>,
    threshold: f32,
}

impl Finder {
    /// Takes the detector, with DeepFace's threshold.
    pub fn new(detector: impl Into<Arc<Detector>>) -> Self {
        Self::with_threshold(detector, detect::THRESHOLD)
    }

    /// Takes the detector; a face's score must be above this.
    pub fn with_threshold(detector: impl Into<Arc<Detector>>, threshold: f32) -> Self {
        Self { detector: detector.into(), threshold }
    }

    /// The network.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// Detects faces, without turning the photograph.
    ///
    /// # Errors
    /// [`FindError`]
    pub fn find(&self, scratch: &mut Scratch, image: &Bgr, mode: Mode) -> Result<Detected, FindError> {
        let size = Size { x: image.width(), y: image.height() };
        let native = matches!(mode, Mode::Auto | Mode::All);
        let first = self.looked(scratch, image, plan(mode, size)?, native)?;
        let again = mode == Mode::All || mode == Mode::Auto && first.faces.is_empty();
        if !again || !first.look.reduced() {
            return Ok(first);
        }
        let second = self.looked(scratch, image, fast(size, FAST_SIDE), native)?;
        Ok(joined(first, second))
    }

    /// Detects faces. If the largest face is turned, or none is found, it also searches the
    /// photograph turned by 90, 180 and 270 degrees, and takes the turn whose face is nearest to
    /// upright. Only [`Mode::Auto`] and [`Mode::All`] turn a photograph. Returns the photograph in
    /// which the faces lie.
    ///
    /// # Errors
    /// [`FindError`]
    pub fn upright(&self, scratch: &mut Scratch, image: Bgr, mode: Mode) -> Result<(Bgr, Detected), FindError> {
        let first = self.find(scratch, &image, mode)?;
        let turned = largest_pose(&first).is_none_or(|pose| pose.is_turned());
        if !turned || !matches!(mode, Mode::Auto | Mode::All) {
            return Ok((image, first));
        }
        let mut best: Option<(f64, u8, Detected)> = None;
        for (degrees, orientation) in TURNS {
            // Only one turned copy exists at a time, because a large photograph takes as much memory as all other data
            // together.
            let Some(other) = image.turned(orientation) else { continue };
            let mut found = self.find(scratch, &other, mode)?;
            found.look.rotated = degrees;
            let Some(pose) = largest_pose(&found).filter(|pose| !pose.is_turned()) else { continue };
            if best.as_ref().is_none_or(|(tilt, ..)| pose.tilt < *tilt) {
                best = Some((pose.tilt, orientation, found));
            }
        }
        Ok(match best {
            Some((_, orientation, found)) => (image.oriented(orientation), found),
            None => (image, first),
        })
    }

    /// Detects faces by a plan for this size of photograph.
    ///
    /// # Errors
    /// [`FindError::Run`]
    pub fn find_by(&self, scratch: &mut Scratch, image: &Bgr, look: DetectionPlan) -> Result<Detected, FindError> {
        self.looked(scratch, image, look, false)
    }

    /// Detects faces once, with the longer side reduced to [`FIRST_SIDE`], and detects no face again: the fastest
    /// way, for frames of a camera, in which the face is large.
    ///
    /// # Errors
    /// [`FindError`]
    pub fn glance(&self, scratch: &mut Scratch, image: &Bgr) -> Result<Detected, FindError> {
        let look = fast(Size { x: image.width(), y: image.height() }, FIRST_SIDE);
        self.once(scratch, image, look)
    }

    fn once(&self, scratch: &mut Scratch, image: &Bgr, look: DetectionPlan) -> Result<Detected, FindError> {
        let look = DetectionPlan { unit: image.unit(), ..look };
        let maps = maps(&self.detector, scratch, image, &look)?;
        Ok(detected(look, detect::read(&maps, &look.view, self.threshold)))
    }

    /// Detects faces, and too small or too large ones once more, if the photograph was reduced or
    /// the mode is native.
    fn looked(
        &self,
        scratch: &mut Scratch,
        image: &Bgr,
        look: DetectionPlan,
        native: bool,
    ) -> Result<Detected, FindError> {
        let mut found = self.once(scratch, image, look)?;
        if native || found.look.reduced() {
            let look_again = SecondLook::of(&self.detector, self.threshold, image, &found.look);
            found.second_looks = look_again.refine(scratch, &mut found.faces)?;
            found.faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        Ok(found)
    }
}

fn largest_pose(found: &Detected) -> Option<Pose> {
    found.faces.iter().max_by_key(|face| face.area.pixels()).map(Pose::of)
}

/// Joins the faces of both detections. A face that both found is taken from the first, since a
/// detection at a larger size splits large faces into parts.
fn joined(first: Detected, second: Detected) -> Detected {
    if first.faces.is_empty() {
        return second;
    }
    let known = |face: &Face| first.faces.iter().any(|other| other.area.shares(&face.area) > PART);
    let new: Vec<Face> = second.faces.into_iter().filter(|face| !known(face)).collect();
    let mut all = first;
    all.second_looks += second.second_looks.min(new.len());
    all.faces.extend(new);
    all.faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    all
}

fn maps<'s>(
    detector: &Detector,
    scratch: &'s mut Scratch,
    image: &Bgr,
    look: &DetectionPlan,
) -> Result<Maps<'s>, RunError> {
    let (DetectionPlan { window, view, .. }, rgb) = (look, seen(image, look).to_rgb());
    if look.margin.is_none() {
        return detector.maps(scratch, window.height, window.width, &rgb);
    }
    let (canvas, start) = ((view.net.y, view.net.x), (window.top, window.left));
    detector.maps_within(scratch, Region { canvas, start, size: (window.height, window.width) }, &rgb)
}

fn detected(look: DetectionPlan, raw: Vec<Raw>) -> Detected {
    let (mut faces, mut outside) = (Vec::new(), Vec::new());
    for detection in &raw {
        match detection.placed(&look.view) {
            Placed::Inside(face) => faces.push(face),
            Placed::Outside(raw) => outside.push(raw),
        }
    }
    Detected { look, raw, faces, outside, second_looks: 0 }
}
