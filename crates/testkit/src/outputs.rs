//! Connects stdout and stderr of a command to what may fail: nothing, a pipe without a reader, a full disk, a file
//! that may not grow.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// The exit code of both programs for finished work whose result could not be written to stdout.
pub const ANSWER_LOST: i32 = 47;

/// The target of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// A device that takes everything.
    Usual,
    /// Nothing.
    Closed,
    /// A pipe without a reader.
    Gone,
    /// A full disk.
    Full,
    /// A file that may not grow.
    Bounded,
}

/// Descriptors 0, 1 and 2.
pub type Arranged = [At; 3];

/// Nothing fails.
pub const USUAL: Arranged = [At::Usual; 3];

/// What may fail.
pub const ARRANGED: &[Arranged] = &[
    [At::Closed, At::Usual, At::Usual],
    [At::Usual, At::Closed, At::Usual],
    [At::Usual, At::Usual, At::Closed],
    [At::Closed, At::Closed, At::Closed],
    [At::Usual, At::Gone, At::Usual],
    [At::Usual, At::Usual, At::Gone],
    [At::Gone, At::Gone, At::Gone],
    [At::Usual, At::Full, At::Usual],
    [At::Usual, At::Usual, At::Full],
    [At::Usual, At::Full, At::Full],
    [At::Usual, At::Bounded, At::Bounded],
];

/// A command that runs the program with these words for at most a minute. The file that may not grow is made in
/// `folder`. Environment and folder are the caller's to set.
///
/// # Panics
/// If a pipe, `/dev/full` or the file can't be opened.
pub fn command(program: impl AsRef<OsStr>, words: &[String], arranged: Arranged, folder: &Path) -> Command {
    let mut script = String::new();
    for (at, close) in arranged.iter().zip(["exec <&-;", "exec >&-;", "exec 2>&-;"]) {
        script += if *at == At::Closed { close } else { "" };
    }
    if arranged.contains(&At::Bounded) {
        script += "ulimit -f 0;";
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{script} exec timeout 60 \"$0\" \"$@\"")]).arg(program).args(words);
    command.stdin(Stdio::null()).stdout(stdio(arranged[1], folder)).stderr(stdio(arranged[2], folder));
    command
}

/// Opens what a descriptor is connected to.
///
/// # Panics
/// The errors of [`command`].
pub fn stdio(at: At, folder: &Path) -> Stdio {
    match at {
        At::Usual | At::Closed => Stdio::null(),
        At::Gone => std::io::pipe().expect("a pipe").1.into(),
        At::Full => OpenOptions::new().write(true).open("/dev/full").expect("/dev/full").into(),
        At::Bounded => tempfile::tempfile_in(folder).map(File::into).expect("a file"),
    }
}

/// The result of a command if nothing fails.
#[derive(Debug)]
pub struct Normal {
    /// How it ends.
    pub status: ExitStatus,
    /// Whether it prints to stdout.
    answers: bool,
}

impl Normal {
    /// Runs the command and looks.
    ///
    /// # Panics
    /// If it can't be started.
    #[must_use]
    pub fn of(mut command: Command) -> Self {
        let output = command.stdout(Stdio::piped()).output().expect("the command starts");
        Self { status: output.status, answers: !output.stdout.is_empty() }
    }

    /// Returns whether the command may end so with these descriptors: not by a signal, and with its usual code unless
    /// its result is lost.
    #[must_use]
    pub fn allows(&self, status: ExitStatus, arranged: Arranged) -> bool {
        let lost = self.status.success() && self.answers;
        match arranged[1] {
            // With a limit on file sizes, a command can't write its own files either.
            At::Bounded => status.code().is_some_and(|code| code < 100 && (code != 0 || !lost)),
            At::Full if lost => status.code() == Some(ANSWER_LOST),
            _ => status == self.status,
        }
    }
}
