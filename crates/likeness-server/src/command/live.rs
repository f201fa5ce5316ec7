//! `likeness live`: live, spoof, or it can't be told.

use likeness::engine::Scratch;
use likeness::liveness::Liveness;
use likeness::pipeline;

use super::stopwatch::Stopwatch;
use super::{no_answer, photograph};
use crate::args::Live;
use crate::exit::{Exit, Failure};
use crate::models::Loader;
use crate::print;
use crate::report::LiveTold;

/// Runs it.
///
/// # Errors
/// A weight, the file, the photograph or its face is not right: never a verdict.
pub fn run(args: &Live) -> Result<Exit, Failure> {
    let bytes = photograph(&args.image)?;
    let mut loader = Loader::new(&args.weights)?;
    let (finder, pair) = (loader.finder()?, loader.pair()?);
    let (options, mut scratch, mut watch) = (args.face.options(), Scratch::default(), Stopwatch::start());
    let subject = pipeline::subject(&finder, &mut scratch, &bytes, &options, &mut |stage| watch.lap(stage));
    let subject = subject.map_err(|why| no_answer(&args.image, &why))?;
    let judged = pipeline::liveness(&pair, &mut scratch, &subject, &options, &mut |stage| watch.lap(stage));
    let judged = judged.map_err(|why| no_answer(&args.image, &why))?;
    let image = args.image.display().to_string();
    let told = LiveTold::new(image, &subject.look, &subject.face, &judged, loader.held, watch.timings());
    print::answer(&told, args.json, LiveTold::lines);
    Ok(match judged {
        Liveness::Live(_) => Exit::Success,
        Liveness::Spoof(_) => Exit::Rejected,
        Liveness::Indeterminate(..) => Exit::Undecided,
    })
}
