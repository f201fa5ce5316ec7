//! The one place that prints.
//!
//! Rules: a boot speaks on stderr, since stdout belongs to the command; an answer that was asked
//! for (`verify`, `status`) goes to stdout. Lines begin lower case and end without a period.
//! A failure is `error:`, then `hint:`. Digests stand whole, on lines of their own.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

use serde::Serialize;

use crate::exit::Failure;
use crate::report::{Report, WeightLine};

/// Tells a failure and its way out.
pub fn failure(failure: &Failure) {
    eprintln!("error: {}", failure.what);
    if let Some(hint) = &failure.hint {
        eprintln!("hint: {hint}");
    }
}

/// A boot, line by line.
pub fn boot(report: &Report) {
    for refused in &report.refused {
        eprintln!("ballast: refused: {refused}");
    }
    for note in &report.notes {
        eprintln!("ballast: note: {note}");
    }
    let width = report.weights.iter().map(|line| file_name(line).len()).max().unwrap_or(0);
    for line in &report.weights {
        let kept = line.firmness.map(|kept| kept.to_string()).unwrap_or_default();
        eprintln!(
            "ballast: {:width$}  {:9} -> {:9} {kept:12} {:6.1} ms",
            file_name(line),
            line.found,
            line.done,
            line.ms
        );
    }
    for dir in &report.dirs {
        eprintln!("ballast: {dir}");
    }
    let right = report.weights.iter().filter(|line| line.right).count();
    let place = report.served.as_ref().map_or("nowhere".into(), |served| served.root.display().to_string());
    let (uid, gid) = (report.ids.uid, report.ids.gid);
    eprintln!("ballast: {right} of {} right in {place}, as {uid}:{gid}, {:.1} ms", report.weights.len(), report.ms);
}

fn file_name(line: &WeightLine) -> &str {
    line.path.rsplit('/').next().unwrap_or(&line.path)
}

/// A boot as one JSON document on stderr.
pub fn boot_json(report: &Report) {
    if let Ok(text) = serde_json::to_string(report) {
        eprintln!("{text}");
    }
}

/// One remark of a boot.
pub fn remark(text: &str) {
    eprintln!("ballast: {text}");
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
