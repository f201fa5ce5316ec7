//! The report of a boot: one value, reported as lines for a person and as JSON for a machine.
//!
//! The file is created exclusively in a directory of our own, before privilege is dropped, so that
//! only known users could have written it. The file stays empty until the boot is over, and an empty
//! file is not a report.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::boot::plan::{Ids, Plan, Serve};
use crate::boot::protection::Protection;
use ballast::disk::{self, Stat};
use ballast::fault::InstallFault;
use ballast::heal::{Done, Outcome};
use ballast::lock::Need;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;

use crate::dirs::DirLine;
use crate::permit::RootPaths;
use crate::walk;
use crate::write_access::WriteAccess;
use crate::{escape, facts, foreign};

pub mod groups;
mod written;

pub use written::{FileStamp, Written};
#[cfg(feature = "full")]
pub use written::{WrittenLock, WrittenWeight};

/// The version of the JSON layout.
pub const VERSION: u32 = 2;

/// The findings and the actions of a boot.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Layout version.
    pub version: u32,
    /// Which boot this was.
    pub boot: String,
    /// The lock file that it obeyed.
    pub lock: ObeyedLock,
    /// When the weights were verified, in seconds since 1970.
    pub time: u64,
    /// Whether every required weight is right.
    pub ready: bool,
    /// The ids after the drop.
    pub ids: Ids,
    /// The order of attempts.
    pub plan: Plan,
    /// The refused attempts, in order.
    pub refused: Vec<String>,
    /// The place that the weights are served from.
    pub served: Option<Served>,
    /// One entry per weight. For a group, only files that are not right are written.
    #[serde(serialize_with = "apart")]
    pub weights: Vec<WeightLine>,
    /// One entry per group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupLine>,
    /// One entry per directory of the lock file.
    pub dirs: Vec<DirLine>,
    /// What was ignored, and why.
    pub notes: Vec<String>,
    /// Milliseconds from start to report.
    pub ms: f64,
    /// Peak memory of this process until now, in KiB.
    pub peak_kib: Option<u64>,
}

fn apart<S: serde::Serializer>(weights: &[WeightLine], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(weights.iter().filter(|line| !line.is_summed_up()))
}

/// The lock file of a boot. It records who signed which model.
#[derive(Debug, Serialize)]
pub struct ObeyedLock {
    /// The SHA-256 of its text, which pins its lists.
    pub sha256: String,
    /// Its serial.
    pub serial: Option<u64>,
}

/// The place that the weights are served from.
#[derive(Debug, Clone, Serialize)]
pub struct Served {
    /// Which attempt succeeded.
    pub from: Serve,
    /// The root that the app's variable points at.
    pub root: PathBuf,
}

/// One weight of a boot.
#[derive(Debug, Serialize)]
pub struct WeightLine {
    /// Its path below the root.
    pub path: String,
    /// What its absence means.
    pub need: Need,
    /// The pin.
    pub sha256: String,
    /// What was found.
    pub found: String,
    /// What was done.
    pub done: String,
    /// Whether it is right now.
    pub right: bool,
    /// How well it is protected.
    #[serde(rename = "firmness")]
    pub protection: Option<Protection>,
    /// The file whose bytes were verified, if the weight is right.
    pub file: Option<FileStamp>,
    /// Milliseconds.
    pub ms: f64,
    /// The number of its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
    /// The reason why the weight is wrong, for the hint.
    #[serde(skip)]
    pub outlook: Outlook,
}

/// One group of a boot.
#[derive(Debug, Serialize)]
pub struct GroupLine {
    /// Its directory below the root.
    pub path: String,
    /// What its absence means.
    pub need: Need,
    /// The SHA-256 of the lines that name its files.
    pub sha256: String,
    /// How many files it has.
    pub files: usize,
    /// The number of the group's files that are right now.
    pub right: usize,
    /// The number of files that were right before, and stay unchanged.
    pub kept: usize,
    /// The protection of the group's files, if it is the same for all.
    pub protection: Option<Protection>,
    /// A stamp that changes with each of its files, if all are right.
    pub stamp: Option<String>,
    /// For a signed model: the method and the SHA-256 of its signer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// For a signed model: the SHA-256 of its bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_sha256: Option<String>,
    /// Milliseconds of the file that took longest.
    pub ms: f64,
}

/// Whether a weight is wrong after a boot, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It is right.
    Right,
    /// A dry run: a real heal would make it right.
    WouldHeal,
    /// No origin has it.
    NoSource,
    /// This origin, which may have the weight, can't be read: the kernel's errno.
    SourceRefused(PathBuf, i32),
    /// Root could not protect it from the app.
    NotKept,
    /// The kernel refused a call: its errno.
    Refused(i32),
}

impl From<&Done> for Outlook {
    fn from(done: &Done) -> Self {
        match done {
            Done::Kept | Done::RepairedByAnother | Done::Copied | Done::Repaired(_) => Self::Right,
            Done::WouldHeal => Self::WouldHeal,
            Done::Failed(InstallFault::NoSource) => Self::NoSource,
            Done::Failed(InstallFault::Source(source, error)) => {
                Self::SourceRefused(source.clone(), error.raw_os_error().unwrap_or(0))
            }
            Done::Failed(InstallFault::Unprotected(_)) => Self::NotKept,
            Done::Failed(InstallFault::Call(_, error)) => Self::Refused(error.raw_os_error().unwrap_or(0)),
        }
    }
}

