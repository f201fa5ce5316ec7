//! Starts a service on loopback, and sends it forms.
#![allow(dead_code, reason = "each suite uses its part")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use testkit::data::{OwnData, own_data};
use testkit::need;
use ureq::tls::TlsConfig;

pub use testkit::data::{DETECTOR, EMBEDDER, SPOOF_FAR, SPOOF_NEAR};

/// The longest wait of a test, enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Repeats a check until it returns a value.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The embedder of the shared test data, and its pin. The repository's lock file pins the published embedder.
const SYNTHETIC: &str = "facenet512_synthetic.h5";
const SYNTHETIC_PIN: &str = "585a2c45ce5115734d758a64a777d528e70c505f18e926ee9874e01ddcdc8cb9";
const PUBLISHED_PIN: &str = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";

/// Returns the box of a generated photograph's first face, as an independent implementation recorded it.
pub fn recorded_box(photograph: &str) -> Value {
    let answers: Value = serde_json::from_str(testkit::data::ANSWERS).unwrap();
    let area = &answers["photographs"][photograph][0]["area"];
    serde_json::json!({"x": area[0], "y": area[1], "width": area[2], "height": area[3]})
}

/// A directory with weights, a lock file with their pins, and room for a store.
pub struct Ground {
    /// The folder with the originals: `weights` and `images`.
    pub data: PathBuf,
    /// The name of the embedder's file, and its pin.
    embedder: (&'static str, &'static str),
    pub dir: TempDir,
}

impl Ground {
    /// Creates a ground with all four generated weights.
    pub fn new() -> Self {
        Self::without(&[])
    }

    /// Creates a ground without these generated weights.
    pub fn without(missing: &[&str]) -> Self {
        let own = own_data();
        let embedder = (EMBEDDER, OwnData::sha256(EMBEDDER));
        Self::made(own.root().to_owned(), embedder, own.lock(), missing)
    }

    /// Creates a ground with the published weights and the photographs of DeepFace's recorded results.
    pub fn golden(test: &str) -> Option<Self> {
        let shared = need::shared_data(test)?;
        let lock = fs::read_to_string(testkit::paths::repository().join("weights.lock")).unwrap();
        assert!(lock.contains(PUBLISHED_PIN), "the lock file pins the published embedder");
        let lock = lock.replace(PUBLISHED_PIN, SYNTHETIC_PIN);
        Some(Self::made(shared, (SYNTHETIC, SYNTHETIC_PIN), lock, &[]))
    }

    fn made(data: PathBuf, embedder: (&'static str, &'static str), lock: String, missing: &[&str]) -> Self {
        let ground = Self { data, embedder, dir: tempfile::tempdir().unwrap() };
        fs::write(ground.lock(), lock).unwrap();
        fs::create_dir(ground.weights()).unwrap();
        for file in [DETECTOR, SPOOF_NEAR, SPOOF_FAR, EMBEDDER] {
            if !missing.contains(&file) {
                ground.bring(file);
            }
        }
        ground
    }

    /// Returns the embedder's SHA-256.
    pub fn embedder(&self) -> &'static str {
        self.embedder.1
    }

    pub fn lock(&self) -> PathBuf {
        self.dir.path().join("weights.lock")
    }

    pub fn weights(&self) -> PathBuf {
        self.dir.path().join("weights")
    }

    /// Copies a weight to the store of the service, atomically.
    pub fn bring(&self, file: &str) {
        let part = self.dir.path().join(format!("{file}.part"));
        fs::copy(self.original(file), &part).unwrap();
        fs::rename(part, self.weights().join(file)).unwrap();
    }

    /// Replaces the embedder by one that differs in the last bit of one number; returns its digest.
    pub fn bring_other_embedder(&self) -> String {
        let file = self.weights().join(EMBEDDER);
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let digest = likeness::net::Digest::of(&bytes).to_string();
        fs::write(&file, bytes).unwrap();
        let lock = fs::read_to_string(self.lock()).unwrap();
        fs::write(self.lock(), lock.replace(self.embedder(), &digest)).unwrap();
        digest
    }

    /// Returns the path that a weight is copied from.
    pub fn original(&self, file: &str) -> PathBuf {
        self.data.join("weights").join(if file == EMBEDDER { self.embedder.0 } else { file })
    }

    /// Returns the path of a photograph.
    pub fn photograph(&self, name: &str) -> PathBuf {
        self.data.join("images").join(name)
    }

    pub fn image(&self, name: &str) -> Vec<u8> {
        fs::read(self.photograph(name)).unwrap()
    }

    /// Returns a command of the program with this lock file and these weights.
    pub fn program(&self, command: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
        program.arg(command).arg("--lock").arg(self.lock()).arg("--weights").arg(self.weights());
        program.env_remove("LIKENESS_KERNEL").env_remove("VERIFICATION_THRESHOLD");
        program.env("LIKENESS_ACCEPT_EMBEDDER", self.embedder());
        program
    }

    /// Starts a service with a SQLite store, which the first call creates.
    pub fn serve_with_store(&self, args: &[&str], variables: &[(&str, &str)]) -> Service {
        let data = self.dir.path().join("data");
        let (store, key) = (format!("sqlite:{}", data.join("templates.db").display()), self.dir.path().join("key"));
        let place = ["--store", &store, "--key-file", key.to_str().unwrap()];
        if !key.exists() {
            fs::create_dir_all(&data).unwrap();
            let made =
                Command::new(env!("CARGO_BIN_EXE_likeness")).args(["store", "init"]).args(place).output().unwrap();
            assert!(made.status.success(), "{made:?}");
        }
        self.serve(&[&place, args].concat(), variables)
    }

    /// Starts a service with `--port 0` and further options and variables.
    pub fn serve(&self, args: &[&str], variables: &[(&str, &str)]) -> Service {
        let mut program = self.program("serve");
        program.args(["--port", "0"]).args(args).envs(variables.iter().copied());
        Service::start(program, self.dir.path().join("log"))
    }
}

