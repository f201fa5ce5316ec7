//! Finds the paths in a variable's value or an argument: whole, after an option, in a list, in JSON, in a command line.
//! Pure.

use std::path::{Component, Path, PathBuf};

/// Characters that end a path in a longer text.
const ENDS: [char; 18] = [' ', '\t', '\n', '"', '\'', '`', ',', ';', ':', '=', '(', ')', '[', ']', '{', '}', '|', '&'];

/// Each text that may be a path: the whole, what follows its first `=`, and its pieces. A URL's path keeps its host, so
/// only those of `file:` are absolute paths.
pub fn of(text: &str) -> impl Iterator<Item = &str> {
    let value = text.split_once('=').map(|(_, value)| value);
    let pieces = text.split(|c: char| ENDS.contains(&c)).filter(move |piece| *piece != text && Some(*piece) != value);
    [Some(text), value].into_iter().flatten().chain(pieces).map(bare)
}

/// A path without the option's letter before it (`-m/models/a`), or the sign for a file's content (`@/models/a`).
fn bare(text: &str) -> &str {
    match text.as_bytes() {
        [b'-', letter, b'/', ..] if letter.is_ascii_alphabetic() => &text[2..],
        [b'@', b'/', ..] => &text[1..],
        _ => text,
    }
}

/// The path below a root, empty for the root itself; a relative path is one of `dir`.
pub fn below(text: &str, root: &Path, dir: Option<&Path>) -> Option<PathBuf> {
    let path = match dir {
        Some(dir) => dir.join(text),
        None => PathBuf::from(text),
    };
    plain(&path)?.strip_prefix(plain(root)?).ok().map(Path::to_owned)
}

/// An absolute path without `.` and `..`, as text alone shows it.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain.is_absolute().then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_wherever_a_command_line_or_a_variable_has_it() {
        let rows: [(&str, Option<&str>); 28] = [
            ("/m", Some("")),
            ("/m/", Some("")),
            ("//m//a", Some("a")),
            ("/m/./x/../a", Some("a")),
            ("/x/../m/a", Some("a")),
            ("--model=/m/a", Some("a")),
            ("-m/m/a", Some("a")),
            ("@/m/a", Some("a")),
            ("model=/m/a,dtype=f16", Some("a")),
            ("{\"path\": \"/m/a\"}", Some("a")),
            ("exec app --model '/m/a' --port 1", Some("a")),
            ("/usr/share:/m/a", Some("a")),
            ("/x;/m/a", Some("a")),
            ("file:///m/a", Some("a")),
            ("file:/m/a", Some("a")),
            ("hf=/m/a", Some("a")),
            ("a", Some("d/a")),
            ("./a", Some("d/a")),
            ("../a", Some("a")),
            ("../../m", Some("")),
            ("/m2/a", None),
            ("/a/m/a", None),
            ("http://host/m/a", None),
            ("s3://bucket/m/a", None),
            ("https://host:80/m/a", None),
            ("/m/../a", None),
            ("../../a", None),
            ("/", None),
        ];
        // Weights are at `a` and `d/a`.
        let found = |text: &str| {
            of(text).find_map(|piece| {
                let absolute = piece.starts_with('/');
                let below = below(piece, Path::new("/m"), (!absolute).then_some(Path::new("/m/d")))?;
                let weights = ["", "a", "d/a"].map(Path::new).contains(&below.as_path());
                (weights && (absolute || !piece.is_empty())).then_some(below)
            })
        };
        let wrong: Vec<_> = rows
            .iter()
            .map(|(text, expected)| (text, found(text), expected))
            .filter(|(_, found, expected)| found.as_deref() != expected.map(Path::new))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_root_with_spaces_is_found_in_a_whole_value() {
        let root = Path::new("/my models");
        let found = |text: &str| of(text).any(|piece| below(piece, root, None).is_some());
        assert!(found("/my models/a") && found("--model=/my models/a") && !found("/my"));
    }
}
