//! The search for faces, in one of two ways.
//!
//! `exact` looks once, as DeepFace does. The native look follows from what is found. The detector is surest about faces
//! that are 130 to 300 pixels high in what it sees. So it first sees the photograph alone, its longer side reduced to 320
//! pixels, and then each face that is small there once more, reduced less (`second_look`). Where nothing is found, and
//! where all faces are wanted, it sees 640 pixels too. A photograph on its side is turned upright ([`Finder::upright`]). Results are in the photograph's own pixels, with the way they were
//! found. Touches nothing.

use std::sync::Arc;

use crate::detect::{self, Face, Placed, Raw, Size};
use crate::engine::{Region, RunError, Scratch};
use crate::image::Bgr;
use crate::net::Detector;
use crate::net::centerface::Maps;
pub use crate::plan::{DetectionPlan, EXACT_PIXELS, FAST_SIDE, FIRST_SIDE, FindError, Mode, plan, whole};
use crate::plan::{fast, seen};
use crate::second_look::SecondLook;
use crate::turn::{Pose, TURNS};

/// A face of which more than this part lies in a larger one's box is a part of that one.
const PART: f64 = 0.5;

/// A photograph's faces.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// How it was looked.
    pub look: DetectionPlan,
    /// All detections, best first, before their coordinates are truncated to integers.
    pub raw: Vec<Raw>,
    /// The faces, best first.
    pub faces: Vec<Face>,
    /// Detections of which nothing lies in the photograph.
    pub outside: Vec<Raw>,
    /// How many faces come from a second look in a reduced photograph.
    pub second_looks: usize,
}

/// The detector, and how sure it must be.
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

    /// Looks for faces.
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

    /// Looks for faces. Where the largest one is turned, or there is none, it looks in the photograph turned by 90, 180 and
    /// 270 degrees too: the turn with the face nearest to upright is what counts. The native look alone turns photographs. Gives the
    /// photograph in which the faces lie.
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
            // One turned copy at a time: a large photograph takes as much memory as all else together.
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

    /// Looks in a way that was planned for this size of photograph.
    ///
    /// # Errors
    /// [`FindError::Run`]
    pub fn find_by(&self, scratch: &mut Scratch, image: &Bgr, look: DetectionPlan) -> Result<Detected, FindError> {
        self.looked(scratch, image, look, false)
    }

    /// A reduced photograph gets second looks, and in the native look any photograph does.
    fn looked(
        &self,
        scratch: &mut Scratch,
        image: &Bgr,
        look: DetectionPlan,
        native: bool,
    ) -> Result<Detected, FindError> {
        let look = DetectionPlan { unit: image.unit(), ..look };
        let maps = maps(&self.detector, scratch, image, &look)?;
        let mut found = detected(look, detect::read(&maps, &look.view, self.threshold));
        if native || look.reduced() {
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

/// The faces of both looks: a face that both show as the first one shows it, since large faces fall into parts in a less
/// reduced look.
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
