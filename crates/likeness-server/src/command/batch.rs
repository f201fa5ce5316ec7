//! Examines many photographs for one command: files, folders and `-`, on all cores. Prints the results one by
//! one, in order.
//!
//! A failed photograph is reported, and the next ones are examined; the command ends with the worst exit code. Reads
//! the photographs and the names in folders.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use likeness::engine::Scratch;
use likeness::examine::NoAnswer;
use likeness::image::Limits;
use serde::Serialize;

use super::photograph::{no_answer, read};
use crate::exit::{Exit, Failure};
use crate::print;
use crate::problem::Problem;
use crate::report::RefusedPhotograph;

/// The endings of names of photographs in a folder.
const KINDS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// The reason why a photograph has no report.
pub enum NoReport {
    File(Failure),
    Examined(NoAnswer),
}

/// Returns the photographs that the arguments name; those of a folder are sorted by name.
///
/// # Errors
/// A folder can't be read, or contains no photograph.
pub fn photographs(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for argument in arguments {
        match argument.is_dir() {
            false => found.push(argument.clone()),
            true => {
                let before = found.len();
                inside(argument, &mut found)?;
                if found.len() == before {
                    let what =
                        format!("{}: expected photographs ({}), found none", argument.display(), KINDS.join(", "));
                    return Err(Failure::new(Exit::FileFailed, what));
                }
            }
        }
    }
    Ok(found)
}

fn inside(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |why: std::io::Error| Failure::new(Exit::FileFailed, format!("{}: {why}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let extension = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
        if kind.is_dir() {
            inside(&path, found)?;
        } else if extension.is_some_and(|end| KINDS.contains(&end.as_str())) {
            found.push(path);
        }
    }
    Ok(())
}

/// Returns the bytes of a photograph, or of stdin for `-`.
fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return read(path);
    }
    let most = Limits::default().bytes as u64;
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes);
    read.map_err(|why| Failure::new(Exit::FileFailed, format!("-: {why}")))?;
    match bytes.len() as u64 > most {
        true => Err(Failure::new(Exit::FileFailed, format!("-: expected at most {most} bytes, found more"))),
        false => Ok(bytes),
    }
}

/// Examines each photograph and prints its report; returns the worst exit code. `examine` returns a report,
/// and the exit code for that photograph alone.
pub fn each<R: Serialize + Send>(
    photographs: &[PathBuf],
    json: bool,
    examine: impl Fn(&mut Scratch, &Path, &[u8]) -> Result<(R, Exit), NoAnswer> + Sync,
    lines: impl Fn(&R) -> String,
) -> Exit {
    let mut worst = Exit::Success;
    in_order(photographs, examine, |path, answer| worst = worse(worst, show(path, answer, json, &lines)));
    worst
}

/// Examines each photograph on all cores, and passes the results to `take` in the order of the photographs.
pub fn in_order<T: Send>(
    photographs: &[PathBuf],
    examine: impl Fn(&mut Scratch, &Path, &[u8]) -> Result<T, NoAnswer> + Sync,
    mut take: impl FnMut(&Path, Result<T, NoReport>),
) {
    let (next, (done, ready)) = (AtomicUsize::new(0), mpsc::channel());
    let work = |done: mpsc::Sender<_>| {
        let mut scratch = Scratch::default();
        while let Some((at, path)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, photographs.get(at)?)))
        {
            let answer = bytes(path).map_err(NoReport::File);
            let answer = answer.and_then(|bytes| examine(&mut scratch, path, &bytes).map_err(NoReport::Examined));
            if done.send((at, answer)).is_err() {
                return;
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(photographs.len()) {
            let done = done.clone();
            scope.spawn(|| work(done));
        }
        drop(done);
        let (mut waiting, mut shown, start) = (BTreeMap::new(), 0, Instant::now());
        for (at, answer) in ready {
            waiting.insert(at, answer);
            while let Some(answer) = waiting.remove(&shown) {
                take(&photographs[shown], answer);
                shown += 1;
                print::progress(shown, photographs.len(), start.elapsed());
            }
        }
    });
}

fn show<R: Serialize>(
    path: &Path,
    answer: Result<(R, Exit), NoReport>,
    json: bool,
    lines: impl Fn(&R) -> String,
) -> Exit {
    let why = match answer {
        Ok((report, exit)) => {
            print::event(&report, json, lines);
            return exit;
        }
        Err(why) => why,
    };
    let (failure, refused) = why.refused(path);
    match json {
        true => print::event(&refused, true, |_| String::new()),
        false => print::failure(&failure, false),
    }
    failure.exit
}

impl NoReport {
    /// Returns the error of a command, and the same in the form of the API's errors.
    pub fn refused(self, path: &Path) -> (Failure, RefusedPhotograph) {
        let (failure, error_code) = match self {
            Self::File(failure) => (failure, "FILE_FAILED"),
            Self::Examined(why) => (no_answer(path, &why), Problem::from(why).code().name()),
        };
        let (image, message) = (path.display().to_string(), failure.what.clone());
        (failure, RefusedPhotograph { image, error_code, message })
    }
}

/// Returns the worse of two exit codes.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Success => 0,
        Exit::Undecided => 1,
        Exit::Rejected => 2,
        Exit::Unfit => 3,
        Exit::BadImage => 4,
        Exit::FileFailed => 5,
        _ => 6,
    };
    if rank(other) > rank(one) { other } else { one }
}
