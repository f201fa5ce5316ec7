//! A measured figure has one home among the documents. Another document may repeat a figure, and must not differ from
//! it.

use std::collections::BTreeSet;

use regex::Regex;

use crate::tree::Tree;

/// The measured quantity, a pattern that finds its figure in a text, and the document that is its home.
type Quantity = (&'static str, &'static str, &'static str);

const QUANTITIES: &[Quantity] = include!("figures.in");

pub fn faults(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (quantity, place, home) in QUANTITIES {
        let place = Regex::new(place).unwrap();
        let figures = |text: &str| -> BTreeSet<String> {
            place.captures_iter(text).map(|found| found[1].trim_end_matches('.').to_owned()).collect()
        };
        let known = tree.0.get(*home).map(|text| figures(text)).unwrap_or_default();
        if known.is_empty() && tree.is_whole() {
            faults.push(format!("{home}: expected {quantity}, found nothing: correct figures.in"));
        }
        for (name, text) in tree.ending(".md").filter(|(name, _)| name != home && !name.ends_with("CHANGELOG.md")) {
            let other: Vec<_> = figures(text).difference(&known).cloned().collect();
            if !other.is_empty() {
                faults.push(format!("{name}: {quantity}: expected what {home} says, found {}", other.join(", ")));
            }
        }
    }
    faults
}
