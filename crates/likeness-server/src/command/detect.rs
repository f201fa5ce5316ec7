//! `likeness detect` prints the faces in photographs.

use std::fs;
use std::path::Path;

use likeness::examine::{Options, Photograph};

use super::batch::{each, photographs};
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
/// A weight or a folder is not usable. A photograph that is not usable is reported, and the command continues.
pub fn run(args: &Detect) -> Result<Exit, Failure> {
    let images = photographs(&args.images)?;
    if args.draw.is_some() && images.len() > 1 {
        let found = images.len();
        return Err(Failure::new(Exit::Usage, format!("--draw: expected one photograph, found {found}")));
    }
    let policy = policy_of_environment()?;
    let models = LoadedModels::load(&args.weights, Needs::Detector.roles())?;
    let options = Options { mode: args.look.mode().for_all(), ..Options::default() };
    let examiner = Examiner::new(&models, policy, options)?;
    let worst = each(
        &images,
        args.json,
        |scratch, path, bytes| {
            let mut watch = Stopwatch::start();
            let found = examiner.photograph(scratch, bytes, &mut |stage| watch.lap(stage))?;
            let exit = args.draw.as_ref().map_or(Exit::Success, |out| drawn(out, &found));
            Ok((DetectReport::new(path.display().to_string(), found.detected(), watch.timings()), exit))
        },
        DetectReport::lines,
    );
    Ok(worst)
}

/// Draws the faces; how the command ends.
fn drawn(out: &Path, found: &Photograph) -> Exit {
    match write_drawn(out, found) {
        Ok(()) => Exit::Success,
        Err(failure) => {
            print::failure(&failure, false);
            failure.exit
        }
    }
}

fn write_drawn(out: &Path, found: &Photograph) -> Result<(), Failure> {
    let failed = |why: String| Failure::new(Exit::FileFailed, format!("{}: {why}", out.display()));
    let bytes = draw::png(found.image(), &found.detected().faces).map_err(|error| failed(error.to_string()))?;
    fs::write(out, bytes).map_err(|error| failed(error.to_string()))
}
