//! `[[dir]]`: cache and upload directories that the app must be able to write.
//!
//! Ballast makes each directory, or sets its variable to the fallback, or reports a failure. To test
//! a directory, Ballast writes a file without a name, so that a read-only mount, a full disk or
//! quota is found here and not in the app. Permission bits alone decide nothing.
//!
//! As root, before the drop, Ballast may make one change: an `fchown`, by descriptor, of the root of
//! a mount that the app can't write (`permit`). The app does all other work. No symlink in a path is
//! followed.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::boot::plan::Ids;
use crate::boot::protection;
use ballast::disk;
use ballast::lock::DirSpec;
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;

use crate::errno::named;
use crate::exit::{Exit, Failure};
use crate::permit::{Permit, RootPaths};
use crate::walk::{self, WalkError};

/// The result of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirLine {
    /// The path in the lock file.
    pub path: PathBuf,
    /// The variable that the app reads.
    pub variable: Option<String>,
    /// What was found or done.
    pub outcome: DirOutcome,
    /// The directory that the app can write, and the variable's value.
    pub place: Option<PathBuf>,
    /// Whether this directory is the fallback.
    pub fallback: bool,
    /// The refusals, in order.
    pub refused: Vec<String>,
}

/// What was found or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirOutcome {
    /// The directory existed, and the app could write a file in it.
    Writable,
    /// It was made.
    Made,
    /// Root gave it to the app, which then wrote in it.
    HandedOver,
    /// Neither the directory nor a fallback can be written.
    Unwritable,
}

/// The change that root made for one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootStep {
    /// No change was needed.
    Nothing,
    /// The mount's root is now the app's.
    HandedOver,
    /// A change was needed, and refused.
    Refused(String),
}

/// As root, before the drop: gives the app the mounts that it must be able to write.
pub fn as_root(specs: &[DirSpec], app: Ids, groups: &[u32]) -> Vec<RootStep> {
    specs.iter().map(|spec| root_step(spec.path.as_path(), app, groups)).collect()
}

/// Returns whether root would give this directory to the app.
pub fn is_due(path: &Path, app: Ids, groups: &[u32]) -> bool {
    due(path, app, groups).is_some()
}

/// Does the same for one path of the lock file.
pub fn root_step(path: &Path, app: Ids, groups: &[u32]) -> RootStep {
    let Some(dir) = due(path, app, groups) else { return RootStep::Nothing };
    match disk::chown(&dir, app.uid, app.gid) {
        Ok(()) => RootStep::HandedOver,
        Err(error) => {
            let what = format!("chown of {} to {}:{}", path.display(), app.uid, app.gid);
            RootStep::Refused(format!("{what}: {} (add CHOWN to cap_add)", named(&error)))
        }
    }
}

/// The root of a writable mount in which the app may not make files. Root leaves its other
/// directories unchanged, even if it may change them: an image can contain a `[[dir]]` with its
/// final owner.
fn due(path: &Path, app: Ids, groups: &[u32]) -> Option<OwnedFd> {
    let (walked, permit) = walk::permitted(path, RootPaths::Allowed, app, groups).ok()?;
    let writable = protection::writable(&walked.last()?.stat, app, groups);
    let read_only = fs::fstatvfs(&walked.dir).is_ok_and(|facts| facts.f_flag.contains(fs::StatVfsMountFlags::RDONLY));
    (permit == Permit::MountRoot && !writable && !read_only).then_some(walked.dir)
}

/// As the app: makes each directory and writes in it, or uses its fallback.
pub fn as_app(specs: &[DirSpec], steps: &[RootStep]) -> Vec<DirLine> {
    let steps = steps.iter().chain(std::iter::repeat(&RootStep::Nothing));
    specs.iter().zip(steps).map(|(spec, step)| prepare(spec, step)).collect()
}

fn prepare(spec: &DirSpec, step: &RootStep) -> DirLine {
    let mut line = DirLine {
        path: spec.path.as_path().to_owned(),
        variable: spec.env.as_ref().map(|name| name.as_str().to_owned()),
        outcome: DirOutcome::Unwritable,
        place: None,
        fallback: false,
        refused: Vec::new(),
    };
    if let RootStep::Refused(why) = step {
        line.refused.push(why.clone());
    }
    for root in std::iter::once(&spec.path).chain(&spec.fallback) {
        let fallback = root != &spec.path;
        match make_and_probe(root.as_path(), spec.mode.0) {
            Ok(true) => return DirLine { outcome: DirOutcome::Made, ..line.placed(root.as_path(), fallback) },
            Ok(false) if !fallback && *step == RootStep::HandedOver => {
                return DirLine { outcome: DirOutcome::HandedOver, ..line.placed(root.as_path(), fallback) };
            }
            Ok(false) => return DirLine { outcome: DirOutcome::Writable, ..line.placed(root.as_path(), fallback) },
            Err(why) => line.refused.push(why),
        }
    }
    line
}

