//! Tests `.dockerignore`: which files a build from the repository's root gets.

use std::fs;

use crate::ship::top;
use crate::support::docker::Docker;
use crate::support::is_root;
use testkit::need;

/// Secret files that users may have in the folder.
const SECRETS: [&str; 12] = [
    ".env",
    ".env.production",
    "data.key",
    "store.key",
    "data/likeness.db",
    "secrets/tls.pem",
    "id_ed25519",
    ".git/config",
    ".ballast-tokens",
    "crates/likeness-server/.env",
    "crates/likeness-server/store.db-wal",
    "examples/deepface-python/tls.pem",
];
/// Files that builds need.
const NEEDED: [&str; 4] = ["Cargo.lock", "weights.lock", "crates/ballast/src/lib.rs", "mirror/centerface.onnx"];

#[test]
fn no_secret_of_the_folder_reaches_a_build() {
    let test = "no_secret_of_the_folder_reaches_a_build";
    if !is_root(test) || !need::tool(test, "dockerd", "apt-get install docker.io") {
        return;
    }
    let docker = Docker::start();
    let folder = docker.path("repository");
    for name in SECRETS.iter().chain(&NEEDED) {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), format!("planted: {name}")).unwrap();
    }
    fs::copy(top().join(".dockerignore"), folder.join(".dockerignore")).unwrap();
    // Copies the whole context, as the Dockerfiles of the examples do.
    fs::write(folder.join("examples/Dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
    let folder = folder.display().to_string();
    docker.reported(&["build", "--tag", "context", "--file", &format!("{folder}/examples/Dockerfile"), &folder]);
    let saved = docker.path("context.tar");
    docker.reported(&["save", "--output", &saved.display().to_string(), "context"]);
    let bytes = fs::read(saved).unwrap();
    let holds = |name: &&&str| {
        let planted = format!("planted: {name}");
        bytes.windows(planted.len()).any(|window| window == planted.as_bytes())
    };
    let found: Vec<_> = SECRETS.iter().filter(holds).collect();
    let missing: Vec<_> = NEEDED.iter().filter(|name| !holds(name)).collect();
    assert!(found.is_empty() && missing.is_empty(), "in a layer: {found:?}; needed and not there: {missing:?}");
}
