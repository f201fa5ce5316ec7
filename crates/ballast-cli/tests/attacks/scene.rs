//! A volume that the app prepared, a tree outside that must not change, and the boots of a test.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::canary::{Canary, Protections};
use crate::support::{PAIR, TREE, World, is_root, program, stderr, stdout};

pub const APP: u32 = 100;
pub const HOLDS: [&str; 2] = ["owned", "sticky"];
/// The exit code of `timeout` if an attack makes a boot hang.
pub const HUNG: i32 = 124;

pub struct Scene {
    pub world: World,
    pub canary: Canary,
}

impl Scene {
    /// Creates an empty volume that an earlier run gave to the app.
    pub fn new() -> Self {
        let world = World::new(&PAIR);
        chown(world.cache(), Some(APP), Some(101)).unwrap();
        let canary = Canary::plant(world.path("outside"));
        Self { world, canary }
    }

    pub fn weights(&self) -> PathBuf {
        self.world.cache().join(TREE)
    }

    pub fn target(&self) -> PathBuf {
        self.weights().join("large.bin")
    }

    pub fn outside(&self, name: &str) -> PathBuf {
        self.canary.path(name)
    }

    /// Creates the directories above the weights, owned by the app.
    pub fn dirs(&self) -> PathBuf {
        fs::create_dir_all(self.weights()).unwrap();
        self.target()
    }

    /// Gives everything in the volume to the app, without following links.
    pub fn give_all(&self) {
        let mut left = vec![self.world.cache()];
        while let Some(path) = left.pop() {
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            if meta.nlink() == 1 || meta.is_dir() {
                lchown(&path, Some(APP), Some(101)).unwrap();
            }
        }
    }

    pub fn boot(&self, hold: &str, more: &[&str]) -> Output {
        self.boot_by(&mut Command::new("timeout"), hold, more, "echo \"started $(id -u):$(id -g) $MODEL_HOME\"")
    }

    pub fn boot_by(&self, timeout: &mut Command, hold: &str, more: &[&str], script: &str) -> Output {
        let report = self.world.report();
        timeout.args(["60", program().to_str().unwrap(), "run", "--hold", hold, "--report", report.to_str().unwrap()]);
        timeout.args(["--lock-wait", "1"]).args(more).args(["--", "/bin/sh", "-c", script]);
        timeout.env("BALLAST_LOCK", self.world.lock()).output().unwrap()
    }

    /// Checks that the command started as the app, that every weight in the reported root is right, and that
    /// nothing outside changed.
    pub fn judge(&self, output: &Output) -> Vec<String> {
        let mut wrong = self.canary.changes();
        if output.status.code() == Some(HUNG) {
            wrong.push("it hung".into());
        }
        let answer = stdout(output);
        match answer.strip_prefix("started 100:101 ") {
            Some(root) if self.world.all_right(Path::new(root), &PAIR) => {}
            _ => wrong.push(format!("{:?}: {answer}\n{}", output.status.code(), stderr(output))),
        }
        wrong
    }

    pub fn give_all_but_the_root_link(&self) {
        if fs::symlink_metadata(self.world.cache()).unwrap().is_dir() {
            self.give_all();
        } else {
            lchown(self.world.cache(), Some(APP), Some(101)).unwrap();
        }
    }
}

/// Runs a check with the kernel's protections off and on, in modes owned and sticky.
pub fn everywhere(test: &str, check: impl Fn(&str) -> Vec<String>) {
    if !is_root(test) {
        return;
    }
    let mut wrong = Vec::new();
    for value in ["0", "1"] {
        let _set = Protections::set(value);
        for hold in HOLDS {
            wrong.extend(check(hold).into_iter().map(|why| format!("protections {value}, hold {hold}: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sets an access list with these rights for uid 100, and for all other users.
pub fn set_acl(path: &Path, which: &str, named: u16, other: u16) {
    const ALL: u32 = u32::MAX;
    let entries = [(1u16, 7u16, ALL), (2, named, APP), (4, 5, ALL), (0x10, 7, ALL), (0x20, other, ALL)];
    let mut blob = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        blob.extend(tag.to_le_bytes());
        blob.extend(rights.to_le_bytes());
        blob.extend(id.to_le_bytes());
    }
    rustix::fs::setxattr(path, which, &blob, rustix::fs::XattrFlags::empty()).unwrap();
}
