//! A lock file, a folder of weights, and Debian's registry on loopback with its own storage.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::need;

use crate::support::{is_there, pin_of, program, stderr};

const REGISTRY: &str = "/usr/bin/docker-registry";
/// The Debian packages that the tests of this folder need.
pub const INSTALL: &str = "apt-get install docker-registry skopeo umoci";
/// The directory of the weights.
pub const TREE: &str = "m/weights";
/// Timeouts that are short enough for a test and long enough for a busy machine.
const QUICK: [&str; 6] = ["--idle-timeout", "10", "--timeout", "60", "--retries", "1"];

/// Returns whether the programs of [`INSTALL`] are installed; otherwise the test records a skip.
pub fn ready(test: &str) -> bool {
    let all = [REGISTRY, "/usr/bin/skopeo", "/usr/bin/umoci"];
    need::full_tier(test, "a registry") && all.iter().all(|path| is_there(Path::new(path), test, INSTALL))
}

/// Returns the large weight: more than eight chunks, all different.
pub fn large() -> Vec<u8> {
    made(1, (8 << 20) + 77)
}

pub fn made(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

/// A lock file and the folder of its weights.
pub struct World {
    pub dir: TempDir,
}

impl World {
    pub fn new(weights: &[(&str, Vec<u8>)]) -> Self {
        Self::of(weights, "owner = \"100:101\"\nenv = \"MODEL_HOME\"\n")
    }

    pub fn of(weights: &[(&str, Vec<u8>)], store: &str) -> Self {
        let dir = testkit::ground::folder("registry");
        let world = Self { dir };
        let mut lock = format!("version = 1\n[store]\npath = \"/srv/models\"\nbaked = \"/opt/models\"\n{store}");
        fs::create_dir(world.path("from")).unwrap();
        for (name, bytes) in weights {
            fs::write(world.path("from").join(name), bytes).unwrap();
            let (pin, size) = (pin_of(bytes), bytes.len());
            lock += &format!("[[weight]]\npath = \"{TREE}/{name}\"\nsha256 = \"{pin}\"\nsize = {size}\n");
        }
        fs::write(world.path("weights.lock"), lock).unwrap();
        world
    }

    /// Creates a world with a large and a small weight.
    pub fn pair() -> Self {
        Self::new(&[("large.bin", large()), ("small.bin", made(2, 5000))])
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        for variable in ["BALLAST_LOCK", "BALLAST_TOKENS", "SSL_CERT_FILE", "HF_TOKEN", "HOME", "DOCKER_CONFIG"] {
            command.env_remove(variable);
        }
        for variable in ["BALLAST_REGISTRY_USER", "BALLAST_REGISTRY_PASSWORD"] {
            command.env_remove(variable);
        }
        for variable in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(variable).env_remove(variable.to_lowercase());
        }
        let quick = QUICK.chunks(2).filter(|pair| !args.contains(&pair[0])).flatten();
        let network = matches!(args.first(), Some(&"push" | &"pull"));
        command.current_dir(self.dir.path()).args(args).args(quick.filter(|_| network));
        command
    }

    pub fn ballast(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Pushes, which must succeed; returns the printed digest.
    pub fn push(&self, target: &str) -> String {
        let output = self.ballast(&["push", target, "--from", "from"]);
        assert!(output.status.success(), "{output:?}");
        digest_in(&String::from_utf8_lossy(&output.stdout))
    }

    /// Returns the path to which a pull writes a weight.
    pub fn pulled(&self, name: &str) -> PathBuf {
        self.path("mirror").join(TREE).join(name)
    }

    pub fn right(&self, name: &str) -> bool {
        let pushed = fs::read(self.path("from").join(name)).unwrap();
        fs::read(self.pulled(name)).is_ok_and(|bytes| bytes == pushed)
    }
}

/// Returns the only digest in a text.
pub fn digest_in(text: &str) -> String {
    let at = text.rfind("sha256:").unwrap_or_else(|| panic!("no digest in {text}"));
    text[at..].chars().take("sha256:".len() + 64).collect()
}

/// Debian's registry, ended when this is dropped.
pub struct Registry {
    child: Child,
    pub port: u16,
    pub host: &'static str,
    /// The folder of storage and configuration.
    pub dir: TempDir,
}

impl Registry {
    pub fn start() -> Self {
        Self::with("127.0.0.1", "", |_| String::new())
    }

    /// Starts a registry with more lines below `http:`, and lines from `more` at the end of its
    /// configuration.
    pub fn with(host: &'static str, http: &str, more: impl Fn(&Path) -> String) -> Self {
        let dir = testkit::ground::folder("stored");
        // Another process may take the port before the registry does.
        for _ in 0..5 {
            let port = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port();
            let config = format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp:\n  addr: \"{host}:{port}\"\n{http}{}",
                dir.path().join("blobs").display(),
                more(dir.path())
            );
            fs::write(dir.path().join("config.yml"), config).unwrap();
            let log = fs::File::create(dir.path().join("log")).unwrap();
            let mut child = Command::new(REGISTRY)
                .args(["serve", "config.yml"])
                .current_dir(dir.path())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            if is_up(&mut child, host, port) {
                return Self { child, port, host, dir };
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("the registry does not start: {}", fs::read_to_string(dir.path().join("log")).unwrap_or_default());
    }

    pub fn url(&self, name: &str) -> String {
        format!("oci://{}:{}/{name}", self.host, self.port)
    }

    /// Returns the image's name in skopeo's form.
    pub fn docker(&self, name: &str) -> String {
        format!("docker://{}:{}/{name}", self.host, self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_up(child: &mut Child, host: &str, port: u16) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until && child.try_wait().unwrap().is_none() {
        if let Ok(mut stream) = TcpStream::connect((host, port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
            let mut answer = [0; 4];
            // A registry with TLS responds to a plain request too, with an error.
            if stream.read_exact(&mut answer).is_ok() {
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Runs a tool that must succeed; returns its output.
pub fn tool(name: &str, args: &[&str]) -> String {
    let output = Command::new(name).args(args).output().unwrap_or_else(|error| panic!("{name}: {error} ({INSTALL})"));
    assert!(output.status.success(), "{name} {args:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
