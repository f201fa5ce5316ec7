//! Boots that are interrupted: row k (SIGKILL, `docker stop`) and row p (power cut).

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::ground::{Ground, must};
use crate::image::{self, WEIGHTS};
use crate::plain::{self, Mount};
use crate::runc::{self, DEFAULT, Rights, THREE};
use crate::seen::{Entry, Seen, kill_group};
use crate::support::is_root;
use crate::table::{Line, compare_or_write};

const LARGE: &str = WEIGHTS[0].0;
const CACHE: &str = "4 right in the cache, as 100:101";
/// Returns the rights that each entrypoint needs to copy a file.
fn rights(entry: Entry) -> Rights {
    let caps = if entry == Entry::Shell { DEFAULT } else { THREE };
    Rights { user: (0, 0), caps, no_new_privs: true }
}

fn boot(ground: &Ground, entry: Entry) -> Command {
    plain::command(&image::whole().root, ground, None, Mount::Rw, entry, &["/reader.sh"])
}

fn spawn(command: &mut Command) -> Child {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Polls a condition; returns `false` if the process ended first.
fn until(child: &mut Child, holds: impl Fn() -> bool) -> bool {
    while child.try_wait().unwrap().is_none() {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    false
}

/// Returns whether the largest weight is being copied: to a short file of its name by the shell, to a nameless file by
/// Ballast.
fn copying(ground: &Ground, entry: Entry, pid: u32) -> bool {
    match entry {
        Entry::Shell => {
            fs::metadata(ground.weight(LARGE)).is_ok_and(|meta| meta.len() > 0 && meta.len() < WEIGHTS[0].1 as u64)
        }
        Entry::Ballast => {
            let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
            open.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().contains("(deleted)")))
        }
    }
}

/// Returns the names with wrong bytes.
fn wrong_names(ground: &Ground) -> Vec<&'static str> {
    let wrong = |name: &str| {
        let found = fs::read(ground.weight(name));
        found.is_ok_and(|bytes| bytes != fs::read(image::whole().baked(name)).unwrap())
    };
    WEIGHTS.iter().map(|(name, _)| *name).filter(|name| wrong(name)).collect()
}

/// Kills a boot during its copy; returns the result of the next boot.
fn killed_in_mid_copy(entry: Entry) -> (String, f64) {
    caught(|| kill_in_mid_copy(entry))
}

/// Repeats an attempt on new ground a few times, because a busy machine may poll too late.
fn caught(attempt: impl FnMut() -> Option<(String, f64)>) -> (String, f64) {
    std::iter::repeat_with(attempt).take(5).flatten().next().expect("no boot was caught in mid copy")
}

fn kill_in_mid_copy(entry: Entry) -> Option<(String, f64)> {
    let ground = Ground::new();
    let mut child = spawn(&mut boot(&ground, entry));
    let pid = child.id();
    if !until(&mut child, || copying(&ground, entry, pid)) {
        return None;
    }
    kill_group(&child);
    child.wait().unwrap();
    let visible = wrong_names(&ground);
    assert!(entry == Entry::Shell || visible.is_empty(), "visible after a kill: {visible:?}");
    let next = Seen::of(&mut boot(&ground, entry));
    Some((next.verdict(), next.ms))
}

/// Stops a container during its copy; returns the result, and how long the end took.
fn stopped_in_mid_copy(entry: Entry) -> (String, f64) {
    caught(|| stop_in_mid_copy(entry))
}

fn stop_in_mid_copy(entry: Entry) -> Option<(String, f64)> {
    let ground = Ground::new();
    let app = ["/bin/sleep", "10"];
    let container = runc::container(&image::whole().root, &ground, &rights(entry), entry, &app);
    let mut child = spawn(&mut { container.command });
    let first = |ground: &Ground| runc::first_process(ground, &container.id);
    if !until(&mut child, || first(&ground).is_some_and(|pid| copying(&ground, entry, pid))) {
        return None;
    }
    let pid = Pid::from_raw(first(&ground).unwrap().cast_signed()).unwrap();
    let start = Instant::now();
    kill_process(pid, Signal::TERM).unwrap();
    let patience = Duration::from_secs(2);
    until(&mut child, || start.elapsed() > patience);
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let verdict = match child.try_wait().unwrap() {
        Some(status) => format!("exit {} at once", status.code().unwrap_or(-1)),
        None => {
            let _ = kill_process(pid, Signal::KILL);
            child.wait().unwrap();
            if entry == Entry::Ballast {
                // The signal came after the heal, or was ignored; if ignored, all five attempts end here.
                return None;
            }
            "goes on, and is killed when the engine's patience ends".into()
        }
    };
    let visible = wrong_names(&ground);
    assert!(entry == Entry::Shell || visible.is_empty(), "visible after a stop: {visible:?}");
    Some((verdict, ms))
}

