//! Finds the commands of a program in the documents, and parses each by the program's own grammar. So a document can't
//! show an option or a command that the program does not have. Reads the documents, and runs no command.

use std::fs;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use regex::Regex;

use crate::paths::repository;

/// One line of a document, and the words of the command in it.
struct Shown {
    place: String,
    words: Vec<String>,
    /// Whether the command is complete: it lies in a block, and no word is left out.
    whole: bool,
}

/// Returns how many commands the documents show, and a text for each that the program would refuse.
///
/// # Panics
/// If a document can't be read.
#[must_use]
pub fn refused(grammar: &clap::Command) -> (usize, Vec<String>) {
    let mut shown = Vec::new();
    walk(&repository(), "", &mut |name, text| commands(name, text, grammar.get_name(), &mut shown));
    let fault = |one: &Shown| {
        let error = grammar.clone().try_get_matches_from(&one.words).err()?;
        let allowed = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
            ErrorKind::MissingRequiredArgument => !one.whole || has_variables(grammar, &one.words, &error),
            ErrorKind::ValueValidation | ErrorKind::InvalidValue => is_placeholder(&error),
            _ => false,
        };
        (!allowed).then(|| format!("{}: {}: {error}", one.place, one.words.join(" ")))
    };
    (shown.len(), shown.iter().filter_map(fault).collect())
}

/// Returns whether a variable can replace each missing option.
fn has_variables(grammar: &clap::Command, words: &[String], error: &clap::Error) -> bool {
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return false };
    let mut command = grammar;
    while let Some(below) = words.iter().find_map(|word| command.find_subcommand(word)) {
        command = below;
    }
    missing.iter().all(|missing| {
        let named = |arg: &&clap::Arg| arg.get_long().is_some_and(|long| missing.starts_with(&format!("--{long}")));
        command.get_arguments().find(named).is_some_and(|arg| arg.get_env().is_some())
    })
}

/// Returns whether the refused value stands for another one, such as `HEX` or `…`.
fn is_placeholder(error: &clap::Error) -> bool {
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return false };
    value.contains('…') || !value.is_empty() && value.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c == ':')
}

fn walk(folder: &Path, prefix: &str, each: &mut impl FnMut(&str, &str)) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), each);
        } else if path.ends_with(".md") && path != "CHANGELOG.md" {
            each(&path, &fs::read_to_string(entry.path()).expect("a document"));
        }
    }
}

/// Adds the commands of a document: those in blocks, and those between single marks.
fn commands(name: &str, text: &str, program: &str, shown: &mut Vec<Shown>) {
    let mark = Regex::new(r"`([^`]+)`").expect("a pattern");
    for (at, part) in text.split("```").enumerate() {
        let line = text[..part.as_ptr() as usize - text.as_ptr() as usize].lines().count();
        let place = format!("{name}, after line {line}");
        if at % 2 == 1 {
            let whole = part.replace("\\\n", " ");
            whole.lines().for_each(|line| calls(&place, line, program, true, shown));
        } else {
            for found in mark.captures_iter(part) {
                calls(&place, &found[1].replace('\n', " "), program, false, shown);
            }
        }
    }
}

/// Adds each call of the program in a line, up to a comment or an operator of the shell.
fn calls(place: &str, line: &str, program: &str, whole: bool, shown: &mut Vec<Shown>) {
    let start = Regex::new(&format!(r"(?:^|[\s(;]){program} [a-z]")).expect("a pattern");
    let end = Regex::new(r" (?:&&|\||>|&(?:\s|$))|;").expect("a pattern");
    let line = Regex::new(r"\$\([^()]*\)").expect("a pattern").replace_all(line, "0".repeat(64));
    let line = line.split(" #").next().unwrap_or_default();
    for found in start.find_iter(line) {
        let call = &line[found.start()..];
        let call = &call[call.find(program).unwrap_or(0)..];
        let call = &call[..end.find(call).map_or(call.len(), |end| end.start())];
        let words = call.split_whitespace().map(|word| word.trim_matches(['"', '\'', '[', ']']));
        let words = words.map(|word| word.split('|').next().unwrap_or_default().to_owned());
        let (mut kept, mut whole) = (Vec::<String>::new(), whole);
        for word in words {
            // After an option `…` stands for a value, elsewhere for words that the document leaves out.
            match word == "…" && !kept.last().is_some_and(|last| last.starts_with("--")) {
                true => whole = false,
                false => kept.push(word),
            }
        }
        shown.push(Shown { place: place.to_owned(), words: kept, whole });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_does_not_exist_is_found_in_blocks_and_between_marks() {
        let grammar = clap::Command::new("tool").subcommand(clap::Command::new("run").arg(clap::arg!(--fast)));
        let mut shown = Vec::new();
        let text = "`tool run --fast` and `tool run --slow`\n```sh\ntool walk   # a comment\nls && tool run …\n```\n";
        commands("a.md", text, "tool", &mut shown);
        let accepted = shown.iter().map(|one| grammar.clone().try_get_matches_from(&one.words).is_ok());
        assert_eq!(accepted.collect::<Vec<_>>(), [true, false, false, true]);
    }
}
