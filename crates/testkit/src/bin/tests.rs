//! Runs the tests with cargo and lists at the end what failed and what was not tested.
//!
//! `tests [quick] [ARGUMENTS OF CARGO TEST]`. `quick` leaves out tests that need root, an engine, a
//! browser, a daemon or a static program. If `TESTS_MAY_SKIP` is set (reasons, separated by
//! commas), any other skip fails the run. Writes `TARGET/tests.log` and `TARGET/tests.skips`;
//! prints; removes what the tests left.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use testkit::{need, paths, summary};

/// Suites that the quick tier does not even build: every test of theirs needs root, an engine, a browser or a daemon,
/// or takes minutes of arithmetic over whole photographs, or of building.
const FULL_ONLY: [&str; 16] = [
    "border",
    "corruption",
    "front_pages",
    "image",
    "injected",
    "kubernetes",
    "launch",
    "modes",
    "page",
    "parity",
    "qemu",
    "readers",
    "registry",
    "replicas",
    "scenarios",
    "versions",
];

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.first().is_some_and(|first| first == "quick");
    if quick {
        arguments.remove(0);
    }
    let target = paths::target();
    match run(&target, quick, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(target: &Path, quick: bool, arguments: &[String]) -> io::Result<bool> {
    let (record, leftovers) = (target.join("tests.skips"), Leftovers::before());
    fs::write(&record, "")?;
    let start = Instant::now();
    let mut cargo = paths::cargo();
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if quick {
        cargo.args(quick_targets(&suites()?)).env(need::TIER, "quick");
    }
    // One pipe for both streams keeps their order: cargo writes a suite's name to one stream and its result to the
    // other.
    let (both, writer) = io::pipe()?;
    cargo.args(arguments).env(need::RECORD, &record).stdout(writer.try_clone()?).stderr(writer);
    let mut child = cargo.spawn()?;
    drop(cargo);
    let log = copy(both, &mut io::stdout(), &mut File::create(target.join("tests.log"))?)?;
    let ended_well = child.wait()?.success();
    leftovers.remove(target)?;
    let (suites, skips) = (summary::suites(&String::from_utf8_lossy(&log)), fs::read_to_string(&record)?);
    let skips = summary::skips(&skips);
    let mut out = io::stdout().lock();
    writeln!(out, "\n{} s, {} tier", start.elapsed().as_secs(), if quick { "quick" } else { "full" })?;
    write!(out, "{}", summary::text(&suites, &skips))?;
    Ok(ended_well && is_whole(&skips, &mut out)?)
}

/// Cargo's targets for the quick tier. Each program is named, because `--bins` would also run
/// programs without tests.
fn quick_targets(suites: &[String]) -> Vec<&str> {
    let quick = suites.iter().map(String::as_str).filter(|name| !FULL_ONLY.contains(name));
    ["--lib", "--bin", "tests"].into_iter().chain(quick.flat_map(|name| ["--test", name])).collect()
}

/// Places of the programs under test outside the target folder, where a boot without `--report` or `--receipts` writes.
const PLACES: [&str; 3] = ["/run/ballast", "/var/lib/ballast", "/var/log/ballast"];

/// The files before the tests, so that later ones can be removed.
struct Leftovers {
    before: Vec<PathBuf>,
}

impl Leftovers {
    fn before() -> Self {
        Self { before: Self::found() }
    }

    fn found() -> Vec<PathBuf> {
        let reports = fs::read_dir("/tmp").into_iter().flatten().flatten().map(|entry| entry.path());
        let reports = reports.filter(|path| path.to_string_lossy().starts_with("/tmp/ballast-"));
        PLACES.iter().map(PathBuf::from).filter(|place| place.exists()).chain(reports).collect()
    }

    /// Removes new files, and the working folders of tests that failed. Python environments stay.
    fn remove(&self, target: &Path) -> io::Result<()> {
        let new = Self::found().into_iter().filter(|place| !self.before.contains(place));
        let below = |folder: &str| fs::read_dir(target.join(folder)).into_iter().flatten().flatten();
        let kept = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"));
        let work = below("tmp/ground").chain(below("tmp/files")).map(|entry| entry.path()).filter(|path| !kept(path));
        for path in new.chain(work) {
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        Ok(())
    }
}

/// Returns whether every skip has a reason that the caller allows.
fn is_whole(skips: &[summary::Skip], out: &mut impl io::Write) -> io::Result<bool> {
    let Ok(allowed) = std::env::var("TESTS_MAY_SKIP") else { return Ok(true) };
    let allowed: Vec<_> = allowed.split(',').filter(|reason| !reason.is_empty()).collect();
    let unexpected = summary::unexpected(skips, &allowed);
    for skip in &unexpected {
        writeln!(out, "error: {} was skipped: needs {} (TESTS_MAY_SKIP does not allow it)", skip.test, skip.needs)?;
    }
    Ok(unexpected.is_empty())
}

/// The integration suites of all crates, from their folders.
fn suites() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for package in fs::read_dir(paths::repository().join("crates"))? {
        let Ok(tests) = fs::read_dir(package?.path().join("tests")) else { continue };
        for entry in tests {
            let path = entry?.path();
            let is_suite = path.extension().is_some_and(|kind| kind == "rs") || path.join("main.rs").exists();
            names.extend(path.file_stem().filter(|_| is_suite).map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Copies what cargo prints to the terminal and into the log, line by line.
fn copy(from: impl Read, to: &mut impl io::Write, file: &mut File) -> io::Result<Vec<u8>> {
    let (mut from, mut log) = (BufReader::new(from), Vec::new());
    loop {
        let begin = log.len();
        if from.read_until(b'\n', &mut log)? == 0 {
            return Ok(log);
        }
        file.write_all(&log[begin..])?;
        to.write_all(&log[begin..])?;
        to.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A program without tests would end the tier with its own help and exit code; a program that
    /// is not named is not tested.
    #[test]
    fn the_quick_tier_runs_every_target_that_has_tests_and_no_other() {
        let question = ["metadata", "--locked", "--no-deps", "--offline", "--format-version", "1"];
        let manifest = paths::cargo().args(question).output().unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.stdout).unwrap();
        let targets = manifest["packages"].as_array().unwrap().iter().flat_map(|package| package["targets"].as_array());
        let tested = |kind: &str| -> Vec<String> {
            let of_kind =
                targets.clone().flatten().filter(|target| target["kind"][0] == kind && target["test"] == true);
            of_kind.map(|target| target["name"].as_str().unwrap().to_owned()).collect()
        };
        let suites = suites().unwrap();
        let quick = quick_targets(&suites);
        let named = |option: &str| -> Vec<&str> {
            quick.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1]).collect()
        };
        assert_eq!(named("--bin"), tested("bin"));
        let suites: BTreeSet<_> =
            tested("test").into_iter().filter(|name| !FULL_ONLY.contains(&name.as_str())).collect();
        assert_eq!(named("--test").into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), suites);
        assert!(quick.contains(&"--lib") && !quick.contains(&"--bins"));
    }
}
