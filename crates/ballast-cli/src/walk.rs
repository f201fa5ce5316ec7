//! Opens a directory from `/`, one component at a time, by descriptor and through no symlink.
//!
//! The descriptors are `O_PATH`: they need no right to read, and nothing is changed. The facts of
//! each component come from its own descriptor, in which the next component is opened.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component as Part, Path, PathBuf};

use crate::boot::plan::Ids;
use ballast::disk::{self, Stat};
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use crate::errno::named;
use crate::mounts;
use crate::permit::{self, Component, Denial, Permit, RootPaths};

/// A directory, and the facts of each component of its path.
pub struct Walked {
    /// The directory itself.
    pub dir: OwnedFd,
    /// `/` first, the directory last.
    pub components: Vec<Component>,
}

/// The component at which a walk failed, and the kernel's error.
#[derive(Debug)]
pub struct WalkError {
    /// The path as far as the component that failed.
    pub at: PathBuf,
    /// The kernel's answer.
    pub errno: Errno,
    /// Whether the component is a symlink.
    pub symlink: bool,
}

impl WalkError {
    /// The failure of one step, in words.
    pub fn words(&self, step: &str) -> String {
        if self.symlink {
            return format!("{}: a symlink, which is not followed", self.at.display());
        }
        format!("{}: {step}: {}", self.at.display(), named(&self.errno.into()))
    }
}

const DIR: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::PATH);

/// Walks to a directory.
///
/// # Errors
/// [`WalkError`]: a component is missing, is no directory, is a symlink, or may not be entered.
pub fn walk(path: &Path) -> Result<Walked, WalkError> {
    let dir = root()?;
    let components = vec![facts(&dir, None).map_err(|errno| WalkError { at: "/".into(), errno, symlink: false })?];
    let mut walked = Walked { dir, components };
    let mut at = PathBuf::from("/");
    for name in names(path) {
        at.push(name);
        walked = walked.enter(name, &at)?;
    }
    Ok(walked)
}

impl Walked {
    /// Opens one more component; `at` is its whole path.
    ///
    /// # Errors
    /// The errors of [`walk`].
    pub fn enter(mut self, name: &OsStr, at: &Path) -> Result<Self, WalkError> {
        let next = step(&self.dir, name, at)?;
        let facts = facts(&next, self.components.last());
        self.components.push(facts.map_err(|errno| WalkError { at: at.to_owned(), errno, symlink: false })?);
        Ok(Self { dir: next, components: self.components })
    }

    /// Facts of the directory itself.
    pub fn last(&self) -> Option<&Component> {
        self.components.last()
    }
}

/// Walks to a directory that root would change, and checks that root may change it.
///
/// # Errors
/// The reason why root may not change it, in words.
pub fn permitted(path: &Path, root_paths: RootPaths, app: Ids, groups: &[u32]) -> Result<(Walked, Permit), String> {
    let walked = walk(path).map_err(|fault| fault.words("opening"))?;
    // If the command itself runs as root, no app exists from which to protect files.
    if app.uid == 0 {
        return Ok((walked, Permit::RootPath));
    }
    match permit::decide(&walked.components, root_paths, app, groups) {
        Ok(Permit::MountRoot) if is_exchangeable(path, &walked.components, app, groups) => Err(format!(
            "root leaves {} as it is: uid {} could have put another mount of this name there: give the mounts different \
             names, or keep the directories above them root's",
            path.display(),
            app.uid
        )),
        Ok(permit) => Ok((walked, permit)),
        Err(denial) => Err(format!("root does not change {}: {}", path.display(), denial.words(path, app))),
    }
}

/// Whether the app could have put this mount here: it can exchange a directory above, and there are several mounts
/// with the same names below such a directory. The app can't rename a mount itself.
fn is_exchangeable(path: &Path, components: &[Component], app: Ids, groups: &[u32]) -> bool {
    let above = components.split_last().map_or(components, |(_, above)| above);
    match permit::irreplaceable(above, app, groups) {
        Err(Denial::Replaceable { at }) => !mounts::is_alone(&names(path).skip(at).collect::<PathBuf>()),
        _ => false,
    }
}

/// The descriptor of `/`.
///
/// # Errors
/// [`WalkError`].
pub fn root() -> Result<OwnedFd, WalkError> {
    let opened = fs::openat(CWD, "/", DIR, Mode::empty());
    opened.map_err(|errno| WalkError { at: "/".into(), errno, symlink: false })
}

/// The names of a path, from `/` down.
pub fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|part| match part {
        Part::Normal(name) => Some(name),
        _ => None,
    })
}

/// Opens one component; `at` is its whole path.
///
/// # Errors
/// [`WalkError`].
pub fn step(here: &OwnedFd, name: &OsStr, at: &Path) -> Result<OwnedFd, WalkError> {
    fs::openat(here, name, DIR, Mode::empty()).map_err(|errno| {
        let stat = fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW);
        let symlink = stat.is_ok_and(|stat| fs::FileType::from_raw_mode(stat.st_mode) == fs::FileType::Symlink);
        WalkError { at: at.to_owned(), errno, symlink }
    })
}

fn facts(dir: &OwnedFd, above: Option<&Component>) -> Result<Component, Errno> {
    let stat = disk::stat_fd(dir).map_err(|error| errno(&error))?;
    Ok(Component { stat: with_access_list(dir, stat), mount_root: mount_root(dir, &stat, above) })
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn mount_root(dir: &OwnedFd, stat: &Stat, above: Option<&Component>) -> bool {
    let bit = StatxAttributes::MOUNT_ROOT;
    match fs::statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS) {
        Ok(facts) if facts.stx_attributes_mask.contains(bit) => facts.stx_attributes.contains(bit),
        // Before Linux 5.8 a different device shows a mount; a bind mount of the same device is missed.
        _ => above.is_some_and(|above| above.stat.id.0 != stat.id.0),
    }
}

/// If an access list names more users, the mode's group bits are the most that any of them gets: then they count for
/// every user, and so they do if the list can't be read. If the group bits have no write bit, no entry of the list
/// gives one.
fn with_access_list(dir: &OwnedFd, stat: Stat) -> Stat {
    if stat.mode & 0o020 == 0 {
        return stat;
    }
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    match fs::getxattr(path.as_str(), "system.posix_acl_access", &mut [0u8; 4][..]) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => stat,
        Ok(_) | Err(_) => Stat { mode: stat.mode | (stat.mode & 0o070) >> 3, ..stat },
    }
}
