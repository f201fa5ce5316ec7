//! Rows in which another process changes the volume at the same time: i15 (a peer that swaps symlinks) and j
//! (two replicas and a reader).

use std::fs;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::ground::Ground;
use crate::image::{self, WEIGHTS};
use crate::plain::{self, Mount};
use crate::seen::{Entry, Seen};
use crate::support::is_root;
use crate::table::{Line, compare_or_write};

/// The script of the peer, as uid 100: swaps directories and files of the volume for symlinks to the outside,
/// and back, as fast as it can.
const PEER: &str = "
import itertools, os, sys
def attempt(call, *args):
    try: call(*args)
    except OSError: pass
names = sys.argv[1:]
for turn in itertools.count():
    name = names[turn % len(names)]
    leaf = f'.deepface/weights/{name}'
    attempt(os.makedirs, '.deepface/weights')
    attempt(os.remove, leaf)
    attempt(os.symlink, ('/outside/secret', '/outside/new')[turn % 2], leaf)
    attempt(os.remove, leaf)
    place = ('.deepface/weights', '.deepface')[turn % 3 == 2]
    attempt(os.rename, place, place + '.mine')
    attempt(os.symlink, '/outside', place)
    attempt(os.remove, place)
    attempt(os.rename, place + '.mine', place)
";

/// A peer of the volume, ended when it goes out of scope.
struct Peer(Child);

impl Peer {
    fn start(ground: &Ground) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "100", "--regid", "101", "--clear-groups", "/usr/bin/python3", "-c", PEER]);
        command.args(WEIGHTS.map(|(name, _)| name)).current_dir(ground.volume());
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Boots one after another in one mount namespace; returns their exit codes and output. `$n` in the line is
/// the boot's number.
fn boots(ground: &Ground, numbers: Range<u32>, line: &str) -> Seen {
    let Range { start, end } = numbers;
    let each = format!("n={start}; while [ $n -lt {end} ]; do {line}; echo \"code $?\"; n=$((n+1)); done");
    let line = ["/bin/sh", "-c", &each].map(str::to_owned);
    Seen::of_long(&mut plain::enter(&image::tiny().root, ground, None, Mount::Rw, &line))
}

fn raced() -> Ground {
    let ground = Ground::new();
    ground.fill(image::tiny());
    ground
}

/// Boots with the shell entrypoint until root writes outside the volume, at most 2,000 times.
fn shell_raced() -> String {
    let ground = raced();
    let before = ground.outside_state();
    let _peer = Peer::start(&ground);
    for _ in 0..100 {
        boots(&ground, 0..20, "/entrypoint.sh /bin/true");
        if ground.outside_state() != before {
            return "root wrote outside the volume".into();
        }
    }
    "nothing written outside the volume in 2,000 boots".into()
}

/// The results of the boots of a race.
struct Raced {
    boots: u32,
    started: usize,
    copies: usize,
    written_outside: bool,
}

/// A line that gives the volume back to the app. It renames root's directories to a new name for each boot,
/// because the peer's link to the outside may have been moved, and nothing may be moved into that.
const HANDED_BACK: &str = "mv -T /tmp/.deepface/.deepface /tmp/.deepface/old.$n 2>/dev/null; chown 100:101 /tmp/.deepface; chmod 755 /tmp/.deepface";

/// The smallest number of copies in a race: a race in which nothing was healed proves nothing.
const FEWEST_COPIES: usize = 100;

/// Runs at least `rounds` rounds of 250 boots, and up to eight times as many until there are enough copies.
fn ballast_raced(rounds: u32, before_each: &str, options: &str) -> Raced {
    let ground = raced();
    let before = ground.outside_state();
    let peer = Peer::start(&ground);
    let line = format!("{before_each}; /usr/local/bin/ballast run --lock-wait 1 {options} -- /bin/true");
    let mut raced = Raced { boots: 0, started: 0, copies: 0, written_outside: false };
    for round in 0..8 * rounds {
        if round >= rounds && raced.copies >= FEWEST_COPIES {
            break;
        }
        let seen = boots(&ground, raced.boots..raced.boots + 250, &line);
        raced.boots += 250;
        raced.started += seen.out.lines().filter(|line| *line == "code 0").count();
        // A file of the app's with right bytes is its own source.
        raced.copies += seen.err.matches("-> copied").count() + seen.err.matches("-> repaired").count();
    }
    drop(peer);
    raced.written_outside = ground.outside_state() != before;
    let Raced { boots, started, copies, written_outside } = &raced;
    #[expect(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!(
            "raced {options}: {started} of {boots} started, {copies} copies made meanwhile, outside written: {written_outside}"
        );
    }
    raced
}

