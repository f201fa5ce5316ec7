//! Tests that Hugging Face's client and DeepFace's own code open what Ballast healed. They run as uid 100, on
//! a read-only root, without a network, and with a hub that has other files.
//!
//! pip installs the packages once, into the build's folder. DeepFace with TensorFlow and torch takes 8 GB:
//! that test runs only with `BALLAST_DEEPFACE=1`; otherwise it records a skip.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::scratch::Scratch;
use support::{is_root, pin_of, program, stdout};
use testkit::data::own_data;
use testkit::need;

const ENTER: &str = include_str!("enter.sh");
const STRACE: &str = "/usr/bin/strace";
const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// The names that a version of DeepFace opens below `.deepface/weights`.
type Names = [&'static str; 4];
const OLD: Names =
    ["2.7_80x80_MiniFASNetV2.pth", "4_0_0_80x80_MiniFASNetV1SE.pth", "centerface.onnx", "facenet512_weights.h5"];
const NEW: Names =
    ["2.7_80x80_MiniFASNetV2.onnx", "4_0_0_80x80_MiniFASNetV1SE.onnx", "centerface.onnx", "facenet512_weights.onnx"];

/// A lock file, the layer baked from it, an empty volume, and the reader's script.
struct Ground(Scratch);

impl Deref for Ground {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.0
    }
}

