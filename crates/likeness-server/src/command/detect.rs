//! `likeness detect` prints the faces in photographs.

use std::fs;
use std::path::Path;

use likeness::engine::Scratch;
use likeness::examine::{Options, Photograph};

use super::photograph::{no_answer, read};
use crate::args::Detect;
use crate::clock::Stopwatch;
use crate::config::policy_of_environment;
use crate::draw;
use crate::examiner::Examiner;
use crate::exit::{Exit, Failure};
use crate::models::LoadedModels;
use crate::print;
use crate::report::DetectReport;
use crate::routes::Needs;

/// Runs the command.
///
/// # Errors
/// A weight, a file or a photograph is not usable; then no result is printed.
pub fn run(args: &Detect) -> Result<Exit, Failure> {
    if args.draw.is_some() && args.images.len() > 1 {
        let found = args.images.len();
        return Err(Failure::new(Exit::Usage, format!("--draw: expected one photograph, found {found}")));
    }
    let policy = policy_of_environment()?;
    let models = LoadedModels::load(&args.weights, Needs::Detector.roles())?;
    let options = Options { mode: args.look.mode().for_all(), ..Options::default() };
    let (examiner, mut scratch) = (Examiner::new(&models, policy, options)?, Scratch::default());
    let mut report = Vec::new();
    for path in &args.images {
        let mut watch = Stopwatch::start();
        let bytes = read(path)?;
        watch.note("read");
        let found = examiner
            .photograph(&mut scratch, &bytes, &mut |stage| watch.lap(stage))
            .map_err(|why| no_answer(path, &why))?;
        if let Some(out) = &args.draw {
            write_drawn(out, &found)?;
        }
        report.push(DetectReport::new(path.display().to_string(), found.detected(), watch.timings()));
    }
    print::answer(&report, args.json, |report| report.iter().map(DetectReport::lines).collect());
    Ok(Exit::Success)
}

fn write_drawn(out: &Path, found: &Photograph) -> Result<(), Failure> {
    let failed = |why: String| Failure::new(Exit::FileFailed, format!("{}: {why}", out.display()));
    let bytes = draw::png(found.image(), &found.detected().faces).map_err(|error| failed(error.to_string()))?;
    fs::write(out, bytes).map_err(|error| failed(error.to_string()))
}
