//! The second tier: `runc` with its own configuration, for exact capability sets.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::ground::Ground;
use crate::plain::ENVIRONMENT;
use crate::seen::Entry;

/// The capabilities that Docker gives a container by default.
pub const DEFAULT: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];
/// The three capabilities that Ballast needs to change the volume's owner and its own user.
pub const THREE: &[&str] = &["CHOWN", "SETUID", "SETGID"];

/// The user and the rights at the start of the container.
#[derive(Clone, Copy, Debug)]
pub struct Rights {
    /// User and group.
    pub user: (u32, u32),
    /// The capabilities of root.
    pub caps: &'static [&'static str],
    /// `security_opt: [no-new-privileges:true]`.
    pub no_new_privs: bool,
}

/// A container that `runc run` starts.
pub struct Container {
    /// The container's name.
    pub id: String,
    /// The command that runs the container to its end.
    pub command: Command,
}

/// Returns a container of this image with this ground.
pub fn container(root: &Path, ground: &Ground, rights: &Rights, entry: Entry, app: &[&str]) -> Container {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("ballast-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let bundle = ground.path(&id);
    fs::create_dir(&bundle).unwrap();
    let config = config(root, ground, rights, &entry.line(app));
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let mut command = Command::new("runc");
    command.arg("--root").arg(state(ground)).args(["run", "--bundle"]).arg(&bundle);
    command.arg("--pid-file").arg(bundle.join("pid")).arg(&id);
    Container { id, command }
}

/// Returns the id on this machine of a container's first process, once it exists.
pub fn first_process(ground: &Ground, id: &str) -> Option<u32> {
    fs::read_to_string(ground.path(id).join("pid")).ok()?.trim().parse().ok()
}

fn state(ground: &Ground) -> std::path::PathBuf {
    ground.path("runc")
}

fn config(root: &Path, ground: &Ground, rights: &Rights, line: &[String]) -> Value {
    let caps: Vec<_> = rights.caps.iter().map(|cap| format!("CAP_{cap}")).collect();
    let effective = if rights.user.0 == 0 { caps.clone() } else { vec![] };
    let env: Vec<_> = ENVIRONMENT.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "cwd": "/", "args": line, "env": env, "rlimits": [],
            "user": { "uid": rights.user.0, "gid": rights.user.1 },
            "capabilities": { "bounding": caps, "effective": effective, "permitted": effective, "inheritable": [], "ambient": [] },
            "noNewPrivileges": rights.no_new_privs,
        },
        "root": { "path": root, "readonly": true },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
            { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=1777"] },
            { "destination": "/var/log", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=1777"] },
            { "destination": "/tmp/.deepface", "type": "bind", "source": ground.volume(), "options": ["bind", "rw"] },
            { "destination": "/outside", "type": "bind", "source": ground.outside(), "options": ["bind", "rw"] },
        ],
        "linux": { "namespaces": [{ "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" }, { "type": "network" }] },
    })
}
