//! `fetch`: brings every pinned file into a store, several at a time; only verified bytes get a
//! weight's name.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use ballast::disk::LinuxDisk;
use ballast::heal;
use ballast::lock::{Lock, Need, Weight};
use ballast::store::{ExpectedWeight, Strictness, WeightState};

use crate::args::{Fetch, Fetching, Place, SourceLimits};
use crate::exit::{Exit, Failure};
use crate::image::RemoteImage;
use crate::print::Progress;
use crate::setting::Setting;
use crate::source::registry::{Registry, SCHEME};
use crate::source::{self, Fault, Hub, Limits, Obtained, Sources, Tokens, hints};
use crate::{facts, print};

/// Files that one error names.
const NAMES: usize = 100;

/// Fetches what is missing or wrong.
///
/// # Errors
/// [`Exit::FetchFailed`] with each source's fault for each required file that can't be had.
pub fn fetch(args: &Fetch) -> Result<(), Failure> {
    let start = Instant::now();
    let place = Place { file: args.file.clone(), store: None, baked: None };
    let setting = Setting::read(&place)?;
    setting.remember_serial()?.iter().for_each(|note| print::remark(note));
    let sources = sources(&args.fetching, &args.mirror)?.before(images(args)?);
    bring(&setting, &sources, &args.fetching.into, args.jobs, start)
}

/// Brings missing and wrong files from these sources, and reports the result.
///
/// # Errors
/// [`Exit::FetchFailed`] as above.
pub fn bring(setting: &Setting, sources: &Sources, into: &Path, jobs: usize, start: Instant) -> Result<(), Failure> {
    let (disk, root) = source::open_store(into)
        .map_err(|error| Failure::new(Exit::FetchFailed, format!("the store {}: {error}", into.display())))?;
    let weights = &setting.lock.weights;
    let wanted: Vec<_> = weights.iter().map(ExpectedWeight::by_pin).collect();
    let there = heal::verify(&disk, &wanted, Strictness::Volume, facts::threads);
    let wrong: Vec<Job> = weights
        .iter()
        .zip(&there)
        .filter(|(_, outcome)| !outcome.is_right())
        .map(|(weight, outcome)| Job { weight, found: &outcome.found })
        .collect();
    let failed = run(&disk, &setting.lock, sources, wrong, jobs.max(1));
    let right = weights.len() - failed.len();
    let ms = start.elapsed().as_millis();
    print::answer(&format!("{right} of {} right in {}, {ms} ms", weights.len(), root.display()));
    verdict(&failed, sources.asks_mirrors())
}

/// The images among the mirrors. An unavailable image is reported, and the other images are used.
fn images(args: &Fetch) -> Result<Vec<RemoteImage>, Failure> {
    let mirrors = source::mirrors(&args.mirror, std::env::var("BALLAST_MIRRORS").ok());
    let mut images = Vec::new();
    for name in mirrors.iter().filter(|mirror| mirror.starts_with(SCHEME)) {
        match open_image(name, &args.fetching.bounds, false) {
            Ok((picture, _)) => images.push(picture),
            Err(failure) if failure.exit == Exit::FetchFailed => print::remark(&failure.what),
            Err(failure) => return Err(failure),
        }
    }
    Ok(images)
}

/// Resolves a name, reports the digest, and opens the image, with its manifest.
///
/// # Errors
/// [`Exit::Usage`] for a name that makes no sense, [`Exit::FetchFailed`] with the registry's fault.
pub fn open_image(name: &str, bounds: &SourceLimits, plain_http: bool) -> Result<(RemoteImage, Vec<u8>), Failure> {
    let usage = |why| Failure::new(Exit::Usage, why);
    let mut registry = Registry::new(name, limits(bounds), ca_file(bounds), plain_http).map_err(usage)?;
    let progress = Progress::new();
    let line = progress.line(name, None);
    let failed = |fault: Fault| {
        Failure::new(Exit::FetchFailed, format!("{}\n  {fault}", source::shown(name))).hint(fault.hint())
    };
    let manifest = registry.resolve(&line).map_err(failed)?;
    print::remark(&format!("{} is\n  {}", source::shown(name), registry.name()));
    let picture = RemoteImage::open(Box::new(registry), &manifest, &line).map_err(failed)?;
    Ok((picture, manifest))
}

