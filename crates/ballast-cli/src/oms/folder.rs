//! A folder beside a manifest: each signed file by its bytes, and no file that is not signed. Only reads.
//!
//! The search for unsigned files comes last, so that it also finds what came while files were read. Memory depends on the
//! bounds of `search` and of a manifest, not on the folder.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ballast::digest::Digest;

use super::compare::{Checked, check, digests, missing};
use super::manifest::{SignedFile, SignedManifest};
use super::refusal::{BadModel, Reason};
use super::search::{Faults, Names, UnsignedSearch};

/// Files that are compared to find one that was renamed.
const COMPARED: usize = 20;
/// Bytes that are read to find them.
const COMPARED_BYTES: u64 = 16 << 30;
/// Files that are read at a time.
const THREADS: usize = 8;

/// The results of examining a folder.
#[derive(Debug, Default)]
pub struct Examined {
    /// Length and SHA-256 of each of the manifest's files, in its order; none of one that is wrong.
    pub files: Vec<Option<(u64, Digest)>>,
    /// Every difference.
    pub faults: Faults,
    /// Existing paths that the manifest does not cover.
    pub ignored: Names,
    /// Names of Ballast's own, which are not compared.
    pub ballast: Names,
    /// Empty files, which a manifest of shards can't name.
    pub empty: Names,
}

/// Compares a folder with a manifest; `own` are files that no manifest covers, such as the bundle.
pub fn examine(root: &Path, own: &[&Path], manifest: &SignedManifest) -> Examined {
    let checked = check_all(root, manifest);
    let UnsignedSearch { unsigned, mut faults, ignored, ballast, empty, .. } = UnsignedSearch::run(root, own, manifest);
    let (mut files, mut gone) = (Vec::with_capacity(checked.len()), Vec::new());
    for (file, checked) in manifest.files.iter().zip(checked) {
        files.push(checked.as_ref().ok().copied());
        match checked {
            Ok(_) => {}
            Err(wrong) if wrong.iter().any(|fault| fault.reason == Reason::FileMissing) => gone.push(file),
            Err(wrong) => wrong.into_iter().for_each(|fault| faults.push(fault)),
        }
    }
    let renamed = renamed(root, manifest, &gone, &unsigned.kept);
    let is_renamed = |path: &str| renamed.iter().any(|(was, now)| *was == path || *now == path);
    gone.iter()
        .map(|file| file.path.as_str())
        .filter(|path| !is_renamed(path))
        .for_each(|path| faults.push(missing(path)));
    for (was, now) in &renamed {
        faults.push(BadModel::new(Reason::FileRenamed, format!("expected {was:?}, found its bytes as {now:?}")));
    }
    let no_resource = |path| BadModel::new(Reason::FileUnsigned, format!("{path:?} exists, and no resource names it"));
    unsigned.kept.iter().filter(|path| !is_renamed(path)).for_each(|path| faults.push(no_resource(path)));
    faults.count += unsigned.count - unsigned.kept.len();
    Examined { files, faults, ignored, ballast, empty }
}

/// Pairs of a missing path and an unsigned one that has its bytes. Reads each unsigned file once at most.
fn renamed<'a>(
    root: &Path,
    manifest: &SignedManifest,
    missing: &[&'a SignedFile],
    unsigned: &'a [String],
) -> Vec<(&'a str, &'a str)> {
    let (mut pairs, mut left): (Vec<(&str, &str)>, _) = (Vec::new(), COMPARED_BYTES);
    let missing: Vec<_> = missing.iter().take(COMPARED).collect();
    for now in unsigned.iter().take(if missing.is_empty() { 0 } else { COMPARED }) {
        let path = root.join(now);
        let Some(size) = path.symlink_metadata().ok().filter(|facts| facts.is_file()).map(|facts| facts.len()) else {
            continue;
        };
        // Files of the same length have the same shards.
        let fits = |file: &&&&SignedFile| file.size.is_none_or(|expected| expected == size);
        let Some(like) = missing.iter().find(fits).filter(|_| size <= left) else { continue };
        left -= size;
        let Some(found) = digests(&path, &like.parts, manifest) else { continue };
        let is_free = |file: &&&&SignedFile| !pairs.iter().any(|(taken, _)| *taken == file.path.as_str());
        let is_this = |file: &&&&SignedFile| file.parts.iter().map(|(_, digest)| digest).eq(&found);
        let was = missing.iter().filter(fits).filter(is_free).find(is_this);
        pairs.extend(was.map(|file| (file.path.as_str(), now.as_str())));
    }
    pairs
}

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
            // If no thread can be started, the check is slower, but complete.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, checked)| checked).collect()
}
