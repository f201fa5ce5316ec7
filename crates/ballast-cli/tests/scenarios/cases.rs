//! The rows of the table that one boot shows: a to h, i and q.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::ground::{Ground, mode, must};
use crate::image::{self, TREE, WEIGHTS};
use crate::plain::{self, Mount};
use crate::runc::{self, DEFAULT, Rights, THREE};
use crate::seen::{Entry, Seen};
use crate::support::is_root;
use crate::table::{Line, compare_or_write};

const LARGE: &str = WEIGHTS[0].0;
const SMALL: &str = WEIGHTS[1].0;
const CACHE: &str = "4 right in the cache, as 100:101";
const LAYER: &str = "4 right in the baked layer, as 100:101";
const OUTSIDE: &str = "; written outside the volume";

/// How a boot is started.
#[derive(Clone, Copy)]
enum Tier {
    /// Root with all capabilities, or this `user:group` with none.
    Plain(Option<&'static str>, Mount),
    /// A container with these rights.
    Runc(Rights),
}

/// A function that boots the situation again.
type Boot<'a> = &'a dyn Fn() -> Seen;

/// A situation and the result that Ballast must have.
struct Case {
    row: &'static str,
    name: &'static str,
    tier: Tier,
    /// Creates the situation.
    plant: fn(&Ground, Boot),
    /// The required result of Ballast.
    ours: &'static str,
    /// A further check of the result.
    then: fn(&Ground, &Seen, Boot) -> Result<(), String>,
}

impl Case {
    /// Creates a case in which Ballast must heal the cache.
    fn new(row: &'static str, name: &'static str, tier: Tier, plant: fn(&Ground, Boot)) -> Self {
        Self { row, name, tier, plant, ours: CACHE, then: |_, _, _| Ok(()) }
    }

    fn brings(self, ours: &'static str) -> Self {
        Self { ours, ..self }
    }

    fn then(self, then: fn(&Ground, &Seen, Boot) -> Result<(), String>) -> Self {
        Self { then, ..self }
    }

    fn boot(&self, ground: &Ground, entry: Entry) -> Seen {
        let (root, app) = (&image::tenth().root, &["/reader.sh"]);
        Seen::of(&mut match &self.tier {
            Tier::Plain(user, mount) => plain::command(root, ground, *user, *mount, entry, app),
            Tier::Runc(rights) => runc::container(root, ground, rights, entry, app).command,
        })
    }

    /// Runs the case with one entrypoint; returns the words for the table, and what is wrong.
    fn run(&self, entry: Entry) -> ((String, f64), Option<String>) {
        let ground = Ground::new();
        let boot = || self.boot(&ground, entry);
        (self.plant)(&ground, &boot);
        let before = ground.outside_state();
        let seen = boot();
        let mut verdict = seen.verdict();
        if ground.outside_state() != before {
            verdict += OUTSIDE;
        }
        let wrong = match entry {
            Entry::Shell => None,
            Entry::Ballast if verdict != self.ours => {
                Some(format!("expected {:?}, found {verdict:?}: {seen:?}", self.ours))
            }
            Entry::Ballast => (self.then)(&ground, &seen, &boot).err().map(|why| format!("{why}: {seen:?}")),
        };
        ((verdict, seen.ms), wrong)
    }

