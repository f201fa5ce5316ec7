//! A copy of the program that every user may execute, with its own account files, and a reader of the
//! command's output.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{is_root, program};

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
app:x:100:101::/home/app:/bin/sh
lone:x:300:301::/:/bin/sh
100:x:555:555::/digits:
app:x:600:600::/second:
";
const GROUP: &str = "root:x:0:\napp:x:101:\nvideo:x:44:app,lone\naudio:x:29:app\nown:x:101:app\nwheel:x:10:root\n";

/// A copy of the program that every user may execute, and the account files.
pub struct Stage {
    dir: TempDir,
}

impl Stage {
    pub fn new() -> Self {
        let dir = testkit::ground::folder("stage");
        // Another process copies it: otherwise a child forked by another test could still have it open for
        // writing.
        assert!(Command::new("cp").arg(program()).arg(dir.path().join("ballast")).status().unwrap().success());
        fs::write(dir.path().join("passwd"), PASSWD).unwrap();
        fs::write(dir.path().join("group"), GROUP).unwrap();
        Self { dir }
    }

    /// Creates a stage for a test that needs root; returns `None` and records a skip otherwise.
    pub fn root(test: &str) -> Option<Self> {
        is_root(test).then(Self::new)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn ballast(&self) -> String {
        self.path("ballast").to_str().unwrap().to_owned()
    }

    /// Runs `ballast run` with these options, and this shell script as its command.
    pub fn run(&self, options: &[&str], script: &str) -> Output {
        self.under(&[], options, script)
    }

    /// Runs the same, started by another program.
    pub fn under(&self, starter: &[&str], options: &[&str], script: &str) -> Output {
        let program = self.ballast();
        let mut line: Vec<&str> = starter.to_vec();
        line.extend([program.as_str(), "run"]);
        line.extend(options);
        line.extend(["--", "/bin/sh", "-c", script]);
        output(&line)
    }

    /// Runs a command in a mount namespace with this stage's account files.
    pub fn with_accounts(&self, line: &[&str]) -> Output {
        let mount = "mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/group\" /etc/group && exec \"$@\"";
        let dir = self.dir.path().to_str().unwrap();
        let mut all = vec!["unshare", "--mount", "/bin/sh", "-c", mount, dir];
        all.extend(line);
        output(&all)
    }
}

/// Returns a lock file without weights, because these tests concern only the launch.
pub fn idle_lock() -> PathBuf {
    static LOCK: OnceLock<PathBuf> = OnceLock::new();
    let write = || {
        let path = testkit::ground::lasting("launch").join("weights.lock");
        let store = "version = 1\n[store]\npath = \"/nowhere/cache\"\n";
        let weight = format!("[[weight]]\npath = \"w\"\nsha256 = \"{}\"\nneed = \"optional\"\n", "0".repeat(64));
        fs::write(&path, format!("{store}{weight}")).unwrap();
        path
    };
    LOCK.get_or_init(write).clone()
}

pub fn output(line: &[&str]) -> Output {
    Command::new(line[0])
        .env("BALLAST_LOCK", idle_lock())
        .args(&line[1..])
        .output()
        .unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

pub fn out(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{output:?}");
    text
}

/// Parses the command's `/proc/self/status`, for the fields that an exec preserves.
pub fn status(output: &Output) -> BTreeMap<String, String> {
    let wanted = ["Uid", "Gid", "Groups", "NoNewPrivs", "SigIgn", "SigBlk"];
    let text = out(output);
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(name, _)| name.starts_with("Cap") || wanted.contains(name))
        .map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

pub fn zero(set: &str) -> bool {
    set.bytes().all(|byte| byte == b'0')
}
