//! `likeness embed` prints the embedding of each face, 512 numbers.

use super::batch::{each, photographs};
use crate::args::Embed;
use crate::clock::Stopwatch;
use crate::config::policy_of_environment;
use crate::examiner::Examiner;
use crate::exit::{Exit, Failure};
use crate::models::LoadedModels;
use crate::report::{EmbedReport, FaceReport};
use crate::routes::Needs;

/// Runs the command.
///
/// # Errors
/// A weight or a folder is not usable. A photograph that is not usable is reported, and the command continues.
pub fn run(args: &Embed) -> Result<Exit, Failure> {
    let (policy, images) = (policy_of_environment()?, photographs(&args.images)?);
    let models = LoadedModels::load(&args.weights, Needs::Embedding.roles())?;
    Needs::Embedding.met(&models)?;
    let (examiner, encoder) = (Examiner::new(&models, policy, args.face.options())?, models.encoder()?);
    let worst = each(
        &images,
        args.json,
        |scratch, path, bytes| {
            let mut watch = Stopwatch::start();
            let face = examiner.subject(scratch, bytes, &mut |stage| watch.lap(stage))?;
            let face = face.with_embedding(&encoder, scratch, &mut |stage| watch.lap(stage))?;
            let report = EmbedReport {
                image: path.display().to_string(),
                look: face.plan().into(),
                face: FaceReport::of(&face),
                contract_id: face.embedding().direction().space().to_string(),
                embedder: models.trust(),
                embedding: face.embedding().numbers().to_vec(),
                models: models.reports(),
                timing_ms: watch.timings(),
            };
            Ok((report, Exit::Success))
        },
        EmbedReport::lines,
    );
    Ok(worst)
}
