//! Attack: the disk of stdout or stderr is full, a file there may not grow, or the reader is gone. Each command ends by
//! itself; a command whose result is lost ends with a code of its own, and not with 0.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::Command;

use tempfile::TempDir;
use testkit::data::{self, OwnData, own_data};
use testkit::line::words;
use testkit::outputs::{self, ANSWER_LOST, ARRANGED, Arranged, At, Normal, USUAL};

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
        // Rows run at the same time, so the list of keys answers something before any of them makes a key.
        for line in ["store init +", "key new + --scopes verify --tenant acme"] {
            let made = ground.turn(line, USUAL, 0).status().unwrap();
            assert!(made.success(), "{line}: {made}");
        }
        ground
    }

    /// Prepares one command.
    fn turn(&self, line: &str, arranged: Arranged, turn: usize) -> Command {
        let line = line.replace('+', "--store sqlite:@/stores/one --key-file @/keys/one");
        let words = words(&line, &[('%', &turn.to_string()), ('@', self.0.path().to_str().unwrap())]);
        let mut command = outputs::command(env!("CARGO_BIN_EXE_likeness"), &words, arranged, self.0.path());
        command.current_dir(self.0.path()).env("LIKENESS_ACCEPT_EMBEDDER", OwnData::sha256(data::EMBEDDER));
        command
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
        let usual = Normal::of(ground.turn(line, USUAL, first));
        let mut wrong = Vec::new();
        for (turn, arranged) in (first + 1..).zip(ARRANGED) {
            let status = ground.turn(line, *arranged, turn).status().unwrap();
            // A key is shown once, so a reader that is gone loses it too.
            let lost = line.starts_with("key new") && matches!(arranged[1], At::Gone);
            if !(if lost { status.code() == Some(ANSWER_LOST) } else { usual.allows(status, *arranged) }) {
                wrong.push(format!("{line}: {arranged:?}: {status}, otherwise {usual:?}"));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}
