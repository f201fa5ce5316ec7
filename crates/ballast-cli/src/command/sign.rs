//! `sign`: a bundle of OpenSSF Model Signing from a lock file: its pins, signed with an EC key. Reads no weight.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::args::{Place, Sign};
use crate::exit::{Exit, Failure};
use crate::oms::bundle::Bundle;
use crate::oms::{self, BadModel, Reason, SigningKey};
use crate::setting::Setting;
use crate::whole_file::Target;
use crate::{bounds, foreign, print};

/// Writes the bundle.
///
/// # Errors
/// [`Exit::Usage`] for an unusable key, for pins that make no bundle, or if the bundle can't be written.
pub fn sign(args: &Sign) -> Result<(), Failure> {
    let setting = Setting::read(&Place { file: args.file.clone(), store: None, baked: None })?;
    let path = &args.private_key;
    let target = target(&args.bundle, &setting, path)?;
    let text = foreign::read_secret(path, bounds::KEY)
        .map_err(|error| BadModel::new(Reason::PrivateKeyUnreadable, error.to_string()).failure(path))?;
    let key = SigningKey::from_pem(&text).map_err(|refusal| refusal.failure(path))?;
    let files = setting.lock.weights.iter().map(|weight| (weight.path.as_str(), weight.sha256)).collect();
    let name = setting.lock.store.path.as_path().file_name().and_then(|name| name.to_str()).unwrap_or("model");
    let bundle = oms::sign(name, files, &key).map_err(|refusal| {
        let what = format!("{}: its pins would make a bundle that is refused: {refusal}", setting.lock_path.display());
        Failure::new(Exit::Usage, what).hint("sign a lock file without these entries, or one of fewer files")
    })?;
    target.replace(&bundle).map_err(|error| {
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

/// The bundle's name, unless a file that is no bundle has it, or the lock file, the key or a weight.
fn target<'a>(path: &'a Path, setting: &Setting, key: &Path) -> Result<Target<'a>, Failure> {
    let wrong = |found: String| {
        let what = format!("{}: expected a new name or an older bundle: {found}", path.display());
        Failure::new(Exit::Usage, what).hint("name another file for the bundle, or remove this one")
    };
    let target = Target::at(path, setting.files().chain([key.to_owned()])).map_err(|error| wrong(error.to_string()))?;
    let is_bundle = || foreign::read_named(path, bounds::BUNDLE).is_ok_and(|bytes| Bundle::parse(&bytes).is_ok());
    let is_free = fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if is_free || is_bundle() { Ok(target) } else { Err(wrong("found a file that is no bundle".into())) }
}
