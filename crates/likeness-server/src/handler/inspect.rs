//! `POST /api/v1/inspect`: what each network saw in one photograph or two, and what it said.
//!
//! Needs the detector only. What the other networks would have told is null without them, and
//! `missing` names their files: never a verdict.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use likeness::align::aligned;
use likeness::embed::{self, Embedding};
use likeness::engine::Scratch;
use likeness::find::Finder;
use likeness::liveness::Liveness;
use likeness::pipeline::{Identity, NoAnswer, Options, Stage, Subject, liveness};
use likeness::quality::Unfit;
use likeness::spoof::SpoofPair;
use likeness::verdict::{Comparison, Reference, decide};

use super::detect::{MOST, faces};
use super::inspect_told::{
    CompareTold, EmbedderTold, InspectAnswer, LivenessSeen, Missing, PhotographTold, QualityTold, UnfitTold,
};
use super::liveness::options;
use super::told::SizeTold;
use crate::app::App;
use crate::form::Form;
use crate::held::Networks;
use crate::look::{Eye, Seen, Watch};
use crate::models::Role;
use crate::problem::Problem;

/// What looks: the detector, and whatever else is held.
struct Lookers {
    eye: Eye,
    options: Options,
    finder: Arc<Finder>,
    pair: Option<Arc<SpoofPair>>,
    identity: Option<Arc<Identity>>,
    networks: Arc<Networks>,
}

/// A photograph, and what a comparison takes from it.
struct Inspected {
    told: PhotographTold,
    judged: Option<Liveness>,
    embedding: Option<Embedding>,
}

/// Shows what the networks saw.
///
/// # Errors
/// A photograph's own, with its field, or `MODEL_UNAVAILABLE` without a detector.
#[utoipa::path(post, path = "/api/v1/inspect", tag = "faces",
    request_body(content = super::inspect_told::InspectForm, content_type = "multipart/form-data"),
    responses((status = 200, body = InspectAnswer)))]
pub async fn inspect(State(app): State<App>, form: Form) -> Result<Json<InspectAnswer>, Problem> {
    let second = form.file_if_any("file2")?.map(|bytes| ("file2", bytes));
    let files: Vec<_> = std::iter::once(("file", form.file("file")?)).chain(second).collect();
    let networks = app.held.now();
    let lookers = Lookers {
        eye: app.eye(),
        options: options(&app),
        finder: networks.detector()?,
        pair: networks.pair.clone(),
        identity: networks.identity.clone(),
        networks,
    };
    let (threshold, model) = (app.settings.verdict.distance, app.model());
    let work = app.work.run(move |scratch| {
        let mut photographs = Vec::new();
        for (field, bytes) in &files {
            photographs
                .push(lookers.photograph(scratch, field, bytes).map_err(|problem| problem.with("field", *field))?);
        }
        let comparison = match photographs.as_slice() {
            [first, second] => compared(first, second, threshold)?,
            _ => None,
        };
        let photographs = photographs.into_iter().map(|inspected| inspected.told).collect();
        Ok(InspectAnswer { photographs, comparison, missing: Missing::of(&lookers.networks), model })
    });
    work.await.map(Json)
}

impl Lookers {
    fn photograph(&self, scratch: &mut Scratch, field: &'static str, bytes: &[u8]) -> Result<Inspected, Problem> {
        let mut watch = Watch::default();
        let (image, found) = self.eye.find(&self.finder, scratch, bytes, &mut watch)?;
        let mut told = PhotographTold {
            field,
            image_dimensions: SizeTold::of(&image),
            detection: found.look.name(),
            faces: faces(&image, &found.faces, MOST),
            subject: None,
            unfit: None,
            quality: None,
            liveness: None,
            embedder: None,
            timing_ms: Default::default(),
        };
        let seen = match Seen::of(image, &found, &mut watch) {
            Ok(seen) => seen,
            Err(unfit) => return Ok(without_subject(told, unfit, watch)),
        };
        told.subject = found.faces.iter().take(MOST).position(|face| *face == seen.subject.face);
        told.quality = Some(QualityTold::of(&seen.quality));
        let judged = self.judge(scratch, &seen.subject, &mut watch)?;
        let embedded = self.embed(scratch, &seen.subject, &mut watch)?;
        let file = |role: Role| self.networks.roles[role.at()].file.clone();
        if let Some(judged) = &judged {
            let files = [file(Role::SpoofNear), file(Role::SpoofFar)];
            told.liveness = Some(LivenessSeen::of(judged, &seen.subject.image, files, &self.options.liveness)?);
        }
        let (input, embedding) = embedded.unzip();
        if let Some(input) = input {
            told.embedder = Some(EmbedderTold::of(&input, file(Role::Embedder))?);
        }
        watch.note("render");
        told.timing_ms = watch.timings();
        Ok(Inspected { told, judged, embedding })
    }

    fn judge(&self, scratch: &mut Scratch, subject: &Subject, watch: &mut Watch) -> Result<Option<Liveness>, NoAnswer> {
        let Some(pair) = &self.pair else { return Ok(None) };
        liveness(pair, scratch, subject, &self.options, &mut |stage| watch.lap(stage)).map(Some)
    }

    /// What the embedder saw, and its answer.
    fn embed(
        &self,
        scratch: &mut Scratch,
        subject: &Subject,
        watch: &mut Watch,
    ) -> Result<Option<(Vec<f32>, Embedding)>, NoAnswer> {
        let Some(identity) = &self.identity else { return Ok(None) };
        let nothing = Unfit::TooSmall { expected: 1, found: 0 };
        let face = aligned(&subject.image, &subject.face).ok_or(nothing)?;
        watch.lap(Stage::Align);
        let input = embed::input(&face).ok_or(nothing)?;
        let numbers = identity.embedder().embed(scratch, &input)?.to_vec();
        watch.lap(Stage::Embed);
        Ok(Some((input, Embedding::new(identity.contract(), numbers))))
    }
}

fn without_subject(mut told: PhotographTold, unfit: Unfit, watch: Watch) -> Inspected {
    told.unfit = Some(UnfitTold::of(unfit));
    told.timing_ms = watch.timings();
    Inspected { told, judged: None, embedding: None }
}

/// The distance, where both have a face and the embedder is held; a verdict, where liveness was judged.
fn compared(first: &Inspected, second: &Inspected, threshold: f64) -> Result<Option<CompareTold>, NoAnswer> {
    let (Some(a), Some(b)) = (&first.embedding, &second.embedding) else { return Ok(None) };
    // A match is below the threshold; the library's is at most it.
    let comparison = Comparison::of(a, b, threshold.next_down())?;
    let judged = first.judged.as_ref().zip(second.judged.as_ref());
    let verdict = judged.map(|(probe, other)| decide(probe, Reference::Photograph(other), &comparison));
    Ok(Some(CompareTold::of(comparison.distance, threshold, verdict.as_ref())))
}
