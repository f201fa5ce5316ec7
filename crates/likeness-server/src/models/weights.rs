//! Reads weight files with Ballast's library, verifies them against the lock file, and returns their bytes.
//!
//! A file is searched in the folder that the command line names; otherwise in the lock file's store, then in
//! its baked layer. The bytes that were hashed are the bytes that are loaded. Only this file names Ballast's
//! types; its results are [`VerifiedWeight`] and [`WeightFault`].

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ballast::bounds;
use ballast::disk::LinuxDisk;
use ballast::foreign;
use ballast::lock::{Lock, PinFault, RootPath, Weight};
use ballast::store::{Damage, ExpectedWeight, Strictness, WeightState};
use ballast::verified::{self, Verified};
use likeness::models::Role;
use likeness::net::{Digest, WeightFile};

use super::roles::prefix;
use crate::args;
use crate::exit::{Exit, Failure};

const LOCKS: [&str; 2] = ["/etc/ballast/weights.lock", "weights.lock"];

/// The largest weight file that is read, in bytes.
const LONGEST: u64 = 1 << 30;

/// The pins, and the roots to search.
pub struct WeightStore {
    lock: Lock,
    lock_path: PathBuf,
    places: Vec<WeightRoot>,
}

/// A root that may contain weights.
struct WeightRoot {
    root: PathBuf,
    /// Whether the files are directly in the root.
    flat: bool,
    strict: Strictness,
}

/// A weight whose bytes match their pin.
pub struct VerifiedWeight {
    /// The bytes with their digest.
    pub file: WeightFile,
    /// The file that the bytes were read from.
    pub origin: PathBuf,
}

/// The kind of a weight's fault, for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No file has that name.
    Missing,
    /// The bytes differ from the pin.
    WrongDigest,
    /// The length differs from the pinned size.
    WrongSize,
    /// The file exists, but this program can't read it.
    Unreadable,
    /// The bytes match the pin but are no model of the role.
    RefusedFormat,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Missing, Self::WrongDigest, Self::WrongSize, Self::Unreadable, Self::RefusedFormat];

    /// Returns the kind's name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongDigest => "wrong_digest",
            Self::WrongSize => "wrong_size",
            Self::Unreadable => "unreadable",
            Self::RefusedFormat => "refused_format",
        }
    }

    /// Returns the words that describe the fault after a file's name.
    pub fn predicate(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::WrongDigest => "has other bytes than its pin",
            Self::WrongSize => "has another length than its pin",
            Self::Unreadable => "can't be read",
            Self::RefusedFormat => "matches its pin and is not the model of its role",
        }
    }

    /// Returns what the operator can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Missing => {
                "get it by `ballast fetch`, and name its folder below ./mirror with --weights DIR; in a container, by `ballast heal`"
            }
            Self::WrongDigest | Self::WrongSize => "`ballast heal` or `ballast fetch` replaces it by the right file",
            Self::Unreadable => "let this program's user read the regular file and the folders above it",
            Self::RefusedFormat => {
                "pin a form that is read: facenet512_weights as .h5 or .onnx, the MiniFASNets as .pth or .onnx, centerface.onnx"
            }
        }
    }
}

/// The reason why a weight could not be read.
#[derive(Debug, Clone)]
pub struct WeightFault {
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The finding in each place, for the log. This text may name paths of this machine.
    pub what: String,
}

