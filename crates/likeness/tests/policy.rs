//! Checks that the table of `docs/verdict.md` agrees with the policy.

#![allow(clippy::unwrap_used, reason = "tests")]

use likeness::policy::{NUMBERS, Number};

fn row(number: &Number) -> String {
    let Number { name, value, setting, source, calibrated } = number;
    let setting = setting.map_or("–".to_owned(), |setting| format!("`{setting}`"));
    let calibrated = if *calibrated { "yes" } else { "no" };
    format!("| {name} | {value} | {setting} | {source} | {calibrated} |")
}

#[test]
fn the_documented_numbers_are_the_policy_s() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verdict.md");
    let text = std::fs::read_to_string(document).unwrap();
    let table = text.split("| number | default |").nth(1).unwrap().split("\n\n").next().unwrap();
    let found: Vec<&str> = table.lines().skip(2).collect();
    let expected: Vec<String> = NUMBERS.iter().map(row).collect();
    assert_eq!(found, expected, "docs/verdict.md must have these rows:\n{}", expected.join("\n"));
}