impl Ground {
    /// Creates the files; returns `None` and records a skip if the test can't run.
    fn new(test: &str) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let ground = Self(Scratch::new("readers"));
        for name in ["root", "volume", "tools"] {
            fs::create_dir(ground.path(name)).unwrap();
        }
        fs::copy(program(), ground.path("tools/ballast")).unwrap();
        Some(ground)
    }

    /// Runs a command of a build stage.
    fn build(&self, args: &[&str]) {
        let output = self.ballast(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    /// Adopts a cache, bakes it, and copies the lock file to its place in the image.
    fn bake(&self, cache: &str) {
        self.build(&["adopt", "--store", "/opt/cache", cache]);
        let lock = fs::read_to_string(self.path("weights.lock")).unwrap();
        let more = "[store]\nbaked = \"/opt/baked-models\"\nowner = \"100:101\"\n";
        fs::write(self.path("weights.lock"), lock.replacen("[store]\n", more, 1)).unwrap();
        self.build(&["fetch", "--mirror", cache]);
        self.build(&["bake", "layer"]);
        fs::copy(self.path("weights.lock"), self.path("tools/weights.lock")).unwrap();
    }

    /// Runs a reader's script under `ballast run`, without a network.
    fn read(&self, venv: &Path, script: &str, options: &[&str], env: &[(&str, &str)]) -> Output {
        self.read_under(&["--net"], &[], venv, script, options, env)
    }

    /// Runs the same with this machine's network, and traces the opened files with `tools/trace`.
    fn traced(&self, venv: &Path, script: &str, options: &[&str], env: &[(&str, &str)]) -> Output {
        let strace = [STRACE, "-f", "-qq", "-e", "trace=open,openat", "-e", "signal=none", "-o", "/opt/tools/trace"];
        self.read_under(&[], &strace, venv, script, options, env)
    }

    fn read_under(
        &self,
        namespaces: &[&str],
        before: &[&str],
        venv: &Path,
        script: &str,
        options: &[&str],
        env: &[(&str, &str)],
    ) -> Output {
        self.put("tools/read.py", script.as_bytes());
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).args(namespaces);
        command.args(["--", "/bin/sh", "-euc", ENTER, "enter"]);
        command.args(["root", "layer", "volume"].map(|name| self.path(name))).arg(venv).arg(self.path("tools"));
        command.args(before);
        command.args(["/opt/tools/ballast", "run", "--lock", "/opt/tools/weights.lock"]).args(options);
        command.args(["--", "/opt/reader/bin/python", "-B", "/opt/tools/read.py"]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/tmp");
        command.envs(env.iter().copied()).output().unwrap()
    }
}

fn answer(output: &Output) -> Value {
    serde_json::from_str(stdout(output).lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Creates a cache in the layout of Hugging Face's client: blobs, and links to them.
fn hub(ground: &Ground) {
    let repository = "home/hub/models--org--tiny";
    for (name, up, bytes) in [("config.json", "../../", "{}"), ("sub/model.bin", "../../../", "weights")] {
        let digest = pin_of(bytes.as_bytes());
        ground.put(&format!("{repository}/blobs/{digest}"), bytes.as_bytes());
        let link = ground.path(&format!("{repository}/snapshots/{REVISION}/{name}"));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(format!("{up}blobs/{digest}"), link).unwrap();
    }
    ground.put(&format!("{repository}/refs/main"), REVISION.as_bytes());
}

/// The turns: the cache is healed from nothing, is right, and is absent, so that the layer is read.
const TURNS: [(&str, &[&str], &str); 3] = [
    ("an empty volume", &[], "right in /opt/cache"),
    ("a healthy volume", &[], "right in /opt/cache"),
    ("no volume", &["--store", "/opt/nothing"], "right in /opt/baked-models"),
];

#[test]
fn hugging_faces_client_reads_what_was_adopted_from_the_cache_and_from_the_layer() {
    let test = "hugging_faces_client_reads_what_was_adopted_from_the_cache_and_from_the_layer";
    let Some(ground) = Ground::new(test) else { return };
    let Some(venv) = need::python(test, &["huggingface_hub==2.4.0"]) else { return };
    hub(&ground);
    ground.bake("home");
    let expected = json!({
        "root": "Read-only file system", "uid": 100, "config": "{}", "weights": "weights", "same": true,
        "absent": "not here", "repositories": ["org/tiny"], "warnings": [],
    });
    let mut wrong = Vec::new();
    for (turn, options, says) in TURNS {
        let output = ground.read(&venv, include_str!("hub.py"), options, &[("HF_HUB_OFFLINE", "1")]);
        if !support::stderr(&output).contains(&format!("3 of 3 {says}")) || answer(&output) != expected {
            wrong.push(format!("{turn}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the digests of the files below a root that the app opened by name, from the output of
/// `tools/trace`.
fn opened(ground: &Ground, root: &str, here: &Path) -> BTreeMap<String, String> {
    let trace = fs::read_to_string(ground.path("tools/trace")).unwrap();
    let names = trace.lines().filter(|line| !line.contains(" = -1 ")).filter_map(|line| line.split('"').nth(1));
    // Ballast's own index is no file of the app's.
    let below = names.filter_map(|name| name.strip_prefix(root)?.strip_prefix('/'));
    let below = below.filter(|name| !name.starts_with(".ballast"));
    let files = below.map(|name| (name.to_owned(), here.join(name))).filter(|(_, path)| path.is_file());
    files.map(|(name, path)| (name, pin_of(&fs::read(path).unwrap()))).collect()
}

#[test]
fn a_client_that_can_reach_a_newer_revision_opens_only_what_was_verified() {
    let test = "a_client_that_can_reach_a_newer_revision_opens_only_what_was_verified";
    let Some(ground) = Ground::new(test) else { return };
    let Some(venv) = need::python(test, &["huggingface_hub==2.4.0"]) else { return };
    if !need::file(test, Path::new(STRACE), "apt-get install strace") {
        return;
    }
    hub(&ground);
    ground.bake("home");
    let pinned: BTreeSet<_> = [REVISION, "{}", "weights"].iter().map(|text| pin_of(text.as_bytes())).collect();
    let script = include_str!("moving_hub.py");
    let mut wrong = Vec::new();
    for (turn, options, says) in TURNS {
        let output = ground.traced(&venv, script, options, &[]);
        let root = says.trim_start_matches("right in ");
        let here = ground.path(if root == "/opt/cache" { "volume" } else { "layer" });
        let found = opened(&ground, root, &here);
        let expected = json!({ "reached": true, "revision": REVISION, "read": ["{}", "weights"], "offline": "1" });
        let others: Vec<_> = found.iter().filter(|(_, digest)| !pinned.contains(*digest)).collect();
        let both = ["config.json", "sub/model.bin"].map(|name| found.keys().any(|path| path.ends_with(name)));
        if answer(&output) != expected || !others.is_empty() || both != [true, true] {
            wrong.push(format!("{turn}: opened {found:?}\n{output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // With the operator's own value instead of the lock file's, the client follows the hub, and the report
    // says so.
    let output = ground.traced(&venv, script, &[], &[("HF_HUB_OFFLINE", "0")]);
    let (said, reported) = (answer(&output), support::stderr(&output));
    assert_eq!((&said["revision"], &said["read"][1]), (&json!("f".repeat(40)), &json!("other weights")), "{output:?}");
    assert!(reported.contains("HF_HUB_OFFLINE stays \"0\"") && reported.contains("another revision"), "{reported}");
}

/// Creates a cache of DeepFace with the generated files under these names.
fn deepface(ground: &Ground, names: Names) {
    for (name, own) in names.into_iter().zip(OLD) {
        ground.put(&format!("home/.deepface/weights/{name}"), &own_data().weight(own));
    }
    ground.bake("home");
}

/// Checks in each turn that the script opens only the four files below the reported root.
fn opens_the_four(ground: &Ground, names: Names, venv: &Path, script: &str) {
    let mut wrong = Vec::new();
    for (turn, options, says) in TURNS {
        let output = ground.read(venv, script, options, &[]);
        let root = says.trim_start_matches("right in ");
        let paths = names.map(|name| format!("{root}/.deepface/weights/{name}"));
        let right = support::stderr(&output).contains(&format!("4 of 4 {says}"));
        if !right || answer(&output) != json!({ "uid": 100, "opened": paths }) {
            wrong.push(format!("{turn}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs DeepFace's own code to see which paths it opens; TensorFlow, torch, ONNX Runtime and OpenCV are
/// replaced by stubs.
#[test]
fn deepfaces_own_code_opens_the_four_healed_paths_and_downloads_nothing() {
    let test = "deepfaces_own_code_opens_the_four_healed_paths_and_downloads_nothing";
    let script = include_str!("deepface_paths.py");
    for (package, names) in [("deepface==0.0.98", OLD), ("deepface==0.0.103", NEW)] {
        let Some(ground) = Ground::new(test) else { return };
        let Some(venv) = need::python(test, &["--no-deps", package]) else { return };
        deepface(&ground, names);
        opens_the_four(&ground, names, &venv, script);
        // The test can fail: without a weight, and if the start is not refused, DeepFace downloads.
        fs::remove_file(ground.path("layer/.deepface/weights/centerface.onnx")).unwrap();
        let output = ground.read(&venv, script, &["--store", "/opt/nothing", "--on-failure", "start"], &[]);
        let reported = support::stderr(&output);
        assert!(!output.status.success() && reported.contains("DeepFace would download"), "{package}: {output:?}");
    }
}

/// DeepFace 0.0.103 opens other names, so pins under the names of 0.0.98 do not protect it.
#[test]
fn deepface_that_opens_other_names_than_are_pinned_would_download() {
    let test = "deepface_that_opens_other_names_than_are_pinned_would_download";
    let Some(ground) = Ground::new(test) else { return };
    let Some(venv) = need::python(test, &["--no-deps", "deepface==0.0.103"]) else { return };
    deepface(&ground, OLD);
    let output = ground.read(&venv, include_str!("deepface_paths.py"), &[], &[]);
    let reported = support::stderr(&output);
    assert!(reported.contains("4 of 4 right") && reported.contains("DeepFace would download"), "{output:?}");
}

#[test]
fn deepface_itself_loads_the_four_healed_networks() {
    let test = "deepface_itself_loads_the_four_healed_networks";
    let packages = ["deepface==0.0.98", "tf-keras", "torch"];
    if !need::requested(test, "BALLAST_DEEPFACE", &format!("pip install {}: 8 GB", packages.join(" "))) {
        return;
    }
    let Some(ground) = Ground::new(test) else { return };
    let Some(venv) = need::python(test, &packages) else { return };
    deepface(&ground, OLD);
    opens_the_four(&ground, OLD, &venv, include_str!("deepface_whole.py"));
}
