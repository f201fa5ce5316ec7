//! The one place that prints.
//!
//! Rules: a boot speaks on stderr, since stdout belongs to the command; an answer that was asked
//! for (`verify`, `status`) goes to stdout. Lines begin lower case and end without a period.
//! A failure is `error:`, then `hint:`. Digests stand whole, on lines of their own.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

#[cfg(feature = "full")]
mod progress;

use serde::Serialize;

use crate::dirs::DirLine;
use crate::exit::Failure;
use crate::report::{Report, WeightLine};
#[cfg(feature = "full")]
pub use progress::{Line, Progress};

/// Tells a failure and its way out.
pub fn failure(failure: &Failure) {
    let hint = failure.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    aloud(&format!("error: {}\n{hint}", failure.what));
}

/// A boot, line by line.
pub fn boot(report: &Report) {
    let mut text = String::new();
    let remarks = report.refused.iter().map(|line| format!("refused: {line}"));
    let remarks = remarks.chain(report.notes.iter().map(|line| format!("note: {line}")));
    let weights = weight_lines(&report.weights);
    for line in remarks.chain(weights).chain(report.dirs.iter().map(DirLine::words)).chain([summary(report)]) {
        text += &format!("ballast: {line}\n");
    }
    aloud(&text);
}

fn weight_lines(weights: &[WeightLine]) -> Vec<String> {
    let widest = |of: fn(&WeightLine) -> &str| weights.iter().map(|line| of(line).len()).max().unwrap_or(0);
    let (names, found, done) = (widest(file_name), widest(|line| &line.found), widest(|line| &line.done));
    let line = |line: &WeightLine| {
        let kept = line.firmness.map(|kept| kept.to_string()).unwrap_or_default();
        let name = file_name(line);
        format!("{name:names$}  {:found$} -> {:done$}  {kept:11} {:7.1} ms", line.found, line.done, line.ms)
    };
    weights.iter().map(line).collect()
}

fn summary(report: &Report) -> String {
    let right = report.weights.iter().filter(|line| line.right).count();
    let place = report.served.as_ref().map_or("nowhere".into(), |served| served.root.display().to_string());
    let (all, uid, gid) = (report.weights.len(), report.ids.uid, report.ids.gid);
    format!("{right} of {all} right in {place}, as {uid}:{gid}, {:.1} ms", report.ms)
}

fn file_name(line: &WeightLine) -> &str {
    line.path.rsplit('/').next().unwrap_or(&line.path)
}

/// A boot as one JSON document on stderr.
pub fn boot_json(report: &Report) {
    if let Ok(text) = serde_json::to_string(report) {
        aloud(&format!("{text}\n"));
    }
}

/// One remark of a boot.
pub fn remark(text: &str) {
    aloud(&format!("ballast: {text}\n"));
}

/// One write, so that lines of replicas that share a terminal stay whole.
fn aloud(text: &str) {
    eprint!("{text}");
}

/// An answer that was asked for.
pub fn answer(text: &str) {
    println!("{text}");
}

/// An answer as one JSON document.
pub fn answer_json(value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string_pretty(value) {
        println!("{text}");
    }
}
