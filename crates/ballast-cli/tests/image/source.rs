//! Tests builds from the repository's folder alone, by Docker's two builders and Podman, with a stand-in for the image of
//! the toolchain: its `cargo` gives programs that were built before. Secrets of the folder must reach none of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::build::{entries, said};
use crate::context::{SECRETS, plant};
use crate::podman::Podman;
use crate::ship::{Builder, Ship, programs_folder, top};
use crate::support::docker::find;
use testkit::need;

const STAND_IN: &str = "localhost/stand-in";
const LINES: &str = "\
FROM scratch
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
COPY cargo readelf /usr/bin/
COPY entrypoint /built/entrypoint/ballast
COPY full /built/release/ballast
COPY likeness /built/release/likeness
";
const CARGO: &str = r#"#!/bin/sh
[ "$1" = build ] || exit 0
while [ $# -gt 0 ]; do
    case "$1" in
        --profile) profile=$2 ;;
        -p) package=$2 ;;
        --target) target=$2 ;;
    esac
    shift
done
test -f crates/ballast/src/lib.rs && test -f Cargo.lock || exit 1
case "$package" in likeness-server) program=likeness ;; *) program=ballast ;; esac
mkdir -p "target/$target/$profile"
cp "/built/$profile/$program" "target/$target/$profile/$program"
"#;
/// The names at the repository's root that a build reads.
const ROOT: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "Dockerfile", ".dockerignore", ".gitignore", "crates", "tools", "examples"];

/// Builds the stand-in.
fn stand_in(ship: &Ship) {
    let script = |name: &str, text: &str| {
        let path = ship.docker.path(name);
        fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
        path
    };
    let (cargo, readelf) = (script("cargo", CARGO), script("readelf", "#!/bin/sh\n"));
    let programs = programs_folder();
    let files: [(&Path, &str); 6] = [
        (&find("busybox"), "busybox"),
        (&cargo, "cargo"),
        (&readelf, "readelf"),
        (&programs.join("entrypoint/ballast"), "entrypoint"),
        (&programs.join("release/ballast"), "full"),
        (&programs.join("release/likeness"), "likeness"),
    ];
    ship.step("stand-in", LINES, &files);
    ship.docker.reported(&["tag", "stand-in", STAND_IN]);
}

/// Copies the repository, with weights at hand, and plants secrets in the copy.
fn folder(ship: &Ship) -> PathBuf {
    let folder = ship.docker.path("repository");
    fs::create_dir(&folder).unwrap();
    for name in ROOT {
        let copied = Command::new("cp").arg("-R").arg(top().join(name)).arg(&folder).status().unwrap();
        assert!(copied.success(), "{name}");
    }
    fs::copy(ship.lock(), folder.join("weights.lock")).unwrap();
    let copied = Command::new("cp").arg("-R").arg(ship.mirror()).arg(folder.join("mirror")).status().unwrap();
    assert!(copied.success());
    for name in SECRETS {
        plant(&folder, name);
    }
    plant(&folder, SEEN);
    folder
}

/// A planted file that a build gets, so that a search can find something.
const SEEN: &str = "mirror/note.txt";

fn docker(ship: &Ship, builder: Builder, folder: &Path, tag: &str) -> Output {
    // A docker without buildx can't use BuildKit, but Debian's can.
    let mut build = ship.docker.command("sh");
    build.args(["-euc", "exec docker \"$@\"", "docker"]);
    build.env("PATH", format!("/usr/bin:{}", std::env::var("PATH").unwrap_or_default()));
    build.env("DOCKER_BUILDKIT", if builder == Builder::BuildKit { "1" } else { "0" });
    build.args(["build", "--network", "none", "--tag", tag, "--build-arg", &format!("RUST={STAND_IN}")]);
    build.arg(folder).output().unwrap()
}

/// Returns the secrets in the files below a folder, by their planted text.
fn planted(below: &Path) -> Vec<&'static str> {
    let found = Command::new("grep").args(["-r", "-a", "-h", "-o", "planted: [-./_0-9a-zA-Z]*"]).arg(below).output();
    let text = String::from_utf8_lossy(&found.unwrap().stdout).into_owned();
    let named = |name: &&str| text.lines().any(|line| line == format!("planted: {name}"));
    assert!(named(&SEEN), "{}: this search finds nothing: {text}", below.display());
    SECRETS.into_iter().filter(|name| named(name)).collect()
}

