//! Tests replicas that share one volume: they start at once, with working locks, with a lock that a stranger
//! keeps, or without locks; and old and new releases side by side. A reader opens the files throughout and
//! never sees a partial one.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::{PAIR, TREE, Weight, World, bytes_of, is_root, program, stderr, stdout};

const REPLICAS: usize = 8;

/// A thread that opens the weights until it is stopped, and counts complete and partial reads.
struct Reader<'a> {
    files: Vec<(PathBuf, Vec<Vec<u8>>)>,
    stop: &'a AtomicBool,
    whole: AtomicUsize,
    partial: AtomicUsize,
}

impl Reader<'_> {
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            for (path, right) in &self.files {
                let Ok(found) = fs::read(path) else { continue };
                let counter = if right.contains(&found) { &self.whole } else { &self.partial };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Starts replicas at once; returns the report of each.
fn heal_at_once(world: &World, prefix: &[&str], options: &[&str]) -> Vec<serde_json::Value> {
    let start = |number: usize| {
        let report = world.path(&format!("report.{number}.json"));
        let mut words: Vec<&str> = prefix.to_vec();
        let program = program();
        words.push(program.to_str().unwrap());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["heal", "--report", report.to_str().unwrap()]).args(options);
        command.env("BALLAST_LOCK", world.lock()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..REPLICAS).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success(), "a replica failed");
    }
    let reported =
        |number| serde_json::from_slice(&fs::read(world.path(&format!("report.{number}.json"))).unwrap()).unwrap();
    (0..REPLICAS).map(reported).collect()
}