    fn line(&self, wrong: &mut Vec<String>) -> Line {
        let (shell, _) = self.run(Entry::Shell);
        let (ours, bad) = self.run(Entry::Ballast);
        wrong.extend(bad.map(|bad| format!("{} {}: {bad}", self.row, self.name)));
        let tier = if matches!(self.tier, Tier::Plain(..)) { "plain" } else { "runc" };
        Line { row: self.row, name: self.name, tier, shell, ours }
    }
}

fn all_of(test: &str, cases: &[Case]) {
    if !is_root(test) {
        return;
    }
    let mut wrong = Vec::new();
    let lines: Vec<_> = cases.iter().map(|case| case.line(&mut wrong)).collect();
    wrong.extend(compare_or_write(&lines));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

const fn root_with(caps: &'static [&'static str]) -> Tier {
    Tier::Runc(Rights { user: (0, 0), caps, no_new_privs: true })
}

const fn user(uid: u32, gid: u32) -> Tier {
    Tier::Runc(Rights { user: (uid, gid), caps: &[], no_new_privs: true })
}

const ROOT: Tier = Tier::Plain(None, Mount::Rw);
const APP: Tier = Tier::Plain(Some("100:101"), Mount::Rw);
const DOCKER: Tier = Tier::Runc(Rights { user: (0, 0), caps: DEFAULT, no_new_privs: false });
const DROP_AND_CHOWN: Tier = root_with(THREE);
const DROP: Tier = root_with(&["SETUID", "SETGID"]);
const OPENSHIFT: Tier = user(1_000_650_000, 0);

fn of_root(_: &Ground, _: Boot) {}

fn of_the_app(ground: &Ground, _: Boot) {
    ground.own(100, 101, 0o755);
}

fn roots_directories(ground: &Ground, _: Boot) {
    fs::create_dir_all(ground.volume().join(TREE)).unwrap();
}

fn healed_files_are_the_apps(ground: &Ground, _: &Seen, _: Boot) -> Result<(), String> {
    let of = |name: &str| fs::metadata(ground.weight(name)).map(|meta| (meta.uid(), meta.gid())).ok();
    require(WEIGHTS.iter().all(|(name, _)| of(name) == Some((100, 101))), "a healed file is not 100:101")
}

#[test]
fn root_with_many_few_and_no_capabilities() {
    let line_to_change = |_: &Ground, seen: &Seen, _: Boot| {
        let reported =
            ["user: \"100:101\"", "cap_add: [CHOWN, SETUID, SETGID]"].iter().all(|line| seen.err.contains(line));
        require(reported, "the line to change is not reported")
    };
    let owned = healed_files_are_the_apps;
    let (refused, half) = ("exit 13, no app", root_with(&["CHOWN", "SETGID"]));
    all_of(
        "root_with_many_few_and_no_capabilities",
        &[
            Case::new("a", "default capabilities, empty volume of root's", DOCKER, of_root).then(owned),
            Case::new("a", "the same again", DOCKER, |_, boot| drop(boot())).then(|ground, _, boot| {
                let before = ground.volume_state();
                boot();
                require(ground.volume_state() == before, "a boot of a healthy volume touched something")
            }),
            Case::new("b", "cap_drop ALL and no-new-privileges, as root", root_with(&[]), of_root)
                .brings(refused)
                .then(line_to_change),
            Case::new("b", "cap_drop ALL, CHOWN and SETGID only, as root", half, of_root)
                .brings(refused)
                .then(line_to_change),
            Case::new("c", "CHOWN, SETUID, SETGID; volume of root's", DROP_AND_CHOWN, of_root).then(owned),
            Case::new("c", "CHOWN, SETUID, SETGID; volume of the app's", DROP_AND_CHOWN, of_the_app).then(owned),
            Case::new("c", "CHOWN, SETUID, SETGID; volume of uid 1000", DROP_AND_CHOWN, |g, _| {
                g.own(1000, 1000, 0o755)
            })
            .then(owned),
            Case::new("c", "CHOWN, SETUID, SETGID; volume 0700 of root's", DROP_AND_CHOWN, |g, _| g.own(0, 0, 0o700))
                .then(owned),
            Case::new(
                "c",
                "CHOWN, SETUID, SETGID; volume with directories of root's",
                DROP_AND_CHOWN,
                roots_directories,
            )
            .then(owned),
            Case::new("c2", "SETUID and SETGID; volume of the app's", DROP, of_the_app).then(owned),
            Case::new("c2", "SETUID and SETGID; volume of root's", DROP, of_root).brings(LAYER),
        ],
    );
}

#[test]
fn plain_users() {
    all_of(
        "plain_users",
        &[
            Case::new("d", "user 100:101, no capability; volume of the app's", user(100, 101), of_the_app)
                .then(healed_files_are_the_apps),
            Case::new("d", "user 100:101, no capability; volume of root's", user(100, 101), of_root).brings(LAYER),
            Case::new("e", "uid 1000650000, gid 0; volume 0755 of root's", OPENSHIFT, of_root)
                .brings("4 right in the baked layer, as 1000650000:0"),
            Case::new("e", "uid 1000650000, gid 0; volume 0775 of root's", OPENSHIFT, |g, _| g.own(0, 0, 0o775))
                .brings("4 right in the cache, as 1000650000:0"),
        ],
    );
}

#[test]
fn read_only_and_full_volumes() {
    let only_read = Tier::Plain(None, Mount::Ro);
    let full = |ground: &Ground, seen: &Seen, _: Boot| {
        require(seen.err.contains("No space left on device"), "the full disk is not named")?;
        let there = WEIGHTS.iter().filter(|(name, _)| ground.weight(name).exists());
        let same = |name: &str| fs::read(ground.weight(name)).ok() == fs::read(image::tenth().baked(name)).ok();
        require(there.into_iter().all(|(name, _)| same(name)), "a file cut short is visible")
    };
    const FEW: &str = "size=64m,nr_inodes=3";
    all_of(
        "read_only_and_full_volumes",
        &[
            Case::new("f", "cache read-only and empty", only_read, of_root).brings(LAYER),
            Case::new("f", "cache read-only and full", only_read, |g, _| g.fill(image::tenth())),
            Case::new("g", "tmpfs of half the room", ROOT, |g, _| g.mount_memory("size=5m")).brings(LAYER).then(full),
            Case::new("g", "ext4 of half the room", ROOT, |g, _| g.mount_disk(6 << 20)).brings(LAYER).then(full),
            Case::new("g", "no inodes left", ROOT, |g, _| g.mount_memory(FEW)).brings(LAYER).then(full),
            Case::new("g", "the tmpfs is enlarged, next boot", ROOT, |g, boot| {
                g.mount_memory("size=5m");
                boot();
                g.remount_memory("size=64m");
            }),
            Case::new("g", "the ext4 is enlarged, next boot", ROOT, |g, boot| {
                g.mount_disk(6 << 20);
                boot();
                g.enlarge_disk(64 << 20);
            }),
            Case::new("g", "inodes are added, next boot", ROOT, |g, boot| {
                g.mount_memory(FEW);
                boot();
                g.remount_memory("size=64m,nr_inodes=100");
            }),
        ],
    );
}

/// Changes one weight of a right volume in place.
fn damage(ground: &Ground, change: impl Fn(&mut Vec<u8>)) {
    ground.fill(image::tenth());
    let mut bytes = fs::read(ground.weight(LARGE)).unwrap();
    change(&mut bytes);
    fs::write(ground.weight(LARGE), bytes).unwrap();
}

#[test]
fn damaged_files() {
    let aside = |ground: &Ground, _: &Seen, _: Boot| {
        require(ground.weight(&format!(".ballast-aside.{LARGE}")).exists(), "the bad file was not set aside")
    };
    let foreign = |ground: &Ground, _: Boot| {
        ground.fill(image::tenth());
        fs::copy(ground.weight(WEIGHTS[2].0), ground.weight(WEIGHTS[3].0)).unwrap();
    };
    let closed = |ground: &Ground, _: Boot| {
        ground.fill(image::tenth());
        ground.set_owner(LARGE, 0);
    };
    all_of(
        "damaged_files",
        &[
            Case::new("h", "cut short", ROOT, |g, _| damage(g, |bytes| bytes.truncate(bytes.len() / 3))).then(aside),
            Case::new("h", "one bit flipped", ROOT, |g, _| damage(g, |bytes| bytes[4_000_000] ^= 8)).then(aside),
            Case::new("h", "0 bytes", ROOT, |g, _| damage(g, Vec::clear)).then(aside),
            Case::new("h", "mode 000", ROOT, closed).then(aside),
            Case::new("h", "a foreign .pth under the right name", ROOT, foreign),
        ],
    );
}

/// Replaces a weight's name by something else, as the app of an earlier run.
fn instead(ground: &Ground, name: &str, put: impl Fn(&Path)) {
    ground.fill(image::tenth());
    let path = ground.volume().join(name);
    if path.is_dir() {
        fs::remove_dir_all(&path).unwrap()
    } else {
        fs::remove_file(&path).unwrap()
    }
    put(&path);
    lchown(&path, Some(100), Some(101)).unwrap();
}

fn link_instead(ground: &Ground, name: &str, to: &str) {
    instead(ground, name, |at| symlink(to, at).unwrap());
}

fn hard_link_to_roots_file(ground: &Ground, _: Boot) {
    ground.fill(image::tenth());
    fs::remove_file(ground.weight(LARGE)).unwrap();
    fs::hard_link(ground.secret(), ground.weight(LARGE)).unwrap();
}

fn operators_file(ground: &Ground, _: Boot) {
    ground.fill(image::tenth());
    chown(ground.weight(SMALL), Some(0), Some(0)).unwrap();
    mode(&ground.weight(SMALL), 0o600);
}

fn setuid_file(ground: &Ground, _: Boot) {
    ground.fill(image::tenth());
    ground.set_owner(SMALL, 0o4755);
}

#[test]
fn planted_entries() {
    const AT: &str = ".deepface/weights/facenet512_weights.h5";
    let plain = |ground: &Ground, _: &Seen, _: Boot| {
        let bits = fs::metadata(ground.weight(SMALL)).unwrap().mode() & 0o7000;
        require(bits == 0, "it is still setuid")
    };
    all_of(
        "planted_entries",
        &[
            Case::new("i", "symlink to root's own file", ROOT, |g, _| link_instead(g, AT, "/outside/secret")),
            Case::new("i", "dangling symlink", ROOT, |g, _| link_instead(g, AT, "/outside/new")),
            Case::new("i", "`weights` is a symlink out", ROOT, |g, _| link_instead(g, TREE, "/outside")),
            Case::new("i", "`.deepface` is a symlink out", ROOT, |g, _| link_instead(g, ".deepface", "/outside")),
            Case::new("i", "hard link to root's own file", ROOT, hard_link_to_roots_file),
            Case::new("i", "FIFO", ROOT, |g, _| instead(g, AT, |at| must(Command::new("mkfifo").arg(at)))),
            Case::new("i", "directory", ROOT, |g, _| instead(g, AT, |at| fs::create_dir(at).unwrap())),
            Case::new("i", "socket", ROOT, |g, _| instead(g, AT, |at| drop(UnixListener::bind(at).unwrap()))),
            Case::new("i", "symlink to itself", ROOT, |g, _| link_instead(g, TREE, "weights")),
            Case::new("i", "setuid file", ROOT, setuid_file).then(plain),
            Case::new("i", "an operator's file for root only, booted as root", ROOT, operators_file),
            Case::new("i", "an operator's file for root only, booted as the app", APP, operators_file),
        ],
    );
}

#[test]
fn roots_own_directories_below_the_app() {
    let moved_aside = |ground: &Ground, boot: Boot| {
        roots_directories(ground, boot);
        boot();
        let mut app = Command::new("setpriv");
        app.args(["--reuid", "100", "--regid", "101", "--clear-groups", "mv"]);
        must(app.args([".deepface", "moved"]).current_dir(ground.volume()));
    };
    let sticky = |ground: &Ground, boot: Boot| {
        roots_directories(ground, boot);
        ground.own(0, 0, 0o1777);
    };
    all_of(
        "roots_own_directories_below_the_app",
        &[
            Case::new("q", "the app moved root's `.deepface` aside after the handover", ROOT, moved_aside),
            Case::new("q", "the mount's root is root's and sticky, `.deepface` too", ROOT, sticky).brings(LAYER),
        ],
    );
}
