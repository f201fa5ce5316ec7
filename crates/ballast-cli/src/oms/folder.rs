//! A folder beside a manifest: each signed file by its bytes, and no file that is not signed. Only reads.
//!
//! The search for unsigned files passes over what the manifest ignores, the bundle, and `.ballast*`. A link is a fault,
//! unless the signer followed links.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ballast::digest::Digest;
use blake2::Blake2b512;
use sha2::{Digest as _, Sha256};

use super::manifest::{Hash, SignedFile, SignedManifest, is_below, is_ours};
use super::refusal::{BadModel, Reason};
use crate::{bounds, foreign};

/// Directories within directories.
const DEEPEST: usize = 32;
/// Files that are compared to find one that was renamed.
const COMPARED: usize = 20;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// Files that are read at a time.
const THREADS: usize = 8;

/// What was found in a folder.
#[derive(Debug, Default)]
pub struct Examined {
    /// Length and SHA-256 of each of the manifest's files, in its order; none of one that is wrong.
    pub files: Vec<Option<(u64, Digest)>>,
    /// Every difference.
    pub faults: Vec<BadModel>,
    /// Paths that the manifest does not cover and that are there.
    pub ignored: Vec<String>,
    /// Empty files, which a manifest of shards can't name.
    pub empty: Vec<String>,
}

impl Examined {
    /// The difference that decides the exit code.
    pub fn worst(&self) -> Option<&BadModel> {
        self.faults.iter().min_by_key(|fault| fault.reason)
    }
}

/// Compares a folder with a manifest; `own` are files that no manifest covers, such as the bundle.
pub fn examine(root: &Path, own: &[&Path], manifest: &SignedManifest) -> Examined {
    let mut walk = UnsignedSearch::new(own, manifest);
    walk.directory(root, "", 0);
    let UnsignedSearch { unsigned, mut found, .. } = walk;
    let mut missing = Vec::new();
    for (file, checked) in manifest.files.iter().zip(check_all(root, manifest)) {
        match checked {
            Ok(right) => found.files.push(Some(right)),
            Err(faults) => {
                found.files.push(None);
                match faults.as_slice() {
                    [fault] if fault.reason == Reason::FileMissing => missing.push(file),
                    _ => found.faults.extend(faults),
                }
            }
        }
    }
    let renamed = renamed(root, manifest, &missing, &unsigned);
    let is_new = |path: &&String| !renamed.iter().any(|(_, now)| now == path);
    let is_gone = |file: &&&SignedFile| !renamed.iter().any(|(was, _)| *was == file.path.as_str());
    let gone = missing.iter().filter(is_gone).map(|file| missing_file(file.path.as_str()));
    let new = unsigned.iter().filter(is_new);
    let new =
        new.map(|path| BadModel::new(Reason::FileUnsigned, format!("{path:?} is there, and no resource names it")));
    let moved = renamed
        .iter()
        .map(|(was, now)| BadModel::new(Reason::FileRenamed, format!("expected {was:?}, found its bytes as {now:?}")));
    found.faults.extend(gone.chain(moved).chain(new));
    found
}

fn missing_file(path: &str) -> BadModel {
    BadModel::new(Reason::FileMissing, format!("{path:?} is signed, and is missing"))
}

/// Pairs of a missing path and an unsigned one that has its bytes.
fn renamed<'a>(
    root: &Path,
    manifest: &SignedManifest,
    missing: &[&'a SignedFile],
    unsigned: &'a [String],
) -> Vec<(&'a str, &'a String)> {
    let mut pairs: Vec<(&str, &String)> = Vec::new();
    for file in missing.iter().take(COMPARED) {
        let is_free = |now: &&String| !pairs.iter().any(|(_, taken)| taken == now);
        let has_its_bytes = |now: &&String| check(&root.join(now), now, file, manifest).is_ok();
        let now = unsigned.iter().take(COMPARED).filter(is_free).find(has_its_bytes);
        pairs.extend(now.map(|now| (file.path.as_str(), now)));
    }
    pairs
}

/// The search for files that are not signed.
struct UnsignedSearch<'a> {
    manifest: &'a SignedManifest,
    signed: HashSet<&'a str>,
    /// The files that are passed over, by device and inode.
    own: Vec<(u64, u64)>,
    left: usize,
    unsigned: Vec<String>,
    found: Examined,
}

impl<'a> UnsignedSearch<'a> {
    fn new(own: &[&Path], manifest: &'a SignedManifest) -> Self {
        Self {
            manifest,
            signed: manifest.files.iter().map(|file| file.path.as_str()).collect(),
            own: own
                .iter()
                .filter_map(|path| fs::metadata(path).ok())
                .map(|facts| (facts.dev(), facts.ino()))
                .collect(),
            left: bounds::ADOPTED_NAMES,
            unsigned: Vec::new(),
            found: Examined::default(),
        }
    }

    fn fault(&mut self, reason: Reason, what: String) {
        self.found.faults.push(BadModel::new(reason, what));
    }

    fn directory(&mut self, dir: &Path, below: &str, depth: usize) {
        if depth > DEEPEST {
            let what = format!("{below:?}: expected at most {DEEPEST} directories within each other, found more");
            return self.fault(Reason::FolderTooLarge, what);
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => return self.fault(Reason::FolderUnreadable, format!("{}: {error}", dir.display())),
        };
        for entry in entries {
            if self.left == 0 {
                let what = format!("expected at most {} names, found more", bounds::ADOPTED_NAMES);
                return self.fault(Reason::FolderTooLarge, what);
            }
            self.left -= 1;
            match entry {
                Ok(entry) => self.entry(&entry.path(), below, depth),
                Err(error) => self.fault(Reason::FolderUnreadable, format!("{}: {error}", dir.display())),
            }
        }
    }

