//! The library's pipeline for commands and routes, with the models and the policy that a request began with.

use std::collections::BTreeSet;

use likeness::capture::outcome::HoldSeen;
use likeness::embed::{Embedding, FaceEncoder};
use likeness::engine::Scratch;
use likeness::examine::{Absent, Examination, NoAnswer, Options, Photograph, Watch};
use likeness::find::{FIRST_SIDE, Finder, Mode};
use likeness::liveness::Liveness;
use likeness::policy::{Policy, QualityRule};
use likeness::quality::{Quality, Unfit};
use likeness::spoof::SpoofPair;

use crate::models::{LoadedModels, Role, Unavailable};
use crate::problem::{Code, Problem};
use crate::trail;
use crate::work::count_decoder_panic;

/// Finds faces, and chooses the one to judge.
#[derive(Clone)]
pub struct Examiner {
    finder: Finder,
    /// The policy of the request.
    pub policy: Policy,
    options: Options,
}

impl Examiner {
    /// Creates an examiner with the loaded detector.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn new(models: &LoadedModels, policy: Policy, options: Options) -> Result<Self, Unavailable> {
        Ok(Self { finder: models.finder(&policy)?, policy, options })
    }

    /// Returns an examiner that finds all faces instead of choosing one.
    #[must_use]
    pub fn for_all(self) -> Self {
        let options = Options { mode: self.options.mode.for_all(), ..self.options };
        Self { options, ..self }
    }

    /// Decodes a photograph and finds all faces.
    ///
    /// # Errors
    /// The photograph can't be decoded or searched.
    pub fn photograph(&self, scratch: &mut Scratch, bytes: &[u8], watch: Watch) -> Result<Photograph, NoAnswer> {
        trail::photograph(bytes, self.options.mode);
        let photograph = Photograph::of(&self.finder, scratch, bytes, &self.options, watch);
        photograph.inspect_err(count_panic)
    }

    /// Decodes a frame of a camera and finds faces by one detection at 320 pixels.
    ///
    /// # Errors
    /// The frame can't be decoded or searched.
    pub fn frame(&self, scratch: &mut Scratch, bytes: &[u8], watch: Watch) -> Result<Photograph, NoAnswer> {
        trail::photograph(bytes, Mode::Fast { side: FIRST_SIDE });
        let frame = Photograph::glance(&self.finder, scratch, bytes, &self.options, watch);
        frame.inspect_err(count_panic)
    }

    /// Judges the largest face of a frame with both spoof networks, to guide the person. The trail gets no
    /// liveness: guidance decides nothing, so it has no record. `None` if no face can be judged.
    ///
    /// # Errors
    /// [`NoAnswer::Run`]
    pub fn guidance(
        &self,
        spoof: &SpoofPair,
        scratch: &mut Scratch,
        frame: Photograph,
        watch: Watch,
    ) -> Result<Option<Liveness>, NoAnswer> {
        let Ok(face) = frame.examine(&self.policy, true, watch) else { return Ok(None) };
        Ok(Some(*face.with_liveness(spoof, &self.policy, scratch, watch)?.liveness()))
    }

    /// Decodes a photograph, finds faces and chooses the one to judge.
    ///
    /// # Errors
    /// The photograph can't be decoded or searched, or [`NoAnswer::Unfit`].
    pub fn subject(&self, scratch: &mut Scratch, bytes: &[u8], watch: Watch) -> Result<Examination, NoAnswer> {
        let photograph = self.photograph(scratch, bytes, watch)?;
        let face = photograph.examine(&self.policy, self.options.largest, watch)?;
        trail::face(&face);
        Ok(face)
    }

    /// Judges the face with both spoof networks.
    ///
    /// # Errors
    /// [`NoAnswer::Run`]
    pub fn judge<E>(
        &self,
        spoof: &SpoofPair,
        scratch: &mut Scratch,
        face: Examination<Absent, E>,
        watch: Watch,
    ) -> Result<Examination<Liveness, E>, NoAnswer> {
        let judged = face.with_liveness(spoof, &self.policy, scratch, watch)?;
        trail::liveness(judged.liveness());
        Ok(judged)
    }
}

fn count_panic(why: &NoAnswer) {
    if let NoAnswer::Decode(why) = why {
        count_decoder_panic(why);
    }
}

