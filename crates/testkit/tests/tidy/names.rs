//! A type's name has one definition in a crate.

use std::collections::BTreeMap;

use regex::Regex;

use crate::tree::Tree;

pub fn faults(tree: &Tree) -> Vec<String> {
    let definition = Regex::new(r"(?m)^ {0,4}(?:pub(?:\([a-z:]+\))? )?(?:struct|enum|trait|union) (\w+)").unwrap();
    let mut homes: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    let shipped = tree.shipped();
    for (krate, file, code) in &shipped {
        for found in definition.captures_iter(code) {
            homes.entry((krate, found[1].to_owned())).or_default().push(file);
        }
    }
    let several = homes.iter().filter(|(_, files)| files.len() > 1);
    several.map(|((krate, name), files)| format!("{krate}: {name} is defined in {}", files.join(", "))).collect()
}
