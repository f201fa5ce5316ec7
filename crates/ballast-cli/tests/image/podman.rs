//! Podman, as root, with its own storage, which is removed afterwards; the compose files by podman-compose.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::build::said;
use crate::ship::{Ship, programs_folder, top};
use crate::support::docker::{find, poll};
use crate::support::{stderr, stdout};
use crate::up::{KEY, sums};
use testkit::need;

/// A machine without systemd, with a limit on open files.
const CONTAINERS: &str = "\
[containers]
default_ulimits = [\"nofile=20000:20000\", \"nproc=9000:9000\"]
[engine]
runtime = \"runc\"
cgroup_manager = \"cgroupfs\"
events_logger = \"none\"
";
/// Starts a program in its own network, so that the ports that it publishes are free.
const ALONE: &str = "ip link set lo up; exec \"$@\"";

pub struct Podman {
    dir: TempDir,
}

impl Podman {
    /// Returns `None` and records a skip if Podman is not installed.
    pub fn new(test: &str) -> Option<Self> {
        if !need::tool(test, "podman", "apt-get install podman runc") {
            return None;
        }
        // An overlay needs a file system of this machine, wherever the checkout is.
        let dir = tempfile::Builder::new().prefix("ballast-podman.").tempdir_in("/var/tmp").unwrap();
        let podman = Self { dir };
        fs::write(podman.path("containers.conf"), CONTAINERS).unwrap();
        let (graph, run) = (podman.path("graph"), podman.path("run"));
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            graph.display(),
            run.display()
        );
        fs::write(podman.path("storage.conf"), storage).unwrap();
        Some(podman)
    }

    /// Returns a path in Podman's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns a command that uses this storage.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find("unshare"));
        command.args(["--net", "--", "/bin/sh", "-euc", ALONE, "alone"]).arg(find(program));
        command.env("CONTAINERS_CONF", self.path("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", self.path("storage.conf"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command("podman").args(args).output().unwrap()
    }

    /// Runs a command that must not fail; returns its output.
    pub fn reported(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "podman {args:?}: {}", stderr(&output));
        stdout(&output)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.run(&["rm", "--force", "--all", "--time", "2"]);
        let _ = self.run(&["rmi", "--force", "--all"]);
    }
}

/// More lines for a service: this machine's limits, and no restarts.
const HERE: &str = "    restart: \"no\"\n    ulimits:\n      nofile: 20000\n      nproc: 9000\n";

/// Starts a compose file by podman-compose; returns what differs from a good start.
fn started(ship: &Ship, podman: &Podman, (file, service): (&str, &str)) -> Vec<String> {
    let project = service.replace('-', "");
    let (more, key) = (podman.path(&format!("{project}.yml")), podman.path("api.key"));
    fs::write(&more, format!("services:\n  {service}:\n{HERE}")).unwrap();
    fs::write(&key, KEY).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    chown(&key, Some(100), Some(101)).unwrap();
    let pins = ship.pins();
    let compose = |words: &[&str]| {
        let mut command = podman.command("podman-compose");
        command.args(["-p", &project, "-f"]).arg(top().join(file)).arg("-f").arg(&more).args(words);
        command.env("IMAGE", "localhost/likeness").env("CPU_LIMIT", "1").env("API_KEY_FILE", &key);
        command.env("API_KEY_SECRET", KEY).env("LIKENESS_ACCEPT_EMBEDDER", &pins[0]);
        command.envs(sums(&pins)).output().unwrap()
    };
    let up = compose(&["up", "-d"]);
    let name = format!("{project}_{service}_1");
    let mut wrong = Vec::new();
    let probe = || podman.run(&["exec", &name, "likeness", "probe"]).status.success();
    let running = || podman.run(&["inspect", "--format", "{{.State.Running}}", &name]).stdout == b"true\n";
    if !running() {
        return vec![format!("{file}: {}{}", said(&up), said(&podman.run(&["logs", &name])))];
    }
    // The networks of the test data are not published ones. Only the production file passes on that they are accepted.
    let accepted = file.ends_with("prod.yaml");
    if accepted {
        poll("health under Podman", || probe() || !running());
    }
    let status = podman.run(&["exec", &name, "ballast", "status"]);
    if !status.status.success() || (accepted && !probe()) {
        wrong.push(format!("{file}: {}{}", said(&status), said(&podman.run(&["logs", &name]))));
    }
    let down = compose(&["down"]);
    if !down.status.success() {
        wrong.push(format!("{file}, down: {}", said(&down)));
    }
    wrong
}

#[test]
fn the_compose_files_start_by_podman_compose() {
    let test = "the_compose_files_start_by_podman_compose";
    let Some(ship) = Ship::new(test) else { return };
    let Some(podman) = Podman::new(test) else { return };
    if !need::tool(test, "podman-compose", "apt-get install podman-compose") {
        return;
    }
    let engine = find("podman").display().to_string();
    let mut build = podman.command("sh");
    build.args(["tools/image", "--network", "none"]).current_dir(top()).env("ENGINE", engine);
    build.env("PROGRAMS", programs_folder()).env("LOCK", ship.lock()).env("MIRROR", ship.mirror());
    let built = build.env("CONTEXT", podman.path("context")).output().unwrap();
    assert!(built.status.success(), "{}", said(&built));
    let files = [("compose.yaml", "likeness"), ("deploy/compose.prod.yaml", "biometric-api")];
    let wrong: Vec<_> = files.into_iter().flat_map(|file| started(&ship, &podman, file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
