//! `push`: the weights that are at hand as an ordinary image, one layer each.

use ballast::plan::Ids;
use oci_spec::image::Config;

use crate::args::{Place, Push, Weights};
use crate::command::fetch::{ca_file, limits};
use crate::exit::{Exit, Failure};
use crate::image::Image;
use crate::image::layer::ROOT;
use crate::image::weights::{self, LOCK, Layout};
use crate::print::{self, Progress};
use crate::setting::Setting;
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
    let image = image_of(&args.weights)?;
    let progress = Progress::new();
    let line = progress.line(&args.target, None);
    registry
        .push(&image, &line)
        .map_err(|fault| Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", registry.name())))?;
    print::answer(&format!("{}\nsha256:{}", registry.name(), image.digest()));
    Ok(())
}

/// The image of the weights that are at hand: their tree at its root, as `bake` lays it out.
///
/// # Errors
/// [`Exit::WeightsMissing`], or a file that can't be read.
pub fn image_of(args: &Weights) -> Result<Image, Failure> {
    let place = Place { file: args.file.clone(), store: None, baked: None };
    let setting = Setting::read(&place)?;
    let owner = owner(args.owner.as_deref(), &setting)?;
    let layers = weights::layers(&setting, &args.from, &Layout { root: "", owner, lock: LOCK })?;
    Image::new(layers, &args.architecture, Config::default())
        .map_err(|error| Failure::new(Exit::FetchFailed, format!("the image: {error}")))
}

/// Who owns the weights in the image: who was named, else the lock file's owner, else root.
///
/// # Errors
/// Names where numbers are needed: an image of weights has no `/etc/passwd`.
pub fn owner(named: Option<&str>, setting: &Setting) -> Result<Ids, Failure> {
    let Some(text) = named.or(setting.lock.store.owner.as_deref()) else { return Ok(ROOT) };
    text.split_once(':').and_then(|(uid, gid)| Some(Ids { uid: uid.parse().ok()?, gid: gid.parse().ok()? })).ok_or_else(
        || {
            Failure::new(Exit::Usage, format!("expected UID:GID in numbers, found {text:?}"))
                .hint("name them with --owner")
        },
    )
}
