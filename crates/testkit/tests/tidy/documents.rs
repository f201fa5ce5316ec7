//! Documents: links lead to files that are there, and no sentence has more than 30 words. No message of a program names a
//! file of the repository, which an installed program does not have.

use regex::Regex;

use crate::tree::Tree;

const WORDS: usize = 30;

/// Paths in Markdown links and in code marks that name a file of this repository.
pub fn dead_links(tree: &Tree) -> Vec<String> {
    let link =
        Regex::new(r"\]\(([^)#]+)(?:#[^)]*)?\)|`((?:crates|docs|tools|deploy|examples|fuzz)/[\w./-]+)`").unwrap();
    let mut faults = Vec::new();
    for (name, text) in tree.ending(".md") {
        for found in link.captures_iter(text) {
            let (to, from) = match (found.get(1), found.get(2)) {
                (Some(to), _) => (to.as_str(), name.rsplit_once('/').map_or("", |(folder, _)| folder)),
                (_, Some(to)) => (to.as_str(), ""),
                _ => continue,
            };
            if !to.contains("://") && !exists(tree, from, to.trim_end_matches('/')) {
                faults.push(format!("{name}: {to}"));
            }
        }
    }
    faults
}

fn exists(tree: &Tree, from: &str, to: &str) -> bool {
    let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    for part in to.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    // Pictures are no text, and so are not in the tree.
    let picture = [".png", ".svg", ".jpg"].iter().any(|end| path.ends_with(end));
    let folder = format!("{path}/");
    picture || tree.0.contains_key(&path) || tree.0.keys().any(|name| name.starts_with(&folder))
}

/// Files of the repository in the texts that a program prints: string literals, and the help of `args` files.
pub fn unshipped(tree: &Tree) -> Vec<String> {
    let file = Regex::new(r"docs/[\w-]+\.md|\.env\.example|\b(?:deploy|examples|tools)/\w|\b[A-Z]{5,}\.md").unwrap();
    let programs = ["ballast", "ballast-cli", "likeness", "likeness-server"].map(|name| format!("crates/{name}/src/"));
    let mut faults = Vec::new();
    let sources = tree.ending(".rs").filter(|(name, _)| programs.iter().any(|of| name.starts_with(of.as_str())));
    for (name, text) in sources.filter(|(name, _)| !name.ends_with("tests.rs")) {
        let help = name.ends_with("args.rs") || name.contains("/args/");
        let printed = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (at, line) in printed.lines().enumerate() {
            let line = line.trim_start();
            let comment = line.starts_with("//") && !(help && line.starts_with("///"));
            let found = file.find(line).filter(|_| !comment && !line.contains("include_str!"));
            faults.extend(found.map(|found| format!("{name}:{}: a program prints {}", at + 1, found.as_str())));
        }
    }
    faults
}

/// Sentences of prose: no code, no tables.
pub fn long_sentences(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in tree.ending(".md").filter(|(name, _)| !name.ends_with("CHANGELOG.md")) {
        for sentence in sentences(text) {
            let count = sentence.split_whitespace().count();
            if count > WORDS {
                let head: Vec<_> = sentence.split_whitespace().take(8).collect();
                faults.push(format!("{name}: expected at most {WORDS} words, found {count}: {} …", head.join(" ")));
            }
        }
    }
    faults
}

fn sentences(text: &str) -> Vec<String> {
    let (mut paragraphs, mut fenced) = (vec![String::new()], false);
    for line in text.lines() {
        let line = line.trim();
        fenced ^= line.starts_with("```");
        let item = line.starts_with("- ") || line.starts_with("* ") || line.starts_with(|c: char| c.is_ascii_digit());
        let apart = line.is_empty() || fenced || line.starts_with(['|', '#', '`', '<', '>']) || item;
        if apart {
            paragraphs.push(String::new());
        }
        if !fenced && !line.starts_with(['|', '#', '<']) && !line.starts_with("```") {
            let last = paragraphs.last_mut().unwrap();
            last.push(' ');
            last.push_str(line);
        }
    }
    let end = Regex::new(r"[.!?:;](?:\s|$)").unwrap();
    paragraphs.iter().flat_map(|paragraph| end.split(paragraph).map(str::to_owned).collect::<Vec<_>>()).collect()
}
