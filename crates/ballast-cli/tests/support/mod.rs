//! The files of a whole boot for tests: a lock file, a baked layer and a cache, in a folder whose ancestors
//! all belong to root.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

pub mod canary;
pub mod docker;
pub mod podman;
pub mod scratch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use testkit::{ground, need};

/// The directory of the weights below a root.
pub const TREE: &str = ".deepface/weights";

/// The files of a boot.
pub struct World {
    /// The folder of all files.
    pub dir: TempDir,
}

/// A weight of a world: name, need, whether it is baked, whether it is in the cache.
pub struct Weight {
    pub name: &'static str,
    pub need: &'static str,
    pub size: usize,
    pub baked: bool,
}

/// Two required weights, both baked.
pub const PAIR: [Weight; 2] = [
    Weight { name: "large.bin", need: "required", size: (2 << 20) + 77, baked: true },
    Weight { name: "small.bin", need: "required", size: 5000, baked: true },
];

pub fn bytes_of(weight: &Weight) -> Vec<u8> {
    let seed = weight.name.len();
    (0..weight.size).map(|at| (at * 31 % 251 + at / 65_536 + seed) as u8).collect()
}

pub fn pin_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl World {
    pub fn new(weights: &[Weight]) -> Self {
        Self::with(weights, "")
    }

    /// Creates a world whose lock file ends with more lines.
    pub fn with(weights: &[Weight], more: &str) -> Self {
        let world = Self { dir: ground::folder("world") };
        let mut lock = format!(
            "version = 1\n[store]\npath = \"{}\"\nbaked = \"{}\"\nenv = \"MODEL_HOME\"\nowner = \"100:101\"\n[pins]\nrequired_when = \"PINS_REQUIRED\"\n",
            world.cache().display(),
            world.baked().display()
        );
        let source = world.path("source");
        fs::create_dir_all(&source).unwrap();
        fs::create_dir(world.cache()).unwrap();
        let mut all_baked = true;
        for weight in weights {
            let bytes = bytes_of(weight);
            let name = weight.name;
            lock += &format!(
                "[[weight]]\npath = \"{TREE}/{name}\"\nsha256 = \"{}\"\nsize = {}\nneed = \"{}\"\npin_env = \"PIN_{}\"\npin_env_required = true\n",
                pin_of(&bytes),
                weight.size,
                weight.need,
                name.replace('.', "_").to_uppercase()
            );
            all_baked &= weight.baked;
            if weight.baked {
                fs::write(source.join(name), bytes).unwrap();
            }
        }
        fs::write(world.lock(), lock + more).unwrap();
        let baked = world.ballast(&["bake", "--from", source.to_str().unwrap(), world.baked().to_str().unwrap()]);
        if !all_baked && !baked.status.success() {
            world.copy_baked(weights);
        }
        world
    }

    /// Creates a layer without a required weight, which `bake` refuses.
    fn copy_baked(&self, weights: &[Weight]) {
        let dir = self.baked().join(TREE);
        fs::create_dir_all(&dir).unwrap();
        for weight in weights.iter().filter(|weight| weight.baked) {
            fs::write(dir.join(weight.name), bytes_of(weight)).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub fn baked(&self) -> PathBuf {
        self.path("baked")
    }

    pub fn lock(&self) -> PathBuf {
        self.path("weights.lock")
    }

    pub fn report(&self) -> PathBuf {
        self.path("report.json")
    }

    /// Runs the program with this world's lock file.
    pub fn ballast(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env("BALLAST_LOCK", self.lock()).args(args);
        command
    }

    /// Runs `run` with these options; the command prints the path of its weights.
    pub fn run(&self, options: &[&str]) -> Output {
        self.run_with(options, &[])
    }

    pub fn run_with(&self, options: &[&str], env: &[(&str, &str)]) -> Output {
        let report = self.report();
        let mut args = vec!["run", "--report", report.to_str().unwrap()];
        args.extend(options);
        args.extend(["--", "/bin/sh", "-c", "echo \"started $(id -u):$(id -g) $MODEL_HOME\""]);
        self.command(&args).envs(env.iter().copied()).output().unwrap()
    }

    /// Returns whether every weight below a root has the right bytes.
    pub fn all_right(&self, root: &Path, weights: &[Weight]) -> bool {
        weights.iter().all(|w| fs::read(root.join(TREE).join(w.name)).is_ok_and(|bytes| bytes == bytes_of(w)))
    }

    /// Returns the report of the last boot.
    pub fn reported(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.report()).unwrap()).unwrap()
    }
}

/// The program under test, where uid 100 may execute it.
pub fn program() -> PathBuf {
    let tested = std::env::var_os("BALLAST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_ballast").into(), PathBuf::from);
    ground::program(&tested)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns whether a file that another command brings is there; otherwise the test is skipped.
pub fn is_there(path: &Path, test: &str, whence: &str) -> bool {
    need::file(test, path, whence)
}

/// Returns whether this process is root on clean ground; otherwise the test is skipped.
pub fn is_root(test: &str) -> bool {
    need::root(test)
}
