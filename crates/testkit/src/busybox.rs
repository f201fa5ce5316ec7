//! A root directory with busybox and static programs alone: what works there needs no library and no other tool.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{ground, need, paths};

/// The user that works in the root, in numbers: it has no name there.
const USER: u32 = 1000;
/// What the documents' shell blocks call.
const TOOLS: [&str; 8] = ["sh", "id", "ls", "mkdir", "cat", "cut", "sha256sum", "echo"];

/// The root, with a folder of the user's.
pub struct Root {
    dir: TempDir,
}

/// Makes a root with these programs of this machine in its path; `None` records a skip.
///
/// # Panics
/// If the ground is not writable.
#[must_use]
pub fn root(test: &str, programs: &[(&str, &Path)]) -> Option<Root> {
    if !need::root(test) || !need::tool(test, "busybox", "apt-get install busybox-static") {
        return None;
    }
    let root = Root { dir: ground::folder("busybox") };
    fs::create_dir_all(root.path("bin")).expect("the ground is writable");
    fs::create_dir_all(root.path("work")).expect("the ground is writable");
    chown(root.path("work"), Some(USER), Some(USER)).expect("root may");
    let busybox = paths::find("busybox").expect("it was there");
    for (name, from) in programs.iter().copied().chain([("busybox", busybox.as_path())]) {
        let to = root.path("bin").join(name);
        fs::copy(from, &to).expect("the ground is writable");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).expect("our own file");
    }
    for tool in TOOLS {
        symlink("busybox", root.path("bin").join(tool)).expect("the ground is writable");
    }
    Some(root)
}

impl Root {
    /// A path of the root, as this machine names it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command that runs a script in the root as its user, in the folder `/work`.
    #[must_use]
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new(paths::find("chroot").expect("each Debian has it"));
        command.arg(format!("--userspec={USER}:{USER}")).arg("--groups=").arg(self.dir.path());
        command.args(["/bin/sh", "-euc", &format!("cd /work\n{script}")]);
        command.env_clear().env("PATH", "/bin");
        command
    }
}
