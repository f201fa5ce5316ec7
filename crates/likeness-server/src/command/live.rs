//! `likeness live` prints whether a face is live, a spoof or indeterminate.

use likeness::liveness::Liveness;

use super::batch::{each, photographs};
use crate::args::Live;
use crate::clock::Stopwatch;
use crate::config::policy_of_environment;
use crate::examiner::Examiner;
use crate::exit::{Exit, Failure};
use crate::models::LoadedModels;
use crate::report::LiveReport;
use crate::routes::Needs;

/// Runs the command.
///
/// # Errors
/// A weight or a folder is not right: never a verdict. A photograph that is not usable is reported, and the next ones
/// are examined.
pub fn run(args: &Live) -> Result<Exit, Failure> {
    let (policy, images) = (policy_of_environment()?, photographs(&args.images)?);
    let models = LoadedModels::load(&args.weights, Needs::Liveness.roles())?;
    Needs::Liveness.met(&models)?;
    let (examiner, spoof) = (Examiner::new(&models, policy, args.face.options())?, models.spoof()?);
    let worst = each(
        &images,
        args.json,
        |scratch, path, bytes| {
            let mut watch = Stopwatch::start();
            let face = examiner.subject(scratch, bytes, &mut |stage| watch.lap(stage))?;
            let judged = examiner.judge(&spoof, scratch, face, &mut |stage| watch.lap(stage))?;
            let exit = match judged.liveness() {
                Liveness::Live(_) => Exit::Success,
                Liveness::Spoof(_) => Exit::Rejected,
                Liveness::Indeterminate(..) => Exit::Undecided,
            };
            Ok((LiveReport::new(path.display().to_string(), &judged, models.reports(), watch.timings()), exit))
        },
        LiveReport::lines,
    );
    Ok(worst)
}
