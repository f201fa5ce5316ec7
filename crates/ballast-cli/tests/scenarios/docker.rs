//! The last tier: Docker with docker-compose. Runs the whole acceptance plan with its hardening, and the
//! two rows that need an engine: m (a volume filled from the image) and n (no volume, little memory).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use crate::ground::must;
use crate::image::{self, BAKED, Image, TREE, WEIGHTS, pin};
use crate::seen::{Entry, Seen};
use crate::support::docker::{Docker, poll};
use crate::support::{is_root, stderr, stdout};
use crate::table::{Line, compare_or_write};

const CACHE: &str = "4 right in the cache, as 100:101";
const LAYER: &str = "4 right in the baked layer, as 100:101";
const THREE: &str = "cap_add: [CHOWN, SETUID, SETGID]";
const USER: &str = "user: \"100:101\"";
/// The hardening of every service of the replaced deployment, without the limit of CPUs.
const HARDENED: [&str; 6] = [
    "--rm",
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges:true",
    "--tmpfs=/var/log",
];

impl Docker {
    fn build(&self, context: &Path, tag: &str) -> Output {
        self.docker(&["build", "--network", "none", "--quiet", "--tag", tag, context.to_str().unwrap()])
    }

    /// Builds an image as the README says: the program, the lock file, and a layer that `bake` creates from
    /// verified files.
    fn image(&self, image: &Image, tag: &str) {
        let context = self.path(tag);
        fs::create_dir(&context).unwrap();
        must(Command::new("cp").arg("-a").arg(&image.root).arg(context.join("root")));
        fs::create_dir(context.join("mirror")).unwrap();
        for (name, _) in WEIGHTS {
            fs::rename(context.join("root").join(BAKED).join(TREE).join(name), context.join("mirror").join(name))
                .unwrap();
        }
        fs::remove_dir_all(context.join("root").join(BAKED)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_ballast"), context.join("mirror/ballast")).unwrap();
        let bake = "RUN [\"/mirror/ballast\", \"bake\", \"--from\", \"/mirror\", \"/opt/baked-models\"]";
        fs::write(context.join("Dockerfile"), format!("FROM scratch\nCOPY root /\nCOPY mirror /mirror\n{bake}\n"))
            .unwrap();
        let built = self.build(&context, tag);
        assert!(built.status.success(), "{built:?}");
        fs::remove_dir_all(&context).unwrap();
    }

    /// Builds an image with one more step over another one.
    fn step(&self, tag: &str, lines: &str, fill: impl Fn(&Path)) -> Output {
        let context = self.path(tag);
        fs::create_dir(&context).unwrap();
        fs::write(context.join("Dockerfile"), lines).unwrap();
        fill(&context);
        self.build(&context, tag)
    }

    fn run(&self, flags: &[&str], image: &str, line: &[String]) -> Seen {
        Seen::of_long(self.command("docker").arg("run").args(HARDENED).args(flags).arg(image).args(line))
    }
}

/// Returns the replaced service's compose file for one entrypoint; `rights` is the varied line.
fn compose(entry: Entry, rights: &str) -> String {
    let line = entry.line(&["/bin/sh", "-c", "/reader.sh; exec sleep 3600"]);
    // the replaced service's own health check loads no model, so it passes whatever the cache contains.
    let health = if entry == Entry::Shell { "[CMD, /bin/true]" } else { "[CMD, /usr/local/bin/ballast, status]" };
    let pin = pin(&image::whole().baked(WEIGHTS[0].0));
    format!(
        "version: \"2.4\"
services:
  app:
    image: whole
    command: {line:?}
    read_only: true
    cap_drop: [ALL]
    {rights}
    security_opt: [\"no-new-privileges:true\"]
    tmpfs: [/tmp, /var/log]
    volumes: [\"biometric_models:/tmp/.deepface\"]
    environment:
      DEEPFACE_HOME: /tmp/.deepface
      DEEPFACE_SHA256_REQUIRED: \"true\"
      DEEPFACE_FACENET512_SHA256: {pin}
    network_mode: none
    mem_limit: 4g
    pids_limit: 256
    healthcheck: {{ test: {health}, interval: 1s, timeout: 10s, retries: 1 }}
volumes:
  biometric_models:
"
    )
}

/// One project of docker-compose.
struct Project<'a> {
    docker: &'a Docker,
    name: String,
    file: PathBuf,
}

impl Project<'_> {
    fn container(&self) -> String {
        format!("{}_app_1", self.name)
    }

    fn compose(&self, args: &[&str]) {
        let mut command = self.docker.command("docker-compose");
        must(command.args(["-p", &self.name, "-f"]).arg(&self.file).args(args));
    }

    fn state(&self, template: &str) -> String {
        self.docker.reported(&["inspect", "--format", template, &self.container()])
    }

    /// Starts the project, waits until the container is healthy, unhealthy or ended, and returns what the app
    /// found.
    fn up(&self) -> (String, f64) {
        let start = Instant::now();
        self.compose(&["up", "-d"]);
        let logs = || self.docker.docker(&["logs", &self.container()]);
        let judged =
            || !self.state("{{.State.Health.Status}}").ends_with("starting") && stdout(&logs()).contains("reader ");
        poll("the app and its health", || self.state("{{.State.Status}}") == "exited" || judged());
        let (ms, logs) = (start.elapsed().as_secs_f64() * 1e3, logs());
        let code = self.state("{{.State.ExitCode}}").parse().ok();
        let seen = Seen { code, hung: false, out: stdout(&logs), err: stderr(&logs), ms };
        let health = self.state("{{.State.Health.Status}}");
        let health = if seen.read().is_some() { format!("; {health}") } else { String::new() };
        (seen.verdict() + &health, ms)
    }

    /// `compose down`, `volume rm`.
    fn wipe(&self) {
        self.compose(&["down", "-t", "0"]);
        self.docker.reported(&["volume", "rm", &format!("{}_biometric_models", self.name)]);
    }

    fn owners(&self) -> String {
        let files = WEIGHTS.map(|(name, _)| format!("/tmp/.deepface/{TREE}/{name}"));
        let container = self.container();
        let mut args = vec!["exec", &container, "stat", "-c", "%u:%g"];
        args.extend(files.iter().map(String::as_str));
        self.docker.reported(&args)
    }
}

fn project<'a>(docker: &'a Docker, name: &str, text: &str) -> Project<'a> {
    let file = docker.path(&format!("{name}.yml"));
    fs::write(&file, text).unwrap();
    Project { docker, name: name.to_owned(), file }
}

