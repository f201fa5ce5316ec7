//! The third tier: rootless podman, as an invented user with its own subordinate ids.

use std::process::Command;

use crate::ground::must;
use crate::image;
use crate::seen::{Entry, Seen};
use crate::support::is_root;
use crate::support::podman::Account;
use crate::table::{Line, compare_or_write};

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

/// An invented user, who has the image of the scenarios.
struct Home(Account);

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
        let home = Self(Account::new(storage));
        let archive = home.0.path("image.tar");
        must(Command::new("tar").arg("-C").arg(&image::tenth().root).arg("-cf").arg(&archive).arg("."));
        must(home.podman(["import", "--quiet"]).arg(archive).arg("scenario"));
        home
    }

    fn podman<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = self.0.command("podman");
        command.args(args);
        command
    }

    fn boot(&self, flags: &[&str], volume: &str, entry: Entry) -> Seen {
        let mut command = self.podman(["run"]);
        command.args(FLAGS).arg(format!("{volume}:/tmp/.deepface")).args(flags).arg("scenario");
        Seen::of(command.args(entry.line(&["/reader.sh"])))
    }
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
