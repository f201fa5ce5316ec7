//! Tests `export` and `import`: the archive has the same bytes each time, other tools load it, and a changed
//! byte is refused. Also examines a whole service image from inside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::need;

use crate::ground::{World, digest_in, large, made, ready, tool};
use crate::ordinary::aged;
use crate::support::{is_root, is_there, pin_of, stderr, stdout};

/// The Debian packages that run the image, in addition to those of the other tests.
const DOCKER: &str = "apt-get install docker.io busybox-static";

fn export(world: &World, args: &[&str]) -> String {
    let output = world.ballast(&[&["export"][..], args, &["--from", "from"]].concat());
    assert!(output.status.success(), "{output:?}");
    digest_in(&stdout(&output))
}

#[test]
fn two_exports_are_the_same_bytes_and_other_tools_read_the_same_image_out_of_them() {
    if !ready("two_exports_are_the_same_bytes_and_other_tools_read_the_same_image_out_of_them") {
        return;
    }
    let (world, other) = (World::pair(), World::pair());
    let digest = export(&world, &["one.tar"]);
    // Another folder, another time zone and umask, other times.
    fs::rename(other.path("from/large.bin"), other.path("from").join(pin_of(&large()))).unwrap();
    aged(&other.path("from/small.bin"));
    let line = format!("umask 077; exec {} export two.tar --from from", crate::support::program().display());
    let second = Command::new("sh").args(["-c", &line]).current_dir(other.dir.path()).env("TZ", "Asia/Tokyo").output();
    assert!(second.as_ref().is_ok_and(|output| output.status.success()), "{second:?}");
    assert!(fs::read(world.path("one.tar")).unwrap() == fs::read(other.path("two.tar")).unwrap());
    let archive = world.path("one.tar").display().to_string();
    let seen = tool("skopeo", &["inspect", &format!("oci-archive:{archive}")]);
    assert!(seen.contains(&digest), "{seen}");
    // The other manifest describes the same configuration and layers.
    let raw = |from: &str| -> serde_json::Value {
        serde_json::from_str(&tool("skopeo", &["inspect", "--config", "--raw", from])).unwrap()
    };
    assert_eq!(raw(&format!("oci-archive:{archive}")), raw(&format!("docker-archive:{archive}")));
    let names = tool("tar", &["-tf", &archive]);
    assert!(["oci-layout", "index.json", "manifest.json", "weights.lock"].iter().all(|name| names.contains(name)));
}

#[test]
fn what_was_exported_is_imported_where_there_is_no_network() {
    if !ready("what_was_exported_is_imported_where_there_is_no_network") {
        return;
    }
    let world = World::pair();
    let digest = export(&world, &["models.tar"]);
    let output = world.ballast(&["import", "models.tar"]);
    assert!(output.status.success() && world.right("large.bin") && world.right("small.bin"), "{output:?}");
    // A damaged file is repaired, and a right one is not changed.
    fs::write(world.pulled("large.bin"), b"other").unwrap();
    let inode = fs::metadata(world.pulled("small.bin")).unwrap().ino();
    let output = world.ballast(&["import", "models.tar"]);
    assert!(output.status.success() && world.right("large.bin"), "{output:?}");
    assert_eq!(fs::metadata(world.pulled("small.bin")).unwrap().ino(), inode);
    // Without a lock file, the archive's own is used and reported as a first trust.
    let away = testkit::ground::folder("away");
    let at = |args: &[&str]| world.command(args).current_dir(away.path()).output().unwrap();
    let archive = world.path("models.tar").display().to_string();
    let refused = at(&["import", &archive]);
    assert!(refused.status.code() == Some(10) && stderr(&refused).contains("--first-trust"), "{refused:?}");
    assert_eq!(fs::read_dir(away.path()).unwrap().count(), 0);
    let trusted = at(&["import", &archive, "--first-trust"]);
    let reported = stderr(&trusted);
    assert!(
        trusted.status.success() && reported.contains("a first trust") && reported.contains(&digest),
        "{trusted:?}"
    );
    let lock = fs::read(away.path().join("weights.lock")).unwrap();
    assert_eq!(lock, fs::read(world.path("weights.lock")).unwrap());
    let again = at(&["import", &archive, "--first-trust"]);
    assert!(again.status.code() == Some(10) && stderr(&again).contains("a lock file already exists"), "{again:?}");
}