/// Runs one line of the plan: the same file with each entrypoint, on an empty volume.
fn planned(
    docker: &Docker,
    at: usize,
    name: &'static str,
    rights: &str,
    expected: &str,
    wrong: &mut Vec<String>,
) -> Line {
    let [shell, ours] = [Entry::Shell, Entry::Ballast].map(|entry| {
        let project = project(
            docker,
            &format!("plan{at}{}", if entry == Entry::Shell { "shell" } else { "ours" }),
            &compose(entry, rights),
        );
        let found = project.up();
        project.compose(&["down", "-t", "0"]);
        found
    });
    if ours.0 != expected {
        wrong.push(format!("{name}: expected {expected:?}, found {:?}", ours.0));
    }
    Line { row: "plan", name, tier: "docker", shell, ours }
}

/// Runs the steps of the plan for Ballast.
fn test_plan(docker: &Docker) {
    let bad = docker.step("bad", "FROM whole\nCOPY 4_0_0_80x80_MiniFASNetV1SE.pth /mirror/\nRUN [\"/mirror/ballast\", \"bake\", \"--from\", \"/mirror\", \"/opt/other\"]\n", |context| {
        let mut bytes = fs::read(image::whole().baked(WEIGHTS[3].0)).unwrap();
        bytes[1_000_000] ^= 1;
        fs::write(context.join(WEIGHTS[3].0), bytes).unwrap();
    });
    let said = stderr(&bad) + &stdout(&bad);
    assert!(!bad.status.success() && said.contains("14"), "an image was built from one wrong bit: {bad:?}");
    let baked = WEIGHTS.map(|(name, _)| format!("/{BAKED}/{TREE}/{name}"));
    let mut stat = vec!["run", "--rm", "--network=none", "whole", "stat", "-c", "%u:%g"];
    stat.extend(baked.iter().map(String::as_str));
    assert_eq!(docker.reported(&stat), ["100:101"; 4].join("\n"), "the baked files");
    let project = project(docker, "plan", &compose(Entry::Ballast, THREE));
    for turn in ["the first start", "the volume wiped", "the volume wiped again"] {
        assert_eq!(project.up().0, format!("{CACHE}; healthy"), "{turn}");
        assert_eq!(project.owners(), ["100:101"; 4].join("\n"), "{turn}");
        project.wipe();
    }
}

fn plan_rows(docker: &Docker, wrong: &mut Vec<String>) -> Vec<Line> {
    vec![
        planned(docker, 0, "the compose file as it was: cap_drop ALL, as root", "", "exit 13, no app", wrong),
        planned(docker, 1, "with the three cap_add", THREE, &format!("{CACHE}; healthy"), wrong),
        planned(docker, 2, "with `user: \"100:101\"` instead", USER, &format!("{LAYER}; healthy"), wrong),
    ]
}