/// An examiner with both spoof networks and the embedder, which every verdict needs.
#[derive(Clone)]
pub struct FullExaminer {
    /// Finds the face.
    pub examiner: Examiner,
    spoof: SpoofPair,
    /// Embeds it.
    pub encoder: FaceEncoder,
}

/// A face that all models answered.
pub type Examined = Examination<Liveness, Embedding>;

impl FullExaminer {
    /// Makes an examiner with the models that are loaded now.
    ///
    /// # Errors
    /// [`Unavailable`] names every model that is not loaded.
    pub fn new(models: &LoadedModels, policy: Policy, options: Options) -> Result<Self, Unavailable> {
        models.require(&Role::ALL)?;
        models.calibrated(&policy, &options)?;
        let examiner = Examiner::new(models, policy, options)?;
        Ok(Self { examiner, spoof: models.spoof()?, encoder: models.encoder()? })
    }

    /// Finds and judges; nothing is embedded yet. `fit` sees what was measured before a network judges.
    ///
    /// # Errors
    /// The photograph's own, and what `fit` refuses.
    pub fn judged<P: From<NoAnswer>>(
        &self,
        scratch: &mut Scratch,
        bytes: &[u8],
        watch: Watch,
        fit: impl FnOnce(&Quality) -> Result<(), P>,
    ) -> Result<Examination<Liveness>, P> {
        let face = self.examiner.subject(scratch, bytes, watch)?;
        fit(face.quality())?;
        Ok(self.examiner.judge(&self.spoof, scratch, face, watch)?)
    }

    /// Finds, judges and embeds.
    ///
    /// # Errors
    /// The photograph can't be searched or judged.
    pub fn examine(&self, scratch: &mut Scratch, bytes: &[u8], watch: Watch) -> Result<Examined, NoAnswer> {
        let judged = self.judged(scratch, bytes, watch, |_| Ok::<_, NoAnswer>(()))?;
        self.embedded(scratch, judged, watch)
    }

    /// Examines a frame of a hold with all networks; the trail gets no photograph's liveness, since the answer has none.
    ///
    /// # Errors
    /// The face is unfit, or a network failed.
    pub fn hold(&self, scratch: &mut Scratch, frame: Photograph, watch: Watch) -> Result<HoldSeen, NoAnswer> {
        let policy = &self.examiner.policy;
        let judged = frame.examine(policy, false, watch)?.with_liveness(&self.spoof, policy, scratch, watch)?;
        Ok(HoldSeen::of(&self.embedded(scratch, judged, watch)?))
    }

    /// Embeds a judged face.
    ///
    /// # Errors
    /// The embedder failed.
    pub fn embedded(
        &self,
        scratch: &mut Scratch,
        face: Examination<Liveness>,
        watch: Watch,
    ) -> Result<Examined, NoAnswer> {
        face.with_embedding(&self.encoder, scratch, watch)
    }
}

/// A quality reaches this rule.
///
/// # Errors
/// `POOR_IMAGE_QUALITY`
pub fn reach(found: &Quality, rule: &QualityRule) -> Result<(), Problem> {
    let mut faults = Vec::new();
    if found.blur < rule.blur {
        faults.push(Unfit::Blurred { expected: rule.blur, found: found.blur });
    }
    if found.side < rule.side {
        faults.push(Unfit::TooSmall { expected: rule.side, found: found.side });
    }
    let causes = found.causes(rule.score);
    faults.extend(found.exposure().filter(|unfit| causes.contains(&unfit.code())));
    let mut sentences: Vec<String> = faults.iter().map(ToString::to_string).collect();
    if !causes.is_empty() {
        let [sharpness, light, size] = found.parts();
        let parts = format!("sharpness {sharpness:.1}, light {light:.1}, size {size:.1}");
        sentences.push(format!("quality: expected {}, found {:.1} ({parts}, each of 100)", rule.score, found.score()));
    }
    let issues: BTreeSet<&str> = faults.iter().map(Unfit::code).chain(causes).collect();
    if issues.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::PoorImageQuality, sentences.join("; "))
        .with("quality_score", round(found.score(), 2))
        .with("min_threshold", rule.score)
        .with("issues", issues.into_iter().collect::<Vec<_>>()))
}

/// Rounds to so many decimals.
pub fn round(value: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (value * unit).round() / unit
}