/// The sources that both `pin` and `fetch` use.
///
/// # Errors
/// [`Exit::Usage`] for mirrors, tokens or certificates that make no sense.
pub fn sources(fetching: &Fetching, mirrors: &[String]) -> Result<Sources, Failure> {
    sources_of(&fetching.bounds, mirrors)
}

/// The same without a store.
///
/// # Errors
/// As above.
pub fn sources_of(bounds: &SourceLimits, mirrors: &[String]) -> Result<Sources, Failure> {
    let env = |name: &str| std::env::var(name).ok();
    let (limits, ca_file) = (limits(bounds), ca_file(bounds));
    let mirrors: Vec<_> = source::mirrors(mirrors, env("BALLAST_MIRRORS"));
    let mirrors = mirrors.into_iter().filter(|mirror| !mirror.starts_with(SCHEME));
    Tokens::from_env(env)
        .and_then(|tokens| Ok(Sources::new(limits, tokens, ca_file, mirrors)?.at(Hub::from_env(env)?)))
        .map_err(|why| Failure::new(Exit::Usage, why))
}

/// The limits for a source, from the command line.
pub fn limits(bounds: &SourceLimits) -> Limits {
    Limits {
        overall: bounds.timeout,
        idle: bounds.idle_timeout,
        connect: bounds.connect_timeout,
        retries: bounds.retries,
        max_size: bounds.max_size,
    }
}

/// The certificates that were named; an empty variable names none.
pub fn ca_file(bounds: &SourceLimits) -> Option<&Path> {
    bounds.ca_file.as_deref().filter(|path| !path.as_os_str().is_empty())
}

struct Job<'a> {
    weight: &'a Weight,
    found: &'a WeightState,
}

/// A weight that no source gave.
struct Failed<'a> {
    weight: &'a Weight,
    faults: Vec<(String, Fault)>,
}

/// The largest files first, so that the last one to end is not the last to begin.
fn run<'a>(
    disk: &LinuxDisk,
    lock: &Lock,
    sources: &Sources,
    mut jobs: Vec<Job<'a>>,
    threads: usize,
) -> Vec<Failed<'a>> {
    jobs.sort_by_key(|job| std::cmp::Reverse(job.weight.size.unwrap_or(u64::MAX)));
    let (next, failed, progress) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Progress::new());
    let brief = jobs.len() > print::EACH;
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(faults) = one(disk, lock, sources, job, &progress, brief) {
                let failure = Failed { weight: job.weight, faults };
                failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(jobs.len()) {
            // If a thread can't be started, the fetch is slower, but complete.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failed.sort_by(|one, other| one.weight.path.cmp(&other.weight.path));
    failed
}

/// A brief report has no line for a file that arrived without a fault.
fn one(disk: &LinuxDisk, lock: &Lock, sources: &Sources, job: &Job, progress: &Progress, brief: bool) -> Obtained {
    let start = Instant::now();
    let line = progress.line(job.weight.path.as_str(), job.weight.size);
    let weight = source::with_sources(lock, job.weight);
    let obtained = sources.obtain(disk, &lock.weights, &weight, job.found, &line);
    match &obtained {
        Ok(_) if brief => line.end_quietly(),
        Ok(from) => line.end(&format!("right, from {from}, {} ms", start.elapsed().as_millis())),
        Err(_) => line.end("no source had it"),
    }
    obtained
}

fn verdict(failed: &[Failed], mirrors: bool) -> Result<(), Failure> {
    let required = failed.iter().filter(|failed| failed.weight.need == Need::Required).count();
    if required == 0 {
        return Ok(());
    }
    let mut what = format!("{required} required of {} files could not be fetched", failed.len());
    for Failed { weight, faults } in failed.iter().take(NAMES) {
        let _ = write!(what, "\n  {}\n    {}", weight.path, weight.sha256);
        if faults.is_empty() {
            what += "\n    no-source: the lock file names none, and there is no mirror";
        }
        for (source, fault) in faults {
            let _ = write!(what, "\n    {source}\n      {fault}");
        }
    }
    if let Some(more) = failed.len().checked_sub(NAMES).filter(|more| *more > 0) {
        let _ = write!(what, "\n  and {more} more, for like reasons");
    }
    let faults: Vec<_> = failed.iter().flat_map(|failed| &failed.faults).map(|(_, fault)| fault).collect();
    Err(Failure::new(Exit::FetchFailed, what).hint(hints::of_all(&faults, mirrors)))
}
