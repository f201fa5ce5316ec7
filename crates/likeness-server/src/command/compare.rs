//! `likeness compare`: the verdict on two photographs.

use likeness::engine::Scratch;
use likeness::judge::Judge;
use likeness::pipeline::{NoAnswer, Options};
use likeness::verdict::Verdict;

use super::stopwatch::Stopwatch;
use super::{no_answer, photograph};
use crate::args::Compare;
use crate::exit::{Exit, Failure};
use crate::models::Loader;
use crate::print;
use crate::report::CompareTold;

/// The name of these four networks together.
pub(super) const BUNDLE: &str = "centerface-minifasnet-facenet512";

/// Runs it.
///
/// # Errors
/// A weight, a file, a photograph or its face is not right: never a verdict.
pub fn run(args: &Compare) -> Result<Exit, Failure> {
    if !(0.0..=2.0).contains(&args.threshold) {
        let found = args.threshold;
        return Err(Failure::new(Exit::Usage, format!("--threshold: expected a distance of 0 to 2, found {found}")));
    }
    let bytes = [photograph(&args.first)?, photograph(&args.second)?];
    let mut watch = Stopwatch::start();
    let mut loader = Loader::new(&args.weights)?;
    let judge = judge(&mut loader)?;
    watch.note("load");
    let options = Options { distance: args.threshold, ..args.face.options() };
    let [first, second] = &bytes;
    let compared = judge.compare(&mut Scratch::default(), [first, second], &options, |_, stage| watch.lap(stage));
    let compared = compared
        .map_err(|stopped| no_answer(if stopped.photograph == 0 { &args.first } else { &args.second }, &stopped.why))?;
    let images = [&args.first, &args.second].map(|path| path.display().to_string());
    let told = CompareTold {
        bundle: judge.name().to_owned(),
        contract_id: judge.contract().to_string(),
        models: loader.held,
        timing_ms: watch.timings(),
        ..CompareTold::new(images, &compared)
    };
    print::answer(&told, args.json, CompareTold::lines);
    Ok(match compared.verdict {
        Verdict::Accept(_) => Exit::Success,
        Verdict::Reject(_) => Exit::Rejected,
        Verdict::Review(_) => Exit::Undecided,
    })
}

fn judge(loader: &mut Loader) -> Result<Judge, Failure> {
    let (finder, pair) = (loader.finder()?, loader.pair()?);
    let identity = loader.identity(&finder)?;
    let other = |why| Failure::new(Exit::NetworkFailed, NoAnswer::Contract(why).to_string());
    Judge::new(BUNDLE, finder, pair, identity).map_err(other)
}