/// A running service, ended when dropped.
pub struct Service {
    pub url: String,
    pub child: Child,
    log: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Starts a program that prints `listening on URL`.
    pub fn start(mut program: Command, log: PathBuf) -> Self {
        let errors = fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut child = program.stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| panic!("{line:?}: {}", fs::read_to_string(&log).unwrap())).to_owned();
        Self { url, child, log }
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a request and returns the response.
    pub fn ask(&self, request: Request) -> Answer {
        request.to(&self.url)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask(Request::new("GET", path))
    }

    /// Sends a request until the response has this status.
    pub fn until(&self, path: &str, status: u16) -> Answer {
        wait_for(&format!("{path} {status}"), || Some(self.get(path)).filter(|answer| answer.status == status))
    }

    /// Sends a request until the needed networks are loaded; returns that response.
    pub fn when_loaded(&self, request: impl Fn() -> Request) -> Answer {
        wait_for("the networks", || {
            let answer = self.ask(request());
            let absent = answer.status == 200 || answer.problem() == (503, "MODEL_UNAVAILABLE".into());
            assert!(absent, "{answer:?}: {}", self.log());
            Some(answer).filter(|answer| answer.status == 200)
        })
    }

    /// Waits until every present network is loaded.
    pub fn ready(self) -> Self {
        self.until("/api/v1/health/ready", 200);
        self
    }
}

/// A request that is being built.
pub struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

const BOUNDARY: &str = "----a-boundary-of-the-tests";

impl Request {
    pub fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// Adds a text to the form.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{name}\""), value.as_bytes())
    }

    /// Adds a photograph to the form.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.part(&format!("name=\"{name}\"; filename=\"photo.jpg\""), bytes)
    }

    fn part(mut self, disposition: &str, bytes: &[u8]) -> Self {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    fn whole(mut self) -> Self {
        let form = !self.body.is_empty() && !self.headers.iter().any(|(name, _)| name == "content-type");
        if form {
            self.body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
            self = self.header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"));
        }
        self
    }

    /// Sends the request to this URL.
    pub fn to(self, url: &str) -> Answer {
        let request = self.whole();
        let mut builder = ureq::http::Request::builder().method(request.method).uri(format!("{url}{}", request.path));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let config = config.tls_config(TlsConfig::builder().disable_verification(true).build());
        let agent = ureq::Agent::new_with_config(config.allow_non_standard_methods(true).max_redirects(0).build());
        let answer = match request.body.is_empty() && request.method != "POST" {
            true => agent.run(builder.body(()).unwrap()),
            false => agent.run(builder.body(request.body).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|why| panic!("{} {}: {why}", request.method, request.path));
        let headers = answer.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned())).collect();
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        answer.body_mut().as_reader().read_to_end(&mut body).unwrap();
        Answer { status, headers, body }
    }
}

/// A response.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.text())
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the status and the error code.
    pub fn problem(&self) -> (u16, String) {
        (self.status, self.json()["error_code"].as_str().unwrap_or("none").to_owned())
    }
}

/// Copies the TypeScript client below the target folder and builds it; `None` if the test is skipped.
pub fn typescript_client(test: &str) -> Option<PathBuf> {
    if !(need::full_tier(test, "npm") && need::tool(test, "npm", "apt-get install npm")) {
        return None;
    }
    let from = testkit::paths::repository().join("examples/clients/typescript");
    let to = testkit::paths::scratch().join("client-typescript");
    for folder in ["", "src", "example"] {
        fs::create_dir_all(to.join(folder)).unwrap();
        let files = fs::read_dir(from.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.is_file()) {
            fs::copy(&file, to.join(folder).join(file.file_name().unwrap())).unwrap();
        }
    }
    let npm = |words: &[&str]| Command::new("npm").args(words).current_dir(&to).output().unwrap();
    if !npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).status.success() {
        need::skip(test, "npm ci");
        return None;
    }
    let built = npm(&["run", "build"]);
    assert!(
        built.status.success(),
        "{}{}",
        String::from_utf8_lossy(&built.stdout),
        String::from_utf8_lossy(&built.stderr)
    );
    Some(to)
}
