//! Starts the compose files with docker-compose, and examines the containers from outside.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ship::{Ship, TREE, WEIGHTS, beside, likeness, top};
use crate::support::docker::{find, poll};
use crate::support::{pin_of, stderr, stdout};

/// The API key of the tests.
pub const KEY: &str = "a-key-of-the-tests-5e0f7a31c2d94b86";
const SUMS: [&str; 4] = [
    "DEEPFACE_FACENET512_SHA256",
    "DEEPFACE_CENTERFACE_SHA256",
    "DEEPFACE_MINIFASNET_V2_SHA256",
    "DEEPFACE_MINIFASNET_V1SE_SHA256",
];
/// The other variables that the compose file requires.
const OTHERS: [&str; 8] = [
    "DEEPFACE_SHA256_REQUIRED",
    "API_KEY_SECRET",
    "API_KEY_FILE",
    "DATABASE_URL",
    "LIKENESS_KEY_FILE",
    "IMAGE",
    "CPU_LIMIT",
    "MEMORY_LIMIT",
];
/// The variables of a store of templates, as in docs/image.md.
const STORE: &str = "DATABASE_URL=sqlite:/var/lib/likeness/templates.db\nLIKENESS_KEY_FILE=/var/lib/likeness-key/key\n";
/// Settings for this machine, which has no container network and fewer than four processors.
const HERE: &str = "    network_mode: none\n    restart: \"no\"\n";

/// Pairs the names of the pin variables in `.env.example` with these pins.
pub fn sums(pins: &[String]) -> Vec<(&'static str, String)> {
    SUMS.into_iter().zip(pins.iter().cloned()).collect()
}

/// A field of a form, and its value; `@FILE` sends a file.
pub type Part<'a> = (&'a str, &'a str);

/// One project of docker-compose.
pub struct Project<'a> {
    pub ship: &'a Ship,
    name: String,
    service: &'static str,
    more: PathBuf,
    file: PathBuf,
    env: PathBuf,
}

/// The result of a start.
pub struct Found {
    /// The result in the words of the table.
    pub verdict: String,
    /// From the container's start to the first 200, or to the end.
    pub ms: f64,
}

impl<'a> Project<'a> {
    /// Creates a project with the production file, an image, and more lines for the service.
    pub fn new(ship: &'a Ship, name: &str, image: &str, lines: &str) -> Self {
        Self::of(ship, name, image, ("deploy/compose.prod.yaml", "biometric-api"), lines)
    }

    /// Creates a project with the compose file for trying the service.
    pub fn to_try(ship: &'a Ship, name: &str, image: &str) -> Self {
        Self::of(ship, name, image, ("compose.yaml", "likeness"), "")
    }