/// Runs rounds on an empty volume, with a reader at the same time; `judge` checks each round's reports.
fn rounds(count: usize, prefix: &[&str], options: &[&str], judge: impl Fn(&[serde_json::Value]) -> Vec<String>) {
    let world = World::new(&PAIR);
    let (stop, mut wrong) = (AtomicBool::new(false), Vec::new());
    let file = |weight: &Weight| (world.cache().join(TREE).join(weight.name), vec![bytes_of(weight)]);
    let files = PAIR.iter().map(file).collect();
    let reader = Reader { files, stop: &stop, whole: AtomicUsize::new(0), partial: AtomicUsize::new(0) };
    std::thread::scope(|scope| {
        scope.spawn(|| reader.work());
        for round in 0..count {
            fs::remove_dir_all(world.cache().join(".deepface")).ok();
            let reports = heal_at_once(&world, prefix, options);
            let left = fs::read_dir(world.cache().join(TREE)).unwrap().count();
            if !world.all_right(&world.cache(), &PAIR) || left != PAIR.len() {
                wrong.push(format!("round {round}: {left} names in the end"));
            }
            wrong.extend(judge(&reports).into_iter().map(|why| format!("round {round}: {why}")));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(reader.partial.into_inner(), 0, "partial reads");
    assert!(reader.whole.into_inner() > 0, "the reader saw nothing");
}

/// Returns how many replicas reported this word for each weight.
fn said(reports: &[serde_json::Value], word: &str) -> Vec<usize> {
    let of = |at: usize| reports.iter().filter(|report| report["weights"][at]["done"] == word).count();
    (0..PAIR.len()).map(of).collect()
}

#[test]
fn eight_replicas_on_an_empty_volume_copy_once_and_show_nothing_partial() {
    if !is_root("eight_replicas_on_an_empty_volume") {
        return;
    }
    rounds(100, &[], &["--lock-wait", "60"], |reports| {
        let (copied, others) =
            (said(reports, "copied"), [said(reports, "repaired by another replica"), said(reports, "kept")]);
        let all: Vec<usize> = (0..PAIR.len()).map(|at| others[0][at] + others[1][at]).collect();
        if copied == [1, 1] && all == [REPLICAS - 1; 2] {
            vec![]
        } else {
            vec![format!("copied {copied:?}, kept {all:?}")]
        }
    });
}

#[test]
fn without_a_wait_for_the_lock_it_is_still_right() {
    if !is_root("without_a_wait_for_the_lock") {
        return;
    }
    rounds(25, &[], &["--lock-wait", "0"], |reports| {
        let wrong = reports.iter().filter(|report| report["ready"] != true).count();
        if wrong == 0 { vec![] } else { vec![format!("{wrong} replicas not ready")] }
    });
}

#[test]
fn where_locks_do_not_work_it_is_still_right() {
    if !is_root("where_locks_do_not_work")
        || !support::is_there(Path::new("/usr/bin/strace"), "where_locks_do_not_work", "apt-get install strace")
    {
        return;
    }
    let strace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"];
    rounds(10, &strace, &[], |reports| {
        let wrong = reports.iter().filter(|report| report["ready"] != true).count();
        if wrong == 0 { vec![] } else { vec![format!("{wrong} replicas not ready")] }
    });
}

#[test]
fn a_stranger_that_keeps_the_lock_stops_no_replica() {
    if !is_root("a_stranger_that_holds_the_lock") {
        return;
    }
    let world = World::new(&PAIR);
    let stranger = File::open(world.cache()).unwrap();
    rustix::fs::flock(&stranger, rustix::fs::FlockOperation::LockExclusive).unwrap();
    for wait in ["0", "1"] {
        fs::remove_dir_all(world.cache().join(".deepface")).ok();
        let reports = heal_at_once(&world, &[], &["--lock-wait", wait]);
        assert!(world.all_right(&world.cache(), &PAIR), "--lock-wait {wait}");
        assert!(reports.iter().all(|report| report["ready"] == true), "--lock-wait {wait}: {reports:?}");
    }
}

/// A release with its own pin for a file that another release pins too.
struct Release {
    world: World,
    weight: Weight,
}

impl Release {
    fn new(size: usize) -> Self {
        let weight = Weight { name: "model.bin", need: "required", size, baked: true };
        Self { world: World::new(&[Weight { ..weight }]), weight }
    }

    /// Adds the other release's pin to this release's former pins.
    fn knows(&self, other: &Self) {
        let pin = support::pin_of(&bytes_of(&other.weight));
        let text = fs::read_to_string(self.world.lock()).unwrap();
        fs::write(self.world.lock(), text.replace("need = ", &format!("previous = [\"{pin}\"]\nneed = "))).unwrap();
    }

    /// Boots on a volume; returns what was found, and whether this release's own file serves.
    fn boot(&self, volume: &Path) -> (String, bool) {
        let output = self.world.run(&["--store", volume.to_str().unwrap()]);
        let root = stdout(&output);
        let root = root.strip_prefix("started 100:101 ").unwrap_or_else(|| panic!("{}", stderr(&output)));
        let right = self.world.all_right(Path::new(root), &[Weight { ..self.weight }]);
        (self.world.reported()["weights"][0]["found"].as_str().unwrap().to_owned(), right)
    }
}

fn asides(volume: &Path) -> usize {
    let names = fs::read_dir(volume.join(TREE)).unwrap().flatten();
    names.filter(|entry| entry.file_name().to_string_lossy().contains("aside")).count()
}

#[test]
fn old_and_new_releases_that_know_each_other_take_turns_without_alarm() {
    if !is_root("old_and_new_releases_that_know_each_other") {
        return;
    }
    let (old, new) = (Release::new(1_500_000), Release::new(1_600_001));
    new.knows(&old);
    old.knows(&new);
    let volume = old.world.cache();
    assert_eq!(old.boot(&volume), ("missing".into(), true));
    for turn in 0..3 {
        assert_eq!(new.boot(&volume), ("stale: a former pin".into(), true), "turn {turn}");
        assert_eq!(new.boot(&volume), ("right".into(), true), "turn {turn}");
        assert_eq!(old.boot(&volume), ("stale: a former pin".into(), true), "turn {turn}");
        assert_eq!(asides(&volume), 0, "turn {turn}: a former pin's content is no evidence");
    }
}

/// Checks the outcome that `docs/operations.md` warns of: an old release does not know the new pin.
#[test]
fn an_old_release_that_does_not_know_the_new_pin_heals_its_own_and_keeps_one_copy() {
    if !is_root("an_old_release_that_does_not_know") {
        return;
    }
    let (old, new) = (Release::new(1_500_000), Release::new(1_600_001));
    new.knows(&old);
    let volume = old.world.cache();
    assert!(old.boot(&volume).1);
    for turn in 0..3 {
        assert_eq!(new.boot(&volume), ("stale: a former pin".into(), true), "turn {turn}");
        let (found, right) = old.boot(&volume);
        assert!(found.starts_with("damaged") && right, "turn {turn}: {found}");
        assert_eq!(asides(&volume), 1, "turn {turn}");
    }
}

#[test]
fn old_and_new_releases_at_once_show_one_whole_file_or_the_other() {
    if !is_root("old_and_new_releases_at_once") {
        return;
    }
    let (old, new) = (Release::new(1_500_000), Release::new(1_600_001));
    new.knows(&old);
    old.knows(&new);
    let (volume, stop) = (old.world.cache(), AtomicBool::new(false));
    let either = vec![bytes_of(&old.weight), bytes_of(&new.weight)];
    let files = vec![(volume.join(TREE).join("model.bin"), either)];
    let reader = Reader { files, stop: &stop, whole: AtomicUsize::new(0), partial: AtomicUsize::new(0) };
    std::thread::scope(|scope| {
        scope.spawn(|| reader.work());
        for round in 0..20 {
            let (mut first, mut second) = (spawn(&old, &volume), spawn(&new, &volume));
            let codes = [first.wait().unwrap().code(), second.wait().unwrap().code()];
            assert_eq!(codes, [Some(0); 2], "round {round}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(reader.partial.into_inner(), 0, "partial reads");
    assert!(reader.whole.into_inner() > 0, "the reader saw nothing");
}

fn spawn(release: &Release, volume: &Path) -> std::process::Child {
    let report = release.world.report();
    let args = ["run", "--store", volume.to_str().unwrap(), "--report", report.to_str().unwrap(), "--", "/bin/true"];
    release.world.command(&args).stderr(Stdio::null()).spawn().unwrap()
}
