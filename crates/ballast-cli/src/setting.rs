//! The setting of one call: lock file, index, and the paths of the stores. Read once, then fixed.
//!
//! A lock file or an index that the app could change is not trusted. Root refuses such a lock file;
//! every user ignores such an index and uses SHA-256 instead.

use std::fs;
use std::path::{Path, PathBuf};

use crate::boot::plan::{App, Facts, Fs, Volume, VolumeFacts};
use ballast::index::Index;
use ballast::lock::{Lock, RootPath, Weight};
use ballast::store::ExpectedWeight;

use crate::args::Place;
use crate::exit::{Exit, Failure};
use crate::write_access::WriteAccess;
use crate::{bounds, facts, foreign, serial, signature};

const LOCKS: [&str; 2] = ["/etc/ballast/weights.lock", "weights.lock"];

/// The path of the index in a baked layer, apart from the weights.
pub const INDEX: &str = ".ballast/weights.index";

/// Everything that stays the same during one call.
pub struct Setting {
    /// The lock file's own path.
    pub lock_path: PathBuf,
    /// The lock file's content.
    pub lock: Lock,
    /// The digest of the lock file's text.
    pub lock_sha256: ballast::digest::Digest,
    /// The trusted trees; empty if the index is not trusted.
    pub index: Index,
    /// The cache's root.
    pub store: PathBuf,
    /// The baked layer's root.
    pub baked: Option<PathBuf>,
    /// Other files that prove the lock file: its signature, the file of the key.
    pub proofs: Vec<PathBuf>,
    /// The file that stores the serial.
    pub serial_file: Option<PathBuf>,
    /// The ignored inputs, with the reasons, for the report.
    pub notes: Vec<String>,
}

impl Setting {
    /// Compares the pins that the environment repeats.
    ///
    /// # Errors
    /// [`Exit::PinMismatch`], with every fault.
    pub fn check_pins(&self) -> Result<(), Failure> {
        let Err(faults) = self.lock.check_pins(|name| std::env::var(name).ok()) else {
            return Ok(());
        };
        let lines = faults
            .iter()
            .map(|fault| format!("{}\n  expected {}\n  found    {}", fault.variable, fault.expected, fault.found));
        let lines: Vec<_> = lines.collect();
        Err(Failure::new(Exit::PinMismatch, format!("a pin in the environment is wrong: {}", lines.join("\n")))
            .hint(format!("the pins are in {}; correct the variable or leave it out", self.lock_path.display())))
    }

    /// Reads the lock file and the index.
    ///
    /// # Errors
    /// [`Exit::BadLock`] if the lock file is absent or invalid; [`Exit::SignatureRefused`] and
    /// [`Exit::SerialBack`] if a signature is required.
    pub fn read(place: &Place) -> Result<Self, Failure> {
        let lock_path = lock_path(place.file.lock.as_deref())?;
        let bad = |why| Failure::new(Exit::BadLock, format!("can't read {}: {why}", lock_path.display()));
        let bytes = foreign::read(&lock_path, bounds::LOCK).map_err(|error| bad(error.to_string()))?;
        // The signature is checked before the bytes are parsed.
        let key = place.file.require_signature.as_deref();
        let proofs = key.map_or(Ok(Vec::new()), |key| signature::require(key, &lock_path, &bytes))?;
        let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
        let lock = Lock::parse_with(&text, foreign::beside(&lock_path))
            .map_err(|error| Failure::new(Exit::BadLock, format!("{}: {error}", lock_path.display())))?;
        let store = match &place.store {
            Some(path) => root_of(path)?,
            None => lock.store.path.as_path().to_owned(),
        };
        let baked = place.baked.clone().or_else(|| lock.store.baked.as_ref().map(|root| root.as_path().to_owned()));
        if let Some(path) = baked.as_ref().filter(|path| path.to_str().is_none()) {
            let what = format!("--baked (BALLAST_BAKED) {}: it is not UTF-8", path.display());
            return Err(Failure::new(Exit::Usage, what).hint("name the layer by a path of UTF-8, as the report does"));
        }
        let serial_file = place.file.serial_file.clone();
        let setting = Self {
            lock_path,
            lock,
            lock_sha256: ballast::digest::Digest::of(text.as_bytes()),
            index: Index::default(),
            store,
            baked,
            proofs,
            serial_file,
            notes: Vec::new(),
        };
        let layer = setting.baked.as_ref().map(|root| root.join(serial::BAKED));
        layer.iter().chain(&setting.serial_file).try_for_each(|path| setting.check_serial(path))?;
        Ok(setting)
    }

    /// Refuses a signed lock file whose serial is below the stored one.
    ///
    /// # Errors
    /// [`Exit::SerialBack`].
    pub fn check_serial(&self, remembered: &Path) -> Result<(), Failure> {
        if self.proofs.is_empty() { Ok(()) } else { serial::check(self.lock.serial, remembered, &self.lock_path) }
    }

    /// Stores the serial with --serial-file; reports a file that can only be read.
    ///
    /// # Errors
    /// [`Exit::SerialBack`] if it can't be stored.
    pub fn remember_serial(&self) -> Result<Option<String>, Failure> {
        let path = self.serial_file.as_ref();
        path.map_or(Ok(None), |path| serial::remember(self.lock.serial, path, &self.lock_path))
    }

