//! Attack: the disk of stdout or stderr is full, a file there may not grow, or the reader is gone. Each command ends
//! by itself; one whose result is lost ends with a code of its own, and not with 0.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;
use testkit::data::{self, OwnData, own_data};

/// The exit code for finished work whose result could not be written to stdout.
const ANSWER_LOST: i32 = 47;

/// Command lines, with `@` for the ground's folder, `+` for the store and its key, and `%` for the turn's number.
const COMMANDS: &[&str] = &[
    "detect @/anna.jpg @/absent.jpg @/bert.jpg --json",
    "live @/anna.jpg --json",
    "embed @/anna.jpg",
    "models --json",
    "store init --store sqlite:@/stores/% --key-file @/keys/%",
    "store check +",
    "key new + --scopes verify --tenant acme",
    "key list +",
    "key public +",
    "journal verify @/absent",
    "--help",
    "store --help",
    "--version",
    "no-such-command",
    "",
];

/// What a descriptor is connected to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Usual,
    Closed,
    /// A pipe without a reader.
    Gone,
    /// A full disk.
    Full,
    /// A file that may not grow.
    Bounded,
}

/// Descriptors 1 and 2.
const ARRANGED: &[[At; 2]] = &[
    [At::Closed, At::Usual],
    [At::Usual, At::Closed],
    [At::Gone, At::Usual],
    [At::Usual, At::Gone],
    [At::Gone, At::Gone],
    [At::Full, At::Usual],
    [At::Usual, At::Full],
    [At::Full, At::Full],
    [At::Bounded, At::Bounded],
];

struct Ground(TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        for folder in ["weights", "stores", "keys"] {
            fs::create_dir(ground.0.path().join(folder)).unwrap();
        }
        let mut lock = format!("version = 1\n[store]\npath = \"{}/weights\"\n", ground.0.path().display());
        for name in [data::EMBEDDER, data::DETECTOR, data::SPOOF_NEAR, data::SPOOF_FAR] {
            fs::write(ground.0.path().join("weights").join(name), own_data().weight(name)).unwrap();
            lock += &format!("[[weight]]\npath = \"{name}\"\nsha256 = \"{}\"\n", OwnData::sha256(name));
        }
        fs::write(ground.0.path().join("weights.lock"), lock).unwrap();
        for name in ["anna.jpg", "anna_again.jpg", "bert.jpg", "anna_fake.jpg"] {
            fs::write(ground.0.path().join(name), own_data().image(name)).unwrap();
        }
        let made = ground.turn("store init +", [At::Usual; 2], 0);
        assert!(made.success(), "{made}");
        ground
    }

    /// Runs one command for at most a minute.
    fn turn(&self, line: &str, arranged: [At; 2], turn: usize) -> ExitStatus {
        let line = line.replace('+', "--store sqlite:@/stores/one --key-file @/keys/one");
        let line = line.replace('@', &self.0.path().display().to_string()).replace('%', &turn.to_string());
        let mut script = String::new();
        for (at, close) in arranged.iter().zip(["exec >&-;", "exec 2>&-;"]) {
            script += if *at == At::Closed { close } else { "" };
        }
        if arranged.contains(&At::Bounded) {
            script += "ulimit -f 0;";
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{script} exec timeout 60 \"$0\" \"$@\""), env!("CARGO_BIN_EXE_likeness")]);
        command.args(line.split(' ').filter(|word| !word.is_empty()));
        command.current_dir(self.0.path());
        command.env("LIKENESS_ACCEPT_EMBEDDER", OwnData::sha256(data::EMBEDDER));
        let stdio = |at| -> Stdio {
            match at {
                At::Usual | At::Closed => Stdio::null(),
                At::Gone => std::io::pipe().unwrap().1.into(),
                At::Full => OpenOptions::new().write(true).open("/dev/full").unwrap().into(),
                At::Bounded => File::create(self.0.path().join(format!("bounded-{turn}"))).unwrap().into(),
            }
        };
        command.stdin(Stdio::null()).stdout(stdio(arranged[0])).stderr(stdio(arranged[1]));
        command.status().unwrap()
    }
}

#[test]
fn a_result_that_is_lost_is_never_reported_as_success_and_no_output_ends_a_command() {
    if !testkit::need::time("a_result_that_is_lost_is_never_reported_as_success_and_no_output_ends_a_command") {
        return;
    }
    let ground = Ground::new();
    let rows: Vec<(usize, &str)> = COMMANDS.iter().copied().enumerate().collect();
    let wrong = testkit::rows::wrong(&rows, |(number, line)| {
        let first = (number + 1) * (ARRANGED.len() + 1);
        let usual = ground.turn(line, [At::Usual; 2], first);
        let mut wrong = Vec::new();
        for (turn, arranged) in (first + 1..).zip(ARRANGED) {
            let status = ground.turn(line, *arranged, turn);
            let (full, bounded) = (arranged[0] == At::Full, arranged.contains(&At::Bounded));
            let right = match (full || bounded, usual.success()) {
                // With a limit on file sizes, the store can't be written either.
                (true, true) if bounded => status.code().is_some_and(|code| code != 0 && code < 100),
                (true, true) => status.code() == Some(ANSWER_LOST),
                _ => status == usual,
            };
            if status.signal().is_some() || !right {
                wrong.push(format!("{line}: {arranged:?}: {status}, usually {usual}"));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}
