//! Reads user and variables of a Dockerfile's last stage. Pure.
//!
//! Only literal values count, because only the build knows a value with a `$`.

use std::collections::BTreeSet;

use super::Said;

/// Of the last stage.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// The last `USER`.
    pub user: Option<Said>,
    /// Each `ENV` of the Dockerfile; of several with one name, the last.
    pub variables: Vec<(String, Said)>,
}

/// Reads a Dockerfile; `name` is how it is called in [`Said::place`].
pub fn read(name: &str, text: &str) -> Dockerfile {
    let mut file = Dockerfile::default();
    for (line, instruction) in instructions(text) {
        let Some((word, rest)) = instruction.split_once(char::is_whitespace) else { continue };
        let place = format!("{name}, line {line}");
        match word.to_ascii_uppercase().as_str() {
            "FROM" => file = Dockerfile::default(),
            "USER" if !rest.contains('$') => file.user = Some(Said::new(rest.trim(), place)),
            "ENV" => {
                let literal = assignments(rest.trim()).into_iter().filter(|(_, value)| !value.contains('$'));
                file.variables.extend(literal.map(|(key, value)| (key, Said::new(value, place.clone()))));
            }
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    file.variables.reverse();
    file.variables.retain(|(name, _)| seen.insert(name.clone()));
    file.variables.reverse();
    file
}

/// Returns each instruction on one line, with the number of its first line. Comments are left out.
fn instructions(text: &str) -> Vec<(usize, String)> {
    let (mut all, mut open) = (Vec::<(usize, String)>::new(), false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let part = line.strip_suffix('\\').unwrap_or(line);
        match all.last_mut().filter(|_| open) {
            Some((_, instruction)) => *instruction += &format!(" {part}"),
            None => all.push((number + 1, part.to_owned())),
        }
        open = line.ends_with('\\');
    }
    all
}

/// `A=b "C"="d e"`, or the old form `A the rest`.
fn assignments(text: &str) -> Vec<(String, String)> {
    let first = text.split(char::is_whitespace).next().unwrap_or_default();
    if !first.contains('=') {
        return text
            .split_once(char::is_whitespace)
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .into_iter()
            .collect();
    }
    words(text).iter().filter_map(|word| word.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// Words with quotes and backslashes taken off.
fn words(text: &str) -> Vec<String> {
    let (mut all, mut word, mut quote, mut escaped) = (Vec::new(), String::new(), None, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            _ if c.is_whitespace() && quote.is_none() => all.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    all.push(word);
    all
}
