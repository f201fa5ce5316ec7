//! The names at the root, without those that begin with a dot: a newcomer reads them all.

use crate::tree::Tree;

const NAMES: [&str; 22] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "compose.yaml",
    "crates",
    "deploy",
    "docs",
    "examples",
    "fuzz",
    "justfile",
    "run",
    "rust-toolchain.toml",
    "test",
    "tools",
    "weights.lock",
];
/// Files that `./run` leaves at the root, which git ignores.
const LEFT: [&str; 2] = ["data", "data.key"];

pub fn faults(tree: &Tree) -> Vec<String> {
    let mut found: Vec<&str> = tree.0.keys().filter_map(|path| path.split('/').next()).collect();
    found.dedup();
    let more = found.into_iter().filter(|name| !name.starts_with('.') && !NAMES.contains(name) && !LEFT.contains(name));
    more.map(|name| format!("{name}: expected no more names at the root: move it into a folder")).collect()
}
