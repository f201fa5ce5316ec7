//! Snapshots of whole outputs: the text that commands print and their exit codes, in files beside
//! the tests that a person reads. `SNAPSHOTS=overwrite` rewrites the files; the difference is then
//! read in the commit.
//!
//! Commands run with an empty environment, as uid 100 where the test is root's, in a folder of their own. Text that
//! differs between machines (the folder, times, ids, the version) is replaced by a word in brackets.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use snapbox::{Assert, Data, Redactions, data::DataFormat};
use tempfile::TempDir;

use crate::ground;

/// The user that commands run as where the test is root's.
const APP: (u32, u32) = (100, 101);

/// Commands and their results, in the order in which they ran.
pub struct Transcript {
    dir: TempDir,
    program: PathBuf,
    name: String,
    text: String,
    variables: Vec<(String, String)>,
}

impl Transcript {
    /// An empty one for this program, in a new folder.
    #[must_use]
    pub fn new(program: &Path) -> Self {
        let name = program.file_name().and_then(OsStr::to_str).expect("a plain name").to_owned();
        let program = ground::program(program);
        Self { dir: ground::folder("transcript"), program, name, text: String::new(), variables: Vec::new() }
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file in the folder, and the folders above it.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("our own folder");
        fs::write(path, bytes).expect("our own folder");
    }

    /// Sets a variable for the commands that follow.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A line that explains what follows.
    pub fn note(&mut self, line: &str) {
        let _ = writeln!(self.text, "# {line}");
    }

    /// Runs the program with these arguments, split at spaces.
    pub fn run(&mut self, arguments: &str) {
        let words: Vec<_> = arguments.split(' ').filter(|word| !word.is_empty()).map(OsStr::new).collect();
        self.run_shown(&words, arguments);
    }

    /// Runs the program with arguments that are no text, shown as `shown`.
    pub fn run_shown(&mut self, arguments: &[&OsStr], shown: &str) {
        self.give_all();
        let is_root = rustix::process::geteuid().is_root();
        let mut command = Command::new(if is_root { "/usr/bin/setpriv" } else { "/usr/bin/env" });
        if is_root {
            let ids = [format!("--reuid={}", APP.0), format!("--regid={}", APP.1)];
            command.args(ids).args(["--clear-groups", "--"]);
        }
        command.arg(&self.program).args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("util-linux and coreutils are there");
        let _ = writeln!(self.text, "$ {} {shown}", self.name);
        for bytes in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(bytes);
            self.text.push_str(&text);
            if !text.is_empty() && !text.ends_with('\n') {
                self.text.push('\n');
            }
        }
        let end = output.status.code().map_or_else(|| output.status.to_string(), |code| format!("exit {code}"));
        let _ = writeln!(self.text, "[{end}]\n");
    }

    /// Runs a command that works on several files at once: its lines about them come in any order, and are sorted here.
    pub fn run_in_any_order(&mut self, arguments: &str) {
        let begin = self.text.len();
        self.run(arguments);
        let ran = self.text.split_off(begin);
        let (mut about_files, others): (Vec<_>, Vec<_>) = ran.lines().partition(|line| line.starts_with("ballast: "));
        about_files.sort_unstable();
        for line in others[..1].iter().chain(&about_files).chain(&others[1..]) {
            let _ = writeln!(self.text, "{line}");
        }
    }

    /// Everything in the folder belongs to the user that commands run as.
    fn give_all(&self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let mut left = vec![self.dir.path().to_owned()];
        while let Some(path) = left.pop() {
            let facts = fs::symlink_metadata(&path).expect("our own folder");
            let kind = facts.file_type();
            // A file that already belongs to this user stays unchanged: a new owner is a change that programs may
            // notice.
            if !kind.is_symlink() && (facts.uid(), facts.gid()) != APP {
                chown(&path, Some(APP.0), Some(APP.1)).expect("root gives");
            }
            if kind.is_dir() && !kind.is_fifo() {
                left.extend(fs::read_dir(&path).expect("our own folder").flatten().map(|entry| entry.path()));
            }
        }
    }

    /// Compares the transcript with the file, or writes the file if `SNAPSHOTS=overwrite` is set.
    ///
    /// # Panics
    /// If they differ; the message shows the difference.
    pub fn check(self, expected: &Path) {
        let mut redactions = Redactions::new();
        let place = self.dir.path().to_string_lossy().into_owned();
        redactions.insert("[DIR]", place).expect("a plain word");
        redactions.insert("[VERSION]", env!("CARGO_PKG_VERSION")).expect("a plain word");
        for (word, pattern) in [
            ("[TIME]", r"(?<redacted> *[0-9.]+ m?s)\b"),
            ("[KEY]", r"master key (?<redacted>[0-9a-f]{16})"),
            ("[OWNER]", r"owner (?<redacted>[0-9]+)\b"),
            ("[TIMES]", r"(?m)^  ms: (?<redacted>.*)$"),
            ("[IDS]", r"\bas (?<redacted>[0-9]+:[0-9]+)"),
            ("[DIGEST]", r"sha256:(?<redacted>[0-9a-f]{64})"),
            ("[UID]", r"/tmp/ballast-(?<redacted>[0-9]+)"),
        ] {
            let pattern = snapbox::filter::RedactedValue::from(regex::Regex::new(pattern).expect("a pattern"));
            redactions.insert(word, pattern).expect("a plain word");
        }
        let expected = Data::read_from(expected, Some(DataFormat::Text));
        Assert::new().action_env("SNAPSHOTS").eq(redactions.redact(&self.text), expected.raw());
    }
}
