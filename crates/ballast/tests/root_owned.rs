//! Root protects two weights in a volume that the app shares. The test tries every interleaving of
//! up to two acts of the app with the calls of a whole heal; of up to three in the long form (`just
//! sticky`). The app reads every weight that is reported right, and later acts of the app do not
//! change that.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test's helpers may fail where they stand, and tell figures"
)]

#[path = "support/shared.rs"]
mod shared;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use ballast::heal::{Options, Outcome, heal};
use ballast::install::Origin;
use ballast::lock::Lock;
use ballast::root_owned;
use ballast::store::{ExpectedWeight, Strictness};
use sha2::{Digest as _, Sha256};
use shared::{APP, Act, Content, GROUP, Inode, ROOT, Schedule, SharedDisk};

const WEIGHTS: [(&str, &[u8]); 2] = [("w/a", b"AAAA"), ("w/b", b"BBBB")];

/// The acts that the app tries, with the directories above the weights.
const ACTS: &[Act] = &[
    Act::Rename("w", "x"),
    Act::Rename("x", "w"),
    Act::Exchange("w", "x"),
    Act::Rename("w/a", "a"),
    Act::Rename("x/a", "w/a"),
    Act::Exchange("w/a", "x/a"),
    Act::MakeDir("w"),
    Act::MakeDir("w/a"),
    Act::Create("w/a"),
    Act::Write("w/a"),
    Act::Unlink("w/a"),
    Act::Symlink("w", "x"),
    Act::Symlink("w/a", "evil"),
];

/// A private directory of another service, which the volume has from the start.
const PRIVATE: &str = "private";

type Make = fn(&SharedDisk);

fn dir() -> Content {
    Content::Dir(BTreeMap::new())
}

fn file(bytes: &[u8]) -> Content {
    Content::File(bytes.to_vec())
}

fn put_weights(disk: &SharedDisk, uid: u32, mode: u32) {
    for (path, bytes) in WEIGHTS {
        disk.put(path, uid, mode, file(bytes));
    }
}

/// The volume before the boot: the name, whose its root is, and what is in it.
const STARTS: &[(&str, u32, u32, Make)] = &[
    ("empty, the app's", APP, 0o755, |_| {}),
    ("the app's directory", APP, 0o755, |disk| {
        disk.put("w", APP, 0o755, dir());
    }),
    ("the app's directory with right weights", APP, 0o755, |disk| {
        disk.put("w", APP, 0o755, dir());
        put_weights(disk, APP, 0o644);
    }),
    ("kept, empty", ROOT, 0o1775, |_| {}),
    ("kept, the app's directory with another away", ROOT, 0o1775, |disk| {
        disk.put("w", APP, 0o755, dir());
        disk.put("x", APP, 0o755, dir());
        disk.put("x/a", APP, 0o644, file(b"EVIL"));
    }),
    ("kept, right", ROOT, 0o1775, |disk| {
        disk.put("w", ROOT, 0o1775, dir());
        put_weights(disk, ROOT, 0o444);
    }),
    ("kept, one weight damaged", ROOT, 0o1775, |disk| {
        disk.put("w", ROOT, 0o1775, dir());
        disk.put("w/a", ROOT, 0o444, file(b"AxAA"));
        disk.put("w/b", ROOT, 0o444, file(b"BBBB"));
    }),
    ("kept, a weight of the app's in root's directory", ROOT, 0o1775, |disk| {
        disk.put("w", ROOT, 0o1775, dir());
        disk.put("w/a", APP, 0o644, file(b"AAAA"));
    }),
    ("root's weights in the app's directory", ROOT, 0o1775, |disk| {
        disk.put("w", APP, 0o755, dir());
        put_weights(disk, ROOT, 0o444);
    }),
];

fn lock() -> Lock {
    let mut text = String::from("version = 1\n[store]\npath = \"/srv/cache\"\n");
    for (path, bytes) in WEIGHTS {
        let pin: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{pin}\"\nsize = 4\n");
    }
    Lock::parse(&text).unwrap()
}

/// The layer that right bytes come from.
fn layer() -> SharedDisk {
    let disk = SharedDisk::new(ROOT, 0o755);
    disk.put("w", ROOT, 0o755, dir());
    put_weights(&disk, ROOT, 0o444);
    disk
}

/// A boot that the app interferes with.
struct Boot<'a> {
    lock: &'a Lock,
    layer: &'a SharedDisk,
    strict: Strictness,
}

