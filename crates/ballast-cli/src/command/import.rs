//! `import`: brings every pinned file from an archive into a store. The command verifies every blob
//! of the image before use, and every weight against the lock file.

use std::time::{Duration, Instant};

use crate::args::Import;
use crate::command::fetch::bring;
use crate::command::pull::setting_for;
use crate::exit::{Exit, Failure};
use crate::image::RemoteImage;
use crate::image::archive::Archive;
use crate::print::Progress;
use crate::source::{Fault, Limits, Sources};

/// A local file needs no time limits; the lock file and the archive bound the sizes.
const LIMITS: Limits = Limits {
    overall: Duration::from_secs(3600),
    idle: Duration::from_secs(30),
    connect: Duration::from_secs(10),
    retries: 0,
    max_size: u64::MAX,
};

/// Imports.
///
/// # Errors
/// [`Exit::FetchFailed`] with the archive's fault, or that of each required file.
pub fn import(args: &Import) -> Result<(), Failure> {
    let start = Instant::now();
    let failed = |fault: Fault| Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", args.archive.display()));
    let progress = Progress::new();
    let line = progress.line(&args.archive.display().to_string(), None);
    let archive = Archive::open(&args.archive, &line).map_err(failed)?;
    let (manifest, beside) = (archive.manifest.clone(), archive.lock.clone());
    let picture = RemoteImage::open(Box::new(archive), &manifest, &line).map_err(failed)?;
    if beside.is_some_and(|lock| lock != picture.lock()) {
        return Err(failed(Fault::BadImage("the lock file beside the image is not the one in it".into())));
    }
    let setting = setting_for(&args.file, &args.trust, &picture, &manifest)?;
    let sources = Sources::only(picture, LIMITS).map_err(|why| Failure::new(Exit::Usage, why))?;
    bring(&setting, &sources, &args.into, args.jobs, start)
}
