//! The inputs of the image, and the daemon that builds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::docker::{Docker, find};
use testkit::data::own_data;
use testkit::need;
use testkit::paths::static_program;

use crate::support::{is_root, stderr, stdout};

/// The four weights.
pub const WEIGHTS: [&str; 4] =
    ["facenet512_weights.h5", "centerface.onnx", "2.7_80x80_MiniFASNetV2.pth", "4_0_0_80x80_MiniFASNetV1SE.pth"];
/// The directory of the weights below a root.
pub const TREE: &str = ".deepface/weights";

/// A daemon, and the folders that an image is built from.
pub struct Ship {
    pub docker: Docker,
}

/// A way to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    Classic,
    BuildKit,
}

/// Returns the folder where `tools/image` finds the static programs, by profile.
pub fn programs_folder() -> PathBuf {
    static_program("likeness").ancestors().nth(2).unwrap().to_owned()
}

/// Returns the root of the repository.
pub fn top() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

impl Ship {
    /// Starts a daemon; returns `None` and records a skip if that is not possible.
    pub fn new(test: &str) -> Option<Self> {
        if !is_root(test) || !need::tool(test, "dockerd", "apt-get install docker.io") {
            return None;
        }
        for name in ["entrypoint", "full", "likeness"] {
            let _ = static_program(name);
        }
        let ship = Self { docker: Docker::start() };
        ship.gather();
        Some(ship)
    }

    /// Creates a mirror of the four generated weights, and a lock file with their pins.
    fn gather(&self) {
        let mirror = self.mirror();
        fs::create_dir(&mirror).unwrap();
        for name in WEIGHTS {
            fs::copy(own_data().weights().join(name), mirror.join(name)).unwrap();
        }
        fs::write(self.lock(), own_data().lock()).unwrap();
    }

    pub fn mirror(&self) -> PathBuf {
        self.docker.path("mirror")
    }

    /// Returns the lock file, which differs from the real one only in the embedder's pin.
    pub fn lock(&self) -> PathBuf {
        self.docker.path("weights.lock")
    }

    /// Returns the pins of the lock file.
    pub fn pins(&self) -> Vec<String> {
        pins(&fs::read_to_string(self.lock()).unwrap())
    }

    /// Runs `tools/image` with these inputs.
    pub fn build(&self, builder: Builder, tag: &str, lock: &Path, mirror: &Path, options: &[&str]) -> Output {
        let mut build = self.docker.command("sh");
        build.arg("tools/image").args(options).current_dir(top());
        // A docker without buildx can't use BuildKit, but Debian's can.
        let path = std::env::var("PATH").unwrap_or_default();
        build.env("PATH", format!("/usr/bin:{path}"));
        build.env("DOCKER_BUILDKIT", if builder == Builder::BuildKit { "1" } else { "0" });
        build.env("PROGRAMS", programs_folder()).env("LOCK", lock).env("MIRROR", mirror);
        build.env("TAG", tag).env("CONTEXT", self.docker.path(&format!("context-{tag}"))).output().unwrap()
    }

    /// Builds the complete image.
    pub fn image(&self, builder: Builder, tag: &str) {
        let built = self.build(builder, tag, &self.lock(), &self.mirror(), &["--network", "none"]);
        assert!(built.status.success(), "{builder:?}: {}{}", stdout(&built), stderr(&built));
    }

    /// Builds an image on top of another: with these Dockerfile lines, and these programs of this machine.
    pub fn step(&self, tag: &str, lines: &str, files: &[(&Path, &str)]) {
        let context = self.docker.path(&format!("step-{tag}"));
        fs::create_dir(&context).unwrap();
        fs::write(context.join("Dockerfile"), lines).unwrap();
        for (from, to) in files {
            fs::copy(from, context.join(to)).unwrap();
        }
        self.docker.reported(&["build", "--network", "none", "--quiet", "--tag", tag, context.to_str().unwrap()]);
    }

    /// Builds the image with the tools of the acceptance plan, and with the entrypoint that Ballast
    /// replaces.
    pub fn with_a_shell(&self, from: &str, tag: &str) {
        let applets = ["sh", "stat", "ls", "chown", "mkdir", "cp", "rm", "id", "cat"];
        let links: String = applets
            .iter()
            .map(|a| format!("RUN [\"/bin/busybox\", \"ln\", \"-s\", \"busybox\", \"/bin/{a}\"]\n"))
            .collect();
        let lines = format!(
            "FROM {from}\nUSER 0:0\nCOPY busybox /bin/busybox\nCOPY gosu /usr/local/bin/gosu\nCOPY entrypoint.sh /entrypoint.sh\n{links}ENV PATH=/usr/local/bin:/bin\nUSER 100:101\n"
        );
        let script = top().join("crates/ballast-cli/tests/scenarios/entrypoint.sh");
        self.step(tag, &lines, &[(&find("busybox"), "busybox"), (&find("gosu"), "gosu"), (&script, "entrypoint.sh")]);
    }
}

/// Returns the pins of a lock file, in order.
pub fn pins(lock: &str) -> Vec<String> {
    let quoted = |line: &str| Some(line.strip_prefix("sha256 = \"")?.strip_suffix('"')?.to_owned());
    let found: Vec<_> = lock.lines().filter_map(quoted).collect();
    assert_eq!(found.len(), WEIGHTS.len());
    found
}

/// Returns a command that runs a program in the network of a container.
pub fn beside(pid: &str, program: &Path) -> Command {
    let mut command = Command::new(find("nsenter"));
    command.args(["--net", "--target", pid, "--"]).arg(program);
    command
}

/// Returns the path of the static `likeness`.
pub fn likeness() -> PathBuf {
    static_program("likeness")
}