impl Boot<'_> {
    fn run(&self, disk: &SharedDisk) -> Vec<Outcome> {
        let wanted: Vec<_> = self.lock.weights.iter().map(ExpectedWeight::by_pin).collect();
        let threads = || NonZeroUsize::MIN;
        let options = Options { threads, lock_wait: Duration::ZERO, strict: self.strict, dry_run: false };
        disk.take();
        let origins = [Origin { root: Path::new("source"), disk: self.layer, strict: Strictness::Layer }];
        let mut outcomes = heal(disk, &wanted, &origins, &options);
        root_owned::confirm(disk, &wanted, self.strict, &mut outcomes);
        outcomes
    }
}

/// The results of all schedules from one start.
#[derive(Default)]
struct Tally {
    runs: usize,
    /// Runs in which every weight was called right.
    right: usize,
    wrong: Vec<String>,
}

/// Plays a schedule and, if its last act changed something, every longer schedule too.
fn explore(boot: &Boot, start: (u32, u32, Make), schedule: &mut Schedule, most: usize, tally: &mut Tally) {
    let (uid, mode, make) = start;
    let disk = SharedDisk::new(uid, mode);
    make(&disk);
    let private = disk.put(PRIVATE, 999, 0o700, dir());
    disk.put("private/secret", 999, 0o600, file(b"secret"));
    let before = disk.inode(private);
    disk.follow(schedule);
    let outcomes = boot.run(&disk);
    let (calls, effective) = disk.played();
    if !effective {
        // The act had no effect.
        return;
    }
    tally.runs += 1;
    tally.right += usize::from(outcomes.iter().all(Outcome::is_right));
    if let Some(why) = lie(&disk, &outcomes, (&before, &disk.inode(private))) {
        tally.wrong.push(format!("{schedule:?}: {why}"));
    }
    if schedule.len() == most {
        return;
    }
    let from = schedule.last().map_or(0, |(at, _)| *at);
    for at in from..calls {
        for act in ACTS {
            schedule.push((at, *act));
            explore(boot, start, schedule, most, tally);
            schedule.pop();
        }
    }
}

/// A weight that is reported right and is not, now or after any later act of the app.
fn lie(disk: &SharedDisk, outcomes: &[Outcome], private: (&Inode, &Inode)) -> Option<String> {
    if private.0 != private.1 {
        return Some(format!("root changed another service's directory: {:?}", private.1));
    }
    let right = || outcomes.iter().zip(WEIGHTS).filter(|(outcome, _)| outcome.is_right());
    let misread = || right().find(|(_, (path, bytes))| disk.read(path).as_deref() != Some(*bytes));
    let words = |path: &str, after: &dyn std::fmt::Debug| {
        format!("{path} is called right and reads {:?} after {after:?}", disk.read(path))
    };
    if let Some((_, (path, _))) = misread() {
        return Some(words(path, &"the boot"));
    }
    ACTS.iter().find_map(|act| {
        disk.act(*act);
        misread().map(|(_, (path, _))| words(path, act))
    })
}

#[test]
fn no_interleaving_of_the_apps_acts_gets_wrong_bytes_called_right() {
    let most = if std::env::var_os("BALLAST_STICKY").is_some_and(|word| word == "long") { 3 } else { 2 };
    let (lock, layer) = (lock(), layer());
    let boot = Boot { lock: &lock, layer: &layer, strict: Strictness::RootOwned { gid: GROUP } };
    let wrong = testkit::rows::wrong(STARTS, |(name, uid, mode, make)| {
        let mut tally = Tally::default();
        let begun = std::time::Instant::now();
        explore(&boot, (*uid, *mode, *make), &mut Schedule::new(), most, &mut tally);
        eprintln!("{name}: {} runs, {} wholly right, {:?}", tally.runs, tally.right, begun.elapsed());
        assert!(tally.right > 0, "{name}: nothing was ever right, so nothing was tested");
        tally.wrong.into_iter().take(3).map(|why| format!("{name}: {why}")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_model_notices_a_boot_that_judges_no_directory() {
    let (lock, layer) = (lock(), layer());
    let boot = Boot { lock: &lock, layer: &layer, strict: Strictness::Volume };
    let mut tally = Tally::default();
    let (_, uid, mode, make) = STARTS[1];
    explore(&boot, (uid, mode, make), &mut Schedule::new(), 2, &mut tally);
    assert!(!tally.wrong.is_empty(), "{} runs", tally.runs);
}
