//! Tests `[[dir]]` entries in real boots: created, given to the app, replaced by the fallback, or reported.
//! Started as root, root without CHOWN and a plain user; on read-only, full and foreign places; behind
//! symlinks.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Output};

use support::{PAIR, World, is_root, program, stderr, stdout};
use tempfile::TempDir;

/// A scratch folder with a writable fallback, and a lock file with a `[[dir]]` below the folder.
struct Place {
    scratch: TempDir,
    world: World,
}

impl Place {
    fn new(wanted: &str, more: &str) -> Self {
        let scratch = testkit::ground::folder("scratch");
        let dir = scratch.path().display();
        let world = World::with(&PAIR, &format!("[[dir]]\npath = \"{dir}/{wanted}\"\nenv = \"CACHE_DIR\"\n{more}"));
        for (name, mode) in [("open", 0o777), ("fallback", 0o777), ("closed", 0o755), ("mount", 0o755), ("log", 0o777)]
        {
            fs::create_dir(scratch.path().join(name)).unwrap();
            fs::set_permissions(scratch.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        Self { scratch, world }
    }

    /// Boots in a new mount namespace, after `setup`, started by `wrapper`.
    fn boot(&self, setup: &str, wrapper: &str, user: &[&str]) -> Output {
        let report = self.report();
        let script = format!(
            "cd {} && {setup} && exec {wrapper} \"$0\" run --on-failure start --report {} \"$@\" -- sh -c \
             'echo \"$CACHE_DIR\"; test -z \"$CACHE_DIR\" || touch \"$CACHE_DIR/by-the-app\"'",
            self.scratch.path().display(),
            report.display(),
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", &script]).arg(program()).args(user);
        command.env("BALLAST_LOCK", self.world.lock()).output().unwrap()
    }

    fn reported(&self) -> serde_json::Value {
        let reported: serde_json::Value = serde_json::from_slice(&fs::read(self.report()).unwrap()).unwrap();
        reported["dirs"][0].clone()
    }

    fn report(&self) -> std::path::PathBuf {
        self.scratch.path().join("log/report.json")
    }
}

const PLAIN: &str = "setpriv --reuid 100 --regid 101 --clear-groups";
const NO_CHOWN: &str = "setpriv --bounding-set=-chown";

#[test]
fn each_place_under_each_privilege_has_its_own_outcome() {
    if !is_root("each_place_under_each_privilege") {
        return;
    }
    let tmpfs = "mount -t tmpfs -o mode=0755 tmpfs mount";
    let drifted = "mount -t tmpfs -o mode=0755,uid=999,gid=999 tmpfs mount";
    let nested = "mount -t tmpfs -o uid=100,gid=101,mode=0755 tmpfs mount && mkdir mount/a && \
        mount -t tmpfs -o mode=0755 tmpfs mount/a";
    let secret = "mount -t tmpfs -o uid=100,gid=101,mode=0755 tmpfs mount && mkdir -m 0700 mount/private && \
        setpriv --reuid 100 --regid 101 --clear-groups mv mount/private mount/a";
    let read_only = "mount -t tmpfs -o mode=1777,ro tmpfs mount";
    let full = "mount -t tmpfs -o mode=1777,size=64k tmpfs mount && ! head -c 1M /dev/zero > mount/fill 2>/dev/null";
    let no_inodes = "mount -t tmpfs -o mode=1777,nr_inodes=2 tmpfs mount && touch mount/fill";
    let planted = "mkdir -p closed/target && chmod 0777 closed/target && ln -s ../closed/target open/dir";
    let planted_above = "mkdir -p closed/target && chmod 0777 closed/target && ln -s ../closed open/dir";
    // name, wanted, setup, wrapper, outcome, in the fallback, what the refusals say
    let rows = [
        ("as root: made", "open/a/b", "true", "", "made", false, ""),
        ("as the app: made", "open/a/b", "true", PLAIN, "made", false, ""),
        ("as root: there already", "open", "true", "", "writable", false, ""),
        ("as root: a volume of root's", "mount", tmpfs, "", "handed-over", false, ""),
        ("as root: a volume of a drifted uid", "mount", drifted, "", "handed-over", false, ""),
        ("as root: a volume below the app's directory", "mount/a", nested, "", "handed-over", false, ""),
        ("as root: a secret that the app put there", "mount/a", secret, "", "writable", true, "(EACCES)"),
        ("root without CHOWN: a volume of root's", "mount", tmpfs, NO_CHOWN, "writable", true, "add CHOWN"),
        ("as the app: a volume of root's", "mount", tmpfs, PLAIN, "writable", true, "(EACCES)"),
        ("as root: a plain directory of root's", "closed", "true", "", "writable", true, "(EACCES)"),
        ("as root: below a directory of root's", "closed/a", "true", "", "writable", true, "(EACCES)"),
        ("as root: read-only mount", "mount", read_only, "", "writable", true, "(EROFS)"),
        ("as the app: read-only mount", "mount/a", read_only, PLAIN, "writable", true, "(EROFS)"),
        ("as root: full", "mount", full, "", "writable", true, "(ENOSPC)"),
        ("as the app: full", "mount", full, PLAIN, "writable", true, "(ENOSPC)"),
        ("as the app: no inode left", "mount", no_inodes, PLAIN, "writable", true, "(ENOSPC)"),
        ("as root: symlink planted", "open/dir", planted, "", "writable", true, "symlink, which is not followed"),
        ("as the app: symlink planted", "open/dir", planted, PLAIN, "writable", true, "symlink"),
        ("as root: symlink planted above", "open/dir/target", planted_above, "", "writable", true, "symlink"),
        ("as root: a file stands there", "open/dir", "touch open/dir", "", "writable", true, "(ENOTDIR)"),
        ("as root: a FIFO stands there", "open/dir", "mkfifo open/dir", "", "writable", true, "(ENOTDIR)"),
    ];
    let mut wrong = Vec::new();
    for (name, wanted, setup, wrapper, outcome, fallback, says) in rows {
        let place = Place::new(wanted, "");
        let lock = fs::read_to_string(place.world.lock()).unwrap();
        let other = place.scratch.path().join("fallback");
        fs::write(place.world.lock(), format!("{lock}fallback = \"{}\"\n", other.display())).unwrap();
        let output = place.boot(setup, wrapper, &[]);
        let expected = if fallback { other } else { place.scratch.path().join(wanted) };
        let reported = place.reported();
        let right = stdout(&output) == expected.display().to_string()
            && reported["outcome"] == outcome
            && reported["fallback"] == fallback
            && reported["refused"].to_string().contains(says)
            && (says.is_empty() || stderr(&output).contains(says));
        if !right || !output.status.success() {
            wrong.push(format!("{name}: {reported}\n{output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn root_hands_over_no_directory_that_is_not_the_root_of_a_mount() {
    if !is_root("root_hands_over_no_directory") {
        return;
    }
    let place = Place::new("closed", "");
    place.boot("true", "", &[]);
    let meta = fs::metadata(place.scratch.path().join("closed")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (0, 0, 0o755));
    assert_eq!(place.reported()["outcome"], "unwritable");
}

#[test]
fn a_symlink_to_a_volume_of_roots_is_not_handed_over() {
    if !is_root("a_symlink_to_a_volume") {
        return;
    }
    let place = Place::new("open/dir", "");
    let setup = "mount -t tmpfs -o mode=0755 tmpfs mount && ln -s ../mount open/dir && echo > mount/witness";
    let output = place.boot(&format!("{setup} && exec 3< mount"), "", &["--keep-fds"]);
    assert_eq!(place.reported()["outcome"], "unwritable", "{output:?}");
    let script = format!(
        "cd {} && rm -f open/dir && {setup} && \"$0\" heal --report \"$1\"; stat -c %u mount",
        place.scratch.path().display()
    );
    let output = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", &script])
        .arg(program())
        .arg(place.report())
        .env("BALLAST_LOCK", place.world.lock())
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "0", "{output:?}");
}

#[test]
fn the_mode_of_a_new_directory_is_the_lock_files_under_any_umask() {
    if !is_root("the_mode_of_a_new_directory") {
        return;
    }
    let mut wrong = Vec::new();
    for (mode, umask) in [("0700", "000"), ("0755", "077"), ("1777", "027"), ("0770", "777")] {
        let place = Place::new("open/dir", &format!("mode = \"{mode}\"\n"));
        let output = place.boot(&format!("umask {umask}"), "", &[]);
        let meta = fs::metadata(place.scratch.path().join("open/dir"));
        let found = meta.map(|meta| (meta.uid(), format!("{:04o}", meta.mode() & 0o7777))).ok();
        if found != Some((100, mode.to_owned())) {
            wrong.push(format!("mode {mode}, umask {umask}: {found:?} {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_directory_that_cannot_be_written_is_named_and_stops_run_and_heal() {
    if !is_root("every_directory_that_cannot_be_written") {
        return;
    }
    let place =
        Place::new("closed", "[[dir]]\npath = \"/opt/not-there\"\nfallback = \"/opt/nor-there\"\nenv = \"B\"\n");
    let run = place.world.run(&[]);
    let heal = place.world.ballast(&["heal", "--report", place.world.report().to_str().unwrap()]);
    for output in [&run, &heal] {
        let reported = stderr(output);
        let named = ["/closed can't be written", "/opt/not-there: making", "/opt/nor-there: making", "hint: mount"];
        assert!(output.status.code() == Some(15) && named.iter().all(|part| reported.contains(part)), "{output:?}");
    }
    assert_eq!(stdout(&run), "");
}

#[test]
fn a_home_of_the_lock_file_wins_over_the_accounts() {
    if !is_root("a_home_of_the_lock_file") {
        return;
    }
    let place = Place::new("open/home", "");
    let lock = fs::read_to_string(place.world.lock()).unwrap().replace("CACHE_DIR", "HOME");
    fs::write(place.world.lock(), lock).unwrap();
    let output = place.world.ballast(&["run", "--", "sh", "-c", "echo $HOME"]);
    assert_eq!(stdout(&output), place.scratch.path().join("open/home").display().to_string(), "{output:?}");
}
