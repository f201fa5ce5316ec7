//! Runs the acceptance plan on this image with `deploy/compose.prod.yaml`, and the rows of the table.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

use crate::build::tell;
use crate::doors::disagreements;
use crate::ship::{Builder, Ship, TREE, WEIGHTS, beside, likeness};
use crate::support::{stderr, stdout};
use crate::table::{Line, compare_or_write};
use crate::up::{Part, Project};

const CACHE: &str = "4 right in the cache, as 100:101; health 200";
const LAYER: &str = "4 right in the baked layer, as 100:101; health 200";
const ROOT: &str = "    user: \"0:0\"\n    cap_add: [CHOWN, SETUID, SETGID]\n";
const SHELL: &str = "    entrypoint: [/bin/sh, /entrypoint.sh]\n    command: [likeness, serve, --host, 0.0.0.0]\n";
const LACKED: usize = 2;

/// Returns the form value that sends a photograph.
fn photo(name: &str) -> String {
    format!("@{}", testkit::data::own_data().images().join(name).display())
}

/// Sends requests that need all four networks. Enrols one person, once.
fn verify(project: &Project, enrolled: bool) -> Vec<String> {
    let (live, other) = (photo("anna.jpg"), photo("anna_fake.jpg"));
    let ann: &[Part] = &[("user_id", "ann"), ("file", &live)];
    let rows: [(&str, &[Part], u16, &str); 5] = [
        ("/api/v1/liveness", &[("file", &live)], 200, "\"verdict\":\"live\""),
        ("/api/v1/liveness", &[("file", &other)], 200, "\"verdict\":\"spoof\""),
        ("/api/v1/compare", &[("file1", &live), ("file2", &live)], 200, "\"match\":true"),
        ("/api/v1/enroll", ann, 200, "\"success\":true"),
        ("/api/v1/verify", ann, 200, "\"verified\":true"),
    ];
    let wanted = rows.iter().filter(|(route, ..)| !enrolled || *route != "/api/v1/enroll");
    let wrong = wanted.filter_map(|(route, form, status, word)| {
        let (found, body) = project.ask(route, form);
        let right = found == *status && body.replace(": ", ":").contains(word);
        (!right).then(|| format!("{route}: expected {status} with {word}, found {found}: {body}"))
    });
    wrong.collect()
}

/// Runs `stat` in the container, as the plan says.
fn stat_inside(project: &Project) -> String {
    let files = WEIGHTS.map(|name| format!("/tmp/.deepface/{TREE}/{name}"));
    let container = project.container();
    let mut args = vec!["exec", &container, "stat", "-c", "%u:%g"];
    args.extend(files.iter().map(String::as_str));
    project.ship.docker.reported(&args)
}

/// Gets the owners from an image without `stat`, with `ballast verify --long` and `stat` on the volume's
/// mount point.
fn owners_of_scratch(project: &Project) -> String {
    let container = project.container();
    let reported = project.ship.docker.reported(&["exec", &container, "ballast", "verify", "--long"]);
    let words = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    for line in reported.lines().map(words) {
        assert_eq!(line, ["ok", "100:101"], "{reported}");
    }
    assert!(reported.lines().count() == 4 && reported.contains("/tmp/.deepface/"), "{reported}");
    let dir = project.volume().join(TREE);
    let owner = |name| fs::metadata(dir.join(name)).map(|meta| format!("{}:{}", meta.uid(), meta.gid())).unwrap();
    WEIGHTS.map(owner).join("\n")
}

/// `compose down`, `volume rm`, `up -d`, health within 60 s, `stat`, `/verify`.
fn test_plan(ship: &Ship, tag: &str, owners: fn(&Project) -> String) -> Vec<String> {
    let mut wrong = Vec::new();
    let project = Project::new(ship, &format!("plan{tag}"), tag, "");
    project.make_store();
    for (at, turn) in ["the first start", "the volume removed", "the volume removed again"].into_iter().enumerate() {
        let found = project.up();
        if found.verdict != CACHE {
            wrong.push(format!("{tag}, {turn}: expected {CACHE:?}, found {:?}: {}", found.verdict, project.logs()));
            project.wipe();
            continue;
        }
        let owners = owners(&project);
        tell(&format!("{tag}, {turn}: health 200 after {:.0} ms, owners {}", found.ms, owners.replace('\n', " ")));
        if owners != ["100:101"; 4].join("\n") {
            wrong.push(format!("{tag}, {turn}: owners {owners:?}"));
        }
        wrong.extend(verify(&project, at > 0));
        project.wipe();
    }
    wrong
}

