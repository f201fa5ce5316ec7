//! Counts words that the house does not use: each word has one meaning, and the field's own terms come first.

use crate::tree::Tree;

/// A word, and how often sources and documents may contain it: more is a fault.
const WORDS: &[(&str, usize)] = include!("words.in");

/// Files that may contain every word, each with its reason.
const ALLOWED: [(&str, &str); 2] =
    [("/tests/tidy/", "this test plants the words"), ("CONTRIBUTING.md", "its table of style shows what not to write")];

pub fn faults(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let whole = tree.is_whole();
    for (word, most) in WORDS {
        let allowed = |name: &str| ALLOWED.iter().any(|(part, _)| name.contains(part));
        let files = tree.ending(".rs").chain(tree.ending(".md")).filter(|(name, _)| !allowed(name));
        let found: usize = files.map(|(_, text)| count(text, word)).sum();
        if found > if whole { *most } else { 0 } {
            faults.push(format!("{word}: expected at most {most}, found {found}"));
        }
    }
    faults
}

fn count(text: &str, word: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|found| found.eq_ignore_ascii_case(word)).count()
}
