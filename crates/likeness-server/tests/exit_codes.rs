//! Compares both programs' exit codes with the page that explains them: each code has one meaning and one
//! row.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

/// Returns the codes of an `Exit` enum, by number.
fn declared(source: &str) -> BTreeMap<u8, String> {
    let body = source.split("pub enum Exit {").nth(1).unwrap().split("\n}").next().unwrap();
    let rows = body.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(" = "));
    rows.filter_map(|(name, code)| Some((code.parse().ok()?, name.to_owned()))).collect()
}

/// Returns the codes of a table of the page, by number.
fn documented(text: &str) -> BTreeMap<u8, String> {
    let cells = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.parse().ok()?, cells.next()?.to_owned()))
    });
    cells.collect()
}

#[test]
fn no_code_has_two_meanings_and_the_page_has_them_all() {
    let ballast = declared(include_str!("../../ballast-cli/src/exit.rs"));
    let likeness = declared(include_str!("../src/exit.rs"));
    assert!(ballast.len() > 15 && likeness.len() > 15, "the enums are read");
    let shared: BTreeSet<u8> = ballast.keys().filter(|code| likeness.contains_key(code)).copied().collect();
    let collisions: Vec<_> = shared.iter().filter(|code| ballast[code] != likeness[code]).collect();
    assert!(collisions.is_empty(), "{collisions:?}");
    let below_fifty: Vec<_> = likeness.iter().filter(|(code, name)| name.starts_with("Store") && **code < 50).collect();
    assert!(below_fifty.is_empty(), "{below_fifty:?}");
    let page = include_str!("../../../docs/exit-codes.md");
    let (first, second) = page.split_once("## `likeness`").unwrap();
    assert_eq!(documented(first), ballast);
    let mut own = documented(second);
    own.extend(shared.iter().map(|code| (*code, likeness[code].clone())));
    assert_eq!(own, likeness, "the page's second table has every code that the first has not");
    let named = second.lines().nth(2).unwrap();
    let missing: Vec<_> = shared.iter().filter(|code| !named.contains(&code.to_string())).collect();
    assert!(missing.is_empty(), "shared and not named under the heading: {missing:?}");
}