#[test]
fn a_peer_that_races_symlinks() {
    if !is_root("a_peer_that_races_symlinks") {
        return;
    }
    let shell = shell_raced();
    let (owned, sticky) = (ballast_raced(4, ":", ""), ballast_raced(1, HANDED_BACK, "--hold sticky"));
    let verdict = |raced: &Raced, count: &str| {
        let what = if raced.written_outside { "something" } else { "nothing" };
        (format!("{count} boots: {what} written outside the volume"), 0.0)
    };
    let line = |name, ours| Line { row: "i15", name, tier: "plain", shell: (shell.clone(), 0.0), ours };
    let mut wrong = compare_or_write(&[
        line("a peer with uid 100 races symlinks on the same volume, weights of a few KB", verdict(&owned, "1,000")),
        line("the same peer, `--hold sticky`: root works in the volume", verdict(&sticky, "250")),
    ]);
    for Raced { boots, started, copies, written_outside } in [owned, sticky] {
        if written_outside || started != boots as usize || copies < FEWEST_COPIES {
            wrong.push(format!("{started} of {boots} started, {copies} copies, outside written: {written_outside}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn replica(ground: &Ground, entry: Entry) -> Seen {
    Seen::of(&mut plain::command(&image::whole().root, ground, None, Mount::Rw, entry, &["/reader.sh"]))
}

/// Starts two replicas on one empty volume, the second one after `stagger`.
fn pair(ground: &Ground, entry: Entry, stagger: Duration) -> (Seen, Seen) {
    std::thread::scope(|scope| {
        let first = scope.spawn(|| replica(ground, entry));
        std::thread::sleep(stagger);
        let second = replica(ground, entry);
        (first.join().unwrap(), second)
    })
}

/// Opens the weights of a volume repeatedly, and counts partial ones.
fn read_all_along(ground: &Ground, over: &AtomicBool, partial: &AtomicUsize) {
    let pristine: Vec<_> = WEIGHTS.iter().map(|(name, _)| fs::read(image::whole().baked(name)).unwrap()).collect();
    while !over.load(Ordering::Relaxed) {
        for ((name, _), right) in WEIGHTS.iter().zip(&pristine) {
            if fs::read(ground.weight(name)).is_ok_and(|bytes| bytes != *right) {
                partial.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The results of rounds with two replicas.
struct Rounds {
    /// Whether every app of every round found four right weights.
    whole: bool,
    ms: f64,
    copies: usize,
    partial: usize,
}

/// Runs rounds of two replicas with growing stagger, until an app finds a wrong weight.
fn rounds(entry: Entry, count: u32, step: Duration) -> Rounds {
    let partial = AtomicUsize::new(0);
    let mut all = Rounds { whole: true, ms: 0.0, copies: 0, partial: 0 };
    for round in 0..count {
        let ground = Ground::new();
        let over = AtomicBool::new(false);
        let pair = std::thread::scope(|scope| {
            if entry == Entry::Ballast {
                scope.spawn(|| read_all_along(&ground, &over, &partial));
            }
            let pair = pair(&ground, entry, step * round);
            over.store(true, Ordering::Relaxed);
            [pair.0, pair.1]
        });
        all.ms = pair[1].ms;
        all.copies += pair.iter().map(|seen| seen.err.matches("-> copied").count()).sum::<usize>();
        all.whole = pair.iter().all(|seen| seen.verdict() == "4 right in the cache, as 100:101");
        if !all.whole {
            break;
        }
    }
    Rounds { partial: partial.into_inner(), ..all }
}

#[test]
fn two_replicas_on_one_empty_volume() {
    if !is_root("two_replicas_on_one_empty_volume") {
        return;
    }
    let shell = rounds(Entry::Shell, 120, Duration::from_millis(1));
    let ours = rounds(Entry::Ballast, 8, Duration::from_millis(10));
    // What an app finds depends on timing, but not that something is wrong.
    let words = |rounds: &Rounds| {
        if rounds.whole { "4 right for both, in every round" } else { "an app finds a file cut short" }
    };
    let mut wrong = compare_or_write(&[Line {
        row: "j",
        name: "two replicas start on one empty volume, staggered, 106 MB",
        tier: "plain",
        shell: (words(&shell).into(), shell.ms),
        ours: (words(&ours).into(), ours.ms),
    }]);
    if !ours.whole || ours.partial != 0 || ours.copies != 32 {
        let Rounds { whole, partial, copies, .. } = ours;
        wrong.push(format!("right: {whole}; {partial} partial reads; {copies} copies in 8 rounds, expected 32"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
