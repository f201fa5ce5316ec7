//! Writes the last lines of `./test`: which suites failed and, by suite, what was not tested and
//! why. Pure functions of cargo's log and of the record of skips.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One suite of cargo's log, with the numbers of tests that passed and failed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Suite {
    /// The program's file name; for documentation tests, the crate's.
    pub program: String,
    /// Tests that passed, skipped tests included: cargo does not distinguish them.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
}

/// One skip of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The suite's program, as [`crate::paths::suite`] names it.
    pub program: String,
    /// The crate.
    pub package: String,
    /// The test.
    pub test: String,
    /// What it needs.
    pub needs: String,
}

/// The suites of a log of `cargo test`.
#[must_use]
pub fn suites(log: &str) -> Vec<Suite> {
    let mut suites: Vec<Suite> = Vec::new();
    for line in log.lines().map(str::trim) {
        if let Some(program) = started(line) {
            suites.push(Suite { program, ..Suite::default() });
        } else if let (Some(suite), Some(counts)) = (suites.last_mut(), line.strip_prefix("test result: ")) {
            suite.passed += count(counts, "passed");
            suite.failed += count(counts, "failed");
        }
    }
    suites
}

/// The suite that a line of cargo's announces.
fn started(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} (documentation)"));
    }
    let program = line.strip_prefix("Running ")?.rsplit_once('(')?.1.strip_suffix(')')?;
    program.rsplit('/').next().map(str::to_owned)
}

/// A suite's name for people: without cargo's hash.
fn shown(program: &str) -> &str {
    program.rsplit_once('-').map_or(program, |(suite, _)| suite)
}

fn count(counts: &str, of: &str) -> usize {
    let words: Vec<_> = counts.split([' ', ';', '.']).collect();
    let number = words.windows(2).find(|pair| pair[1] == of).and_then(|pair| pair[0].parse().ok());
    number.unwrap_or(0)
}

/// The skips of a record.
#[must_use]
pub fn skips(record: &str) -> Vec<Skip> {
    let parse = |line: &str| {
        let mut parts = line.splitn(4, '\t').map(str::to_owned);
        Some(Skip { program: parts.next()?, package: parts.next()?, test: parts.next()?, needs: parts.next()? })
    };
    record.lines().filter_map(parse).collect()
}

/// The skips that no reason in `allowed` covers; with any, the run is incomplete.
#[must_use]
pub fn unexpected<'a>(skips: &'a [Skip], allowed: &[&str]) -> Vec<&'a Skip> {
    skips.iter().filter(|skip| !allowed.iter().any(|reason| skip.needs.contains(reason))).collect()
}

/// The end of a run.
#[must_use]
pub fn text(suites: &[Suite], skips: &[Skip]) -> String {
    let mut text = String::new();
    let (passed, failed) = suites.iter().fold((0, 0), |(p, f), suite| (p + suite.passed, f + suite.failed));
    let mut skipped = 0;
    for ((program, package), tests) in by_suite(skips) {
        let ran = suites.iter().filter(|suite| suite.program == program).map(|suite| suite.passed + suite.failed).sum();
        let name = format!("{package} {}", shown(program));
        let name = if tests.len() >= ran { format!("{}, THE WHOLE SUITE", name.to_uppercase()) } else { name };
        let _ = writeln!(text, "not tested: {name}: {} of {ran} tests", tests.len());
        for (needs, of) in by_need(&tests) {
            let _ = writeln!(text, "    needs {needs}: {}", of.join(", "));
        }
        skipped += tests.len();
    }
    for suite in suites.iter().filter(|suite| suite.failed > 0) {
        let _ =
            writeln!(text, "failed: {} of {} in {}", suite.failed, suite.passed + suite.failed, shown(&suite.program));
    }
    let _ = writeln!(text, "{} passed, {failed} failed, {skipped} skipped", passed.saturating_sub(skipped));
    text
}

/// Returns each test once; if it named several needs, with the first one.
fn by_suite(skips: &[Skip]) -> BTreeMap<(&str, &str), BTreeMap<&str, &str>> {
    let mut all: BTreeMap<(&str, &str), BTreeMap<&str, &str>> = BTreeMap::new();
    for skip in skips {
        all.entry((&skip.program, &skip.package)).or_default().entry(&skip.test).or_insert(&skip.needs);
    }
    all
}

fn by_need<'a>(tests: &BTreeMap<&'a str, &'a str>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (test, needs) in tests {
        all.entry(needs).or_default().push(test);
    }
    all
}