impl WeightStore {
    /// Reads the lock file.
    ///
    /// # Errors
    /// [`Exit::BadLock`]
    pub fn open(args: &args::Weights) -> Result<Self, Failure> {
        let lock_path = lock_path(args.lock.as_deref())?;
        let bad = |why: String| Failure::new(Exit::BadLock, format!("{}: {why}", lock_path.display()));
        let bytes = foreign::read_named(&lock_path, bounds::LOCK).map_err(|error| bad(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
        let lock = Lock::parse_with(&text, foreign::beside(&lock_path)).map_err(|error| bad(error.to_string()))?;
        let environment = |name: &str| std::env::var(name).ok();
        lock.check_pins(environment).map_err(|faults| mismatch(&lock_path, &faults))?;
        let root = moved_root(&lock, environment)?;
        let places = places(args.weights.as_deref(), root.as_ref(), &lock);
        Ok(Self { lock, lock_path, places })
    }

    /// Returns the lock file's entry for a role.
    ///
    /// # Errors
    /// [`Exit::BadLock`] if the lock file has no entry for the role.
    fn weight(&self, role: Role) -> Result<&Weight, Failure> {
        let prefix = prefix(role);
        let named = |weight: &&Weight| weight.path.file_name().starts_with(prefix);
        self.lock.weights.iter().find(named).ok_or_else(|| {
            let path = self.lock_path.display();
            Failure::new(Exit::BadLock, format!("{path}: expected a [[weight]] named {prefix}…, found none"))
                .hint("name the weights.lock of the release, which pins all four files: --lock FILE, or BALLAST_LOCK")
        })
    }

    /// Returns the name of a role's file, and its pin.
    ///
    /// # Errors
    /// [`Exit::BadLock`] if the lock file has no entry for the role.
    pub fn pin(&self, role: Role) -> Result<(String, String), Failure> {
        let weight = self.weight(role)?;
        Ok((weight.path.file_name().to_owned(), weight.sha256.to_string()))
    }

    /// Returns the possible places of a role's file, with the stamp of the file that each has now.
    pub fn stamps(&self, role: Role) -> Vec<(PathBuf, Option<FileStamp>)> {
        let Ok(weight) = self.weight(role) else { return Vec::new() };
        let files = self.places.iter().map(|place| place.file(weight));
        files.map(|file| (file.clone(), FileStamp::of(&file))).collect()
    }

    /// Reads a role's file again at the same place, to check whether its bytes are still right.
    pub fn is_right(&self, role: Role, origin: &Path) -> bool {
        let Ok(weight) = self.weight(role) else { return false };
        let place = self.places.iter().find(|place| place.file(weight) == origin);
        place.is_some_and(|place| place.read(weight).is_ok())
    }

    /// Reads a role's file from the first place where its bytes match the pin.
    ///
    /// # Errors
    /// The error describes each place; its kind is that of the first place with a file.
    pub fn read(&self, role: Role) -> Result<VerifiedWeight, WeightFault> {
        let weight = self.weight(role).map_err(|why| WeightFault { kind: FaultKind::Missing, what: why.what })?;
        let (mut kind, mut found) = (FaultKind::Missing, Vec::new());
        for place in &self.places {
            let origin = place.file(weight);
            match place.read(weight) {
                Ok(verified) => {
                    let digest = Digest(*verified.digest().as_bytes());
                    return Ok(VerifiedWeight { file: WeightFile::verified(verified.into_bytes(), digest), origin });
                }
                Err(why) => {
                    let (here, what) = classify(&why, weight);
                    kind = if kind == FaultKind::Missing { here } else { kind };
                    found.push(format!("{}: {what}", origin.display()));
                }
            }
        }
        Err(WeightFault { kind, what: found.join("\n") })
    }
}

/// The values that show that a file changed: device, inode, size and times of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp([i64; 7]);

impl FileStamp {
    /// Reads the stamp of a file; `None` if the file is missing or can't be examined.
    fn of(path: &Path) -> Option<Self> {
        let stat = fs::symlink_metadata(path).ok()?;
        let ids = [stat.dev(), stat.ino(), stat.size()].map(u64::cast_signed);
        Some(Self([ids[0], ids[1], ids[2], stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec()]))
    }
}

impl WeightRoot {
    fn file(&self, weight: &Weight) -> PathBuf {
        self.root.join(if self.flat { weight.path.file_name() } else { weight.path.as_str() })
    }

    fn read(&self, weight: &Weight) -> Result<Verified, WeightState> {
        let unopened = |error: std::io::Error| match error.raw_os_error() {
            Some(code) if error.kind() != std::io::ErrorKind::NotFound => WeightState::Unreadable(code),
            _ => WeightState::Missing,
        };
        let disk = LinuxDisk::open(&self.root).map_err(unopened)?;
        let read = if self.flat { verified::read_named } else { verified::read };
        read(&disk, &ExpectedWeight::by_pin(weight), self.strict, LONGEST).map_err(|error| error.state().clone())
    }
}

/// Returns the store's root from the lock file's variable, if that is set to another root.
fn moved_root(lock: &Lock, environment: impl Fn(&str) -> Option<String>) -> Result<Option<RootPath>, Failure> {
    let Some(name) = &lock.store.env else { return Ok(None) };
    let value = environment(name.as_str()).filter(|value| !value.trim().is_empty());
    value.map(RootPath::try_from).transpose().map_err(|why| {
        Failure::new(Exit::BadSetting, format!("{}: {why}", name.as_str())).hint("the directory that holds the weights")
    })
}

/// Returns the error that a variable repeats a pin with another digest.
fn mismatch(lock_path: &Path, faults: &[PinFault]) -> Failure {
    let line = |fault: &PinFault| {
        format!("{}: other than its pin\n  expected {}\n  found    {}", fault.variable, fault.expected, fault.found)
    };
    let lines: Vec<_> = faults.iter().map(line).collect();
    Failure::new(Exit::PinMismatch, lines.join("\n"))
        .hint(format!("correct the variables, or the pins in {}", lock_path.display()))
}

fn places(folder: Option<&Path>, moved: Option<&RootPath>, lock: &Lock) -> Vec<WeightRoot> {
    if let Some(folder) = folder {
        return vec![WeightRoot { root: folder.to_owned(), flat: true, strict: Strictness::Layer }];
    }
    let place = |root: &Path, strict| WeightRoot { root: root.to_owned(), flat: false, strict };
    let baked = lock.store.baked.as_ref().map(|root| place(root.as_path(), Strictness::Layer));
    [place(moved.unwrap_or(&lock.store.path).as_path(), Strictness::Volume)].into_iter().chain(baked).collect()
}

fn lock_path(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    LOCKS.iter().map(PathBuf::from).find(|path| path.exists()).ok_or_else(|| {
        Failure::new(Exit::BadLock, format!("no lock file: neither {} nor {}", LOCKS[0], LOCKS[1]))
            .hint("--lock FILE, or BALLAST_LOCK")
    })
}

/// Returns the kind of a fault, and a description of what was found.
fn classify(found: &WeightState, weight: &Weight) -> (FaultKind, String) {
    match found {
        WeightState::Missing => (FaultKind::Missing, "missing".into()),
        WeightState::Stale => (FaultKind::WrongDigest, "the content of a former pin".into()),
        WeightState::Unreadable(code) => (FaultKind::Unreadable, std::io::Error::from_raw_os_error(*code).to_string()),
        WeightState::Damaged(Damage::Size { expected, found }) => {
            (FaultKind::WrongSize, format!("expected {expected} bytes, found {found}"))
        }
        WeightState::Damaged(Damage::Bytes { found: Some(found), .. }) => {
            (FaultKind::WrongDigest, format!("other bytes\n  expected {}\n  found    {found}", weight.sha256))
        }
        WeightState::Damaged(Damage::Bytes { .. }) => (FaultKind::WrongDigest, "other bytes".into()),
        WeightState::Damaged(Damage::Kind(_)) => (FaultKind::Unreadable, "not a regular file".into()),
        WeightState::Damaged(Damage::Links(links)) => {
            (FaultKind::Unreadable, format!("expected one hard link, found {links}"))
        }
        other => (FaultKind::Unreadable, format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_replaces_store_and_layer_and_else_the_store_comes_first() {
        let lock = Lock::parse(&format!(
            "version = 1\n[store]\npath = \"/srv/store\"\nbaked = \"/srv/baked\"\n[[weight]]\npath = \"a/b.bin\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        ));
        let lock = lock.unwrap();
        let files = |folder: Option<&str>| -> Vec<String> {
            let places = places(folder.map(Path::new), None, &lock);
            places.iter().map(|place| place.file(&lock.weights[0]).display().to_string()).collect()
        };
        assert_eq!(files(None), ["/srv/store/a/b.bin", "/srv/baked/a/b.bin"]);
        assert_eq!(files(Some("/mnt")), ["/mnt/b.bin"]);
    }
    #[test]
    fn the_variable_of_the_store_moves_it_under_the_rules_for_roots() {
        let lock = Lock::parse(&format!(
            "version = 1\n[store]\npath = \"/srv/store\"\nenv = \"HOME_OF_IT\"\n[[weight]]\npath = \"b.bin\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        ));
        let lock = lock.unwrap();
        let moved = |value: &str| moved_root(&lock, |name| (name == "HOME_OF_IT").then(|| value.to_owned()));
        assert_eq!(moved("/mnt/other").unwrap().unwrap().as_path(), Path::new("/mnt/other"));
        assert!(moved(" ").unwrap().is_none());
        for refused in ["relative", "/etc", "/mnt/../etc"] {
            assert_eq!(moved(refused).unwrap_err().exit, Exit::BadSetting, "{refused}");
        }
    }
}
