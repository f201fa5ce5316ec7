//! Which crate may use which other crate, and which files may open sockets, touch a file system, start a process or
//! change the user.

use regex::Regex;

use crate::tree::Tree;

/// A crate's own dependencies among the workspace's crates.
const CRATES: [(&str, &[&str]); 5] = [
    ("ballast", &[]),
    ("ballast-cli", &["ballast"]),
    ("likeness", &[]),
    ("likeness-server", &["ballast", "likeness"]),
    ("testkit", &[]),
];

pub fn crates(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (krate, may) in CRATES {
        let Some(manifest) = tree.0.get(&format!("crates/{krate}/Cargo.toml")) else { continue };
        let shipped = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        let names = shipped.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        let ours = names.filter(|name| CRATES.iter().any(|(known, _)| known == name));
        faults.extend(ours.filter(|name| !may.contains(name)).map(|name| format!("{krate} may not use {name}")));
    }
    faults
}

/// The capability's name, a pattern for the code that uses it, and the files (crate, beginning of the path) that may
/// use it.
type Capability = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CAPABILITIES: [Capability; 4] = include!("capabilities.in");

pub fn capabilities(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let shipped = tree.shipped();
    for (what, words, may) in CAPABILITIES {
        let words = Regex::new(&format!("(?-u){words}")).unwrap();
        let holders: Vec<_> = shipped.iter().filter(|(_, _, code)| words.is_match(code)).collect();
        let allowed = |krate: &str, file: &str| may.iter().any(|(k, start)| *k == krate && file.starts_with(start));
        faults.extend(holders.iter().filter(|(krate, file, _)| !allowed(krate, file)).map(|(krate, file, code)| {
            format!("{krate}/src/{file}: {what} ({})", words.find(code).map_or("", |found| found.as_str()))
        }));
        if tree.is_whole() {
            let stale =
                may.iter().filter(|(k, start)| !holders.iter().any(|(h, file, _)| h == k && file.starts_with(start)));
            faults.extend(stale.map(|(krate, file)| format!("{krate}/src/{file}: no longer {what}: correct the list")));
        }
    }
    faults
}

/// Cargo gets its variables and target folder in one place; elsewhere half of a program is built again.
pub fn cargo(tree: &Tree) -> Vec<String> {
    let starts = Regex::new(r#"Command::new\((env!\("CARGO"\)|"cargo")"#).unwrap();
    let elsewhere = |name: &str| name.starts_with("crates/") && name != "crates/testkit/src/paths.rs";
    let files = tree.ending(".rs").filter(|(name, text)| elsewhere(name) && starts.is_match(text));
    files.map(|(name, _)| format!("{name} starts cargo: `testkit::paths::cargo` does")).collect()
}
