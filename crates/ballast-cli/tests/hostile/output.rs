//! Attack: the disk of stderr is full, or the reader of an output is gone or does not read. A boot still
//! starts its command; every other command ends by itself with a documented code.

use std::fs::{self, Permissions};
use std::io::{PipeReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use testkit::line::words;
use testkit::outputs::{self, ARRANGED, Arranged, At, Normal, USUAL};

use crate::support::{PAIR, World, program};

/// Command lines, with `@` for the world's folder and `%` for the number of the turn.
const COMMANDS: &[&str] = &[
    "run --report @/report.json -- /bin/mkdir @/started/%",
    "heal --report @/report.json",
    "heal --log json --report @/report.json",
    "verify",
    "verify --long --json @/baked",
    "status --report @/report.json",
    "doctor",
    "doctor --json",
    "doctor @/compose.yaml",
    "pin --lock @/locks/% --store /srv/m --into @/into/% @/source/small.bin",
    "adopt --lock @/adopted/% --store /srv/m @/source",
    "fetch --mirror @/source --into @/fetched/%",
    "bake --from @/source @/layers/%",
    "export --from @/source @/archives/%.tar",
    "import --into @/imported/% @/models.tar",
    "push --from @/source --retries 0 oci://127.0.0.1:1/x/y:z",
    "pull --retries 0 oci://127.0.0.1:1/x/y:z",
    "--help",
    "run --help",
    "--version",
    "no-such-command",
    "",
];

struct Ground {
    world: World,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { world: World::new(&PAIR) };
        for name in ["started", "locks", "into", "adopted", "fetched", "layers", "archives", "imported"] {
            fs::create_dir(ground.world.path(name)).unwrap();
            fs::set_permissions(ground.world.path(name), Permissions::from_mode(0o777)).unwrap();
        }
        fs::write(ground.world.path("compose.yaml"), "services: {a: {image: x}}\n").unwrap();
        let export =
            ground.world.ballast(&["export", "--from", ground.at("source").as_str(), &ground.at("models.tar")]);
        assert!(export.status.success(), "{export:?}");
        ground
    }

    fn at(&self, name: &str) -> String {
        self.world.path(name).display().to_string()
    }

    /// Prepares one command.
    fn turn(&self, line: &str, arranged: Arranged, turn: usize) -> Command {
        let words = words(line, &[('%', &turn.to_string()), ('@', self.world.dir.path().to_str().unwrap())]);
        let mut command = outputs::command(program(), &words, arranged, self.world.dir.path());
        command.env("BALLAST_LOCK", self.world.lock()).env_remove("BALLAST_MIRRORS");
        command
    }
}

#[test]
fn no_command_is_ended_by_an_output_that_fails_and_run_starts_its_command() {
    let ground = Ground::new();
    let (mut wrong, mut turn) = (Vec::new(), 0);
    for line in COMMANDS {
        turn += 1;
        let usual = Normal::of(ground.turn(line, USUAL, turn));
        for arranged in ARRANGED {
            turn += 1;
            let status = ground.turn(line, *arranged, turn).status().unwrap();
            if !usual.allows(status, *arranged) {
                wrong.push(format!("{line}: {arranged:?}: {status}, otherwise {usual:?}"));
            }
            if line.starts_with("run --report") && !ground.world.path("started").join(turn.to_string()).exists() {
                wrong.push(format!("{line}: {arranged:?}: the command was not started"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns a full pipe and its reader, which does not read.
fn stuffed(nonblocking: bool) -> (PipeReader, Stdio) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    if !nonblocking {
        rustix::fs::fcntl_setfl(&writer, OFlags::empty()).unwrap();
    }
    (reader, writer.into())
}

#[test]
fn a_boot_does_not_wait_for_a_reader_that_reads_nothing_and_the_report_says_so() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    for (turn, nonblocking) in [false, true].into_iter().enumerate() {
        let (reader, stderr) = stuffed(nonblocking);
        let marker = format!("started/{turn}");
        let mut command = ground.world.command(&["run", "--report", &ground.at("report.json"), "--", "/bin/mkdir"]);
        let mut child = command.arg(ground.at(&marker)).stderr(stderr).spawn().unwrap();
        let status = child.wait().unwrap();
        let reported = ground.world.reported()["notes"].to_string();
        if !status.success() || !ground.world.path(&marker).exists() || !reported.contains("stderr did not take") {
            wrong.push(format!("non-blocking {nonblocking}: {status}, {reported}"));
        }
        drop(reader);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_report_says_why_stderr_took_nothing() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    for (at, why) in [(At::Gone, "Broken pipe"), (At::Full, "No space left")] {
        let mut command = ground.world.command(&["heal", "--report", &ground.at("report.json")]);
        let status = command.stderr(outputs::stdio(at, ground.world.dir.path())).status().unwrap();
        let reported = ground.world.reported()["notes"].to_string();
        if !status.success() || !reported.contains(&format!("stderr did not take the report: {why}")) {
            wrong.push(format!("{at:?}: {status}, {reported}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
