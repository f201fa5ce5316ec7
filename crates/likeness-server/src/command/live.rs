//! `likeness live` prints whether a face is live, a spoof or indeterminate.

use likeness::engine::Scratch;
use likeness::liveness::Liveness;

use super::photograph::{no_answer, read};
use crate::args::Live;
use crate::clock::Stopwatch;
use crate::config::policy_of_environment;
use crate::examiner::Examiner;
use crate::exit::{Exit, Failure};
use crate::models::LoadedModels;
use crate::print;
use crate::report::LiveReport;
use crate::routes::Needs;

/// Runs the command.
///
/// # Errors
/// A weight, the file, the photograph or its face is not usable; then there is no verdict.
pub fn run(args: &Live) -> Result<Exit, Failure> {
    let (policy, bytes) = (policy_of_environment()?, read(&args.image)?);
    let models = LoadedModels::load(&args.weights, Needs::Liveness.roles())?;
    Needs::Liveness.met(&models)?;
    let (examiner, spoof) = (Examiner::new(&models, policy, args.face.options())?, models.spoof()?);
    let (mut scratch, mut watch) = (Scratch::default(), Stopwatch::start());
    let face = examiner.subject(&mut scratch, &bytes, &mut |stage| watch.lap(stage));
    let judged = face.and_then(|face| examiner.judge(&spoof, &mut scratch, face, &mut |stage| watch.lap(stage)));
    let judged = judged.map_err(|why| no_answer(&args.image, &why))?;
    let report = LiveReport::new(args.image.display().to_string(), &judged, models.reports(), watch.timings());
    print::answer(&report, args.json, LiveReport::lines);
    Ok(match judged.liveness() {
        Liveness::Live(_) => Exit::Success,
        Liveness::Spoof(_) => Exit::Rejected,
        Liveness::Indeterminate(..) => Exit::Undecided,
    })
}