/// Checks that a second start does not change a right volume.
fn again(ship: &Ship) -> Vec<String> {
    let project = Project::new(ship, "again", "likeness", "");
    let state = || {
        let dir = project.volume().join(TREE);
        WEIGHTS.map(|name| fs::metadata(dir.join(name)).map(|meta| (meta.ino(), meta.ctime(), meta.ctime_nsec())).ok())
    };
    let first = (project.up().verdict, state());
    project.down();
    let second = (project.up().verdict, state());
    project.wipe();
    let right = first == second && first.0 == CACHE && first.1.iter().all(Option::is_some);
    (!right).then(|| format!("a second start: {first:?}, {second:?}")).into_iter().collect()
}

#[test]
fn the_acceptance_plan_on_this_image() {
    let Some(ship) = Ship::new("the_acceptance_plan_on_this_image") else { return };
    ship.image(Builder::Classic, "likeness");
    ship.with_a_shell("likeness", "shelled");
    let mut wrong = test_plan(&ship, "shelled", stat_inside);
    wrong.extend(test_plan(&ship, "likeness", owners_of_scratch));
    wrong.extend(again(&ship));
    wrong.extend(probes(&ship));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_file_to_try_it_serves_from_the_images_own_layer() {
    let Some(ship) = Ship::new("the_file_to_try_it_serves_from_the_images_own_layer") else { return };
    ship.image(Builder::Classic, "likeness");
    let project = Project::to_try(&ship, "try", "likeness");
    let found = project.up();
    assert_eq!(found.verdict, LAYER, "{}", project.logs());
    let live = photo("anna.jpg");
    let (status, body) = project.ask("/api/v1/liveness", &[("file", &live)]);
    assert!(status == 200 && body.contains("\"verdict\":\"live\""), "{status} {body}");
    project.down();
}

/// Checks that Docker's health becomes good, and measures the cost of a probe.
fn probes(ship: &Ship) -> Vec<String> {
    let project = Project::new(ship, "probes", "likeness", "");
    let found = project.up();
    crate::support::docker::poll("Docker's health", || project.state("{{.State.Health.Status}}") == "healthy");
    let probe = beside(&project.pid(), &likeness());
    let words: Vec<_> = std::iter::once(probe.get_program()).chain(probe.get_args()).collect();
    let script = "import resource, subprocess, sys\nfor _ in range(50): subprocess.run(sys.argv[1:] + ['probe'], check=True)\nu = resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(f'{(u.ru_utime + u.ru_stime) * 20:.2f}')";
    let cost = Command::new("python3").arg("-c").arg(script).args(words).output().unwrap();
    tell(&format!("likeness probe, nsenter included: {} ms of CPU, mean of 50", stdout(&cost)));
    project.wipe();
    let right = cost.status.success() && found.verdict == CACHE;
    (!right).then(|| format!("probes: {}: {}", found.verdict, stderr(&cost))).into_iter().collect()
}

/// One row of the table.
struct Row {
    name: &'static str,
    /// The image, and the same image with a shell entrypoint.
    images: [&'static str; 2],
    lines: &'static str,
    /// The volume: created by root with a directory in it, or none.
    volume: Volume,
    expected: &'static str,
}

#[derive(PartialEq, Eq)]
enum Volume {
    New,
    Roots,
    None,
}

const IMAGES: [&str; 2] = ["likeness", "shelled"];
const ROWS: [Row; 7] = [
    Row {
        name: "as it is: user 100:101, a new volume",
        images: IMAGES,
        lines: "",
        volume: Volume::New,
        expected: CACHE,
    },
    Row {
        name: "as it is, a volume that an older image left root:root",
        images: IMAGES,
        lines: "",
        volume: Volume::Roots,
        expected: LAYER,
    },
    Row { name: "as it is, the mount dropped", images: IMAGES, lines: "", volume: Volume::None, expected: LAYER },
    Row {
        name: "root with the three cap_add, a volume of root's",
        images: IMAGES,
        lines: ROOT,
        volume: Volume::Roots,
        expected: CACHE,
    },
    Row {
        name: "root with the three cap_add, the mount dropped",
        images: IMAGES,
        lines: ROOT,
        volume: Volume::None,
        expected: LAYER,
    },
    Row {
        name: "root without cap_add: the compose file of the incident",
        images: IMAGES,
        lines: "    user: \"0:0\"\n",
        volume: Volume::New,
        expected: "exit 13, no app",
    },
    Row {
        name: "root with the three cap_add; one spoof network is nowhere",
        images: ["lacking", "lacking-shelled"],
        lines: "    user: \"0:0\"\n    cap_add: [CHOWN, SETUID, SETGID]\n    environment: {BALLAST_ON_FAILURE: start}\n",
        volume: Volume::New,
        expected: "3 right, 1 missing in the cache, as 100:101; health 503",
    },
];

impl Row {
    fn project<'a>(&self, ship: &'a Ship, at: usize, shell: bool) -> Project<'a> {
        let lines = format!("{}{}", self.lines, if shell { SHELL } else { "" });
        let name = format!("row{at}{}", if shell { "shell" } else { "ours" });
        let project = Project::new(ship, &name, self.images[usize::from(shell)], &lines);
        match self.volume {
            Volume::New => project,
            Volume::None => project.without_volume(),
            Volume::Roots => {
                ship.docker.reported(&["volume", "create", &format!("{name}_biometric_models")]);
                // The volume is not empty: Docker gives an empty one the image's owner.
                fs::create_dir(project.volume().join(".deepface")).unwrap();
                chown(project.volume(), Some(0), Some(0)).unwrap();
                project
            }
        }
    }

    fn line(&self, ship: &Ship, at: usize, wrong: &mut Vec<String>) -> Line {
        let [ours, shell] = [false, true].map(|shell| {
            let project = self.project(ship, at, shell);
            if !shell && self.expected.ends_with("503") {
                project.make_store();
            }
            let found = project.up();
            if !shell && found.verdict != self.expected {
                wrong.push(format!(
                    "{}: expected {:?}, found {:?}: {}",
                    self.name,
                    self.expected,
                    found.verdict,
                    project.logs()
                ));
            }
            if !shell {
                wrong.extend(self.doors(&project).into_iter().map(|fault| format!("{}: {fault}", self.name)));
            }
            project.down();
            (found.verdict, found.ms)
        });
        Line { row: "image", name: self.name, tier: "docker", shell, ours }
    }

    /// Returns what Ballast's commands and the service's routes report differently from the outside view.
    fn doors(&self, project: &Project) -> Vec<String> {
        let folder = match self.expected {
            CACHE => "/tmp/.deepface",
            LAYER => "/opt/baked-models",
            lacking if lacking.ends_with("503") => return unavailable(project),
            _ => return Vec::new(),
        };
        let (status, body) = project.ask("/api/v1/liveness", &[("file", &photo("anna.jpg"))]);
        let mut wrong = disagreements(project, folder);
        if status != 200 || !body.contains("\"verdict\":\"live\"") {
            wrong.push(format!("liveness: expected 200 and live, found {status}: {body}"));
        }
        wrong
    }
}

