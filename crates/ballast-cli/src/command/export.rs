//! `export`: the weights, or a whole service, as one archive that other tools load. `image_of` is what
//! `push` sends too.

use std::path::PathBuf;

use crate::boot::plan::Ids;
use oci_spec::image::Config;

use crate::args::{Export, Place, Weights};
use crate::exit::{Exit, Failure};
use crate::image::layer::ROOT;
use crate::image::service::ServiceImage;
use crate::image::weights::{self, LOCK, Layout};
use crate::image::{Image, archive, programs};
use crate::setting::Setting;
use crate::whole_file::Target;
use crate::{bounds, foreign, print, target};

/// Exports.
///
/// # Errors
/// [`Exit::WeightsMissing`]; or an archive that can't be written: nothing has its name then.
pub fn export(args: &Export) -> Result<(), Failure> {
    let weights = WeightImage::of(&args.weights)?;
    let failed = |error: std::io::Error| Failure::new(Exit::FetchFailed, format!("{}: {error}", args.file.display()));
    let target = Target::at(&args.file, weights.read.iter().cloned()).map_err(failed)?;
    let name = args.name.clone().or(weights.name).unwrap_or_else(|| "models:latest".into());
    target.fill(|file| archive::write(&weights.image, &name, &weights.lock, file)).map_err(failed)?;
    print::answer(&format!("{}: {name}\nsha256:{}", args.file.display(), weights.image.digest()));
    Ok(())
}

/// The image that the command line describes.
pub struct WeightImage {
    /// The available weights, in a tree at the root or the prefix as `bake` lays it out; or a whole service.
    pub image: Image,
    /// The name of the service image, if a description gives one.
    pub name: Option<String>,
    /// The lock file's bytes.
    lock: Vec<u8>,
    /// The files that it is made of, which no archive replaces.
    read: Vec<PathBuf>,
}

impl WeightImage {
    /// Puts it together.
    ///
    /// # Errors
    /// [`Exit::WeightsMissing`], or a file that can't be read.
    pub fn of(args: &Weights) -> Result<Self, Failure> {
        let setting = Setting::read(&Place { file: args.file.clone(), store: None, baked: None })?;
        let owner = owner(args.owner, &setting)?;
        let lock = foreign::read(&setting.lock_path, bounds::LOCK)
            .map_err(|error| Failure::new(Exit::BadLock, format!("{}: {error}", setting.lock_path.display())))?;
        let weights = &setting.lock.weights;
        let read = args.from.iter().flat_map(|root| weights.iter().map(|weight| root.join(weight.path.as_str())));
        if let Some(path) = &args.image {
            let mut service = ServiceImage::read(path)?;
            args.files.iter().try_for_each(|given| service.take(given))?;
            let image = service.image(&setting, &args.from, owner, args.architecture.as_deref())?;
            let read = setting.files().chain(read).chain([path.clone()]).collect();
            return Ok(Self { image, name: Some(service.name), lock, read });
        }
        let root = args.prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let lock_path = format!("{root}{LOCK}");
        let layers = weights::layers(&setting, &args.from, &Layout { root: &root, owner, lock: &lock_path })?;
        let architecture =
            programs::architecture(args.architecture.as_deref(), &[]).map_err(|why| Failure::new(Exit::Usage, why))?;
        let image = Image::new(layers, &architecture, Config::default())
            .map_err(|error| Failure::new(Exit::FetchFailed, format!("the image: {error}")))?;
        Ok(Self { image, name: None, lock, read: setting.files().chain(read).collect() })
    }
}

/// Returns the owner of the weights in the image: the named one, otherwise the lock file's owner, otherwise root.
fn owner(named: Option<Ids>, setting: &Setting) -> Result<Ids, Failure> {
    if let Some(ids) = named {
        return Ok(ids);
    }
    let owner = target::file_owner(setting)?;
    owner.iter().filter_map(|owner| owner.note.as_ref()).for_each(|note| print::remark(note));
    Ok(owner.map_or(ROOT, |owner| owner.ids))
}
