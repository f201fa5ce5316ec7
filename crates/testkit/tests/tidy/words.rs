//! Words that the house does not use: one meaning a word, and the field's own terms.

use crate::tree::Tree;

/// A word, and how often it still stands in sources and documents: less is better, more is a fault.
const WORDS: &[(&str, usize)] = include!("words.in");

pub fn faults(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let whole = tree.is_whole();
    for (word, allowed) in WORDS {
        let files = tree.ending(".rs").chain(tree.ending(".md")).filter(|(name, _)| !name.contains("/tests/tidy/"));
        let found: usize = files.map(|(_, text)| count(text, word)).sum();
        if found > if whole { *allowed } else { 0 } {
            faults.push(format!("{word}: expected at most {allowed}, found {found}"));
        }
    }
    faults
}

fn count(text: &str, word: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|found| found.eq_ignore_ascii_case(word)).count()
}
