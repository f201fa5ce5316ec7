//! What tests need of Podman: settings for a machine without systemd, and an invented user for rootless containers.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::docker::find;

/// `containers.conf`: a machine without systemd, with a limit on open files.
pub const CONTAINERS: &str = "\
[containers]
default_ulimits = [\"nofile=20000:20000\", \"nproc=9000:9000\"]
[engine]
runtime = \"runc\"
cgroup_manager = \"cgroupfs\"
events_logger = \"none\"
";
const UID: u32 = 54_321;
const SUBORDINATE: u32 = 3_000_000;
/// Replaces the account files that podman and newuidmap read, and becomes the invented user. The network is its own, so
/// that the ports that a container publishes are free.
const ENTER: &str = r#"
home=$1 uid=$2
shift 2
for file in passwd group subuid subgid; do mount --bind "$home/$file" "/etc/$file"; done
ip link set lo up
cd "$home"
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all "$@"
"#;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns a folder for Podman's storage. An overlay needs a file system of this machine, wherever the checkout is.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("ballast-podman.").tempdir_in("/var/tmp").unwrap()
}

/// An invented user with subordinate ids, and its home. Dropping it removes its containers and volumes.
pub struct Account {
    dir: TempDir,
}

impl Account {
    /// Creates the home, with these lines of `storage.conf`.
    pub fn new(storage: &str) -> Self {
        let account = Self { dir: folder() };
        let home = account.dir.path().display().to_string();
        mode(account.dir.path(), 0o755);
        account.file("passwd", &format!("root:x:0:0:root:/root:/bin/sh\nmade-up:x:{UID}:{UID}::{home}:/bin/sh\n"));
        account.file("group", &format!("root:x:0:\nmade-up:x:{UID}:\n"));
        for name in ["subuid", "subgid"] {
            account.file(name, &format!("made-up:{SUBORDINATE}:65536\n"));
        }
        fs::create_dir_all(account.path(".config/containers")).unwrap();
        account.file(".config/containers/containers.conf", CONTAINERS);
        account.file(".config/containers/storage.conf", storage);
        fs::create_dir(account.path("run")).unwrap();
        for dir in ["", ".config", ".config/containers", "run"] {
            chown(account.path(dir), Some(UID), Some(UID)).unwrap();
        }
        mode(&account.path("run"), 0o700);
        account
    }

    /// Returns a path in the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that the user can read.
    pub fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        mode(&self.path(name), 0o644);
    }

    /// Returns a command of the user, without any other variable.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find("unshare"));
        command.args(["--mount", "--net", "--propagation", "private", "--", "/bin/sh", "-euc", ENTER, "enter"]);
        command.arg(self.dir.path()).arg(UID.to_string()).arg(program);
        command.env_clear().env("HOME", self.dir.path()).env("XDG_RUNTIME_DIR", self.path("run")).env("PATH", PATH);
        command
    }
}

/// Returns the id on this machine of an id in a rootless container, where the user itself is root.
pub fn outside(id: u32) -> u32 {
    if id == 0 { UID } else { SUBORDINATE + id - 1 }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

impl Drop for Account {
    fn drop(&mut self) {
        // The process that keeps the user's namespace open; podman writes its id to this file.
        if let Some(pid) = read_pid(&self.path("run/libpod/tmp/pause.pid")) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

fn read_pid(path: &Path) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok()?)
}
