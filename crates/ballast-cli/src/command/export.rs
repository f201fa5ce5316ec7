//! `export`: the weights, or a whole service, as one archive that other tools load. `image_of` is what
//! `push` sends too.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::boot::plan::Ids;
use oci_spec::image::Config;

use crate::args::{Export, Place, Weights};
use crate::exit::{Exit, Failure};
use crate::image::layer::ROOT;
use crate::image::service::ServiceImage;
use crate::image::weights::{self, LOCK, Layout};
use crate::image::{Image, archive, programs};
use crate::setting::Setting;
use crate::{bounds, foreign, print};

/// Exports.
///
/// # Errors
/// [`Exit::WeightsMissing`]; or an archive that can't be written: nothing has its name then.
pub fn export(args: &Export) -> Result<(), Failure> {
    let weights = WeightImage::of(&args.weights)?;
    let name = args.name.clone().or(weights.name).unwrap_or_else(|| "models:latest".into());
    write(&args.file, &weights.image, &name, &weights.lock)
        .map_err(|error| Failure::new(Exit::FetchFailed, format!("{}: {error}", args.file.display())))?;
    print::answer(&format!("{}: {name}\nsha256:{}", args.file.display(), weights.image.digest()));
    Ok(())
}

/// The file has its name only when it is whole and durable.
fn write(path: &Path, image: &Image, name: &str, lock: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut staged = tempfile::NamedTempFile::new_in(dir)?;
    archive::write(image, name, lock, staged.as_file_mut())?;
    staged.as_file().set_permissions(Permissions::from_mode(0o644))?;
    staged.as_file().sync_all()?;
    staged.persist(path)?;
    fs::File::open(dir)?.sync_all()
}

/// The image that the command line describes.
pub struct WeightImage {
    /// The available weights, in a tree at the root or the prefix as `bake` lays it out; or a whole service.
    pub image: Image,
    /// The name of the service image, if a description gives one.
    pub name: Option<String>,
    /// The lock file's bytes.
    lock: Vec<u8>,
}

impl WeightImage {
    /// Puts it together.
    ///
    /// # Errors
    /// [`Exit::WeightsMissing`], or a file that can't be read.
    pub fn of(args: &Weights) -> Result<Self, Failure> {
        let setting = Setting::read(&Place { file: args.file.clone(), store: None, baked: None })?;
        let owner = owner(args.owner.as_deref(), &setting)?;
        let lock = foreign::read(&setting.lock_path, bounds::LOCK)
            .map_err(|error| Failure::new(Exit::BadLock, format!("{}: {error}", setting.lock_path.display())))?;
        if let Some(path) = &args.image {
            let mut service = ServiceImage::read(path)?;
            args.files.iter().try_for_each(|given| service.take(given))?;
            let image = service.image(&setting, &args.from, owner, args.architecture.as_deref())?;
            return Ok(Self { image, name: Some(service.name), lock });
        }
        let root = args.prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let lock_path = format!("{root}{LOCK}");
        let layers = weights::layers(&setting, &args.from, &Layout { root: &root, owner, lock: &lock_path })?;
        let architecture =
            programs::architecture(args.architecture.as_deref(), &[]).map_err(|why| Failure::new(Exit::Usage, why))?;
        let image = Image::new(layers, &architecture, Config::default())
            .map_err(|error| Failure::new(Exit::FetchFailed, format!("the image: {error}")))?;
        Ok(Self { image, name: None, lock })
    }
}

/// Returns the owner of the weights in the image: the named one, otherwise the lock file's owner, otherwise root.
fn owner(named: Option<&str>, setting: &Setting) -> Result<Ids, Failure> {
    let Some(text) = named.or(setting.lock.store.owner.as_deref()) else { return Ok(ROOT) };
    let ids = text.split_once(':').and_then(|(uid, gid)| Some(Ids { uid: uid.parse().ok()?, gid: gid.parse().ok()? }));
    ids.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("expected UID:GID in numbers, found {text:?}")).hint("name them with --owner")
    })
}
