//! Tests builds of the image: their contents, their refusals, and the secrets that they must not contain.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::server::Server;
use testkit::data::own_data;
use testkit::paths::static_program;

use crate::ship::{Builder, Ship, TREE, WEIGHTS, pins, programs_folder, top};
use crate::support::{stderr, stdout};

/// The size of the Python service's image, and the part of it that ours may have.
const THEIRS: u64 = 2_700_000_000;
const PART: u64 = 20;

const BOTH: [Builder; 2] = [Builder::Classic, Builder::BuildKit];

pub fn said(output: &std::process::Output) -> String {
    stdout(output) + &stderr(output)
}

/// Prints a line directly to stderr, because the harness hides the output of a passing test.
pub fn tell(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Copies the mirror, and removes or changes one file in the copy.
fn mirror(ship: &Ship, name: &str, change: impl Fn(&Path)) -> std::path::PathBuf {
    let to = ship.docker.path(name);
    fs::create_dir(&to).unwrap();
    for weight in WEIGHTS {
        fs::hard_link(ship.mirror().join(weight), to.join(weight)).unwrap();
    }
    change(&to);
    to
}

#[test]
fn a_build_refuses_what_it_cannot_have_and_names_exactly_that_file() {
    let Some(ship) = Ship::new("a_build_refuses_what_it_cannot_have_and_names_exactly_that_file") else { return };
    let three = mirror(&ship, "three", |dir| fs::remove_file(dir.join(WEIGHTS[0])).unwrap());
    let flipped = mirror(&ship, "flipped", |dir| {
        let mut bytes = fs::read(dir.join(WEIGHTS[2])).unwrap();
        bytes[1_000_000] ^= 1;
        fs::remove_file(dir.join(WEIGHTS[2])).unwrap();
        fs::write(dir.join(WEIGHTS[2]), bytes).unwrap();
    });
    let (ours, real) =
        (fs::read_to_string(ship.lock()).unwrap(), fs::read_to_string(top().join("weights.lock")).unwrap());
    let real = ours.replace(&pins(&ours)[0], &pins(&real)[0]);
    let lock = ship.docker.path("real.lock");
    fs::write(&lock, real).unwrap();
    let mut wrong = Vec::new();
    for builder in BOTH {
        for (tag, lock, mirror, lacks) in
            [("real", &lock, &three, WEIGHTS[0]), ("bad", &ship.lock(), &flipped, WEIGHTS[2])]
        {
            let built = ship.build(builder, tag, lock, mirror, &["--network", "none"]);
            let text = said(&built);
            let reported = text.split("could not be fetched").nth(1).unwrap_or_default();
            let named: Vec<_> = WEIGHTS.iter().filter(|name| reported.contains(&format!("{TREE}/{name}\n"))).collect();
            let digest = if tag == "bad" { "wrong-bytes" } else { "no-such-host" };
            if built.status.success() || named != [&lacks] || !reported.contains(digest) {
                wrong.push(format!("{builder:?} {tag}: expected only {lacks} ({digest}), found {named:?}: {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What an engine adds to a container, or names differently.
const ENGINES: [&str; 8] =
    [".dockerenv", "dev/", "proc/", "sys/", "run/", "etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// Returns the kind and mode, owner, size and path of each entry of an image, by an engine's command line.
pub fn entries(engine: &dyn Fn(&[&str]) -> String, tar: &Path, tag: &str) -> Vec<String> {
    let id = engine(&["create", tag]);
    engine(&["export", "--output", tar.to_str().unwrap(), &id]);
    engine(&["rm", &id]);
    let listed = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(tar).output().unwrap();
    fs::remove_file(tar).unwrap();
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let ours = !ENGINES.iter().any(|name| words[5].starts_with(name)) && words[5] != "etc/mtab";
        ours.then(|| [words[0], words[1], words[2], words[5]].join(" "))
    };
    let mut found: Vec<_> = stdout(&listed).lines().filter_map(line).collect();
    found.sort_unstable();
    found
}

fn docker_entries(ship: &Ship, tag: &str) -> Vec<String> {
    entries(&|args| ship.docker.reported(args), &ship.docker.path(&format!("{tag}.tar")), tag)
}

#[test]
fn both_builders_make_the_same_files_one_layer_per_weight() {
    let Some(ship) = Ship::new("both_builders_make_the_same_files_one_layer_per_weight") else { return };
    let [classic, buildkit] = [("classic", BOTH[0]), ("buildkit", BOTH[1])].map(|(tag, builder)| {
        ship.image(builder, tag);
        docker_entries(&ship, tag)
    });
    assert_eq!(classic, buildkit);
    let mut wrong = Vec::new();
    for tag in ["classic", "buildkit"] {
        let history = ship.docker.reported(&["history", "--human=false", "--format", "{{.Size}}", tag]);
        for name in WEIGHTS {
            let size = fs::metadata(ship.mirror().join(name)).unwrap().len().to_string();
            if history.lines().filter(|line| *line == size).count() != 1 {
                wrong.push(format!("{tag}: no layer of {name} alone, {size} bytes: {history}"));
            }
        }
        let size: u64 = ship.docker.reported(&["image", "inspect", "--format", "{{.Size}}", tag]).parse().unwrap();
        tell(&format!("image {tag}: {size} bytes, 1/{:.1} of {THEIRS}", THEIRS as f64 / size as f64));
        if size > THEIRS / PART {
            wrong.push(format!("{tag}: expected at most {} bytes, found {size}", THEIRS / PART));
        }
    }
    let lock = fs::read_to_string(top().join("weights.lock")).unwrap();
    let recipe = fs::read_to_string(top().join("Dockerfile")).unwrap();
    let weights: Vec<_> = lock.lines().filter_map(|line| line.strip_prefix("path = \".")?.strip_suffix('"')).collect();
    assert_eq!(weights.len(), WEIGHTS.len());
    wrong.extend(weights.iter().filter(|path| !recipe.contains(**path)).map(|path| format!("no COPY of .{path}")));
    if recipe.contains("syntax=") {
        wrong.push("a syntax line asks a registry for a frontend".into());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the start configuration of the image, and the labels that both builders set.
fn configuration(ship: &Ship, tag: &str) -> Vec<String> {
    let reported = |what: &str| {
        ship.docker.reported(&["image", "inspect", "--format", &format!("{{{{json .Config.{what}}}}}"), tag])
    };
    let labels = ["title", "description", "licenses"];
    let label = |name: &str| {
        reported("Labels").split(',').find(|label| label.contains(name)).unwrap_or("none").replace(['{', '}'], "")
    };
    let parts = ["User", "Entrypoint", "Cmd", "Env", "ExposedPorts"];
    parts.into_iter().map(|what| format!("{what} {}", reported(what))).chain(labels.map(label)).collect()
}

#[test]
fn the_image_that_image_toml_describes_is_the_one_that_the_dockerfile_builds() {
    let Some(ship) = Ship::new("the_image_that_image_toml_describes_is_the_one_that_the_dockerfile_builds") else {
        return;
    };
    ship.image(Builder::Classic, "built");
    let archive = ship.docker.path("described.tar");
    let file = |path: &str, from: &Path| format!("{path}={}", from.display());
    let mut export = Command::new(static_program("full"));
    export.arg("export").arg(format!("--image={}", top().join("deploy/image.toml").display())).arg(&archive);
    export.args(["--name", "described:latest", "--lock"]).arg(ship.lock()).arg("--from").arg(ship.mirror());
    for (path, program) in [("ballast", "entrypoint/ballast"), ("likeness", "release/likeness")] {
        export.arg("--file").arg(file(&format!("/usr/local/bin/{path}"), &programs_folder().join(program)));
    }
    let exported = export.output().unwrap();
    assert!(exported.status.success(), "{}", said(&exported));
    ship.docker.reported(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
    let differ = |built: Vec<String>, described: Vec<String>| -> Vec<String> {
        let only = |a: &[String], b: &[String], whose: &str| {
            a.iter().filter(|line| !b.contains(line)).map(|line| format!("{whose}: {line}")).collect::<Vec<_>>()
        };
        [only(&built, &described, "built"), only(&described, &built, "described")].concat()
    };
    let mut wrong = differ(docker_entries(&ship, "built"), docker_entries(&ship, "described"));
    wrong.extend(differ(configuration(&ship, "built"), configuration(&ship, "described")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_token_reaches_the_mirror_and_is_in_no_layer_and_no_history() {
    let Some(ship) = Ship::new("a_token_reaches_the_mirror_and_is_in_no_layer_and_no_history") else { return };
    const TOKEN: &str = "t0ken-that-must-not-stay-59c1b7";
    let server = Server::start(&own_data().weight(WEIGHTS[0]));
    let three = mirror(&ship, "three", |dir| fs::remove_file(dir.join(WEIGHTS[0])).unwrap());
    let secret = ship.docker.path("tokens");
    fs::write(&secret, format!("127.0.0.1={TOKEN}\n")).unwrap();
    let mirrors = format!("MIRRORS={}", server.url("right"));
    let option = format!("id=tokens,src={}", secret.display());
    let options = ["--network", "host", "--progress", "plain", "--build-arg", &mirrors, "--secret", &option];
    let built = ship.build(Builder::BuildKit, "secret", &ship.lock(), &three, &options);
    assert!(built.status.success(), "{}", said(&built));
    let bearer = Some(format!("Bearer {TOKEN}"));
    assert!(server.requests().iter().any(|request| request.authorization == bearer), "{:?}", server.requests());
    fs::remove_file(&secret).unwrap();
    let saved = ship.docker.path("saved");
    ship.docker.reported(&["save", "--output", saved.to_str().unwrap(), "secret"]);
    let history = ship.docker.reported(&["history", "--no-trunc", "secret"]);
    // Searches all files of the daemon: layers of every stage, the builder's cache and its records.
    let holds = |text: &str, path: &Path| {
        Command::new("grep").args(["-r", "-q", "-F", "-e", text]).arg(path).status().unwrap().success()
    };
    let places = [("the saved image", saved.as_path()), ("the daemon's data", &ship.docker.path("data"))];
    for (what, path) in places {
        assert!(holds("Face verification on weights", path), "{what}: this search finds nothing");
        assert!(!holds(TOKEN, path), "{what} holds the token");
    }
    assert!(!history.contains(TOKEN) && !said(&built).contains(TOKEN), "{history}");
}
