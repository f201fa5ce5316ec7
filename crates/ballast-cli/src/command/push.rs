//! `push`: sends the local weights, or a whole service, to a registry as an ordinary image; or an index of such images.

use crate::args::Push;
use crate::command::export::WeightImage;
use crate::command::fetch::{ca_file, limits};
use crate::exit::{Exit, Failure};
use crate::image::{Measured, index};
use crate::print::{self, Progress};
use crate::source::fault::Fault;
use crate::source::registry::Registry;

/// Pushes.
///
/// # Errors
/// [`Exit::WeightsMissing`] before anything is sent; [`Exit::FetchFailed`] for the registry's fault.
pub fn push(args: &Push) -> Result<(), Failure> {
    let registry = open(args, &args.target)?;
    if registry.is_pinned() {
        return Err(Failure::new(Exit::Usage, format!("expected a tag to push to, found {}", args.target)));
    }
    let progress = Progress::new();
    let line = progress.line(&args.target, None);
    let failed = |fault: Fault| Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", registry.name()));
    let digest = if args.index.is_empty() {
        let image = WeightImage::of(&args.weights)?.image;
        registry.push(&image, &line).map_err(failed)?;
        image.digest()
    } else {
        let index = index_of(args, &registry)?;
        registry.push_index(&index, &line).map_err(failed)?;
        Measured::of(&index).digest
    };
    print::answer(&format!("{}\nsha256:{digest}", registry.name()));
    Ok(())
}

fn open(args: &Push, name: &str) -> Result<Registry, Failure> {
    Registry::new(name, limits(&args.bounds), ca_file(&args.bounds), args.plain_http)
        .map_err(|why| Failure::new(Exit::Usage, why))
}

/// Reads the named images of the target's repository, and writes their index.
fn index_of(args: &Push, target: &Registry) -> Result<Vec<u8>, Failure> {
    let progress = Progress::new();
    let mut parts = Vec::new();
    for name in &args.index {
        let mut image = open(args, name)?;
        if image.repository() != target.repository() {
            let what = format!("--index {name}: expected an image of {}", target.repository());
            return Err(
                Failure::new(Exit::Usage, what).hint("an index names images of its own repository: push them there")
            );
        }
        let failed = |fault: Fault| Failure::new(Exit::FetchFailed, format!("{name}\n  {fault}"));
        parts.push(image.platform_image(&progress.line(name, None)).map_err(failed)?);
    }
    index::write(&parts).map_err(|error| Failure::new(Exit::Usage, format!("--index: {error}")))
}
