//! Only this module prints.
//!
//! A boot prints to stderr, since stdout belongs to the command; other commands (`verify`,
//! `status`) print results to stdout. Lines begin in lower case and end without a period. A failure
//! is `error:`, then `hint:`. Digests are printed whole, on their own lines.
//!
//! If output fails, or if no reader reads it, a boot continues, and the report names the failure. A
//! closed pipe ends the output of a result without an error; any other write error fails the
//! command. Control characters are escaped.

mod output;
#[cfg(feature = "full")]
mod progress;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::dirs::DirLine;
use crate::escape;
use crate::exit::{Exit, Failure};
use crate::report::{GroupLine, Report, WeightLine};
#[cfg(feature = "full")]
pub use progress::{Progress, ProgressLine};

pub use output::{be_patient_no_more, stderr_fault};

/// Up to this number of weights each has a line; beyond, at most this many with the same result are named.
pub const EACH: usize = 20;

/// Prints a failure and its way out.
pub fn failure(failure: &Failure) {
    output::lines(&words(failure));
}

/// A failure and its way out, as lines.
pub fn words(failure: &Failure) -> String {
    let hint = failure.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    format!("error: {}\n{hint}", failure.what)
}

/// A boot, line by line.
pub fn boot(report: &Report) {
    let mut text = String::new();
    let remarks = report.refused.iter().map(|line| format!("refused: {line}"));
    let remarks = remarks.chain(report.notes.iter().map(|line| format!("note: {line}")));
    let weights = lines(report);
    for line in remarks.chain(weights).chain(report.dirs.iter().map(DirLine::words)).chain([summary(report)]) {
        text += &format!("ballast: {}\n", escape::line(&line));
    }
    output::lines(&text);
}

/// Lines for the weights without a group; then one for each group, and for its files that were not
/// right at first.
fn lines(report: &Report) -> Vec<String> {
    let mut all = Vec::new();
    // A group's files follow each other.
    for files in report.weights.chunk_by(|one, other| one.group == other.group) {
        let group = files.first().and_then(|line| report.groups.get(usize::try_from(line.group?).ok()?));
        all.extend(group.map(GroupLine::words));
        let shown = files.iter().filter(|line| group.is_none() || !line.is_kept());
        all.extend(weight_lines(&shown.collect::<Vec<_>>()));
    }
    all
}

/// One line for each weight; of many, a line for each that was not right at first, and counts for
/// equal results.
fn weight_lines(weights: &[&WeightLine]) -> Vec<String> {
    let many = weights.len() > EACH;
    let mut fates: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut shown = Vec::new();
    for &line in weights {
        let count = fates.entry((&line.found, &line.done)).or_default();
        *count += 1;
        if !many || (!line.is_kept() && *count <= EACH) {
            shown.push(line);
        }
    }
    let widest = |of: fn(&WeightLine) -> &str| shown.iter().map(|line| of(line).len()).max().unwrap_or(0);
    let (names, found, done) = (widest(|line| &line.path), widest(|line| &line.found), widest(|line| &line.done));
    let line = |line: &&WeightLine| {
        let kept = line.protection.map(|kept| kept.to_string()).unwrap_or_default();
        format!("{:names$}  {:found$} -> {:done$}  {kept:11} {:7.1} ms", line.path, line.found, line.done, line.ms)
    };
    let counts = fates.iter().filter(|(_, count)| many && **count > 1);
    let counts = counts.map(|((found, done), count)| format!("{count} weights: {found} -> {done}"));
    shown.iter().map(line).chain(counts).collect()
}

/// Says how many weights are right, and in which directory.
pub fn summary(report: &Report) -> String {
    let right = report.weights.iter().filter(|line| line.right).count();
    let place = report.served.as_ref().map_or("nowhere".into(), |served| served.root.display().to_string());
    let (all, uid, gid) = (report.weights.len(), report.ids.uid, report.ids.gid);
    format!("{right} of {all} right in {place}, as {uid}:{gid}, {:.1} ms", report.ms)
}

/// A boot as one JSON document on stderr.
pub fn boot_json(report: &Report) {
    // Joins the report file's text to one line: a second serializer would add 10 KB to the program.
    if let Ok(text) = serde_json::to_string_pretty(report) {
        let text: String = text.lines().map(str::trim_start).collect();
        output::escaped(&format!("{}\n", escape::json(&text)));
    }
}

/// Prints one remark of a boot.
pub fn remark(text: &str) {
    output::lines(&format!("ballast: {text}\n"));
}

/// Prints the message of the command line's parser: help to stdout, an error to stderr. Returns the exit code.
pub fn usage(error: &clap::Error) -> i32 {
    let text = error.render().to_string();
    if error.use_stderr() {
        output::lines(&text);
        return error.exit_code();
    }
    output::answer(&text);
    lost().map_or(error.exit_code(), |failure| failure.exit.code())
}

/// Prints a command's result.
pub fn answer(text: &str) {
    output::answer(&format!("{}\n", escape::lines(text)));
}

/// Prints a result as one JSON document.
pub fn answer_json(value: &impl Serialize) {
    output::answer(&document(value));
}

/// A JSON document as it is printed.
pub fn document(value: &impl Serialize) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => format!("{}\n", escape::json(&text)),
        Err(_) => {
            output::lose_answer();
            String::new()
        }
    }
}

/// Serializes a path as text shows it: what is not UTF-8 becomes U+FFFD.
pub fn path<S: serde::Serializer>(path: impl AsRef<Path>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.as_ref().display())
}

/// The failure of a command whose output could not be written.
pub fn lost() -> Option<Failure> {
    let error = output::answer_fault()?;
    let failure = Failure::new(Exit::AnswerLost, format!("the answer could not be written to stdout: {error}"));
    Some(failure.hint("the command's work is done; make room, or write the answer elsewhere"))
}
