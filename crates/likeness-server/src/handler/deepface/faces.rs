//! Finds, cuts out, judges and embeds the faces of a photograph as DeepFace does: the library's steps, by
//! DeepFace's look policy.

use likeness::align::{aligned, unaligned};
use likeness::detect::{Area, Face, Point, Size, inside};
use likeness::embed::{self, TrustedEmbedder};
use likeness::engine::Scratch;
use likeness::examine::{self, NoAnswer, Stage};
use likeness::find::{Detected, EXACT_PIXELS, FAST_SIDE, Finder, Mode};
use likeness::image::Bgr;
use likeness::models::Role;
use likeness::quality::Unfit;
use likeness::spoof::SpoofPair;
use serde::Serialize;
use utoipa::ToSchema;

use super::request::{Backend, Options};
use crate::app::App;
use crate::clock::Stopwatch;
use crate::models::{LoadedModels, Unavailable};
use crate::problem::{Code, Problem};
use crate::trail;
use crate::work::count_decoder_panic;

/// The longest side that the detector sees in full size if no border is added.
const UNREDUCED: usize = 4096;

/// A face's area, in DeepFace's fields. Every field is null if the service could compare no pair of faces.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct AreaResponse {
    x: Option<i64>,
    y: Option<i64>,
    w: Option<i64>,
    h: Option<i64>,
    /// The person's own left eye; null if outside of the photograph or if no detector ran.
    #[schema(value_type = Option<Vec<i64>>)]
    left_eye: Option<Point>,
    /// The person's own right eye.
    #[schema(value_type = Option<Vec<i64>>)]
    right_eye: Option<Point>,
}

impl AreaResponse {
    fn whole(w: usize, h: usize) -> Self {
        let side = |length: usize| i64::try_from(length).ok();
        Self { x: Some(0), y: Some(0), w: side(w), h: side(h), left_eye: None, right_eye: None }
    }

    fn of(face: &Face, size: Size) -> Self {
        let Area { x, y, w, h } = face.area;
        let (left_eye, right_eye) = (inside(face.left_eye(), size), inside(face.right_eye(), size));
        Self { x: Some(x), y: Some(y), w: Some(w), h: Some(h), left_eye, right_eye }
    }
}

/// The embedder's input.
enum Cut {
    /// A cut-out face.
    Face(Bgr),
    /// The whole photograph.
    Whole,
}

/// A face before it is judged.
struct Candidate {
    area: Area,
    reported: AreaResponse,
    confidence: f64,
    cut: Cut,
}

/// A face with its embedding.
pub struct Represented {
    /// The area of the face.
    pub area: AreaResponse,
    /// The confidence that this is a face, with two decimals; 0 if no detector ran.
    pub confidence: f64,
    /// The embedding: 512 numbers, not normalised.
    pub embedding: Vec<f32>,
}

/// The result for a photograph.
pub enum Extracted {
    /// All faces of the photograph.
    Faces(Vec<Represented>),
    /// A face is a spoof, with this live probability; the remaining faces were not examined.
    Spoof(f64),
}

/// The route, which decides how the whole photograph is prepared if it counts as the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `verify` resamples floating-point numbers.
    Verify,
    /// `represent` with `skip` resamples bytes, and swaps height and width in its response, as DeepFace does.
    Represent,
}

/// The models and the options of a request.
pub struct FaceReader {
    finder: Option<Finder>,
    spoof: Option<SpoofPair>,
    embedder: TrustedEmbedder,
    native: examine::Options,
    options: Options,
}

impl FaceReader {
    /// Creates a reader with the models that these options need.
    ///
    /// # Errors
    /// `MODEL_UNAVAILABLE` names every missing model; `EMBEDDER_UNKNOWN` if the embedder is not trusted.
    pub fn of(app: &App, models: &LoadedModels, options: Options) -> Result<Self, Unavailable> {
        trail::models(app.policy(), || crate::app::seen(models));
        let detector = options.backend == Backend::Centerface;
        let needed = [
            (detector, Role::Detector),
            (options.anti_spoofing, Role::SpoofNear),
            (options.anti_spoofing, Role::SpoofFar),
            (true, Role::Embedder),
        ];
        let needed: Vec<Role> = needed.into_iter().filter_map(|(need, role)| need.then_some(role)).collect();
        models.require(&needed)?;
        let finder = detector.then(|| models.finder(&app.policy())).transpose()?;
        let spoof = options.anti_spoofing.then(|| models.spoof()).transpose()?;
        Ok(Self { finder, spoof, embedder: models.embedder()?, native: app.options(), options })
    }

    /// Embeds every face of a photograph; stops at the first spoof.
    ///
    /// # Errors
    /// The photograph's error, or `FACE_NOT_DETECTED` if a face is required and none is found.
    pub fn faces(
        &self,
        scratch: &mut Scratch,
        bytes: &[u8],
        route: Endpoint,
        most: usize,
    ) -> Result<Extracted, Problem> {
        let mut watch = Stopwatch::start();
        trail::photograph(bytes, self.native.mode);
        let image = examine::decode(bytes, &self.native.image, &mut |stage| watch.lap(stage));
        let image = image.inspect_err(count_decoder_panic).map_err(NoAnswer::Decode)?;
        let candidates = self.candidates(scratch, &image, route, most)?;
        watch.lap(Stage::Detect);
        let mut faces = Vec::new();
        for Candidate { area, reported, confidence, cut } in candidates {
            if let Some(live) = self.fake(scratch, &image, &area)? {
                return Ok(Extracted::Spoof(live));
            }
            watch.lap(Stage::Spoof);
            let embedding = self.embed(scratch, &image, &cut, route)?;
            faces.push(Represented { area: reported, confidence, embedding });
            watch.lap(Stage::Embed);
        }
        Ok(Extracted::Faces(faces))
    }