#[test]
fn an_archive_with_one_byte_changed_anywhere_is_refused_or_gives_the_same_weights() {
    if !ready("an_archive_with_one_byte_changed_anywhere_is_refused_or_gives_the_same_weights") {
        return;
    }
    let world = World::pair();
    export(&world, &["models.tar"]);
    let good = fs::read(world.path("models.tar")).unwrap();
    let (mut refused, mut wrong) = (0, Vec::new());
    // Changes bytes in every short file, and at places throughout the layers.
    let places = (0..16_384).step_by(97).chain((16_384..good.len()).step_by(400_009));
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 0x11;
        fs::write(world.path("bad.tar"), &bad).unwrap();
        let _ = fs::remove_dir_all(world.path("mirror"));
        let output = world.ballast(&["import", "bad.tar"]);
        let named: Vec<_> = ["large.bin", "small.bin"].into_iter().filter(|name| world.pulled(name).exists()).collect();
        let all_right = named.iter().all(|name| world.right(name));
        match output.status.code() {
            Some(0) if all_right && named.len() == 2 => {}
            Some(17) if named.is_empty() => refused += 1,
            code => wrong.push(format!("at {at}: {code:?} {}", stderr(&output))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 40, "only {refused} were refused: this test would find nothing");
}

#[test]
fn what_is_no_archive_of_weights_is_named() {
    if !ready("what_is_no_archive_of_weights_is_named") {
        return;
    }
    let (world, other) = (World::pair(), World::new(&[("other.bin", made(3, 5000))]));
    export(&world, &["models.tar"]);
    let good = fs::read(world.path("models.tar")).unwrap();
    fs::write(world.path("cut.tar"), &good[..good.len() / 2]).unwrap();
    fs::write(world.path("page.tar"), b"<!doctype html>").unwrap();
    fs::write(world.path("empty.tar"), b"").unwrap();
    let others = other.path("others.tar").display().to_string();
    export(&other, &[&others]);
    // The lock file beside the image differs from the image's own.
    let (dir, two) = (world.path("two"), world.path("two.tar").display().to_string());
    fs::create_dir(&dir).unwrap();
    tool("tar", &["-xf", world.path("models.tar").to_str().unwrap(), "-C", dir.to_str().unwrap()]);
    fs::write(dir.join("weights.lock"), "version = 1\n").unwrap();
    tool("tar", &["-cf", &two, "-C", dir.to_str().unwrap(), "."]);
    let mut wrong = Vec::new();
    for (archive, reported) in [
        ("cut.tar", "cut: "),
        ("page.tar", "bad-image: "),
        ("empty.tar", "bad-image: "),
        ("absent.tar", "not-found: "),
        ("/dev/null", "unreadable: "),
        (others.as_str(), "not-found: "),
        (two.as_str(), "bad-image: the lock file beside"),
    ] {
        let output = world.ballast(&["import", archive]);
        if output.status.code() != Some(17) || !stderr(&output).contains(reported) || world.pulled("small.bin").exists()
        {
            wrong.push(format!("{archive}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_export_that_fails_leaves_the_archive_of_before() {
    if !ready("an_export_that_fails_leaves_the_archive_of_before") {
        return;
    }
    let world = World::pair();
    fs::write(world.path("models.tar"), b"of before").unwrap();
    fs::remove_file(world.path("from/small.bin")).unwrap();
    let output = world.ballast(&["export", "models.tar", "--from", "from"]);
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    assert_eq!(fs::read(world.path("models.tar")).unwrap(), b"of before");
    assert_eq!(fs::read_dir(world.dir.path()).unwrap().count(), 3, "something is left beside it");
}

/// Writes the repository's own description of a service, and a program that can examine the container.
fn described(world: &World) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/image.toml")).unwrap();
    let more = "[[file]]\npath = \"/usr/local/bin/busybox\"\nfrom = \"/bin/busybox\"\nmode = \"0755\"\n";
    fs::write(world.path("image.toml"), text + more).unwrap();
}

/// Returns a static program, which an image without shared objects can start.
fn entrypoint() -> PathBuf {
    testkit::paths::static_program("entrypoint")
}

/// Exports that service with programs from another folder.
fn exported(world: &World, to: &str, more: &[&str]) -> Output {
    described(world);
    let ballast = format!("/usr/local/bin/ballast={}", entrypoint().display());
    let args = ["export", "--image", to, "--from", "from", "--file", &ballast];
    let likeness = ["--file", "/usr/local/bin/likeness=/bin/busybox"];
    world.ballast(&[&args[..], &likeness, more].concat())
}

fn static_program(test: &str) -> bool {
    need::full_tier(test, "static programs") && is_there(Path::new("/bin/busybox"), test, DOCKER)
}

#[test]
fn a_service_image_has_the_same_digest_on_another_day_and_each_mode_that_it_names() {
    let test = "a_service_image_has_the_same_digest_on_another_day_and_each_mode_that_it_names";
    if !ready(test) || !is_root(test) || !static_program(test) {
        return;
    }
    let (world, other) = (World::pair(), World::pair());
    let first = exported(&world, "one.tar", &[]);
    assert!(first.status.success(), "{first:?}");
    assert!(stdout(&first).contains("likeness:latest"), "{first:?}");
    aged(&other.path("from/large.bin"));
    assert!(exported(&other, "two.tar", &[]).status.success());
    assert!(fs::read(world.path("one.tar")).unwrap() == fs::read(other.path("two.tar")).unwrap());
    let added = "/etc/likeness/db-ca.pem=weights.lock";
    assert!(exported(&world, "more.tar", &["--file", added]).status.success());
    let layout = format!("oci:{}:v1", world.path("layout").display());
    tool("skopeo", &["copy", "-q", &format!("oci-archive:{}", world.path("more.tar").display()), &layout]);
    let bundle = world.path("bundle");
    tool("umoci", &["unpack", "--image", layout.strip_prefix("oci:").unwrap(), bundle.to_str().unwrap()]);
    let facts = |path: &str| {
        let facts = fs::symlink_metadata(bundle.join("rootfs").join(path)).unwrap();
        (facts.mode() & 0o7777, facts.uid(), facts.gid())
    };
    let rows = [
        ("tmp", (0o1777, 0, 0)),
        ("tmp/.deepface", (0o755, 100, 101)),
        ("var/lib", (0o755, 0, 0)),
        ("var/lib/likeness", (0o700, 100, 101)),
        ("var/lib/likeness-key", (0o700, 100, 101)),
        ("etc/passwd", (0o644, 0, 0)),
        ("etc/group", (0o644, 0, 0)),
        ("etc/ballast", (0o755, 0, 0)),
        ("etc/ballast/weights.lock", (0o444, 0, 0)),
        ("etc/likeness/db-ca.pem", (0o444, 0, 0)),
        ("opt/models", (0o755, 0, 0)),
        ("opt/models/.ballast/weights.index", (0o444, 0, 0)),
        ("opt/models/m/weights", (0o755, 0, 0)),
        ("opt/models/m/weights/large.bin", (0o444, 100, 101)),
        ("usr/local/bin/ballast", (0o755, 0, 0)),
        ("usr/local/bin/likeness", (0o755, 0, 0)),
    ];
    let wrong: Vec<_> = rows.iter().filter(|(path, expected)| facts(path) != *expected).map(|(p, _)| p).collect();
    assert!(wrong.is_empty(), "{wrong:?}: {:?}", wrong.iter().map(|path| facts(path)).collect::<Vec<_>>());
    // An image of a whole service is a source of weights too.
    let output = world.ballast(&["import", "more.tar"]);
    assert!(output.status.success() && world.right("large.bin"), "{output:?}");
}

#[test]
fn a_description_that_makes_no_sense_is_refused_with_its_place() {
    let mut wrong = Vec::new();
    let head = "name = \"x:1\"\nuser = \"1:1\"\n";
    for (more, reported) in [
        ("nonsense = 1\n", "line 3"),
        ("[[file]]\npath = \"etc/x\"\ntext = \"\"\n", "expected an absolute path"),
        ("[[file]]\npath = \"/../x\"\ntext = \"\"\n", "plain names"),
        ("[[file]]\npath = \"/x\"\n", "either `from` or `text`"),
        ("[[file]]\npath = \"/x\"\nfrom = \"absent\"\n", "absent"),
        ("[[file]]\npath = \"/x\"\ntext = \"\"\nmode = \"4755\"\n", "octal mode"),
        ("[[dir]]\npath = \"/x\"\nowner = \"app\"\n", "UID:GID"),
    ] {
        let world = World::pair();
        fs::write(world.path("image.toml"), format!("{head}{more}")).unwrap();
        let output = world.ballast(&["export", "--image", "x.tar", "--from", "from"]);
        if output.status.code() != Some(2) || !stderr(&output).contains(reported) || world.path("x.tar").exists() {
            wrong.push(format!("{more}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A Docker daemon of the test, on its own socket, ended by its process id.
struct Docker {
    dir: TempDir,
    daemon: Child,
}

impl Docker {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("ballast-load.").tempdir_in("/var/tmp").unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let mut daemon = Command::new("dockerd");
        daemon.args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")]);
        daemon.args(["-H", &format!("unix://{}", at("socket")), "--storage-driver", "overlay2", "--bridge=none"]);
        daemon.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]);
        let log = fs::File::create(at("log")).unwrap();
        let daemon = daemon.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let docker = Self { dir, daemon };
        let until = Instant::now() + Duration::from_secs(60);
        while !docker.run(&["version"]).status.success() {
            assert!(Instant::now() < until, "dockerd does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        docker
    }

    fn run(&self, args: &[&str]) -> Output {
        let socket = format!("unix://{}", self.dir.path().join("socket").display());
        Command::new("docker").args(args).env("DOCKER_HOST", socket).output().unwrap()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.daemon);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.daemon.wait();
    }
}

#[test]
fn docker_loads_the_service_image_and_runs_it_hardened() {
    let test = "docker_loads_the_service_image_and_runs_it_hardened";
    let dockerd = Path::new("/usr/sbin/dockerd");
    if !ready(test) || !is_root(test) || !static_program(test) || !is_there(dockerd, test, DOCKER) {
        return;
    }
    let world = World::pair();
    let exported = exported(&world, "service.tar", &[]);
    assert!(exported.status.success(), "{exported:?}");
    let docker = Docker::start();
    let loaded = docker.run(&["load", "--input", world.path("service.tar").to_str().unwrap()]);
    assert!(loaded.status.success() && stdout(&loaded).contains("likeness:latest"), "{loaded:?}");
    let config = docker.run(&["image", "inspect", "likeness:latest"]);
    let config: serde_json::Value = serde_json::from_slice(&config.stdout).unwrap();
    let run = &config[0]["Config"];
    assert_eq!((run["User"].as_str(), &run["Env"][0]), (Some("100:101"), &"PATH=/usr/local/bin".into()));
    assert!(run["ExposedPorts"].get("8001/tcp").is_some() && run["Labels"].as_object().unwrap().len() == 3, "{run}");
    // One layer for each weight, one for lock file and index, and one for the service.
    assert_eq!(config[0]["RootFS"]["Layers"].as_array().map(Vec::len), Some(4));
    let hardened = ["run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL"];
    let more = ["--security-opt=no-new-privileges:true", "--tmpfs=/tmp", "likeness:latest"];
    let stat = ["busybox", "stat", "-c", "%a %u:%g %n", "/tmp", "/etc/ballast/weights.lock"];
    let ran = docker.run(&[&hardened[..], &more, &stat].concat());
    let reported = stderr(&ran);
    assert!(ran.status.success() && reported.contains("2 of 2 right in /opt/models, as 100:101"), "{ran:?}");
    assert!(reported.matches("image-layer").count() == 2, "{reported}");
    let seen: BTreeMap<_, _> = std::str::from_utf8(&ran.stdout).unwrap().lines().map(|line| (line, ())).collect();
    assert!(seen.contains_key("1777 0:0 /tmp") && seen.contains_key("444 0:0 /etc/ballast/weights.lock"), "{ran:?}");
}
