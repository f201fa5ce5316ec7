//! The table of a parity test: what was compared, the worst error, and the allowed error.

use std::collections::BTreeMap;

use likeness::detect::Raw;

/// One line of the table: the greatest error, and the allowed error.
#[derive(Default)]
struct Line {
    checked: usize,
    worst: f64,
    limit: f64,
}

/// The table, the rows that are only listed, and the failures.
#[derive(Default)]
pub struct Table {
    lines: BTreeMap<&'static str, Line>,
    pub listed: Vec<String>,
    failed: Vec<String>,
}

impl Table {
    /// One measured error.
    pub fn within(&mut self, what: &'static str, limit: f64, error: f64, row: &str) {
        let line = self.lines.entry(what).or_default();
        line.checked += 1;
        line.limit = limit;
        // NaN counts as worse than any number.
        let error = if error.is_nan() { f64::INFINITY } else { error };
        line.worst = line.worst.max(error);
        if error > limit {
            self.failed.push(format!("{what}: {row}: {error:e}, at most {limit:e}"));
        }
    }

    /// Compares two values that must be equal.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &'static str, found: T, expected: T, row: &str) {
        let same = found == expected;
        self.within(what, 0.0, if same { 0.0 } else { 1.0 }, row);
        if !same {
            self.failed.push(format!("    expected {expected:?}, found {found:?}"));
        }
    }

    /// Prints the table; fails with every wrong row.
    pub fn finish(self, title: &str) {
        println!("{title}\n{:<52} {:>8} {:>12} {:>12}", "", "checked", "worst", "allowed");
        for (what, line) in &self.lines {
            println!("{what:<52} {:>8} {:>12.2e} {:>12.2e}", line.checked, line.worst, line.limit);
        }
        self.listed.iter().for_each(|row| println!("listed: {row}"));
        assert!(self.failed.is_empty(), "{title}\n{}", self.failed.join("\n"));
    }
}

/// Returns whether a coordinate is so near an integer that rounding decides.
pub fn on_the_edge(raw: &Raw) -> bool {
    let [x1, y1, x2, y2] = raw.corners;
    let eyes = raw.landmarks[..2].as_flattened();
    [x1, y1, x2 - x1, y2 - y1].iter().chain(eyes).any(|value| (value - value.round()).abs() <= 2e-3)
}