    /// Returns the faces in the detector's order; if there are more than `most`, only the largest, largest
    /// first.
    fn candidates(
        &self,
        scratch: &mut Scratch,
        image: &Bgr,
        route: Endpoint,
        most: usize,
    ) -> Result<Vec<Candidate>, Problem> {
        let Some(finder) = &self.finder else { return Ok(vec![whole(image, route)]) };
        let size = Size { x: image.width(), y: image.height() };
        let mode = mode(self.native.mode, self.options.align, size);
        let Detected { mut faces, look, .. } = finder.find(scratch, image, mode).map_err(NoAnswer::Find)?;
        if faces.is_empty() {
            // On every route, the response reports the area of the whole photograph as `verify` does.
            let whole = || vec![whole(image, Endpoint::Verify)];
            return if self.options.enforce { Err(no_face()) } else { Ok(whole()) };
        }
        if most < faces.len() {
            faces.sort_by_key(|face| std::cmp::Reverse(face.unclipped.pixels()));
            faces.truncate(most);
        }
        let cut = if self.options.align { aligned } else { unaligned };
        let candidate = |face: &Face| {
            let (reported, confidence) = (AreaResponse::of(&look.in_file(face), look.file_size()), face.confidence());
            Some(Candidate { area: face.area, reported, confidence, cut: Cut::Face(cut(image, face)?) })
        };
        let candidates: Vec<_> = faces.iter().filter_map(candidate).collect();
        if candidates.is_empty() && self.options.enforce { Err(no_face()) } else { Ok(candidates) }
    }

    /// Returns the live probability of a spoof; `None` if the face is real or the request does not require this test.
    fn fake(&self, scratch: &mut Scratch, image: &Bgr, area: &Area) -> Result<Option<f64>, Problem> {
        let Some(spoof) = &self.spoof else { return Ok(None) };
        if area.w < 1 || area.h < 1 {
            return Err(Unfit::TooSmall { expected: 1, found: 0 }.into());
        }
        let scores = spoof.scores(scratch, image, area).map_err(NoAnswer::Run)?;
        Ok((!scores.is_real()).then(|| scores.live_probability()))
    }

    fn embed(&self, scratch: &mut Scratch, image: &Bgr, cut: &Cut, route: Endpoint) -> Result<Vec<f32>, Problem> {
        let input = match (cut, route) {
            (Cut::Face(face), _) => embed::input(face),
            (Cut::Whole, Endpoint::Represent) if self.finder.is_none() => embed::input_skip(image),
            (Cut::Whole, _) => embed::input(image),
        };
        let input = input.ok_or(Unfit::TooSmall { expected: 1, found: 0 })?;
        Ok(self.embedder.embedder().embed(scratch, &input).map_err(NoAnswer::Run)?.to_vec())
    }
}

/// Returns the problem that no face was found, with DeepFace's message.
fn no_face() -> Problem {
    let message = "Face could not be detected in the given image. Please confirm that the picture is a face photo, or \
        set enforce_detection to false.";
    Problem::new(Code::FaceNotDetected, message)
}

/// Returns the whole photograph as a face.
fn whole(image: &Bgr, route: Endpoint) -> Candidate {
    let (width, height) = (image.width(), image.height());
    let [across, down] = [width, height].map(|side| side * image.unit());
    let reported = match route {
        Endpoint::Verify => AreaResponse::whole(across - 1, down - 1),
        Endpoint::Represent => AreaResponse::whole(down, across),
    };
    let area = Area { x: 0, y: 0, w: width as i64 - 1, h: height as i64 - 1 };
    Candidate { area, reported, confidence: 0.0, cut: Cut::Whole }
}

/// Chooses the detection mode as DeepFace does, within the service's settings. `auto` is exact unless the
/// photograph is too large, and `fast` stays fast.
fn mode(set: Mode, align: bool, size: Size) -> Mode {
    let large = size.x * size.y > EXACT_PIXELS;
    match (set, align) {
        (Mode::Fast { .. }, _) => set,
        (Mode::Auto, _) if large => Mode::Fast { side: FAST_SIDE },
        (Mode::Exact, false) if large => Mode::Exact,
        (_, true) => Mode::Exact,
        (_, false) => Mode::Fast { side: UNREDUCED },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parity_unless_the_mode_is_fast_or_the_photograph_is_too_large() {
        let (small, large) = (Size { x: 4500, y: 1000 }, Size { x: 4501, y: 1000 });
        let (fast, unreduced) = (Mode::Fast { side: 320 }, Mode::Fast { side: UNREDUCED });
        let table = [
            (Mode::Auto, true, small, Mode::Exact),
            (Mode::Auto, false, small, unreduced),
            (Mode::Auto, true, large, Mode::Fast { side: FAST_SIDE }),
            (Mode::Auto, false, large, Mode::Fast { side: FAST_SIDE }),
            (Mode::Exact, true, large, Mode::Exact),
            (Mode::Exact, false, large, Mode::Exact),
            (Mode::Exact, false, small, unreduced),
            (fast, true, small, fast),
            (fast, false, large, fast),
        ];
        for (set, align, size, expected) in table {
            assert_eq!(mode(set, align, size), expected, "{set:?} {align} {size:?}");
        }
    }
}
