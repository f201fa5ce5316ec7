//! `likeness detect`: faces in photographs.

use std::fs;
use std::path::Path;

use likeness::engine::Scratch;
use likeness::find::{Detected, Finder};
use likeness::image::{Bgr, Limits, decode};
use likeness::pipeline::{NoAnswer, Stage};

use super::stopwatch::Stopwatch;
use super::{no_answer, photograph};
use crate::args::{Detect, Look};
use crate::draw;
use crate::exit::{Exit, Failure};
use crate::models::Loader;
use crate::print;
use crate::report::DetectTold;

/// Runs it.
///
/// # Errors
/// A weight, a file or a photograph that is not right: then none is answered.
pub fn run(args: &Detect) -> Result<Exit, Failure> {
    if args.draw.is_some() && args.images.len() > 1 {
        let found = args.images.len();
        return Err(Failure::new(Exit::Usage, format!("--draw: expected one photograph, found {found}")));
    }
    let finder = Loader::new(&args.weights)?.finder()?;
    let mut scratch = Scratch::default();
    let mut told = Vec::new();
    for path in &args.images {
        let mut watch = Stopwatch::start();
        let (image, found) = find(&finder, &mut scratch, path, args.look, &mut watch)?;
        if let Some(out) = &args.draw {
            write_drawn(out, &image, &found)?;
        }
        told.push(DetectTold::new(path.display().to_string(), &found, watch.timings()));
    }
    print::answer(&told, args.json, |told| told.iter().map(DetectTold::lines).collect());
    Ok(Exit::Success)
}

fn find(
    finder: &Finder,
    scratch: &mut Scratch,
    path: &Path,
    look: Look,
    watch: &mut Stopwatch,
) -> Result<(Bgr, Detected), Failure> {
    let bytes = photograph(path)?;
    watch.note("read");
    let image = decode(&bytes, &Limits::default()).map_err(|why| no_answer(path, &NoAnswer::Decode(why)))?;
    watch.lap(Stage::Decode);
    let found = finder.find(scratch, &image, look.mode()).map_err(|why| no_answer(path, &NoAnswer::Find(why)))?;
    watch.lap(Stage::Detect);
    Ok((image, found))
}

fn write_drawn(out: &Path, image: &Bgr, found: &Detected) -> Result<(), Failure> {
    let failed = |why: String| Failure::new(Exit::FileFailed, format!("{}: {why}", out.display()));
    let bytes = draw::png(image, &found.faces).map_err(|error| failed(error.to_string()))?;
    fs::write(out, bytes).map_err(|error| failed(error.to_string()))
}
