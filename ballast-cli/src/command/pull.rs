//! `pull`: every pinned file from an image into a store. The tag is resolved once; damaged files are
//! mended by chunks.

use std::time::Instant;

use crate::args::{Place, Pull};
use crate::command::fetch::{bring, ca_file, limits};
use crate::exit::{Exit, Failure};
use crate::image::Picture;
use crate::print::{self, Progress};
use crate::setting::Setting;
use crate::source::Sources;
use crate::source::registry::Registry;

/// Pulls.
///
/// # Errors
/// [`Exit::FetchFailed`] with the registry's fault, or that of each required file.
pub fn pull(args: &Pull) -> Result<(), Failure> {
    let start = Instant::now();
    let place = Place { file: args.file.clone(), store: None, baked: None };
    let setting = Setting::read(&place)?;
    let bounds = &args.fetching.bounds;
    let usage = |why| Failure::new(Exit::Usage, why);
    let mut registry = Registry::new(&args.source, limits(bounds), ca_file(bounds), args.plain_http).map_err(usage)?;
    let progress = Progress::new();
    let line = progress.line(&args.source, None);
    let failed = |fault| Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", args.source));
    let manifest = registry.resolve(&line).map_err(failed)?;
    print::remark(&format!("{} is\n  {}", args.source, registry.name()));
    let picture = Picture::open(Box::new(registry), &manifest).map_err(failed)?;
    let sources = Sources::only(picture, limits(bounds)).map_err(usage)?;
    bring(&setting, &sources, &args.fetching.into, args.jobs, start)
}
