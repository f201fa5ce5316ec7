//! What the native routes do with a photograph before a network is asked who or whether: decode,
//! find, choose, measure. Each stage's milliseconds are kept. Touches nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use likeness::detect::Face;
use likeness::engine::Scratch;
use likeness::find::{Detected, Finder, Mode};
use likeness::image::{self, Bgr};
use likeness::pipeline::{NoAnswer, Stage, Subject};
use likeness::quality::{self, Quality, Unfit};

use crate::problem::{Code, Problem};

/// A second face of more than this part of the largest one's area makes the choice unsure.
const RIVAL: f64 = 0.5;

/// Milliseconds by stage.
pub type Timings = BTreeMap<&'static str, f64>;

/// A clock for stages.
pub struct Watch {
    last: Instant,
    timings: Timings,
}

impl Default for Watch {
    fn default() -> Self {
        Self { last: Instant::now(), timings: Timings::new() }
    }
}

impl Watch {
    /// A stage has ended.
    pub fn lap(&mut self, stage: Stage) {
        self.note(stage.name());
    }

    /// Something else has ended.
    pub fn note(&mut self, name: &'static str) {
        let now = Instant::now();
        let ms = (now - self.last).as_secs_f64() * 1e3;
        metrics::histogram!("likeness_stage_seconds", "stage" => name).record(ms / 1e3);
        *self.timings.entry(name).or_default() += ms;
        self.last = now;
    }

    /// The milliseconds so far, to the thousandth.
    pub fn timings(self) -> Timings {
        self.timings.into_iter().map(|(name, ms)| (name, (ms * 1e3).round() / 1e3)).collect()
    }
}

/// How a photograph is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Eye {
    /// What may be decoded.
    pub limits: image::Limits,
    /// How faces are looked for.
    pub mode: Mode,
}

impl Eye {
    /// Decodes and finds all faces.
    ///
    /// # Errors
    /// The photograph's own.
    pub fn find(
        &self,
        finder: &Finder,
        scratch: &mut Scratch,
        bytes: &[u8],
        watch: &mut Watch,
    ) -> Result<(Bgr, Detected), Problem> {
        let image = image::decode(bytes, &self.limits).map_err(NoAnswer::Decode)?;
        watch.lap(Stage::Decode);
        let found = finder.find(scratch, &image, self.mode).map_err(NoAnswer::Find)?;
        watch.lap(Stage::Detect);
        Ok((image, found))
    }

    /// Decodes, finds, and takes the face that counts.
    ///
    /// # Errors
    /// The photograph's own, `FACE_NOT_DETECTED`, `MULTIPLE_FACES`, and `POOR_IMAGE_QUALITY` for a
    /// face that no network can judge.
    pub fn subject(
        &self,
        finder: &Finder,
        scratch: &mut Scratch,
        bytes: &[u8],
        watch: &mut Watch,
    ) -> Result<Seen, Problem> {
        let (image, found) = self.find(finder, scratch, bytes, watch)?;
        Ok(Seen::of(image, &found, watch)?)
    }
}

/// A photograph, its face, and how good its picture is.
pub struct Seen {
    /// Photograph and face.
    pub subject: Subject,
    /// What was measured.
    pub quality: Quality,
}

impl Seen {
    /// Takes the face that counts.
    ///
    /// # Errors
    /// There is none, several could be meant, or no network can judge it.
    pub fn of(image: Bgr, found: &Detected, watch: &mut Watch) -> Result<Self, Unfit> {
        let face = choose(&found.faces)?;
        // What the frame cuts is a matter for liveness, which says `context_too_small`.
        let limits = quality::Limits { inside: 0.0, ..quality::Limits::default() };
        quality::check(&image, &face, &limits)?;
        let quality = Quality::of(&image, &face.area);
        watch.lap(Stage::Quality);
        Ok(Self { subject: Subject { image, look: found.look, face }, quality })
    }

    /// The quality reaches this score, and whatever else is asked.
    ///
    /// # Errors
    /// `POOR_IMAGE_QUALITY`
    pub fn reach(&self, score: f64, blur: f64, side: i64) -> Result<(), Problem> {
        let found = self.quality;
        let mut issues = Vec::new();
        if found.blur < blur {
            issues.push(format!("blurred: expected a sharpness of {blur}, found {:.1}", found.blur));
        }
        if found.side < side {
            issues.push(format!("small: expected a shorter side of {side} pixels, found {}", found.side));
        }
        if found.score() < score {
            issues.push(format!("quality: expected {score}, found {:.1}", found.score()));
        }
        if issues.is_empty() {
            return Ok(());
        }
        Err(Problem::new(Code::PoorImageQuality, issues.join("; "))
            .with("quality_score", round(found.score(), 2))
            .with("min_threshold", score)
            .with("issues", issues))
    }
}

/// Rounds to so many decimals.
pub fn round(value: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (value * unit).round() / unit
}

/// The largest face, unless the second has over half its area.
///
/// # Errors
/// [`Unfit::NoFace`], [`Unfit::SeveralFaces`]
pub fn choose(faces: &[Face]) -> Result<Face, Unfit> {
    let mut by_area: Vec<&Face> = faces.iter().collect();
    // Of equals the first, which is the surer one.
    by_area.sort_by_key(|face| std::cmp::Reverse(face.area.pixels()));
    match by_area.as_slice() {
        [] => Err(Unfit::NoFace),
        [first, second, ..] if second.area.pixels() as f64 > RIVAL * first.area.pixels() as f64 => {
            Err(Unfit::SeveralFaces { found: faces.len() })
        }
        [first, ..] => Ok(**first),
    }
}

#[cfg(test)]
mod tests {
    use likeness::detect::Area;

    use super::*;

    fn face(w: i64, h: i64) -> Face {
        let area = Area { x: 0, y: 0, w, h };
        Face { area, unclipped: area, landmarks: [[0, 0]; 5], score: 0.9 }
    }

    #[test]
    fn a_rival_has_over_half_the_largest_face_s_area() {
        let (large, half, over) = (face(10, 10), face(5, 10), face(51, 1));
        assert_eq!(choose(&[]), Err(Unfit::NoFace));
        assert_eq!(choose(&[half, large]), Ok(large));
        assert_eq!(choose(&[large, over]), Err(Unfit::SeveralFaces { found: 2 }));
        assert_eq!(choose(&[large, large]), Err(Unfit::SeveralFaces { found: 2 }));
        assert_eq!(choose(&[half, half, large]), Ok(large));
    }
}
