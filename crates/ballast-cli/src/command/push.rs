//! `push`: sends the local weights, or a whole service, to a registry as an ordinary image.

use crate::args::Push;
use crate::command::export::WeightImage;
use crate::command::fetch::{ca_file, limits};
use crate::exit::{Exit, Failure};
use crate::print::{self, Progress};
use crate::source::registry::Registry;

/// Pushes.
///
/// # Errors
/// [`Exit::WeightsMissing`] before anything is sent; [`Exit::FetchFailed`] for the registry's fault.
pub fn push(args: &Push) -> Result<(), Failure> {
    let registry = Registry::new(&args.target, limits(&args.bounds), ca_file(&args.bounds), args.plain_http)
        .map_err(|why| Failure::new(Exit::Usage, why))?;
    if registry.is_pinned() {
        return Err(Failure::new(Exit::Usage, format!("expected a tag to push to, found {}", args.target)));
    }
    let image = WeightImage::of(&args.weights)?.image;
    let progress = Progress::new();
    let line = progress.line(&args.target, None);
    registry
        .push(&image, &line)
        .map_err(|fault| Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", registry.name())))?;
    print::answer(&format!("{}\nsha256:{}", registry.name(), image.digest()));
    Ok(())
}