/// Names this boot: the kernel's, and the container's by the start of its first process.
pub fn boot_id() -> String {
    let kernel = facts::text("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let first = facts::text("/proc/1/stat").unwrap_or_default();
    // The name in parentheses may contain any character; the start time is field 22, 20 after the name.
    let started = first.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19)).unwrap_or("?");
    let namespace = fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    format!("{}/{namespace}/{started}", kernel.trim())
}

/// What was done, in words.
pub fn done_words(done: &Done) -> String {
    match done {
        Done::Kept => "kept".into(),
        Done::RepairedByAnother => "repaired by another replica".into(),
        Done::Copied => "copied".into(),
        Done::Repaired(placed) => {
            format!("repaired: {} of {} chunks copied", placed.copied, placed.copied + placed.kept)
        }
        Done::WouldHeal => "would be healed".into(),
        Done::Failed(fault) => fault.to_string(),
    }
}

impl WeightLine {
    /// A line for one outcome.
    pub fn new(weight: &ballast::lock::Weight, outcome: &Outcome, protection: Option<Protection>) -> Self {
        Self {
            path: weight.path.to_string(),
            need: weight.need,
            sha256: weight.sha256.to_string(),
            found: outcome.found.to_string(),
            done: done_words(&outcome.done),
            right: outcome.is_right(),
            protection,
            file: outcome.stat.filter(|_| outcome.is_right()).map(FileStamp::from),
            ms: outcome.took.as_secs_f64() * 1e3,
            group: weight.group,
            outlook: Outlook::from(&outcome.done),
        }
    }

    /// Returns whether the weight was right and stays unchanged, so that there is nothing to report.
    pub fn is_kept(&self) -> bool {
        self.done == done_words(&Done::Kept)
    }

    /// Returns whether the group's line is enough for this file.
    pub fn is_summed_up(&self) -> bool {
        self.group.is_some() && self.right
    }
}

/// A report file, open and still empty.
pub struct ReportFile(File);

impl ReportFile {
    /// Opens the first writable place. An older regular file there is replaced, unless it is a file that this boot obeys.
    ///
    /// # Errors
    /// The error of the last place tried.
    pub fn open(path: Option<&Path>, obeyed: &[&PathBuf], look: &WriteAccess) -> io::Result<Self> {
        let mut last = io::Error::from(ErrorKind::NotFound);
        for candidate in path.map_or_else(candidates, |path| vec![path.to_owned()]) {
            match Self::create(&candidate, path.is_none(), obeyed, look) {
                Ok(report) => return Ok(report),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Works by descriptor, so that the file is made in the directory that was checked.
    fn create(path: &Path, own_dir: bool, obeyed: &[&PathBuf], look: &WriteAccess) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let invalid = || io::Error::from(ErrorKind::InvalidInput);
        let (parent, name) = path.parent().zip(path.file_name()).ok_or_else(invalid)?;
        if own_dir {
            let (above, own) = parent.parent().zip(parent.file_name()).ok_or_else(invalid)?;
            match rustix::fs::mkdirat(directory(above, look)?, own, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let dir = directory(parent, look)?;
        if own_dir && !ours(&disk::stat_fd(&dir)?) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        foreign::must_be_regular_at(&dir, name)?;
        let itself = facts::stat(&path).map(|stat| stat.id);
        if obeyed.iter().any(|path| itself.is_some() && facts::stat_followed(path).map(|stat| stat.id) == itself) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "expected a file of its own, found one that the boot obeys",
            ));
        }
        match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(&dir, name, flags, Mode::from_raw_mode(0o444))?.into()))
    }

    /// Writes the report, once.
    ///
    /// # Errors
    /// The errors of `write(2)`.
    pub fn write(mut self, report: &Report) -> io::Result<()> {
        let text = serde_json::to_string_pretty(report)? + "\n";
        self.0.set_permissions(fs::Permissions::from_mode(0o444)).ok();
        self.0.write_all(escape::json(&text).as_bytes())
    }
}

/// Root writes only in directories that the app can't change, and follows no symlink; other users write with their own
/// rights.
fn directory(path: &Path, look: &WriteAccess) -> io::Result<OwnedFd> {
    if facts::ids().uid == 0 {
        let permitted = walk::permitted(path, RootPaths::Allowed, look.app, look.groups);
        return permitted.map(|(walked, _)| walked.dir).map_err(io::Error::other);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Returns whether only this user can write there.
fn ours(dir: &Stat) -> bool {
    dir.uid == facts::ids().uid && dir.mode & 0o022 == 0
}

/// Returns the places where a report may be, in order.
pub fn candidates() -> Vec<PathBuf> {
    let uid = facts::ids().uid;
    ["/run/ballast".to_owned(), "/var/log/ballast".to_owned(), format!("/tmp/ballast-{uid}")]
        .iter()
        .map(|dir| Path::new(dir).join("report.json"))
        .collect()
}
