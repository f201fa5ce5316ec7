//! Imports between the files of a crate form no cycle. A file imports another by `crate::…`, `self::…`, `super::…`, or
//! by the name of a module that it declares.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::tree::Tree;

pub fn faults(tree: &Tree) -> Vec<String> {
    let shipped = tree.shipped();
    let crates: BTreeSet<&str> = shipped.iter().map(|(krate, ..)| *krate).collect();
    let mut faults = Vec::new();
    for krate in crates {
        let files: BTreeMap<Vec<String>, &str> = shipped
            .iter()
            .filter(|(owner, ..)| *owner == krate)
            .map(|(_, file, code)| (module(file), code.as_str()))
            .collect();
        for group in groups(&edges(&files)) {
            let names: Vec<String> = group.iter().map(|at| at.join("::")).collect();
            faults.push(format!("{krate}: {} import each other", names.join(", ")));
        }
    }
    faults
}

/// The module that a file is.
fn module(file: &str) -> Vec<String> {
    let mut parts: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

type Edges = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

fn edges(files: &BTreeMap<Vec<String>, &str>) -> Edges {
    let path = Regex::new(r"\b(?:crate|self|super)(?:::\w+|::\{)+|\b[a-z_]\w*(?:::\w+|::\{)+").unwrap();
    let mut edges = Edges::new();
    for (from, code) in files {
        let entry = edges.entry(from.clone()).or_default();
        for found in path.find_iter(code) {
            for named in expanded(&code[found.start()..]) {
                entry.extend(target(files, from, &named));
            }
        }
    }
    edges
}

/// The paths that one `a::{b, c::{d}}` names; a path without braces names itself.
fn expanded(text: &str) -> Vec<Vec<String>> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let head: Vec<String> = text[..end].split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if !text[end..].starts_with('{') || !text[..end].ends_with("::") {
        return vec![head];
    }
    let (mut depth, mut start, mut found) = (0, end + 1, Vec::new());
    for (at, c) in text[end..].char_indices().map(|(at, c)| (at + end, c)) {
        let ends = depth == 1 && (c == ',' || c == '}');
        depth += usize::from(c == '{');
        depth -= usize::from(c == '}');
        if ends {
            let inner = text[start..at].trim();
            let inner = if inner.is_empty() { Vec::new() } else { expanded(inner) };
            found.extend(inner.into_iter().map(|rest| [head.clone(), rest].concat()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// The file that a path leads to, if it is another one.
fn target(files: &BTreeMap<Vec<String>, &str>, from: &[String], named: &[String]) -> Option<Vec<String>> {
    let mut base = match named.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => from.to_vec(),
        _ => [from, &named[..1]].concat(),
    };
    for part in named {
        match part.as_str() {
            "super" => drop(base.pop()),
            "self" | "crate" => {}
            _ if named.first() == Some(part) => {}
            _ => base.push(part.clone()),
        }
    }
    // A path that starts with a name is a module's only if this file declares that module.
    let own = !["crate", "self", "super"].contains(&named[0].as_str());
    if own && !files.contains_key(&[from, &named[..1]].concat()) {
        return None;
    }
    while !base.is_empty() && !files.contains_key(&base) {
        base.pop();
    }
    (base != from && files.contains_key(&base)).then_some(base)
}

/// Groups of files that reach each other.
fn groups(edges: &Edges) -> Vec<Vec<Vec<String>>> {
    let reach = |from: &Vec<String>| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(at) = next.pop() {
            for to in edges.get(&at).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = edges.keys().map(|from| (from, reach(from))).collect();
    let mut found = BTreeSet::new();
    for (from, to) in &reached {
        let group: Vec<_> =
            to.iter().filter(|other| reached.get(other).is_some_and(|back| back.contains(*from))).cloned().collect();
        if group.len() > 1 {
            found.insert(group);
        }
    }
    found.into_iter().collect()
}
