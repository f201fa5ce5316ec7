//! The third tier: rootless podman, as an invented user with its own subordinate ids.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::ground::{mode, must};
use crate::image;
use crate::plain::ENVIRONMENT;
use crate::seen::{Entry, Seen};
use crate::support::is_root;
use crate::table::{Line, compare_or_write};

const UID: u32 = 54_321;
/// A script that replaces the account files which podman and newuidmap read, and becomes the invented user.
const ENTER: &str = r#"
home=$1 uid=$2
shift 2
for file in passwd group subuid subgid; do mount --bind "$home/$file" "/etc/$file"; done
cd "$home"
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all "$@"
"#;
const CONTAINERS: &str = "\
[containers]
default_ulimits = [\"nofile=20000:20000\", \"nproc=9000:9000\"]
netns = \"none\"
[engine]
runtime = \"runc\"
cgroup_manager = \"cgroupfs\"
events_logger = \"none\"
";
const FLAGS: [&str; 8] = [
    "--rm",
    "--read-only",
    "--network=none",
    "--log-driver=none",
    "--tmpfs=/tmp:rw,mode=1777",
    "--tmpfs=/var/log:rw,mode=1777",
    "--env=DEEPFACE_HOME=/tmp/.deepface",
    "--volume",
];

/// A home of the invented user. Dropping it removes its containers and volumes.
struct Home {
    dir: TempDir,
}

/// A storage driver of podman, and the lines of `storage.conf` that choose it.
type Driver = (&'static str, &'static str);

const VFS: Driver = ("vfs", "[storage]\ndriver = \"vfs\"\n");
const OVERLAY: Driver = ("overlay", "[storage]\ndriver = \"overlay\"\n");
const FUSE: Driver = (
    "fuse-overlayfs",
    "[storage]\ndriver = \"overlay\"\n[storage.options.overlay]\nmount_program = \"/usr/bin/fuse-overlayfs\"\n",
);

impl Home {
    fn new((_, storage): Driver) -> Self {
        // Below a path that every user may enter, wherever the checkout is.
        let dir = tempfile::Builder::new().prefix("ballast-podman.").tempdir_in("/var/tmp").unwrap();
        let home = Self { dir };
        mode(home.dir.path(), 0o755);
        home.file(
            "passwd",
            &format!("root:x:0:0:root:/root:/bin/sh\nmade-up:x:{UID}:{UID}::{}:/bin/sh\n", home.dir.path().display()),
        );
        home.file("group", &format!("root:x:0:\nmade-up:x:{UID}:\n"));
        for name in ["subuid", "subgid"] {
            home.file(name, "made-up:3000000:65536\n");
        }
        fs::create_dir_all(home.path(".config/containers")).unwrap();
        home.file(".config/containers/containers.conf", CONTAINERS);
        home.file(".config/containers/storage.conf", storage);
        fs::create_dir(home.path("run")).unwrap();
        for dir in ["", ".config", ".config/containers", "run"] {
            chown(home.path(dir), Some(UID), Some(UID)).unwrap();
        }
        mode(&home.path("run"), 0o700);
        let archive = home.path("image.tar");
        must(Command::new("tar").arg("-C").arg(&image::tenth().root).arg("-cf").arg(&archive).arg("."));
        must(home.podman(["import", "--quiet"]).arg(archive).arg("scenario"));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        mode(&self.path(name), 0o644);
    }

    fn podman<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--", "/bin/sh", "-euc", ENTER, "enter"]);
        command.arg(self.dir.path()).arg(UID.to_string()).arg("podman").args(args);
        let run = self.path("run");
        command.env_clear().env("HOME", self.dir.path()).env("XDG_RUNTIME_DIR", run).env("PATH", ENVIRONMENT[0].1);
        command
    }

    fn boot(&self, flags: &[&str], volume: &str, entry: Entry) -> Seen {
        let mut command = self.podman(["run"]);
        command.args(FLAGS).arg(format!("{volume}:/tmp/.deepface")).args(flags).arg("scenario");
        Seen::of(command.args(entry.line(&["/reader.sh"])))
    }
}

