//! The table that these tests write: `docs/scenarios.md`.
//!
//! A line that says something else than what was seen is a failure; milliseconds are printed,
//! never compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const ROWS: [&str; 21] = [
    "a", "b", "c", "c2", "d", "e", "f", "g", "h", "i", "i15", "j", "k", "l", "m", "n", "p", "q", "plan", "image",
    "reader",
];

const HEAD: &str = "\
# Scenarios: a shell entrypoint and Ballast, side by side

Written by `BALLAST_WRITE_SCENARIOS=1 cargo test -p ballast-cli --test scenarios --test image`; without the
variable the same tests fail where a line no longer says what they see. Milliseconds are from the
engine's start to the app's first words (or to the end), of one run on a busy machine; `just bench`
measures. `BALLAST_BIN` names the program under test, such as the static entrypoint.

The shell entrypoint is `crates/ballast-cli/tests/scenarios/entrypoint.sh`. Four weights under the real
lock file with pins of their own, at a tenth of their size (10.6 MB) where nothing else is said.
*plain*: a process in a mount namespace; *runc*: a container with exactly these capabilities;
*podman*: rootless; *docker*: the mission's compose file with docker-compose. Roots are read-only
everywhere. Row *plan* is the mission's test plan, row *reader* Python with h5py and onnxruntime. Row
*image* is this repository's own image under `deploy/compose.prod.yaml`, with what each line says changed; the
shell is the same image behind busybox, gosu and that script, and milliseconds are from the container's
start to the first 200 of `/api/v1/health`, polled from outside. `likeness` reads the baked layer where
the cache is wrong, so its health is good behind the shell too; other readers' would not be.

| row | situation | tier | shell: what the app finds | ms | Ballast: what the app finds | ms |
|---|---|---|---|---|---|---|
";

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    pub row: &'static str,
    pub name: &'static str,
    pub tier: &'static str,
    /// What the shell brought, and in how many milliseconds.
    pub shell: (String, f64),
    /// What Ballast brought.
    pub ours: (String, f64),
}

impl Line {
    fn key(&self) -> String {
        format!("| {} | {} |", self.row, self.name)
    }

    fn text(&self) -> String {
        let ms = |ms: f64| if ms > 0.0 { format!("{ms:.0}") } else { "-".into() };
        let ((shell, shell_ms), (ours, ours_ms)) = (&self.shell, &self.ours);
        let (shell_ms, ours_ms) = (ms(*shell_ms), ms(*ours_ms));
        format!("{} {} | {shell} | {shell_ms} | {ours} | {ours_ms} |", self.key(), self.tier)
    }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md")
}

/// Writes these lines, or tells which of them the page has otherwise.
pub fn compare_or_write(lines: &[Line]) -> Vec<String> {
    static PAGE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let old = fs::read_to_string(page()).unwrap_or_default();
    let mut table: Vec<String> = old.lines().filter(|line| is_row(line)).map(str::to_owned).collect();
    let rows: Vec<_> = lines.iter().map(|line| format!("| {} |", line.row)).collect();
    let ours = |old: &String| rows.iter().any(|row| old.starts_with(row));
    if std::env::var_os("BALLAST_WRITE_SCENARIOS").is_none() {
        let seen: Vec<_> = lines.iter().map(Line::text).collect();
        return differences(&seen, &table.into_iter().filter(ours).collect::<Vec<_>>());
    }
    table.retain(|old| !ours(old));
    table.extend(lines.iter().map(Line::text));
    // Stable: within a row the order is that of the tests.
    table.sort_by_key(|line| ROWS.iter().position(|row| line.starts_with(&format!("| {row} |"))));
    fs::write(page(), format!("{HEAD}{}\n", table.join("\n"))).unwrap();
    vec![]
}

fn is_row(line: &str) -> bool {
    ROWS.iter().any(|row| line.starts_with(&format!("| {row} |")))
}

fn differences(seen: &[String], page: &[String]) -> Vec<String> {
    let lacks = |of: &[String], line: &String| of.iter().all(|other| without_times(other) != without_times(line));
    let new = seen.iter().filter(|line| lacks(page, line)).map(|line| format!("docs/scenarios.md lacks\n  {line}"));
    let gone =
        page.iter().filter(|line| lacks(seen, line)).map(|line| format!("docs/scenarios.md has, not seen\n  {line}"));
    new.chain(gone).collect()
}

fn without_times(line: &str) -> String {
    let cells: Vec<_> =
        line.split(" | ").enumerate().filter(|(at, _)| ![4, 6].contains(at)).map(|(_, cell)| cell).collect();
    cells.join(" | ")
}
