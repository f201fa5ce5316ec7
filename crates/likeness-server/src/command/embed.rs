//! `likeness embed` prints the embedding of a face, 512 numbers.

use likeness::engine::Scratch;

use super::photograph::{no_answer, read};
use crate::args::Embed;
use crate::clock::Stopwatch;
use crate::config::policy_of_environment;
use crate::examiner::Examiner;
use crate::exit::{Exit, Failure};
use crate::models::LoadedModels;
use crate::print;
use crate::report::{EmbedReport, FaceReport};
use crate::routes::Needs;

/// Runs the command.
///
/// # Errors
/// A weight, the file, the photograph or its face is not usable.
pub fn run(args: &Embed) -> Result<Exit, Failure> {
    let (policy, bytes) = (policy_of_environment()?, read(&args.image)?);
    let models = LoadedModels::load(&args.weights, Needs::Embedding.roles())?;
    Needs::Embedding.met(&models)?;
    let (examiner, encoder) = (Examiner::new(&models, policy, args.face.options())?, models.encoder()?);
    let (mut scratch, mut watch) = (Scratch::default(), Stopwatch::start());
    let face = examiner.subject(&mut scratch, &bytes, &mut |stage| watch.lap(stage));
    let face = face.and_then(|face| face.with_embedding(&encoder, &mut scratch, &mut |stage| watch.lap(stage)));
    let face = face.map_err(|why| no_answer(&args.image, &why))?;
    let report = EmbedReport {
        image: args.image.display().to_string(),
        look: face.plan().into(),
        face: FaceReport::of(&face),
        contract_id: face.embedding().direction().space().to_string(),
        embedder: models.trust(),
        embedding: face.embedding().numbers().to_vec(),
        models: models.reports(),
        timing_ms: watch.timings(),
    };
    print::answer(&report, args.json, EmbedReport::lines);
    Ok(Exit::Success)
}
