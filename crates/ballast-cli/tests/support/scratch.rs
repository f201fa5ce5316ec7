//! A folder in which a test runs the program: files, links, and commands without the caller's Ballast variables.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::program;

/// The folder, removed with this value.
pub struct Scratch {
    pub dir: TempDir,
}

impl Scratch {
    pub fn new(name: &str) -> Self {
        Self { dir: testkit::ground::folder(name) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, and makes its directories.
    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Makes a link, and its directories.
    pub fn link(&self, target: impl AsRef<Path>, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// The program, in this folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.current_dir(self.dir.path()).env_remove("BALLAST_LOCK").env_remove("BALLAST_MIRRORS").args(args);
        command
    }

    pub fn ballast(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}
