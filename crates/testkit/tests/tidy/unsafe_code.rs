//! Each piece of unsafe code in the shipped crates has its argument within the eight lines above or on the next line: a
//! comment `SAFETY:`, or a section `# Safety` where the caller must keep something. SECURITY.md names each file that has
//! some.

use regex::Regex;

use crate::tree::Tree;

const CODE: &str = r"\bunsafe\s*(\{|impl\b|fn\b|extern\b)";

const ABOVE: usize = 8;

pub fn faults(tree: &Tree) -> Vec<String> {
    let code = Regex::new(CODE).unwrap();
    let argued = |line: &&str| line.contains("SAFETY:") || line.contains("# Safety");
    let mut faults = Vec::new();
    for (name, text) in tree.ending(".rs").filter(|(name, _)| name.starts_with("crates/") && name.contains("/src/")) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let near = &lines[at.saturating_sub(ABOVE)..(at + 2).min(lines.len())];
            if !line.trim_start().starts_with("//") && code.is_match(line) && !near.iter().any(argued) {
                faults.push(format!("{name}:{}: expected an argument, SAFETY: …, found none", at + 1));
            }
        }
    }
    faults
}

/// The shipped files with unsafe code that SECURITY.md names neither by their last parts nor by a folder.
pub fn unnamed(tree: &Tree) -> Vec<String> {
    let code = Regex::new(CODE).unwrap();
    let security = tree.0.get("SECURITY.md").map_or("", String::as_str);
    let named = Regex::new("`([a-z0-9_/-]+(?:\\.rs|/))`").unwrap();
    let named: Vec<&str> = named.captures_iter(security).map(|found| found.extract::<1>().1[0]).collect();
    let holds = |path: &str, name: &&&str| match name.ends_with('/') {
        true => path.starts_with(**name),
        false => path == **name || path.ends_with(&format!("/{name}")),
    };
    let with_code = tree.shipped().into_iter().filter(|(_, _, text)| code.is_match(text));
    let paths = with_code.map(|(krate, file, _)| format!("crates/{krate}/src/{file}"));
    let unnamed = paths.filter(|path| !named.iter().any(|name| holds(path, &name)));
    unnamed.map(|path| format!("{path} has unsafe code: SECURITY.md does not name it")).collect()
}
