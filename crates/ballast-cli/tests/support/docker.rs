//! Starts a Docker daemon for a test on its own socket, and ends it by its process id.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{stderr, stdout};

/// A running daemon, and its folder, which is removed with it.
pub struct Docker {
    dir: TempDir,
    daemon: Child,
}

impl Docker {
    pub fn start() -> Self {
        let dir = testkit::ground::folder("docker");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let mut daemon = Command::new(find("dockerd"));
        daemon.args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")]);
        daemon.args(["-H", &format!("unix://{}", at("socket")), "--storage-driver", "overlay2", "--bridge=none"]);
        daemon.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]);
        let log = fs::File::create(at("log")).unwrap();
        let daemon = daemon.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let docker = Self { dir, daemon };
        poll("dockerd", || docker.docker(&["version"]).status.success());
        docker
    }

    /// Returns a path in the daemon's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns a command that uses this daemon, with the classic builder.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find(program));
        let socket = format!("unix://{}", self.path("socket").display());
        command.env("DOCKER_HOST", socket).env("DOCKER_BUILDKIT", "0").env("DOCKER_CONFIG", self.path("config"));
        command
    }

    pub fn docker(&self, args: &[&str]) -> Output {
        self.command("docker").args(args).output().unwrap()
    }

    /// Runs a command that must not fail; returns its output.
    pub fn reported(&self, args: &[&str]) -> String {
        let output = self.docker(args);
        assert!(output.status.success(), "docker {args:?}: {}", stderr(&output));
        stdout(&output)
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.daemon),
            rustix::process::Signal::TERM,
        );
        let _ = self.daemon.wait();
    }
}

/// Waits for a condition, at most one minute, as the acceptance plan allows.
pub fn poll(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: not within 60 s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the path of a program of this machine. `./test` installs the needed ones.
pub fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut found = std::env::split_paths(&path).chain(more).map(|dir| dir.join(name));
    found.find(|path| path.is_file()).unwrap_or_else(|| panic!("{name} is not installed: see ./test"))
}