#[test]
fn a_boot_that_is_killed_or_stopped() {
    if !is_root("a_boot_that_is_killed_or_stopped") {
        return;
    }
    let killed = (killed_in_mid_copy(Entry::Shell), killed_in_mid_copy(Entry::Ballast));
    let stopped: (_, Vec<_>) =
        (stopped_in_mid_copy(Entry::Shell), (0..5).map(|_| stopped_in_mid_copy(Entry::Ballast)).collect());
    let mut times: Vec<_> = stopped.1.iter().map(|(_, ms)| *ms).collect();
    times.sort_by(f64::total_cmp);
    #[expect(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!("SIGTERM in the middle of a heal, as process 1: ends within {times:.1?} ms");
    }
    let mut wrong = compare_or_write(&[
        Line {
            row: "k",
            name: "SIGKILL in mid copy, 106 MB; the next boot",
            tier: "plain",
            shell: killed.0,
            ours: killed.1.clone(),
        },
        Line {
            row: "k",
            name: "`docker stop` in mid copy, 106 MB",
            tier: "runc",
            shell: stopped.0,
            ours: stopped.1[0].clone(),
        },
    ]);
    if killed.1.0 != CACHE {
        wrong.push(format!("after SIGKILL: {}", killed.1.0));
    }
    // This limit is far above the measured time: a stop that waits for the copy takes seconds.
    if stopped.1.iter().any(|(verdict, ms)| verdict != "exit 143 at once" || *ms > 1000.0) {
        wrong.push(format!("stopped: {:?}", stopped.1));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_boot_that_is_killed_at_any_moment_shows_nothing_wrong() {
    if !is_root("a_boot_that_is_killed_at_any_moment") {
        return;
    }
    let whole = Seen::of(&mut boot(&Ground::new(), Entry::Ballast)).ms;
    let ground = Ground::new();
    for moment in 0..20 {
        let _ = fs::remove_file(ground.weight(WEIGHTS[moment % 4].0));
        let mut child = spawn(&mut boot(&ground, Entry::Ballast));
        let at = Duration::from_secs_f64(whole * moment as f64 / 20.0 / 1e3);
        let start = Instant::now();
        until(&mut child, || start.elapsed() >= at);
        kill_group(&child);
        child.wait().unwrap();
        assert_eq!(wrong_names(&ground), Vec::<&str>::new(), "killed after {at:?}");
    }
    let last = Seen::of(&mut boot(&ground, Entry::Ballast));
    assert_eq!(last.verdict(), CACHE, "{last:?}");
}

/// A script that simulates a power cut: nothing reaches the disk afterwards, and a mount finds what the
/// journal contains.
const CUT: &str = "import fcntl, os, struct, sys\n\
    fd = os.open(sys.argv[1], os.O_RDONLY)\n\
    fcntl.ioctl(fd, 0x8004587D, struct.pack('I', 2))";

/// The journal is committed, as it is every few seconds; then the power goes, and comes back.
fn cut_power(ground: &Ground) {
    commit_journal(&ground.volume());
    must(Command::new("/usr/bin/python3").args(["-c", CUT]).arg(ground.volume()));
}

/// Another program's `fsync` of its own file.
fn commit_journal(volume: &Path) {
    if let Ok(file) = fs::File::create(volume.join("of-another-program")) {
        let _ = file.sync_all();
    }
}

fn boot_tenth(ground: &Ground, entry: Entry) -> Command {
    plain::command(&image::tenth().root, ground, None, Mount::Rw, entry, &["/reader.sh"])
}

/// The power goes when a boot is over; the verdict is that of a boot after it.
fn power_cut_after(entry: Entry) -> Seen {
    let ground = Ground::new();
    ground.mount_disk(40 << 20);
    Seen::of(&mut boot_tenth(&ground, entry));
    cut_power(&ground);
    ground.mount_disk_again();
    Seen::of(&mut boot_tenth(&ground, entry))
}

#[test]
fn a_power_cut() {
    if !is_root("a_power_cut") {
        return;
    }
    let (shell, ours) = (power_cut_after(Entry::Shell), power_cut_after(Entry::Ballast));
    let mut wrong = compare_or_write(&[Line {
        row: "p",
        name: "power cut after a first boot; the next boot",
        tier: "plain",
        shell: (shell.verdict(), shell.ms),
        ours: (ours.verdict(), ours.ms),
    }]);
    if ours.verdict() != CACHE {
        wrong.push(format!("after a power cut: {ours:?}"));
    }
    let whole = Duration::from_secs_f64(Seen::of(&mut boot_tenth(&Ground::new(), Entry::Ballast)).ms / 1e3);
    for moment in 0..12 {
        let ground = Ground::new();
        ground.mount_disk(40 << 20);
        let mut child = spawn(&mut boot_tenth(&ground, Entry::Ballast));
        let start = Instant::now();
        until(&mut child, || start.elapsed() >= whole * moment / 12);
        cut_power(&ground);
        child.wait().unwrap();
        ground.mount_disk_again();
        for (name, _) in WEIGHTS {
            let found = fs::read(ground.weight(name));
            if found.is_ok_and(|bytes| bytes != fs::read(image::tenth().baked(name)).unwrap()) {
                wrong.push(format!("cut at {moment} of 12: {name} is neither right nor absent"));
            }
        }
        let next = Seen::of(&mut boot_tenth(&ground, Entry::Ballast));
        if next.verdict() != CACHE {
            wrong.push(format!("cut at {moment} of 12: {next:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
