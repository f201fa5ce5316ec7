//! `sign`: a bundle of OpenSSF Model Signing from a lock file: its pins, signed with an EC key. Reads no weight.

use std::io::Write;
use std::path::Path;

use crate::args::{Place, Sign};
use crate::exit::{Exit, Failure};
use crate::oms::{self, BadModel, Reason, SigningKey};
use crate::setting::Setting;
use crate::{bounds, foreign, print};

/// Writes the bundle.
///
/// # Errors
/// [`Exit::Usage`] for an unusable key, or if the bundle can't be written.
pub fn sign(args: &Sign) -> Result<(), Failure> {
    let setting = Setting::read(&Place { file: args.file.clone(), store: None, baked: None })?;
    let path = &args.private_key;
    let text = foreign::read_secret(path, bounds::KEY)
        .map_err(|error| BadModel::new(Reason::KeyUnreadable, error.to_string()).failure(path))?;
    let key = SigningKey::from_pem(&text).map_err(|refusal| refusal.failure(path))?;
    let files = setting.lock.weights.iter().map(|weight| (weight.path.as_str(), weight.sha256)).collect();
    let name = setting.lock.store.path.as_path().file_name().and_then(|name| name.to_str()).unwrap_or("model");
    let bundle = oms::sign(name, files, &key);
    write(&args.bundle, &bundle).map_err(|error| {
        Failure::new(Exit::Usage, format!("can't write {}: {error}", args.bundle.display()))
            .hint("name a file in a folder that you can write")
    })?;
    print::answer(&format!(
        "{} files of {} are signed in {}; `verify --signed` needs this public key as --key\n{}",
        setting.lock.weights.len(),
        setting.lock_path.display(),
        args.bundle.display(),
        key.public_pem().trim_end()
    ));
    Ok(())
}

/// The name has the old bundle or the whole new one.
fn write(path: &Path, bundle: &str) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut staged = tempfile::Builder::new().permissions(permissions()).tempfile_in(dir)?;
    staged.write_all(bundle.as_bytes())?;
    staged.as_file().sync_all()?;
    staged.persist(path).map(drop).map_err(|error| error.error)
}

fn permissions() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}
