//! Tests `.dockerignore` and `.gitignore`: which files a build from the repository's root gets, and which a commit.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ship::top;
use crate::support::docker::Docker;
use crate::support::{is_root, stderr, stdout};
use testkit::need;

/// Secret files that users may have in the folder.
pub const SECRETS: [&str; 23] = [
    ".env",
    ".env.production",
    "api.key",
    "data.key",
    "store.key",
    "data/likeness.db",
    "secrets/tls.pem",
    "id_ed25519",
    ".ballast-tokens",
    ".netrc",
    "crates/likeness-server/.env",
    "crates/likeness-server/store.db-wal",
    "crates/id_rsa",
    "examples/deepface-python/tls.pem",
    "examples/any-model/server.p12",
    "examples/any-model/server.pfx",
    "examples/any-model/.npmrc",
    "examples/any-model/.env.local",
    "tools/persons.sqlite3",
    "tools/.netrc",
    "mirror/api.key",
    "mirror/id_ecdsa",
    "mirror/templates.db",
];
/// Files that builds need.
const NEEDED: [&str; 4] = ["Cargo.lock", "weights.lock", "crates/ballast/src/lib.rs", "mirror/centerface.onnx"];

/// Writes a file whose text names it.
pub fn plant(folder: &Path, name: &str) {
    fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    fs::write(folder.join(name), format!("planted: {name}\n")).unwrap();
}

/// The patterns of secrets: all that is left out below every folder, apart from what builds and tools write.
fn kinds(file: &str, prefix: &str) -> Vec<String> {
    const OTHERS: [&str; 4] = ["target", "node_modules", "__pycache__", ".git"];
    let text = fs::read_to_string(top().join(file)).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix(prefix));
    let below = names.filter(|name| !name.contains('/') && !name.starts_with(['!', '#']) && !name.is_empty());
    let mut kinds: Vec<_> = below.filter(|name| !OTHERS.contains(name)).map(str::to_owned).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn builds_and_commits_leave_out_the_same_kinds_of_secrets() {
    let kinds = [kinds(".dockerignore", "**/"), kinds(".gitignore", "")];
    assert_eq!(kinds[0], kinds[1]);
    assert!(kinds[0].len() > 10, "{kinds:?}: this test would find nothing");
}

#[test]
fn no_secret_of_the_folder_reaches_a_commit() {
    let test = "no_secret_of_the_folder_reaches_a_commit";
    if !need::tool(test, "git", "apt-get install git") {
        return;
    }
    let dir = testkit::ground::folder("commit");
    let kept = [".env.example", "weights.lock", "crates/ballast-cli/tests/oms/recorded/root.pem"];
    for name in SECRETS.iter().chain(&kept) {
        plant(dir.path(), name);
    }
    fs::copy(top().join(".gitignore"), dir.path().join(".gitignore")).unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git").current_dir(dir.path()).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", stderr(&output));
        stdout(&output)
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    let listed = git(&["ls-files"]);
    let mut found: Vec<_> = listed.lines().filter(|name| *name != ".gitignore").collect();
    found.sort_unstable();
    let mut kept = kept;
    kept.sort_unstable();
    assert_eq!(found, kept);
}

#[test]
fn no_secret_of_the_folder_reaches_a_build() {
    let test = "no_secret_of_the_folder_reaches_a_build";
    if !is_root(test) || !need::tool(test, "dockerd", "apt-get install docker.io") {
        return;
    }
    let docker = Docker::start();
    let folder = docker.path("repository");
    for name in SECRETS.iter().chain(&NEEDED) {
        plant(&folder, name);
    }
    plant(&folder, ".git/config");
    fs::copy(top().join(".dockerignore"), folder.join(".dockerignore")).unwrap();
    // Copies the whole context, as the Dockerfiles of the examples do.
    fs::write(folder.join("examples/Dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
    let folder = folder.display().to_string();
    docker.reported(&["build", "--tag", "context", "--file", &format!("{folder}/examples/Dockerfile"), &folder]);
    let saved = docker.path("context.tar");
    docker.reported(&["save", "--output", &saved.display().to_string(), "context"]);
    let bytes = fs::read(saved).unwrap();
    let holds = |name: &&&str| {
        let planted = format!("planted: {name}\n");
        bytes.windows(planted.len()).any(|window| window == planted.as_bytes())
    };
    let found: Vec<_> = SECRETS.iter().chain(&[".git/config"]).filter(holds).collect();
    let missing: Vec<_> = NEEDED.iter().filter(|name| !holds(name)).collect();
    assert!(found.is_empty() && missing.is_empty(), "in a layer: {found:?}; needed and not there: {missing:?}");
}