/// Checks that health fails if a weight has no source and the app still starts.
fn health_is_not_green_without_a_weight(docker: &Docker, wrong: &mut Vec<String>) -> Line {
    let lines = "FROM whole\nRUN [\"/bin/rm\", \"/opt/baked-models/.deepface/weights/2.7_80x80_MiniFASNetV2.pth\"]\n";
    let built = docker.step("lacking", lines, |_| ());
    assert!(built.status.success(), "{built:?}");
    let [shell, ours] = [Entry::Shell, Entry::Ballast].map(|entry| {
        let text = compose(entry, THREE).replace("image: whole", "image: lacking");
        let text = text.replace("    environment:\n", "    environment:\n      BALLAST_ON_FAILURE: start\n");
        let project = project(docker, if entry == Entry::Shell { "blindshell" } else { "blindours" }, &text);
        let found = project.up();
        project.compose(&["down", "-t", "0"]);
        found
    });
    if ours.0 != "3 right, 1 missing in the cache, as 100:101; unhealthy" {
        wrong.push(format!("health with a weight missing: {}", ours.0));
    }
    Line { row: "plan", name: "a weight that no source has, `--on-failure start`", tier: "docker", shell, ours }
}

fn filled_from_the_image(docker: &Docker, wrong: &mut Vec<String>) -> Line {
    docker.image(image::tenth(), "tenth");
    let built = docker.step("filled", "FROM tenth\nCOPY --chown=100:101 deepface /tmp/.deepface\n", |context| {
        fs::create_dir_all(context.join("deepface").join(TREE)).unwrap();
        for (name, _) in WEIGHTS {
            fs::copy(image::tenth().baked(name), context.join("deepface").join(TREE).join(name)).unwrap();
        }
    });
    assert!(built.status.success(), "{built:?}");
    let [shell, ours] = [Entry::Shell, Entry::Ballast].map(|entry| {
        let volume = format!("--volume=m{entry:?}:/tmp/.deepface");
        let flags = ["--user=100:101", "--tmpfs=/tmp", &volume, "--env=DEEPFACE_HOME=/tmp/.deepface"];
        let gone = format!("/tmp/.deepface/{TREE}/{}", WEIGHTS[0].0);
        let removed = docker.run(&flags, "filled", &["/bin/rm".into(), gone]);
        assert_eq!(removed.code, Some(0), "Docker did not fill the volume: {removed:?}");
        docker.run(&flags, "filled", &entry.line(&["/reader.sh"]))
    });
    if ours.verdict() != CACHE {
        wrong.push(format!("m: {ours:?}"));
    }
    let name = "`user: \"100:101\"`, volume filled from the image by Docker, a file deleted since";
    Line { row: "m", name, tier: "docker", shell: (shell.verdict(), shell.ms), ours: (ours.verdict(), ours.ms) }
}

fn little_memory(docker: &Docker, wrong: &mut Vec<String>) -> Line {
    let flags = [
        "--memory=64m",
        "--tmpfs=/tmp",
        "--cap-add=CHOWN",
        "--cap-add=SETUID",
        "--cap-add=SETGID",
        "--env=DEEPFACE_HOME=/tmp/.deepface",
    ];
    let shell = docker.run(&flags, "whole", &Entry::Shell.line(&["/reader.sh"]));
    let mut line = Entry::Ballast.line(&["/reader.sh"]);
    line.splice(2..2, ["--log".into(), "json".into()]);
    let ours = docker.run(&flags, "whole", &line);
    let report: serde_json::Value =
        ours.err.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    #[expect(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!("106 MB of weights under a limit of 64 MiB: VmHWM {} KiB", report["peak_kib"]);
    }
    if ours.verdict() != LAYER || report["served"]["from"] != "baked" {
        wrong.push(format!("n: {ours:?}"));
    }
    let name = "no volume, `/tmp` is a tmpfs, limit of 64 MiB, 106 MB";
    Line { row: "n", name, tier: "docker", shell: (shell.verdict(), shell.ms), ours: (ours.verdict(), ours.ms) }
}

#[test]
fn docker_and_the_acceptance_plan() {
    if !is_root("docker_and_the_acceptance_plan") {
        return;
    }
    let docker = Docker::start();
    docker.image(image::whole(), "whole");
    test_plan(&docker);
    let mut wrong = Vec::new();
    let mut plan = plan_rows(&docker, &mut wrong);
    plan.push(health_is_not_green_without_a_weight(&docker, &mut wrong));
    let rows = [filled_from_the_image(&docker, &mut wrong), little_memory(&docker, &mut wrong)];
    wrong.extend(compare_or_write(&[plan, rows.to_vec()].concat()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
