//! Podman, as root and rootless, with its own storage, which is removed afterwards; the compose files by podman-compose.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::build::said;
use crate::ship::{Ship, programs_folder, top};
use crate::support::docker::{find, poll};
use crate::support::podman::{Account, CONTAINERS, folder, outside};
use crate::support::{stderr, stdout};
use crate::up::{KEY, sums};
use testkit::need;

const OVERLAY: &str = "[storage]\ndriver = \"overlay\"\n";
/// Starts a program in its own network, so that the ports that it publishes are free.
const ALONE: &str = "ip link set lo up; exec \"$@\"";

/// Podman with a storage of its own.
pub enum Podman {
    /// As root.
    Root(TempDir),
    /// As an invented user.
    Rootless(Account),
}

impl Podman {
    /// Returns both; an empty list, and a record of the skip, if Podman is not installed.
    pub fn each(test: &str) -> Vec<Self> {
        if !need::tool(test, "podman", "apt-get install podman runc") {
            return Vec::new();
        }
        let dir = folder();
        fs::write(dir.path().join("containers.conf"), CONTAINERS).unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let own = format!("graphroot = \"{}\"\nrunroot = \"{}\"\n", at("graph"), at("run"));
        fs::write(dir.path().join("storage.conf"), format!("{OVERLAY}{own}")).unwrap();
        vec![Self::Root(dir), Self::Rootless(Account::new(OVERLAY))]
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Root(_) => "Podman as root",
            Self::Rootless(_) => "rootless Podman",
        }
    }

    /// Returns a path in Podman's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Root(dir) => dir.path().join(name),
            Self::Rootless(account) => account.path(name),
        }
    }

    /// Returns the folder of its layers.
    pub fn graph(&self) -> PathBuf {
        match self {
            Self::Root(_) => self.path("graph"),
            Self::Rootless(_) => self.path(".local/share/containers/storage"),
        }
    }

    /// Gives a file to an id of its containers.
    pub fn give(&self, file: &Path, user: u32, group: u32) {
        let (user, group) = match self {
            Self::Root(_) => (user, group),
            Self::Rootless(_) => (outside(user), outside(group)),
        };
        chown(file, Some(user), Some(group)).unwrap();
    }

    /// Returns a command that uses this storage.
    pub fn command(&self, program: &str) -> Command {
        if let Self::Rootless(account) = self {
            return account.command(program);
        }
        let mut command = Command::new(find("unshare"));
        command.args(["--net", "--", "/bin/sh", "-euc", ALONE, "alone"]).arg(find(program));
        command.env("CONTAINERS_CONF", self.path("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", self.path("storage.conf"));
        command
    }

    /// Copies an image into another storage.
    fn give_image(&self, name: &str, other: &Self) {
        let archive = other.path("image.tar");
        self.reported(&["save", "--quiet", "--output", archive.to_str().unwrap(), name]);
        fs::set_permissions(&archive, fs::Permissions::from_mode(0o644)).unwrap();
        other.load(&archive);
    }

    /// Loads an archive of an image.
    pub fn load(&self, archive: &Path) {
        self.reported(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
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
    podman.give(&key, 100, 101);
    let pins = ship.pins();
    // The invented user may not enter the checkout.
    let copy = podman.path(&format!("{service}.yaml"));
    fs::copy(top().join(file), &copy).unwrap();
    let compose = |words: &[&str]| {
        let mut command = podman.command("podman-compose");
        command.args(["-p", &project, "-f"]).arg(&copy).arg("-f").arg(&more).args(words);
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

/// Builds the image by `tools/image` as root, and gives it to the others.
fn build(ship: &Ship, podmans: &[Podman]) {
    let (root, others) = podmans.split_first().unwrap();
    let engine = find("podman").display().to_string();
    let mut build = root.command("sh");
    build.args(["tools/image", "--network", "none"]).current_dir(top()).env("ENGINE", engine);
    build.env("PROGRAMS", programs_folder()).env("LOCK", ship.lock()).env("MIRROR", ship.mirror());
    let built = build.env("CONTEXT", root.path("context")).output().unwrap();
    assert!(built.status.success(), "{}", said(&built));
    for other in others {
        root.give_image("localhost/likeness", other);
    }
}

#[test]
fn the_compose_files_start_by_podman_compose() {
    let test = "the_compose_files_start_by_podman_compose";
    let Some(ship) = Ship::new(test) else { return };
    let podmans = Podman::each(test);
    if podmans.is_empty() || !need::tool(test, "podman-compose", "apt-get install podman-compose") {
        return;
    }
    build(&ship, &podmans);
    let mut wrong = Vec::new();
    for podman in &podmans {
        for file in [("compose.yaml", "likeness"), ("deploy/compose.prod.yaml", "biometric-api")] {
            wrong.extend(started(&ship, podman, file).into_iter().map(|what| format!("{}: {what}", podman.name())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
