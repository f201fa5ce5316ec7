//! What the man pages say beside the grammar, read where the repository says it: exit codes, the findings of `doctor`,
//! the variables of `likeness serve`. Reads these files.

use std::fs;

use crate::paths::repository;

/// A term, if any, and its meaning.
pub type Row = (String, String);

/// What the pages of a program say beside its grammar.
#[derive(Debug, Default)]
pub struct Manual {
    /// Codes, with their names and meanings.
    pub exit_codes: Vec<Row>,
    /// Paths, with what is there.
    pub files: Vec<Row>,
    /// Variables that no option reads: the help of a command lists the names of its own.
    pub variables: Vec<Row>,
    /// Further sections: the page, the heading, the rows.
    pub sections: Vec<(&'static str, &'static str, Vec<Row>)>,
    /// Pages of other programs.
    pub others: &'static [&'static str],
}

const LOCK: (&str, &str) = ("/etc/ballast/weights.lock, ./weights.lock", "The lock file, if no option names one.");

impl Manual {
    /// What is said of a program.
    ///
    /// # Panics
    /// If a document of the repository can't be read.
    #[must_use]
    pub fn of(program: &str) -> Self {
        let read = |path: &str| fs::read_to_string(repository().join(path)).expect("a document");
        let exit_codes = exit_codes(&read("docs/exit-codes.md"));
        let (ballast, likeness) = exit_codes;
        let rows = |rows: &[(&str, &str)]| rows.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        match program {
            "likeness" => Self {
                exit_codes: likeness,
                files: rows(&[LOCK]),
                variables: settings(&read(".env.example")),
                others: &["ballast"],
                ..Self::default()
            },
            _ => Self {
                exit_codes: ballast,
                files: rows(&[
                    LOCK,
                    (
                        "/run/ballast, /var/log/ballast, /tmp/ballast-UID",
                        "The first writable one has the report of a boot.",
                    ),
                    ("/var/lib/ballast/receipts.json", "Receipts, unless the cache is sticky."),
                    ("/dev/termination-log", "If it exists, the reason of a failed boot."),
                ]),
                sections: vec![("ballast-doctor", "FINDINGS", findings(&read("docs/doctor.md")))],
                others: &["ballast-entrypoint", "likeness"],
                ..Self::default()
            },
        }
    }
}

/// The cells of the rows of Markdown tables, without marks.
fn cells(text: &str) -> impl Iterator<Item = Vec<String>> {
    text.lines().filter_map(|line| {
        let row = line.strip_prefix("| ")?.trim_end().trim_end_matches('|').replace("\\|", "\u{1}");
        let plain = |cell: &str| cell.trim().replace('`', "").replace('\u{1}', "|");
        Some(row.split('|').map(plain).collect())
    })
}

/// The codes of `ballast`, and of `likeness`, which shares some.
fn exit_codes(page: &str) -> (Vec<Row>, Vec<Row>) {
    let row = |cells: Vec<String>| {
        let [code, name, when, ..] = cells.as_slice() else { return None };
        code.parse::<u8>().ok()?;
        Some((code.clone(), if when.is_empty() { format!("{name}.") } else { format!("{name}: {when}.") }))
    };
    let (first, second) = page.split_once("## `likeness`").unwrap_or((page, ""));
    let ballast: Vec<Row> = cells(first).filter_map(row).collect();
    let mut likeness: Vec<Row> = cells(second).filter_map(row).collect();
    let shared = second.split("mean the same").next().unwrap_or_default();
    let shared: Vec<&str> = shared.split(|c: char| !c.is_ascii_digit()).filter(|code| !code.is_empty()).collect();
    let absent = |row: &&Row| shared.contains(&row.0.as_str()) && !likeness.iter().any(|(code, _)| *code == row.0);
    let both: Vec<Row> = ballast.iter().filter(absent).cloned().collect();
    likeness.extend(both);
    likeness.sort_by_key(|(code, _)| code.parse::<u8>().unwrap_or_default());
    (ballast, likeness)
}

/// The findings of `doctor`: code, severity, an example, what to write.
fn findings(page: &str) -> Vec<Row> {
    let page = page.lines().filter(|line| line.starts_with("| `"));
    let rows = page.flat_map(|line| cells(line).collect::<Vec<_>>());
    let row = |cells: Vec<String>| match cells.as_slice() {
        [code, severity, at_fault, write, ..] => {
            Some((code.clone(), format!("{severity}. At fault: {at_fault}. Write: {write}")))
        }
        _ => None,
    };
    rows.filter_map(row).collect()
}

/// The variables of `.env.example`, each with the comment above it.
fn settings(text: &str) -> Vec<Row> {
    let (mut rows, mut comment, mut named) = (Vec::<Row>::new(), String::new(), false);
    for line in text.lines() {
        let words = line.trim_start_matches('#');
        let name = words.split('=').next().unwrap_or_default();
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if is_name && words.contains('=') {
            let value = words.split_once('=').map_or("", |(_, value)| value);
            let default = if value.is_empty() { String::new() } else { format!(" [{value}]") };
            rows.push((name.to_owned(), format!("{}{default}", comment.trim())));
            named = true;
        } else {
            if named || line.trim().is_empty() || line.starts_with("# ---") {
                comment.clear();
                named = false;
            }
            if !line.starts_with("# ---") {
                comment += &format!("{} ", words.trim());
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_has_the_comment_above_it_and_its_default() {
        let rows = settings("# Copy.\n\n# --- Part ---\n# First\n# line.\nA=1\n#B_2=\n# Other.\n#C=x y\n\nD=\n");
        let expected = [("A", "First line. [1]"), ("B_2", "First line."), ("C", "Other. [x y]"), ("D", "")];
        assert_eq!(rows, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn a_row_of_a_table_loses_its_marks_and_keeps_its_bars() {
        let rows: Vec<_> = cells("| a | b |\n|---|---|\n| `x` | curl \\|\\| exit |\n").collect();
        assert_eq!(rows, [["a", "b"], ["x", "curl || exit"]].map(|row| row.map(str::to_owned).to_vec()));
    }
}
