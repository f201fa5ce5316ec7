//! Tests `views`: several variables with paths in one store, parts of which may be separate volumes.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use support::{is_root, pin_of, program, stderr, stdout};
use tempfile::TempDir;

const PATHS: [&str; 3] = ["hub/a.bin", "torch/hub/checkpoints/b.pth", "nltk/c.zip"];

struct World(TempDir);

impl World {
    /// Creates a layer with three weights, an empty cache, and a lock file with three variables.
    fn new() -> Self {
        let world = Self(testkit::ground::folder("scratch"));
        let place = |name: &str| world.path(name).display().to_string();
        let mut lock = format!(
            "version = 1\n[store]\npath = \"{}\"\nbaked = \"{}\"\nenv = \"HF_HOME\"\n",
            place("cache"),
            place("baked")
        );
        lock += "views = { TORCH_HOME = \"torch\", NLTK_DATA = \"nltk\" }\n";
        for path in PATHS {
            let file = world.path("baked").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, path).unwrap();
            lock += &format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{}\"\n", pin_of(path.as_bytes()));
        }
        fs::write(world.path("weights.lock"), lock).unwrap();
        fs::create_dir(world.path("cache")).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Boots after `setup`.
    fn run(&self, setup: &str, options: &str) -> Output {
        let read = "cat \"$HF_HOME/hub/a.bin\" \"$TORCH_HOME/hub/checkpoints/b.pth\" \"$NLTK_DATA/c.zip\"; echo; env; ls -ln cache";
        self.ballast(setup, &format!("run --seal off --report r.json {options} -- sh -c '{read}'"))
    }

    /// Runs the program after `setup`; as root, in a new mount namespace.
    fn ballast(&self, setup: &str, words: &str) -> Output {
        let script = format!("{setup}\nexec {} {words}", program().display());
        let mut command = Command::new(if rustix::process::geteuid().is_root() { "unshare" } else { "sh" });
        if rustix::process::geteuid().is_root() {
            command.args(["-m", "sh"]);
        }
        command
            .args(["-e", "-c", &script])
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/bin");
        command.output().unwrap()
    }

    fn reads_all_in(&self, output: &Output, root: &str) -> bool {
        let (said, root) = (stdout(output), self.path(root).display().to_string());
        let variables = [("HF_HOME", ""), ("TORCH_HOME", "/torch"), ("NLTK_DATA", "/nltk")];
        said.starts_with(&PATHS.concat())
            && variables.iter().all(|(name, below)| said.contains(&format!("\n{name}={root}{below}\n")))
            && stderr(output).contains("3 of 3 right")
    }
}

#[test]
fn each_variable_leads_where_its_weights_were_verified() {
    let world = World::new();
    let cache = world.run("", "");
    assert!(world.reads_all_in(&cache, "cache"), "{cache:?}");
    let layer = world.run("rm -r cache; touch cache", "");
    assert!(world.reads_all_in(&layer, "baked"), "{layer:?}");
}

#[test]
fn root_gives_the_app_a_volume_that_is_mounted_at_a_view() {
    if !is_root("root_gives_the_app_a_volume_that_is_mounted_at_a_view") {
        return;
    }
    let world = World::new();
    let mounted =
        "chmod 755 . cache; chown 100:101 cache; mkdir cache/torch; mount -t tmpfs -o mode=0755 tmpfs cache/torch";
    let foreseen = world.ballast(mounted, "heal --dry-run --user 100:101");
    assert!(foreseen.status.success(), "{foreseen:?}");
    fs::remove_dir(world.path("cache/torch")).unwrap();
    let output = world.run(mounted, "--user 100:101");
    assert!(world.reads_all_in(&output, "cache"), "{output:?}");
    assert!(stdout(&output).contains(" 100 101 "), "{output:?}");
    // If one view can't be written, the layer serves all of them.
    let world = World::new();
    let closed = world.run(&format!("{mounted}; mount -o remount,ro cache/torch"), "--user 100:101");
    assert!(world.reads_all_in(&closed, "baked"), "{closed:?}");
}