    fn entry(&mut self, path: &Path, below: &str, depth: usize) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return self.fault(Reason::NotUtf8, format!("{}: a name is not UTF-8", path.display()));
        };
        let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if is_ours(&name) {
            return;
        }
        if is_below(&name, &self.manifest.ignored) {
            return self.found.ignored.push(name);
        }
        let facts = match fs::symlink_metadata(path) {
            Ok(facts) if facts.is_symlink() && !self.manifest.follows_links => {
                let what = format!("{name:?} is a symlink, and the signer followed none");
                return self.fault(Reason::Symlink, what);
            }
            Ok(facts) if facts.is_symlink() => fs::metadata(path),
            facts => facts,
        };
        match facts {
            Ok(facts) if facts.is_dir() => self.directory(path, &name, depth + 1),
            Ok(facts) => self.file(name, &facts),
            Err(error) => self.fault(Reason::FolderUnreadable, format!("{name:?}: {error}")),
        }
    }

    fn file(&mut self, name: String, facts: &Metadata) {
        let is_own = self.own.contains(&(facts.dev(), facts.ino()));
        if is_own || self.signed.contains(name.as_str()) {
            return;
        }
        if self.manifest.in_shards && facts.is_file() && facts.len() == 0 {
            return self.found.empty.push(name);
        }
        self.unsigned.push(name);
    }
}

/// Length and SHA-256 of a right file, or every fault of a wrong one.
type Checked = Result<(u64, Digest), Vec<BadModel>>;

/// Reads every file, several at a time.
fn check_all(root: &Path, manifest: &SignedManifest) -> Vec<Checked> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = manifest.files.get(at) else { return };
            let checked = check(&root.join(file.path.as_str()), file.path.as_str(), file, manifest);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, checked));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    std::thread::scope(|scope| {
        for _ in 1..threads.min(manifest.files.len()) {
            // Without a thread it is slower, but complete.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, checked)| checked).collect()
}

/// Reads one file, which has this name now, and compares it with what was signed.
fn check(path: &Path, name: &str, signed: &SignedFile, manifest: &SignedManifest) -> Checked {
    let unreadable = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => vec![missing_file(name)],
        _ => vec![BadModel::new(Reason::FolderUnreadable, format!("{name:?}: {error}"))],
    };
    let opened = if manifest.follows_links { foreign::open_named(path) } else { foreign::open(path) };
    let mut file = opened.map_err(|error| unreadable(&error))?;
    let size = file.metadata().map_err(|error| unreadable(&error))?.len();
    if let Some(expected) = signed.size.filter(|expected| *expected != size) {
        let what = format!("{name:?}: expected {expected} bytes, found {size}");
        return Err(vec![BadModel::new(Reason::FileLength, what)]);
    }
    // A file that is not in shards and has SHA-256 as its signed digest is hashed once.
    let mut whole = (manifest.in_shards || manifest.hash != Hash::Sha256).then(Sha256::new);
    let (mut faults, mut last) = (Vec::new(), Vec::new());
    for (range, expected) in &signed.parts {
        last = part(&mut file, range, manifest.hash, whole.as_mut()).map_err(|error| unreadable(&error))?;
        if last != *expected {
            faults.push(changed(name, range, expected, &last));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let sha256 = whole.map_or(last, |whole| whole.finalize().to_vec());
    let sha256 = <[u8; 32]>::try_from(sha256).map_err(|_| vec![missing_file(name)])?;
    Ok((size, Digest::from_bytes(sha256)))
}

fn changed(name: &str, range: &Range<u64>, expected: &[u8], found: &[u8]) -> BadModel {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digests = format!("\n  expected {}\n  found    {}", hex(expected), hex(found));
    if range.end == u64::MAX {
        return BadModel::new(Reason::FileChanged, format!("{name:?}: other bytes than the signed ones{digests}"));
    }
    let Range { start, end } = range;
    let what = format!("{name:?}, shard of the bytes {start} to {end}: other bytes than the signed ones{digests}");
    BadModel::new(Reason::ShardChanged, what)
}

/// The digest of a range, which begins where the file stands.
fn part(file: &mut File, range: &Range<u64>, hash: Hash, mut whole: Option<&mut Sha256>) -> io::Result<Vec<u8>> {
    let mut hasher = PartHasher::new(hash);
    let mut left = file.take(range.end - range.start);
    let mut piece = vec![0; PIECE];
    loop {
        let got = match left.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(got) => piece.get(..got).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(got);
        if let Some(whole) = whole.as_deref_mut() {
            whole.update(got);
        }
    }
}

/// One of the three kinds of digests.
enum PartHasher {
    Sha256(Sha256),
    Blake2b(Box<Blake2b512>),
    Blake3(Box<blake3::Hasher>),
}

impl PartHasher {
    fn new(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::Sha256(Sha256::new()),
            Hash::Blake2b => Self::Blake2b(Box::new(Blake2b512::new())),
            Hash::Blake3 => Self::Blake3(Box::new(blake3::Hasher::new())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake2b(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => _ = hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Blake2b(hasher) => hasher.finalize().to_vec(),
            Self::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        }
    }
}
