//! Paths of the repository, the target folder, the shared test data and the static programs. Reads the
//! environment; [`static_program`] may run `tools/static`, once, under a lock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder with the shared test data; [`shared_data`] has the default.
pub const SHARED_DATA: &str = "LIKENESS_TESTDATA";

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).expect("the repository is there")
}

/// The folder of the shared test data: `LIKENESS_TESTDATA`, otherwise `shared` beside the clone.
#[must_use]
pub fn shared_data() -> PathBuf {
    std::env::var_os(SHARED_DATA).map_or_else(|| repository().join("../shared"), PathBuf::from)
}

/// Cargo's target folder, found from the running program: `TARGET/PROFILE/PROGRAM`, or below `deps` or `examples` there.
#[must_use]
pub fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows its path");
    target_of(&program).expect("programs lie in TARGET/PROFILE").to_owned()
}

fn target_of(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    let below = folder.ends_with("deps") || folder.ends_with("examples");
    let profile = if below { folder.parent()? } else { folder };
    profile.parent()
}

/// The folder for what tests write: below the target folder.
#[must_use]
pub fn scratch() -> PathBuf {
    let scratch = target().join("tmp");
    fs::create_dir_all(&scratch).expect("the target folder is writable");
    scratch
}

/// The running suite: the program's file name, which ends in cargo's hash and so is the suite's own.
#[must_use]
pub fn suite() -> String {
    let test = std::env::current_exe().unwrap_or_default();
    test.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A program of this machine, wherever Debian puts it.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    places.map(|place| place.join(name)).find(|path| path.is_file())
}

/// The static program `entrypoint`, `full` or `likeness`. `tools/static` builds it if it is absent
/// or older than the sources; cargo decides that.
///
/// # Panics
/// If the build fails; its output says why.
#[must_use]
pub fn static_program(name: &str) -> PathBuf {
    let lock = fs::File::create(target().join("static.lock")).expect("the target folder is writable");
    lock.lock().expect("a lock in the target folder");
    let built = target().join(format!("static.{name}.built"));
    let fresh = std::env::var_os(crate::need::RECORD)
        .is_some_and(|run| fs::read(&built).is_ok_and(|known| known == run.as_encoded_bytes()));
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let (profile, program) = match name {
        "entrypoint" => ("entrypoint", "ballast"),
        "full" => ("release", "ballast"),
        "likeness" => ("release", "likeness"),
        _ => panic!("{name}: expected entrypoint, full or likeness"),
    };
    let path = target().join(triple).join(profile).join(program);
    if !(fresh && path.exists()) {
        let status = static_build(name).status().expect("tools/static starts");
        assert!(status.success(), "tools/static {name}: {status}");
        if let Some(run) = std::env::var_os(crate::need::RECORD) {
            fs::write(&built, run.as_encoded_bytes()).expect("the target folder is writable");
        }
    }
    path
}

fn static_build(name: &str) -> Command {
    let mut build = Command::new(repository().join("tools/static"));
    from_a_shell(build.arg(name)).env("CARGO_TARGET_DIR", target());
    build
}

/// Cargo, as a shell in the repository starts it: it builds into the target folder of this test.
#[must_use]
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    from_a_shell(&mut cargo).current_dir(repository()).env("CARGO_TARGET_DIR", target());
    cargo
}

/// Removes what cargo sets for the program that it runs. Build scripts that watch those variables would run again, and
/// half of a program be built again, at the next build from a shell.
fn from_a_shell(build: &mut Command) -> &mut Command {
    for (variable, _) in std::env::vars_os() {
        let set_by_cargo = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if set_by_cargo.iter().any(|start| variable.as_encoded_bytes().starts_with(start.as_bytes())) {
            build.env_remove(variable);
        }
    }
    build
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_found_from_tests_examples_and_programs() {
        let rows =
            ["t/debug/deps/suite-0123", "t/debug/examples/name", "t/debug/tests", "t/x86_64/debug/deps/suite-0123"];
        let found = rows.map(|program| target_of(Path::new(program)).map(|target| target.display().to_string()));
        let expected = ["t", "t", "t", "t/x86_64"];
        assert_eq!(found, expected.map(|target| Some(target.to_owned())));
    }

    #[test]
    fn a_build_of_a_test_is_the_one_of_a_shell() {
        for build in [static_build("full"), cargo()] {
            let removed: Vec<_> = build.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
            let set: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
            for name in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_MANIFEST_DIR"] {
                assert!(set.iter().any(|found| found == name), "cargo sets {name} no more");
                assert!(removed.iter().any(|found| *found == name), "{name}");
            }
        }
    }
}
