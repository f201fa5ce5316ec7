//! The result of one boot, in the words of the table.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A boot that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(15);

/// The entrypoint that starts the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// The shell entrypoint of the replaced service.
    Shell,
    /// `ballast run`.
    Ballast,
}

impl Entry {
    /// Returns the line that starts an app.
    pub fn line(self, app: &[&str]) -> Vec<String> {
        let head: &[&str] = match self {
            Self::Shell => &["/entrypoint.sh"],
            Self::Ballast => &["/usr/local/bin/ballast", "run", "--"],
        };
        head.iter().chain(app).map(|word| (*word).to_owned()).collect()
    }
}

/// The result of one boot.
#[derive(Debug)]
pub struct Seen {
    /// The exit code; `None` if the process was killed.
    pub code: Option<i32>,
    /// Whether the boot had not ended after the time limit.
    pub hung: bool,
    /// The standard output.
    pub out: String,
    /// The standard error.
    pub err: String,
    /// Milliseconds from the engine's start to the app's start, or to the end.
    pub ms: f64,
}

/// The state of the four weights that the app found.
pub struct Read4 {
    pub as_whom: String,
    pub right: usize,
    pub wrong: usize,
    pub missing: usize,
    pub home: String,
}

impl Seen {
    /// Runs a boot to its end, or to the time limit.
    pub fn of(command: &mut Command) -> Self {
        Self::within(command, PATIENCE)
    }

    /// Runs a command that takes minutes.
    pub fn of_long(command: &mut Command) -> Self {
        Self::within(command, 20 * PATIENCE)
    }

    fn within(command: &mut Command, patience: Duration) -> Self {
        let start = Instant::now();
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (drain(child.stdout.take(), start), drain(child.stderr.take(), start));
        let hung = !ends_within(&mut child, patience);
        if hung {
            kill_group(&child);
        }
        let code = child.wait().unwrap().code();
        let whole = start.elapsed();
        let ((out, first), (err, _)) = (out.join().unwrap(), err.join().unwrap());
        // The app prints as soon as it runs.
        let ms = first.unwrap_or(whole).as_secs_f64() * 1e3;
        Self { code, hung, out, err, ms }
    }

    /// Returns what the app found, if it ran.
    pub fn read(&self) -> Option<Read4> {
        let line = self.out.lines().find_map(|line| line.strip_prefix("reader "))?;
        let words: Vec<_> = line.split(' ').collect();
        let count = |at: usize| words[at].parse().unwrap();
        Some(Read4 {
            as_whom: words[0].to_owned(),
            right: count(1),
            wrong: count(2),
            missing: count(3),
            home: words[4].to_owned(),
        })
    }

    /// Returns the words of the table.
    pub fn verdict(&self) -> String {
        if self.hung {
            return "hangs for ever".into();
        }
        let Some(read) = self.read() else {
            return match self.code {
                Some(code) => format!("exit {code}, no app"),
                None => "killed, no app".into(),
            };
        };
        let kinds = [(read.right, "right"), (read.wrong, "wrong"), (read.missing, "missing")];
        let found: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        let place = if read.home.starts_with("/opt/") { "baked layer" } else { "cache" };
        format!("{} in the {place}, as {}", found.join(", "), read.as_whom)
    }
}

/// Kills a child's process group, because its children may hang too.
pub fn kill_group(child: &Child) {
    let group = rustix::process::Pid::from_child(child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
}

fn ends_within(child: &mut Child, patience: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    false
}

type Drain = std::thread::JoinHandle<(String, Option<Duration>)>;

/// Reads a pipe to its end, and notes when the first bytes came.
fn drain(pipe: Option<impl Read + Send + 'static>, start: Instant) -> Drain {
    std::thread::spawn(move || {
        let (mut pipe, mut text, mut first, mut buffer) = (pipe.unwrap(), Vec::new(), None, [0; 4096]);
        while let Ok(more @ 1..) = pipe.read(&mut buffer) {
            first.get_or_insert(start.elapsed());
            text.extend(&buffer[..more]);
        }
        (String::from_utf8_lossy(&text).into_owned(), first)
    })
}
