//! Tests what an engine mounts after its own pull from the registry: containerd's snapshots, and the storage
//! that CRI-O shares with podman.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ground::{Registry, World, ready};
use crate::support::{is_root, is_there, stderr, stdout};

const INSTALL: &str = "apt-get install containerd podman";

/// Checks that an engine's tree contains every right weight, the lock file and the index.
fn judged(world: &World, root: &Path) -> Result<(), String> {
    let verified = world.ballast(&["verify", root.to_str().unwrap()]);
    if !verified.status.success() || stdout(&verified).matches("  right").count() != 2 {
        return Err(format!("{verified:?}"));
    }
    for name in ["weights.lock", "weights.index"] {
        fs::metadata(root.join(".ballast").join(name)).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn done(output: &Output) -> Result<String, String> {
    if output.status.success() { Ok(stdout(output)) } else { Err(stderr(output)) }
}

/// containerd on its own socket, ended by its process id.
struct Containerd {
    dir: TempDir,
    daemon: Child,
}

impl Containerd {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("ballast-containerd.").tempdir_in("/var/tmp").unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{}\"\n",
            at("root"),
            at("state"),
            at("socket")
        );
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fs::create_dir(dir.path().join("mount")).unwrap();
        let log = fs::File::create(at("log")).unwrap();
        let mut daemon = Command::new("containerd");
        daemon.args(["-c", &at("config.toml")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let containerd = Self { daemon: daemon.spawn().unwrap(), dir };
        let until = Instant::now() + Duration::from_secs(60);
        while !containerd.ctr(&["version"]).status.success() {
            assert!(Instant::now() < until, "containerd does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        containerd
    }

    fn ctr(&self, args: &[&str]) -> Output {
        let socket = self.dir.path().join("socket");
        Command::new("ctr").arg("-a").arg(socket).args(args).output().unwrap()
    }

    fn mounted(&self, world: &World, image: &str) -> Result<(), String> {
        let at = self.dir.path().join("mount");
        let path = at.to_str().unwrap();
        done(&self.ctr(&["images", "pull", "--plain-http", image]))?;
        done(&self.ctr(&["images", "mount", image, path]))?;
        let found = judged(world, &at);
        done(&self.ctr(&["images", "unmount", "--rm", path]))?;
        found
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// podman with its own storage, which is removed afterwards.
struct Podman(TempDir);

impl Podman {
    fn run(&self, args: &[&str]) -> Output {
        let at = |name: &str| self.0.path().join(name);
        let mut command = Command::new("podman");
        command.arg("--root").arg(at("root")).arg("--runroot").arg(at("run"));
        command.args(["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]);
        command.args(args).output().unwrap()
    }

    fn mounted(&self, world: &World, image: &str) -> Result<(), String> {
        done(&self.run(&["pull", "--quiet", "--tls-verify=false", image]))?;
        let at = PathBuf::from(done(&self.run(&["image", "mount", image]))?);
        let found = judged(world, &at);
        done(&self.run(&["image", "unmount", image]))?;
        done(&self.run(&["rmi", image]))?;
        found
    }
}

#[test]
fn containerd_and_the_storage_of_cri_o_mount_what_was_pushed_for_whatever_architecture() {
    let test = "containerd_and_the_storage_of_cri_o_mount_what_was_pushed_for_whatever_architecture";
    let engines = ["/usr/bin/containerd", "/usr/bin/ctr", "/usr/bin/podman"];
    if !ready(test) || !is_root(test) || !engines.iter().all(|path| is_there(Path::new(path), test, INSTALL)) {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    let digest = world.push(&registry.url("models:amd64"));
    let arm = ["push", &registry.url("models:arm64"), "--from", "from", "--architecture", "arm64"];
    assert!(world.ballast(&arm).status.success());
    let [index, one, other] = ["models:both", "models:amd64", "models:arm64"].map(|name| registry.url(name));
    assert!(world.ballast(&["push", &index, "--index", &one, "--index", &other]).status.success());
    let name = |reference: &str| format!("127.0.0.1:{}/models{reference}", registry.port);
    let images = [name(":amd64"), name(&format!("@{digest}")), name(":arm64"), name(":both")];
    let containerd = Containerd::start();
    let podman = Podman(tempfile::Builder::new().prefix("ballast-podman.").tempdir_in("/var/tmp").unwrap());
    let mut wrong = Vec::new();
    for image in &images {
        wrong.extend(containerd.mounted(&world, image).err().map(|why| format!("containerd, {image}: {why}")));
        wrong.extend(podman.mounted(&world, image).err().map(|why| format!("podman, {image}: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
