//! `pull`: brings every pinned file from an image into a store. The command resolves the tag once,
//! and repairs damaged files by chunks.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ballast::lock::{ListName, Lock};

use crate::args::{LockFile, Place, Pull, Trust};
use crate::command::fetch::{bring, limits, open_image};
use crate::exit::{Exit, Failure};
use crate::image::{Measured, RemoteImage};
use crate::print;
use crate::setting::{self, Setting};
use crate::source::Sources;

/// Pulls.
///
/// # Errors
/// [`Exit::FetchFailed`] with the registry's fault, or that of each required file.
pub fn pull(args: &Pull) -> Result<(), Failure> {
    let start = Instant::now();
    if !args.trust.first_trust {
        // If there is no lock file, no request is sent.
        local(&args.file)?;
    }
    let bounds = &args.fetching.bounds;
    let (picture, manifest) = open_image(&args.source, bounds, args.plain_http)?;
    let setting = setting_for(&args.file, &args.trust, &picture, &manifest)?;
    let sources = Sources::only(picture, limits(bounds)).map_err(|why| Failure::new(Exit::Usage, why))?;
    bring(&setting, &sources, &args.fetching.into, args.jobs, start)
}

/// The local lock file; or, with `--first-trust`, a copy of the image's.
///
/// # Errors
/// The errors of the lock file; a first trust although a lock file exists.
pub fn setting_for(file: &LockFile, trust: &Trust, picture: &RemoteImage, manifest: &[u8]) -> Result<Setting, Failure> {
    if trust.first_trust {
        begin_lock(file, picture, manifest)?;
    }
    let setting = local(file)?;
    setting.remember_serial()?.iter().for_each(|note| print::remark(note));
    Ok(setting)
}

fn local(file: &LockFile) -> Result<Setting, Failure> {
    let setting = Setting::read(&Place { file: file.clone(), store: None, baked: None });
    setting.map_err(|failure| match (failure.exit, &failure.hint) {
        (Exit::BadLock, Some(hint)) => {
            let hint = format!("{hint}, or begin one with the image's own: --first-trust");
            failure.hint(hint)
        }
        _ => failure,
    })
}

fn begin_lock(file: &LockFile, picture: &RemoteImage, manifest: &[u8]) -> Result<(), Failure> {
    let path = file.lock.clone().unwrap_or_else(|| PathBuf::from("weights.lock"));
    let refused = |why: String| Failure::new(Exit::BadLock, format!("--first-trust: {}: {why}", path.display()));
    if let Ok(there) = setting::lock_path(file.lock.as_deref()) {
        return Err(refused(format!("a lock file already exists: {}", there.display())));
    }
    let text = std::str::from_utf8(picture.lock()).map_err(|why| refused(why.to_string()))?;
    let list = |name: &ListName| -> io::Result<Box<dyn io::Read>> {
        let bytes = picture.lists().get(name.as_str()).cloned();
        Ok(Box::new(io::Cursor::new(bytes.ok_or(io::ErrorKind::NotFound)?)))
    };
    let lock = Lock::parse_with(text, list).map_err(|why| refused(why.to_string()))?;
    let create = |path: &Path, bytes: &[u8]| -> io::Result<()> {
        let mut new = OpenOptions::new().write(true).create_new(true).open(path)?;
        new.write_all(bytes).and_then(|()| new.sync_all())
    };
    for name in lock.groups.iter().filter_map(|group| group.list.as_ref()) {
        let beside = path.with_file_name(name.as_str());
        let bytes = picture.lists().get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        create(&beside, bytes).map_err(|error| refused(format!("{}: {error}", beside.display())))?;
    }
    create(&path, picture.lock()).map_err(|error| refused(error.to_string()))?;
    let digest = Measured::of(manifest).digest;
    print::remark(&format!("{}: a first trust, from the image\n  sha256:{digest}", path.display()));
    Ok(())
}
