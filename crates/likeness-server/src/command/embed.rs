//! `likeness embed`: a face as 512 numbers.

use likeness::engine::Scratch;
use likeness::pipeline;

use super::stopwatch::Stopwatch;
use super::{no_answer, photograph};
use crate::args::Embed;
use crate::exit::{Exit, Failure};
use crate::models::Loader;
use crate::print;
use crate::report::EmbedTold;

/// Runs it.
///
/// # Errors
/// A weight, the file, the photograph or its face is not right.
pub fn run(args: &Embed) -> Result<Exit, Failure> {
    let bytes = photograph(&args.image)?;
    let mut loader = Loader::new(&args.weights)?;
    let finder = loader.finder()?;
    let identity = loader.identity(&finder)?;
    let (options, mut scratch, mut watch) = (args.face.options(), Scratch::default(), Stopwatch::start());
    let subject = pipeline::subject(&finder, &mut scratch, &bytes, &options, &mut |stage| watch.lap(stage));
    let subject = subject.map_err(|why| no_answer(&args.image, &why))?;
    let embedding = pipeline::embedding(&identity, &mut scratch, &subject, &mut |stage| watch.lap(stage));
    let embedding = embedding.map_err(|why| no_answer(&args.image, &why))?;
    let told = EmbedTold {
        image: args.image.display().to_string(),
        look: (&subject.look).into(),
        face: EmbedTold::face(&subject.face, subject.look.view.image),
        contract_id: embedding.contract().to_string(),
        embedding: embedding.numbers().to_vec(),
        models: loader.held,
        timing_ms: watch.timings(),
    };
    print::answer(&told, args.json, EmbedTold::lines);
    Ok(Exit::Success)
}