    /// Refuses a serial file that the app could change or create.
    ///
    /// # Errors
    /// [`Exit::LockUntrusted`].
    pub fn serial_out_of_reach(&self, look: &WriteAccess) -> Result<(), Failure> {
        let Some(path) = self.serial_file.as_deref().and_then(|path| std::path::absolute(path).ok()) else {
            return Ok(());
        };
        let there = fs::symlink_metadata(&path).is_ok();
        let trusted =
            if there { look.is_trusted(&path) } else { path.parent().is_some_and(|dir| look.is_trusted_dir(dir)) };
        if trusted {
            return Ok(());
        }
        let what = format!("uid {} could rewrite {}, and with it the remembered serial", look.app.uid, path.display());
        Err(Failure::new(Exit::LockUntrusted, what).hint("keep it root:root 0644 in root-owned directories"))
    }

    /// Takes the baked layer's index, unless this app could have written it.
    pub fn believe_index(&mut self, look: &WriteAccess) {
        let Some(path) = self.baked.as_ref().and_then(|root| std::path::absolute(root.join(INDEX)).ok()) else {
            return;
        };
        if fs::symlink_metadata(&path).is_err() {
            return;
        }
        let read = || {
            let bytes = foreign::read(&path, bounds::INDEX).map_err(|error| error.to_string())?;
            Index::from_bytes(&bytes).map_err(|why| why.to_string())
        };
        for trusted in [&path, &self.lock_path] {
            if !look.is_trusted(trusted) {
                let who = format!("uid {} could rewrite {}", look.app.uid, trusted.display());
                self.notes.push(format!("index ignored, SHA-256 used: {who}"));
                return;
            }
        }
        match read() {
            Ok(index) => self.index = index,
            Err(why) => self.notes.push(format!("index ignored, SHA-256 used: {}: {why}", path.display())),
        }
    }

    /// Refuses to obey, as root, a lock file that the app could rewrite.
    ///
    /// # Errors
    /// [`Exit::LockUntrusted`].
    pub fn must_be_out_of_reach(&self, look: &WriteAccess) -> Result<(), Failure> {
        let mut obeyed = std::iter::once(&self.lock_path).chain(&self.proofs);
        let Some(path) = obeyed.find(|path| !look.is_trusted(path)) else { return Ok(()) };
        let what = format!("uid {} could rewrite {}, and root follows its paths", look.app.uid, path.display());
        Err(Failure::new(Exit::LockUntrusted, what).hint(format!(
            "keep it root:root 0444 in root-owned directories: COPY --chmod=0444 weights.lock {}",
            LOCKS[0]
        )))
    }

    /// The facts that decide a plan.
    pub fn facts(&self, app: Option<App>, groups: &[u32]) -> Facts {
        let volume = facts::volume(&self.store);
        let in_memory =
            matches!(volume, Volume::Absent { fs: Fs::Memory } | Volume::Present(VolumeFacts { fs: Fs::Memory, .. }));
        Facts {
            who: facts::who(),
            app,
            app_groups: groups.to_vec(),
            volume,
            baked: self.baked.as_deref().is_some_and(Path::is_dir),
            can_repoint: self.lock.can_repoint(),
            bytes: self.all_wanted().iter().filter_map(ExpectedWeight::size).sum(),
            memory_limit: in_memory.then(facts::memory_limit).flatten(),
        }
    }

    /// The files that this call or a boot reads: lock file, lists, proofs, serial, and the weights of each root.
    #[cfg(feature = "full")]
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let lists = self.lock.groups.iter().filter_map(|group| group.list.as_ref());
        let lists = lists.map(|list| self.lock_path.with_file_name(list.as_str()));
        let roots = [&self.store].into_iter().chain(&self.baked);
        let weights = roots.flat_map(|root| self.lock.weights.iter().map(|weight| root.join(weight.path.as_str())));
        let others = [&self.lock_path].into_iter().chain(&self.proofs).chain(&self.serial_file).cloned();
        others.chain(lists).chain(weights)
    }

    /// A weight with its tree, if one is trusted.
    pub fn wanted<'a>(&'a self, weight: &'a Weight) -> ExpectedWeight<'a> {
        ExpectedWeight { tree: self.index.tree(&weight.sha256), ..ExpectedWeight::by_pin(weight) }
    }

    /// All weights with their trees.
    pub fn all_wanted(&self) -> Vec<ExpectedWeight<'_>> {
        self.lock.weights.iter().map(|weight| self.wanted(weight)).collect()
    }
}

/// The named lock file, otherwise the first of the default places that contains one.
///
/// # Errors
/// [`Exit::BadLock`] if no lock file exists.
pub fn lock_path(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return absolute(path);
    }
    match LOCKS.iter().find(|path| Path::new(path).exists()) {
        Some(path) => absolute(Path::new(path)),
        None => Err(Failure::new(Exit::BadLock, format!("no lock file: expected {} or ./{}", LOCKS[0], LOCKS[1]))
            .hint("name it with --lock FILE or BALLAST_LOCK")),
    }
}

/// Checks a root from the command line or the environment by the lock file's rules, since root works there.
fn root_of(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| error.to_string());
    let text = absolute.and_then(|path| path.into_os_string().into_string().map_err(|_| "it is not UTF-8".into()));
    let root = text.and_then(RootPath::try_from).map_err(|why| {
        Failure::new(Exit::Usage, format!("--store (BALLAST_STORE) {}: {why}", path.display()))
            .hint("name the directory where the cache is mounted")
    })?;
    Ok(root.as_path().to_owned())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path)
        .map_err(|error| Failure::new(Exit::BadLock, format!("can't read {}: {error}", path.display())))
}