/// Builds by Podman, in both formats; returns what differs from the expected image.
fn by_podman(ship: &Ship, podman: &Podman, folder: &Path, expected: &[String]) -> Vec<String> {
    // The invented user may not enter the daemon's folder.
    let (folder, archive) = (copied(folder, &podman.path("repository")), podman.path("stand-in.tar"));
    ship.docker.reported(&["save", "--output", archive.to_str().unwrap(), STAND_IN]);
    podman.give(&archive, 0, 0);
    podman.load(&archive);
    let argument = format!("RUST={STAND_IN}");
    let build = ["build", "--network", "none", "--tag", "own", "--build-arg", &argument, folder.to_str().unwrap()];
    let mut wrong = Vec::new();
    let refused = podman.run(&build);
    if refused.status.success() || !said(&refused).contains("hint: Podman ignores ONBUILD") {
        wrong.push(format!("{}, its own format: expected the reason, found {}", podman.name(), said(&refused)));
    }
    podman.reported(&[&["build", "--format", "docker"], &build[1..]].concat());
    let found = entries(&|args| podman.reported(args), &podman.path("c.tar"), "own");
    if found != expected {
        wrong.push(format!("{}: expected {expected:#?}, found {found:#?}", podman.name()));
    }
    wrong
}

/// Copies a folder so that every user can read it; returns the copy.
fn copied(from: &Path, to: &Path) -> PathBuf {
    let copied = Command::new("cp").args(["-R", "--no-preserve=ownership"]).arg(from).arg(to).status().unwrap();
    let readable = Command::new("chmod").args(["-R", "a+rX"]).arg(to).status().unwrap();
    assert!(copied.success() && readable.success(), "{}", to.display());
    to.to_owned()
}

#[test]
fn the_folder_alone_gives_the_image_in_each_engine_and_no_secret_of_it() {
    let test = "the_folder_alone_gives_the_image_in_each_engine_and_no_secret_of_it";
    let Some(ship) = Ship::new(test) else { return };
    let podmans = Podman::each(test);
    if podmans.is_empty() {
        return;
    }
    ship.image(Builder::Classic, "prepared");
    let expected = entries(&|args| ship.docker.reported(args), &ship.docker.path("a.tar"), "prepared");
    stand_in(&ship);
    let folder = folder(&ship);
    let mut wrong = Vec::new();
    for (tag, builder) in [("classic", Builder::Classic), ("buildkit", Builder::BuildKit)] {
        let built = docker(&ship, builder, &folder, tag);
        assert!(built.status.success(), "{builder:?}: {}", said(&built));
        let found = entries(&|args| ship.docker.reported(args), &ship.docker.path("b.tar"), tag);
        if found != expected {
            wrong.push(format!("{builder:?}: expected {expected:#?}, found {found:#?}"));
        }
    }
    for podman in &podmans {
        wrong.extend(by_podman(&ship, podman, &folder, &expected));
    }
    // Layers of every stage, the builders' caches and their records.
    for below in podmans.iter().map(Podman::graph).chain([ship.docker.path("data")]) {
        wrong.extend(planted(&below).into_iter().map(|name| format!("{}: holds {name}", below.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path below the repository, without its steps upwards.
fn below(path: &str) -> Option<String> {
    let path = path.strip_prefix(top().to_str()?)?.strip_prefix('/')?;
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            ".." => _ = names.pop(),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// The stand-in compiles nothing. So what the compiler read for each program is compared with what the stage copies.
#[test]
fn the_first_stage_copies_every_file_that_the_programs_are_built_from() {
    let test = "the_first_stage_copies_every_file_that_the_programs_are_built_from";
    let recipe = fs::read_to_string(top().join("Dockerfile")).unwrap();
    let stage = recipe.split("AS programs\n").nth(1).unwrap().split("RUN ").next().unwrap();
    let lines = stage.lines().filter_map(|line| line.strip_prefix("COPY ")?.rsplit_once(' '));
    let copied: Vec<_> = lines.flat_map(|(from, _)| from.split(' ')).collect();
    let is_copied = |path: &String| copied.iter().any(|from| Path::new(path).starts_with(from));
    for name in ["entrypoint", "full", "likeness"] {
        let Some(program) = need::static_program(test, name) else { return };
        let read = fs::read_to_string(program.with_extension("d")).unwrap().replace("\\ ", "\0");
        let files = read.split_whitespace().map(|path| path.replace('\0', " "));
        let files: Vec<_> = files.skip(1).filter_map(|path| below(&path)).collect();
        let missing: Vec<_> = files.iter().filter(|path| !is_copied(path)).collect();
        assert!(files.len() > 10 && missing.is_empty(), "{name}: of {} files not copied: {missing:?}", files.len());
    }
}

#[test]
fn the_image_names_the_version_of_its_programs() {
    let recipe = fs::read_to_string(top().join("Dockerfile")).unwrap();
    let line = format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(recipe.contains(&line), "expected {line:?} in the Dockerfile");
}
