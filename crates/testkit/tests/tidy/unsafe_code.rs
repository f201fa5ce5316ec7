//! Each piece of unsafe code in the shipped crates has its argument within the eight lines above or on the next line: a
//! comment `SAFETY:`, or a section `# Safety` where the caller must keep something.

use regex::Regex;

use crate::tree::Tree;

const ABOVE: usize = 8;

pub fn faults(tree: &Tree) -> Vec<String> {
    let code = Regex::new(r"\bunsafe\s*(\{|impl\b|fn\b|extern\b)").unwrap();
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
