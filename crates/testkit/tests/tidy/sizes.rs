//! No file has more than 500 lines. (Functions: clippy's `too_many_lines`, 70, is an error in `.ci/run`.)

use crate::tree::Tree;

const LINES: usize = 500;

pub fn faults(tree: &Tree) -> Vec<String> {
    let long = tree.ending(".rs").map(|(name, text)| (name, text.lines().count())).filter(|(_, lines)| *lines > LINES);
    long.map(|(name, lines)| format!("{name}: expected at most {LINES} lines, found {lines}")).collect()
}