impl Drop for Home {
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

#[test]
fn rootless_podman() {
    if !is_root("rootless_podman") {
        return;
    }
    let home = Home::new(VFS);
    let keep = "--userns=keep-id:uid=100,gid=101";
    let cache = "4 right in the cache, as 100:101";
    let rows: [(&str, &[&str], &str); 4] = [
        ("rootless, default capabilities", &[], cache),
        (
            "rootless, cap_drop ALL and no-new-privileges",
            &["--cap-drop=ALL", "--security-opt=no-new-privileges"],
            "exit 13, no app",
        ),
        (
            "rootless, CHOWN, SETUID, SETGID only",
            &["--cap-drop=ALL", "--cap-add=CHOWN,SETUID,SETGID", "--security-opt=no-new-privileges"],
            cache,
        ),
        ("rootless, keep-id as 100:101", &[keep, "--cap-drop=ALL"], cache),
    ];
    let mut wrong = Vec::new();
    let mut lines = Vec::new();
    for (at, (name, flags, expected)) in rows.into_iter().enumerate() {
        let shell = home.boot(flags, &format!("shell{at}"), Entry::Shell);
        let ours = home.boot(flags, &format!("ours{at}"), Entry::Ballast);
        if ours.verdict() != expected {
            wrong.push(format!("{name}: expected {expected:?}, found {:?}: {ours:?}", ours.verdict()));
        }
        lines.push(Line {
            row: "l",
            name,
            tier: "podman",
            shell: (shell.verdict(), shell.ms),
            ours: (ours.verdict(), ours.ms),
        });
    }
    wrong.extend(compare_or_write(&lines));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the baked layer's protection in the report of a container without a cache, whose app is uid 100.
fn protection(home: &Home, flags: &[&str], baked: &str) -> String {
    let mut command = home.podman(["run", "--rm", "--network=none", "--log-driver=none", "--tmpfs=/tmp:rw,mode=1777"]);
    command.args(flags).arg("scenario").args(["/usr/local/bin/ballast", "run", "--store", "/reader.sh"]);
    command.args(["--baked", baked, "--report", "/tmp/report.json", "--", "/bin/cat", "/tmp/report.json"]);
    let seen = Seen::of(&mut command);
    let report: serde_json::Value = serde_json::from_str(&seen.out).unwrap_or_default();
    let kinds: std::collections::BTreeSet<_> =
        report["weights"].as_array().into_iter().flatten().filter_map(|weight| weight["firmness"].as_str()).collect();
    match kinds.len() {
        1 => kinds.into_iter().collect(),
        _ => format!("{kinds:?}: {seen:?}"),
    }
}

#[test]
fn rootless_podmans_storage_drivers() {
    if !is_root("rootless_podmans_storage_drivers") {
        return;
    }
    let volume = "--mount=type=image,source=scenario,destination=/layer";
    let (own, mounted) = ("/opt/baked-models", "/layer/opt/baked-models");
    // The app owns the files, so only the mount can protect them as a layer. Podman mounts an image volume as
    // an overlay without an upper directory, also over vfs. The kernel does not know what FUSE serves.
    let rows: [(&str, &[&str], &str, [&str; 3]); 3] = [
        ("the image, its root read-only", &["--read-only"], own, ["image-layer"; 3]),
        ("the image, its root writable", &[], own, ["owned"; 3]),
        ("an image volume", &[volume], mounted, ["image-layer", "image-layer", "owned"]),
    ];
    let mut wrong = Vec::new();
    for (at, driver) in [VFS, OVERLAY, FUSE].into_iter().enumerate() {
        let home = Home::new(driver);
        for (name, flags, baked, expected) in rows {
            let found = protection(&home, flags, baked);
            if found != expected[at] {
                wrong.push(format!("{}, {name}: expected {}, found {found}", driver.0, expected[at]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
