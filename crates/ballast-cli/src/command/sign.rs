//! `sign`: a bundle of OpenSSF Model Signing from a lock file: its pins, signed with an EC key. Reads no weight.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::args::{Place, Sign};
use crate::exit::{Exit, Failure};
use crate::oms::bundle::Bundle;
use crate::oms::{self, BadModel, Reason, SigningKey};
use crate::setting::Setting;
use crate::{bounds, foreign, print, whole_file};

/// Writes the bundle.
///
/// # Errors
/// [`Exit::Usage`] for an unusable key, for pins that make no bundle, or if the bundle can't be written.
pub fn sign(args: &Sign) -> Result<(), Failure> {
    let setting = Setting::read(&Place { file: args.file.clone(), store: None, baked: None })?;
    let path = &args.private_key;
    check_target(&args.bundle, [&setting.lock_path, path])?;
    let text = foreign::read_secret(path, bounds::KEY)
        .map_err(|error| BadModel::new(Reason::PrivateKeyUnreadable, error.to_string()).failure(path))?;
    let key = SigningKey::from_pem(&text).map_err(|refusal| refusal.failure(path))?;
    let files = setting.lock.weights.iter().map(|weight| (weight.path.as_str(), weight.sha256)).collect();
    let name = setting.lock.store.path.as_path().file_name().and_then(|name| name.to_str()).unwrap_or("model");
    let bundle = oms::sign(name, files, &key).map_err(|refusal| {
        let what = format!("{}: its pins would make a bundle that is refused: {refusal}", setting.lock_path.display());
        Failure::new(Exit::Usage, what).hint("sign a lock file without these entries, or one of fewer files")
    })?;
    whole_file::replace(&args.bundle, &bundle).map_err(|error| {
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

/// Fails if the path has a file that is not a bundle, or is the lock file or the key.
fn check_target(target: &Path, kept: [&Path; 2]) -> Result<(), Failure> {
    if fs::symlink_metadata(target).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(());
    }
    let inode = |path: &Path| fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()));
    let is_kept = kept.iter().any(|path| inode(path).is_some_and(|one| Some(one) == inode(target)));
    let is_bundle = || foreign::read_named(target, bounds::BUNDLE).is_ok_and(|bytes| Bundle::parse(&bytes).is_ok());
    if !is_kept && is_bundle() {
        return Ok(());
    }
    let found = if is_kept { "the lock file or the key" } else { "a file that is no bundle" };
    Err(Failure::new(
        Exit::Usage,
        format!("{}: expected a new name or an older bundle, found {found}", target.display()),
    )
    .hint("name another file for the bundle, or remove this one"))
}
