//! The first tier: a plain process in a new mount namespace with a read-only root.

use std::path::Path;
use std::process::Command;

use crate::ground::Ground;
use crate::seen::Entry;

/// Mounts as in the replaced service's compose file, then the entrypoint. `$5` is `user:group`, or empty.
const ENTER: &str = r#"
root=$1 volume=$2 outside=$3 mode=$4 user=$5
shift 5
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$root/var/log"
mount --rbind /proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind "$outside" "$root/outside"
if [ "$mode" != none ]; then
    mkdir "$root/tmp/.deepface"
    mount --bind "$volume" "$root/tmp/.deepface"
    [ "$mode" = rw ] || mount -o remount,bind,ro "$root/tmp/.deepface"
fi
mount -o remount,bind,ro "$root"
exec chroot ${user:+--userspec="$user" --groups=} "$root" "$@"
"#;

/// How the cache is mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mount {
    /// Writable.
    Rw,
    /// Read-only.
    Ro,
}

/// Returns the command of one boot.
pub fn command(root: &Path, ground: &Ground, user: Option<&str>, mount: Mount, entry: Entry, app: &[&str]) -> Command {
    enter(root, ground, user, mount, &entry.line(app))
}

/// Returns a command that runs any line in the same namespace.
pub fn enter(root: &Path, ground: &Ground, user: Option<&str>, mount: Mount, line: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "/bin/sh", "-euc", ENTER, "enter"]);
    command.arg(root).arg(ground.volume()).arg(ground.outside());
    command.arg(if mount == Mount::Rw { "rw" } else { "ro" }).arg(user.unwrap_or(""));
    command.args(line).env_clear().envs(ENVIRONMENT);
    command
}

/// The environment of the replaced service's image.
pub const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("DEEPFACE_HOME", "/tmp/.deepface")];
