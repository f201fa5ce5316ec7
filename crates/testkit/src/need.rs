//! The only way to skip a test: each function returns whether a need is met, and records a skip if it is not.
//!
//! A skip is one line on stderr, past the harness (which hides what a passing test prints), and one line in the file
//! that `TEST_SKIPS` names. `./test` sets that file and lists it at its end. Writes only to these two.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{ground, paths};

/// Names the file that collects skips, one line each: suite, crate, test and reason, separated by tabs.
pub const RECORD: &str = "TEST_SKIPS";
/// The Python that makes environments for tests.
const PYTHON: &str = "/usr/bin/python3";
/// Names the tier: `quick`, or nothing for all that this machine can.
pub const TIER: &str = "TEST_TIER";

/// Returns whether only the quick tier runs: no root, no engine, no browser, no daemon, no static program.
#[must_use]
pub fn is_quick() -> bool {
    std::env::var_os(TIER).is_some_and(|tier| tier == "quick")
}

/// Returns whether this process is root, and may make the mount namespace that [`ground`] needs.
#[must_use]
pub fn root(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        return skip(test, "root");
    }
    full_tier(test, "root") && (ground::is_clean() || skip(test, "root with CAP_SYS_ADMIN (a mount namespace)"))
}

/// Returns whether this machine has a program; `install` is the command that installs it.
#[must_use]
pub fn tool(test: &str, name: &str, install: &str) -> bool {
    paths::find(name).is_some() || skip(test, &format!("{name} ({install})"))
}

/// Returns whether a file or folder exists; `install` says how to get it.
#[must_use]
pub fn file(test: &str, path: &Path, install: &str) -> bool {
    path.exists() || skip(test, &format!("{} ({install})", path.display()))
}

/// The photographs, weights and golden answers beside the clone, which a clone alone does not have.
#[must_use]
pub fn shared_data(test: &str) -> Option<PathBuf> {
    let folder = paths::shared_data();
    if folder.join("weights").is_dir() {
        return Some(folder);
    }
    skip(test, &format!("the shared test data ({}=FOLDER; CONTRIBUTING.md)", paths::SHARED_DATA));
    None
}

/// A static program, built by `tools/static` at the first need: `entrypoint`, `full` or `likeness`.
#[must_use]
pub fn static_program(test: &str, name: &str) -> Option<PathBuf> {
    full_tier(test, "static programs").then(|| paths::static_program(name))
}

/// The folder of a Python environment with these packages of PyPI (`pip install` arguments), made at the first need
/// and kept on the [`ground`].
#[must_use]
pub fn python(test: &str, packages: &[&str]) -> Option<PathBuf> {
    let named = packages.join(" ");
    if !full_tier(test, "Python packages") || !file(test, Path::new(PYTHON), "apt-get install python3-venv") {
        return None;
    }
    let name: String = named.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let venv = ground::lasting(&format!("python{name:.80}"));
    let lock = File::create(venv.with_extension("lock")).expect("the ground is writable");
    lock.lock().expect("a lock in the ground");
    let ready = venv.with_extension("ready");
    // A virtual environment works only below the path that it was made with.
    if std::fs::read_to_string(&ready).is_ok_and(|made_as| made_as == venv.to_string_lossy()) {
        return Some(venv);
    }
    let done = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let made = done(Command::new(PYTHON).args(["-m", "venv", "--clear"]).arg(&venv))
        && done(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--no-cache-dir"]).args(packages));
    if !made {
        skip(test, &format!("pip install {named}"));
        return None;
    }
    std::fs::write(&ready, venv.to_string_lossy().as_bytes()).expect("the ground is writable");
    Some(venv)
}

/// Returns whether the variable that asks for a costly test is set.
#[must_use]
pub fn requested(test: &str, variable: &str, cost: &str) -> bool {
    std::env::var_os(variable).is_some() || skip(test, &format!("{variable}=1 ({cost})"))
}

/// Returns whether the full tier runs; the quick tier skips the test for this reason.
#[must_use]
pub fn full_tier(test: &str, needs: &str) -> bool {
    !is_quick() || skip(test, &format!("the full tier: {needs}"))
}

/// Returns whether a test may take more than five seconds; the quick tier skips such tests.
#[must_use]
pub fn time(test: &str) -> bool {
    full_tier(test, "more than five seconds")
}

/// Records that a test did not run. Always false, so that it ends a condition.
pub fn skip(test: &str, needs: &str) -> bool {
    let line = format!("SKIP {test}: needs {needs}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(record) = std::env::var_os(RECORD) {
        let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
        let line = format!("{}\t{package}\t{}\t{}\n", paths::suite(), plain(test), plain(needs));
        let mut file = OpenOptions::new().create(true).append(true).open(&record).expect("the record of skips opens");
        file.write_all(line.as_bytes()).expect("the record of skips grows");
    }
    false
}

/// Returns the text without the characters that separate the fields of the record.
fn plain(text: &str) -> String {
    text.replace(['\t', '\n'], " ")
}