impl DirLine {
    fn placed(self, place: &Path, fallback: bool) -> Self {
        Self { place: Some(place.to_owned()), fallback, ..self }
    }

    /// The variable to set, and its value.
    pub fn assignment(&self) -> Option<(String, String)> {
        Some((self.variable.clone()?, self.place.as_ref()?.display().to_string()))
    }

    /// The entry in words.
    pub fn words(&self) -> String {
        let because = || self.refused.join("; ");
        let Some(place) = &self.place else {
            return format!("{} can't be written: {}", self.path.display(), because());
        };
        let done = match self.outcome {
            DirOutcome::Made => "made",
            DirOutcome::HandedOver => "handed over",
            DirOutcome::Writable | DirOutcome::Unwritable => "writable",
        };
        let variable = self.variable.as_ref().map(|name| format!("{name}=")).unwrap_or_default();
        match self.fallback {
            true => format!("{variable}{}: {done}, as the fallback ({})", place.display(), because()),
            false => format!("{variable}{}: {done}", place.display()),
        }
    }
}

/// The failure of all entries that can't be written, if any.
pub fn failure(lines: &[DirLine]) -> Option<Failure> {
    let wrong: Vec<_> = lines.iter().filter(|line| line.place.is_none()).map(DirLine::words).collect();
    let hint = "mount a tmpfs or a volume there that the app can write, or give the lock file's [[dir]] \
                a writable `fallback`";
    (!wrong.is_empty()).then(|| Failure::new(Exit::DirUnwritable, wrong.join("\n")).hint(hint))
}

/// Makes the directory if it is missing, and tests it by a write. Returns whether it was made.
fn make_and_probe(path: &Path, mode: u32) -> Result<bool, String> {
    let reported = |step: &str, error: io::Error| format!("{}: {step}: {}", path.display(), named(&error));
    let (dir, made) = match walk::walk(path) {
        Ok(walked) => (walked.dir, false),
        Err(fault) if fault.errno == Errno::NOENT => (make(path, mode).map_err(|fault| fault.words("making"))?, true),
        Err(fault) => return Err(fault.words("opening")),
    };
    probe(&dir).map_err(|error| reported("writing", error))?;
    Ok(made)
}

/// Makes what is missing; the last directory gets exactly this mode, whatever the umask is.
fn make(path: &Path, mode: u32) -> Result<OwnedFd, WalkError> {
    let mut here = walk::root()?;
    let mut at = PathBuf::from("/");
    let mut left = walk::names(path).peekable();
    while let Some(name) = left.next() {
        at.push(name);
        here = match (walk::step(&here, name, &at), left.peek()) {
            (Err(fault), last) if fault.errno == Errno::NOENT => {
                let mode = if last.is_none() { mode } else { 0o755 };
                make_one(&here, name, mode).map_err(|errno| WalkError { at: at.clone(), errno, symlink: false })?;
                walk::step(&here, name, &at)?
            }
            (next, _) => next?,
        };
    }
    Ok(here)
}

const DIR: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn make_one(parent: &OwnedFd, name: &std::ffi::OsStr, mode: u32) -> Result<(), Errno> {
    // An umask may even remove the right to open the new directory.
    let umask = rustix::process::umask(Mode::from_raw_mode(0o077));
    let made = fs::mkdirat(parent, name, Mode::from_raw_mode(0o700));
    rustix::process::umask(umask);
    match made {
        // Meanwhile another process made the directory, and set its mode.
        Err(Errno::EXIST) => return Ok(()),
        made => made?,
    }
    let made = fs::openat(parent, name, DIR | OFlags::RDONLY, Mode::empty())?;
    fs::fchmod(&made, Mode::from_raw_mode(mode))
}

/// Writes a page to a file without a name; if the file system has none, to a file that is removed at once.
fn probe(dir: &OwnedFd) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o600);
    let file = match fs::openat(dir, ".", flags | OFlags::TMPFILE, mode) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
            let name = format!(".ballast-probe.{}", std::process::id());
            let file = fs::openat(dir, &name, flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)?;
            fs::unlinkat(dir, &name, AtFlags::empty())?;
            file
        }
        opened => opened?,
    };
    let written = rustix::io::pwrite(&file, &[b'b'; 4096], 0)?;
    if written == 4096 { Ok(()) } else { Err(Errno::NOSPC.into()) }
}
