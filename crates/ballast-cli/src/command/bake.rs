//! `bake`: lays out the image layer, and writes the index of the weights that matched their pins.
//!
//! Deterministic: the same weights and lock file give the same bytes, modes, owners and times.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::boot::plan::Ids;
use ballast::disk::LinuxDisk;
use ballast::heal::{self, Options};
use ballast::index::Index;
use ballast::install::Origin;
use ballast::lock::{Need, Weight};
use ballast::store::{self, ExpectedWeight, Strictness};

use crate::args::Bake;
use crate::exit::{Exit, Failure};
use crate::report::done_words;
use crate::setting::{INDEX, Setting};
use crate::whole_file::Target;
use crate::{facts, print, serial, target};

/// The file that each container of Podman has. A step that fetches may be an `ONBUILD` step, as in the repository's image.
const PODMAN: &str = "/run/.containerenv";

/// Bakes a layer.
///
/// # Errors
/// [`Exit::WeightsMissing`] when a required weight is in no source; nothing unverified is left.
pub fn bake(args: &Bake) -> Result<(), Failure> {
    let setting = Setting::read(&args.place)?;
    setting.check_serial(&args.dir.join(serial::BAKED))?;
    setting.remember_serial()?.iter().for_each(|note| print::remark(note));
    let failed = |what: &str, error: io::Error| Failure::new(Exit::FetchFailed, format!("{what}: {error}"));
    let owner = owner(args, &setting)?;
    fs::create_dir_all(&args.dir).map_err(|error| failed(&args.dir.display().to_string(), error))?;
    let disk = LinuxDisk::open(&args.dir).map_err(|error| failed(&args.dir.display().to_string(), error))?;
    let from = sources(args)?;
    lay(&disk, &from, &setting.lock.weights)?;
    let mut index = Index::default();
    for weight in &setting.lock.weights {
        if let Ok(tree) = store::tree_of(&disk, &ExpectedWeight::by_pin(weight)) {
            index.add(weight.sha256, tree);
        }
    }
    let path = args.index.clone().unwrap_or_else(|| args.dir.join(INDEX));
    write(&path, &index.to_bytes(), &setting).map_err(|error| failed("the index", error))?;
    write_serial(&args.dir.join(serial::BAKED), &setting).map_err(|error| failed("the serial", error))?;
    finish(&args.dir, &setting, owner).map_err(|error| failed("owners, modes and times", error))?;
    print::answer(&format!("baked {} weights into {}", setting.lock.weights.len(), args.dir.display()));
    Ok(())
}

fn sources(args: &Bake) -> Result<Vec<(&Path, LinuxDisk)>, Failure> {
    args.from
        .iter()
        .map(|dir| {
            LinuxDisk::open(dir).map(|disk| (dir.as_path(), disk)).map_err(|error| {
                let failure = Failure::new(Exit::FetchFailed, format!("--from {}: {error}", dir.display()));
                if error.kind() == io::ErrorKind::NotFound && Path::new(PODMAN).exists() {
                    failure.hint("Podman ignores ONBUILD steps, unless the build is `podman build --format docker`")
                } else {
                    failure
                }
            })
        })
        .collect()
}

/// The owner of the files; `None` leaves them to this process, since only root can give files away.
fn owner(args: &Bake, setting: &Setting) -> Result<Option<Ids>, Failure> {
    let may_chown = facts::who().caps.chown;
    if let Some(ids) = args.owner {
        let failed = || {
            let what = format!("can't give files to {}:{} without CAP_CHOWN", ids.uid, ids.gid);
            Failure::new(Exit::CannotDrop, what)
                .hint("bake as root; or leave --owner out: every user can read the files")
        };
        return if may_chown { Ok(Some(ids)) } else { (ids == facts::ids()).then_some(None).ok_or_else(failed) };
    }
    let owner = target::file_owner(setting)?.filter(|_| may_chown);
    owner.iter().filter_map(|owner| owner.note.as_ref()).for_each(|note| print::remark(note));
    Ok(owner.map(|owner| owner.ids))
}

/// Copies every weight while it is verified, from the first source that has it; of many only what is unusual is printed.
fn lay(into: &LinuxDisk, from: &[(&Path, LinuxDisk)], weights: &[Weight]) -> Result<(), Failure> {
    let options =
        Options { threads: facts::threads, lock_wait: Duration::ZERO, strict: Strictness::Volume, dry_run: false };
    let origins: Vec<_> = from.iter().map(|(root, disk)| Origin { root, disk, strict: Strictness::Layer }).collect();
    let wanted: Vec<_> = weights.iter().map(ExpectedWeight::by_pin).collect();
    let outcomes = heal::heal(into, &wanted, &origins, &options);
    let mut missing = Vec::new();
    for (weight, outcome) in weights.iter().zip(&outcomes) {
        let done = done_words(&outcome.done);
        match (outcome.is_right(), weight.need) {
            (true, _) if weights.len() > print::EACH => {}
            (true, _) => print::answer(&format!("{}: {done}", weight.path)),
            (false, Need::Required) => missing.push((weight, format!("{}: {}, {done}", weight.path, outcome.found))),
            (false, _) => print::answer(&format!("{}: left out, {done}", weight.path)),
        }
    }
    let Some((first, what)) = missing.first() else { return Ok(()) };
    let more = missing.len() - 1;
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Err(Failure::new(Exit::WeightsMissing, format!("{what}{more}"))
        .hint(format!("bring a file with this sha256 and name its folder with --from\n  {}", first.sha256)))
}

/// Removes an earlier bake's serial if the lock file has none.
fn write_serial(path: &Path, setting: &Setting) -> io::Result<()> {
    match setting.lock.serial {
        Some(serial) => write(path, serial::line(serial).as_bytes(), setting),
        None if path.exists() => fs::remove_file(path),
        None => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8], setting: &Setting) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    Target::at(path, setting.files())?.fill(|file| {
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(0o444))
    })
}

/// Sets owners, modes and times that depend neither on the user nor on the time.
fn finish(root: &Path, setting: &Setting, owner: Option<Ids>) -> io::Result<()> {
    let mut dirs: BTreeSet<PathBuf> = BTreeSet::new();
    for weight in &setting.lock.weights {
        let path = root.join(weight.path.as_str());
        let above = path.ancestors().skip(1).take_while(|dir| *dir != root).map(Path::to_owned);
        dirs.extend(above);
        if path.is_file() {
            set_mode_and_owner(&path, 0o444, owner)?;
        }
    }
    // Children before parents: creating an entry changes its directory's time.
    for dir in dirs.into_iter().rev() {
        // Directories do not belong to the app: a directory's owner can rename its entries.
        set_mode_and_owner(&dir, 0o755, None)?;
    }
    let (index, serial) = (root.join(INDEX), root.join(serial::BAKED));
    for path in [index.as_path(), &serial, index.parent().unwrap_or(root), root] {
        if path.exists() {
            set_mode_and_owner(path, if path.is_dir() { 0o755 } else { 0o444 }, None)?;
        }
    }
    Ok(())
}

fn set_mode_and_owner(path: &Path, mode: u32, owner: Option<Ids>) -> io::Result<()> {
    if let Some(ids) = owner {
        chown(path, Some(ids.uid), Some(ids.gid))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    File::open(path)?.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH))
}