/// Sends a live face while one spoof network is missing everywhere: the response is a named 503, never a
/// verdict.
fn unavailable(project: &Project) -> Vec<String> {
    let live = photo("anna.jpg");
    let rows: [(&str, &[Part]); 2] =
        [("/api/v1/liveness", &[("file", &live)]), ("/api/v1/verify", &[("user_id", "ann"), ("file", &live)])];
    let wrong = rows.iter().filter_map(|(route, form)| {
        let (status, body) = project.ask(route, form);
        let verdict = ["block", "spoof", "reject", "verdict"].iter().any(|word| body.contains(word));
        let named = body.contains("MODEL_UNAVAILABLE") && body.contains(WEIGHTS[LACKED]);
        let right = status == 503 && named && !verdict;
        (!right).then(|| format!("one network missing, {route}: expected a named 503, found {status}: {body}"))
    });
    wrong.collect()
}

#[test]
fn the_rows_of_the_table() {
    let Some(ship) = Ship::new("the_rows_of_the_table") else { return };
    ship.image(Builder::Classic, "likeness");
    ship.with_a_shell("likeness", "shelled");
    let gone = format!("/opt/baked-models/{TREE}/{}", WEIGHTS[LACKED]);
    let busybox = crate::support::docker::find("busybox");
    let lines = format!(
        "FROM likeness\nUSER 0:0\nCOPY busybox /busybox\nRUN [\"/busybox\", \"rm\", \"{gone}\"]\nUSER 100:101\n"
    );
    ship.step("lacking", &lines, &[(&busybox, "busybox")]);
    ship.with_a_shell("lacking", "lacking-shelled");
    let mut wrong = Vec::new();
    let lines: Vec<_> = ROWS.iter().enumerate().map(|(at, row)| row.line(&ship, at, &mut wrong)).collect();
    for line in &lines {
        tell(&format!(
            "{}: {} ({:.0} ms); shell: {} ({:.0} ms)",
            line.name, line.ours.0, line.ours.1, line.shell.0, line.shell.1
        ));
    }
    wrong.extend(compare_or_write(&lines));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
