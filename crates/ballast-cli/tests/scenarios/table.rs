//! Writes the table of `docs/scenarios.md`.
//!
//! A line that differs from what a test saw is a failure; milliseconds are printed, never compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const ROWS: [&str; 21] = [
    "a", "b", "c", "c2", "d", "e", "f", "g", "h", "i", "i15", "j", "k", "l", "m", "n", "p", "q", "plan", "image",
    "reader",
];

const HEAD: &str = "\
# Scenarios: a shell entrypoint and Ballast, side by side

`BALLAST_WRITE_SCENARIOS=1 cargo test -p ballast-cli --test scenarios --test image` writes this table. Without the
variable, the same tests fail if a line differs. `BALLAST_BIN` names the program under test, such as the static
entrypoint.

The shell is `crates/ballast-cli/tests/scenarios/entrypoint.sh`. Unless a row names another user, the app is 100:101, and
four files of a tenth of the real size (10.6 MB) replace the real weights. Root file systems are read-only. *plain*: a
process in a mount namespace; *runc*: a container with exactly these capabilities; *podman*: rootless; *docker*:
docker-compose.

Row *plan* is the acceptance plan. Row *reader* uses Python with h5py and onnxruntime. Row *image* uses this repository's
image under `deploy/compose.prod.yaml`, or the same image with busybox, gosu and the shell. If the cache is wrong,
`likeness` reads the baked layer, so its health check succeeds with the shell too.

| row | situation | shell: what the app finds | Ballast: what the app finds |
|---|---|---|---|
";

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    pub row: &'static str,
    pub name: &'static str,
    pub tier: &'static str,
    /// The result of the shell, and its milliseconds.
    pub shell: (String, f64),
    /// The result of Ballast, and its milliseconds.
    pub ours: (String, f64),
}

impl Line {
    fn key(&self) -> String {
        format!("| {} | {}: {}", self.row, self.tier, self.name)
    }

    /// Returns the line of the page, without times, which differ in each run.
    fn text(&self) -> String {
        let found = |found: &str| {
            found
                .replace(", as 100:101", "")
                .replace(" in the cache", " (cache)")
                .replace(" in the baked layer", " (layer)")
        };
        format!("{} | {} | {} |", self.key(), found(&self.shell.0), found(&self.ours.0))
    }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md")
}

/// Writes these lines, or returns those that differ on the page.
#[expect(clippy::print_stdout, reason = "times are for a person")]
pub fn compare_or_write(lines: &[Line]) -> Vec<String> {
    static PAGE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    for line in lines {
        println!("{} | shell {:.0} ms, Ballast {:.0} ms", line.key(), line.shell.1, line.ours.1);
    }
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
    // The sort is stable: within a row, the order of the tests stays.
    table.sort_by_key(|line| ROWS.iter().position(|row| line.starts_with(&format!("| {row} |"))));
    fs::write(page(), format!("{HEAD}{}\n", table.join("\n"))).unwrap();
    vec![]
}

fn is_row(line: &str) -> bool {
    ROWS.iter().any(|row| line.starts_with(&format!("| {row} |")))
}

fn differences(seen: &[String], page: &[String]) -> Vec<String> {
    let lacks = |of: &[String], line: &String| !of.contains(line);
    let new = seen.iter().filter(|line| lacks(page, line)).map(|line| format!("docs/scenarios.md lacks\n  {line}"));
    let gone =
        page.iter().filter(|line| lacks(seen, line)).map(|line| format!("docs/scenarios.md has, not seen\n  {line}"));
    new.chain(gone).collect()
}
