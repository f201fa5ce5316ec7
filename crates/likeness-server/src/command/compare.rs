//! `likeness compare` prints the verdict on two photographs.

use likeness::engine::Scratch;
use likeness::models::Role;
use likeness::policy::Threshold;
use likeness::verdict::{Verdict, compare};

use super::photograph::{no_answer, read};
use crate::args::Compare;
use crate::clock::Stopwatch;
use crate::config::policy_of_environment;
use crate::examiner::FullExaminer;
use crate::exit::{Exit, Failure};
use crate::models::LoadedModels;
use crate::print;
use crate::report::CompareReport;

/// The name of these four networks together.
const BUNDLE: &str = "centerface-minifasnet-facenet512";

/// Runs the command.
///
/// # Errors
/// A weight, a file, a photograph or its face is not usable; then there is no verdict.
pub fn run(args: &Compare) -> Result<Exit, Failure> {
    if let Some(found) = args.threshold.filter(|threshold| !(0.0..=2.0).contains(threshold)) {
        return Err(Failure::new(Exit::Usage, format!("--threshold: expected a distance of 0 to 2, found {found}")));
    }
    let policy = policy_of_environment()?;
    let paths = [&args.first, &args.second];
    let bytes = [read(paths[0])?, read(paths[1])?];
    let mut watch = Stopwatch::start();
    let models = LoadedModels::load(&args.weights, &Role::ALL)?;
    let examiner = FullExaminer::new(&models, policy, args.face.options())?;
    watch.note("load");
    let mut scratch = Scratch::default();
    let mut examine = |at: usize| {
        let face = examiner.examine(&mut scratch, &bytes[at], &mut |stage| watch.lap(stage));
        face.map_err(|why| no_answer(paths[at], &why))
    };
    let faces = [examine(0)?, examine(1)?];
    let threshold = args.threshold.map_or(policy.threshold, Threshold::requested);
    let decision = compare(&faces[0], &faces[1], threshold).map_err(|why| no_answer(paths[1], &why.into()))?;
    let report = CompareReport {
        bundle: BUNDLE,
        contract_id: examiner.encoder.space().to_string(),
        embedder: models.trust(),
        models: models.reports(),
        timing_ms: watch.timings(),
        ..CompareReport::new(paths.map(|path| path.display().to_string()), &faces, &decision)
    };
    print::answer(&report, args.json, CompareReport::lines);
    Ok(match decision.verdict() {
        Verdict::Accept(_) => Exit::Success,
        Verdict::Reject(_) => Exit::Rejected,
        Verdict::Review(_) => Exit::Undecided,
    })
}