    fn of(ship: &'a Ship, name: &str, image: &str, (file, service): (&str, &'static str), lines: &str) -> Self {
        let at = |what: &str| ship.docker.path(&format!("{name}.{what}"));
        let project =
            Self { ship, name: name.into(), service, more: at("yml"), file: top().join(file), env: at("env") };
        fs::write(&project.more, format!("services:\n  {service}:\n{HERE}{lines}")).unwrap();
        project.environment(image, &sums(&ship.pins()));
        project
    }

    /// Writes its `.env`.
    pub fn environment(&self, image: &str, sums: &[(&str, String)]) {
        // The test data's embedder is not a published one, so it must be accepted.
        let embedder = sums.iter().find(|(name, _)| *name == SUMS[0]);
        let accepted = embedder.map(|(_, sum)| format!("LIKENESS_ACCEPT_EMBEDDER={sum}\n")).unwrap_or_default();
        let sums: String = sums.iter().map(|(name, sum)| format!("{name}={sum}\n")).collect();
        let key = self.ship.docker.path(&format!("{}.key", self.name));
        if !key.exists() {
            fs::write(&key, KEY).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
            chown(&key, Some(100), Some(101)).unwrap();
        }
        let keys = format!("API_KEY_SECRET={KEY}\nAPI_KEY_FILE={}\n", key.display());
        fs::write(&self.env, format!("IMAGE={image}\nCPU_LIMIT=1\n{keys}{sums}{accepted}")).unwrap();
    }

    /// Creates a store of templates.
    pub fn make_store(&self) {
        let known = fs::read_to_string(&self.env).unwrap();
        fs::write(&self.env, known + STORE).unwrap();
        let made = self.compose(&["run", "--rm", "biometric-api", "likeness", "store", "init"]);
        assert!(made.status.success(), "{}{}", stdout(&made), stderr(&made));
    }

    /// Removes the mount, which the file describes as optional.
    pub fn without_volume(mut self) -> Self {
        let text = fs::read_to_string(&self.file).unwrap();
        let without = text.replace("      - biometric_models:/tmp/.deepface\n", "");
        assert_ne!(text, without);
        self.file = self.ship.docker.path(&format!("{}.file.yml", self.name));
        fs::write(&self.file, without).unwrap();
        self
    }

    pub fn compose(&self, args: &[&str]) -> Output {
        let mut command = self.ship.docker.command("docker-compose");
        for name in SUMS.iter().chain(&OTHERS) {
            command.env_remove(name);
        }
        command.args(["--project-name", &self.name, "--project-directory"]).arg(self.ship.docker.path(""));
        command.arg("--env-file").arg(&self.env).arg("-f").arg(&self.file).arg("-f").arg(&self.more);
        command.args(args).output().unwrap()
    }

    pub fn container(&self) -> String {
        format!("{}_{}_1", self.name, self.service)
    }

    pub fn state(&self, template: &str) -> String {
        self.ship.docker.reported(&["inspect", "--format", template, &self.container()])
    }

    pub fn pid(&self) -> String {
        self.state("{{.State.Pid}}")
    }

    pub fn logs(&self) -> String {
        let logs = self.ship.docker.docker(&["logs", &self.container()]);
        stdout(&logs) + &stderr(&logs)
    }

    /// Returns the volume's path on this machine.
    pub fn volume(&self) -> PathBuf {
        let name = format!("{}_biometric_models", self.name);
        self.ship.docker.reported(&["volume", "inspect", "--format", "{{.Mountpoint}}", &name]).into()
    }

    /// Starts the project, and polls health from outside until it is good, Docker reports it as unhealthy, or
    /// the container has ended.
    pub fn up(&self) -> Found {
        let up = self.compose(&["up", "-d"]);
        assert!(up.status.success(), "{}", stderr(&up));
        let over = || self.state("{{.State.Status}}") == "exited";
        let bad = || self.state("{{.State.Health.Status}}") == "unhealthy";
        poll("an answer of health", || over() || self.healthy() || bad());
        let ms = self.since_start();
        if over() {
            return Found { verdict: format!("exit {}, no app", self.state("{{.State.ExitCode}}")), ms };
        }
        let health = self.ask("/api/v1/health", &[]).0;
        Found { verdict: format!("{}; health {health}", self.holds()), ms }
    }

    fn healthy(&self) -> bool {
        let pid = self.pid();
        pid != "0" && beside(&pid, &likeness()).arg("probe").output().unwrap().status.success()
    }

    fn since_start(&self) -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let date = Command::new("date").args(["+%s.%N", "-d", &self.state("{{.State.StartedAt}}")]).output().unwrap();
        let started: f64 = stdout(&date).parse().unwrap();
        (now.saturating_sub(Duration::from_secs_f64(started))).as_secs_f64() * 1e3
    }

    /// Describes the files in the app's root, and the app's user.
    fn holds(&self) -> String {
        let pid = self.pid();
        let home = variable(&pid, "DEEPFACE_HOME").unwrap_or_else(|| "/tmp/.deepface".into());
        let dir = PathBuf::from(format!("/proc/{pid}/root{home}")).join(TREE);
        let pins = self.ship.pins();
        let (mut right, mut wrong, mut missing) = (0, 0, 0);
        for (name, pin) in WEIGHTS.iter().zip(&pins) {
            match fs::read(dir.join(name)) {
                Ok(bytes) if pin_of(&bytes) == *pin => right += 1,
                Ok(_) => wrong += 1,
                Err(_) => missing += 1,
            }
        }
        let kinds = [(right, "right"), (wrong, "wrong"), (missing, "missing")];
        let found: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        let place = if home.starts_with("/opt/") { "baked layer" } else { "cache" };
        format!("{} in the {place}, as {}", found.join(", "), who(&pid))
    }

    /// Sends a request, with a form if there are photographs; returns status and body.
    pub fn ask(&self, route: &str, form: &[Part]) -> (u16, String) {
        let mut curl = beside(&self.pid(), &find("curl"));
        curl.args([
            "-s",
            "--max-time",
            "60",
            "--noproxy",
            "*",
            "-w",
            "\n%{http_code}",
            "-H",
            &format!("X-API-Key: {KEY}"),
        ]);
        for (name, value) in form {
            curl.arg("-F").arg(format!("{name}={value}"));
        }
        let answer = stdout(&curl.arg(format!("http://127.0.0.1:8001{route}")).output().unwrap());
        let (body, status) = answer.rsplit_once('\n').unwrap_or(("", &answer));
        (status.parse().unwrap_or(0), body.to_owned())
    }

    pub fn down(&self) {
        let down = self.compose(&["down", "-t", "2"]);
        assert!(down.status.success(), "{}", stderr(&down));
    }

    /// `compose down`, `volume rm`.
    pub fn wipe(&self) {
        self.down();
        self.ship.docker.reported(&["volume", "rm", &format!("{}_biometric_models", self.name)]);
    }
}

/// Returns a variable of a process.
pub fn variable(pid: &str, name: &str) -> Option<String> {
    let all = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let all = String::from_utf8_lossy(&all).into_owned();
    all.split('\0').find_map(|word| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

/// Returns the uid and gid of a process.
fn who(pid: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let id = |key: &str| {
        status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()).unwrap().to_owned()
    };
    format!("{}:{}", id("Uid:"), id("Gid:"))
}
