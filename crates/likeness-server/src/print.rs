//! The one place that prints.
//!
//! Rules: an answer goes to stdout, a failure to stderr. Lines begin lower case and end without a
//! period. A failure is `error:`, then `hint:`. Digests stand whole, on lines of their own.
#![expect(clippy::print_stderr, reason = "this is the one place that prints")]

use std::io::{IsTerminal, Write};

use serde::Serialize;
use tracing_subscriber::filter::LevelFilter;

use crate::exit::Failure;

/// Tells a failure and its way out.
pub fn failure(failure: &Failure) {
    let hint = failure.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    eprint!("error: {}\n{hint}", failure.what);
}

/// An answer: as JSON, or as the lines that a person reads.
pub fn answer<T: Serialize>(answer: &T, json: bool, lines: impl FnOnce(&T) -> String) {
    let text = match json {
        false => lines(answer),
        true => serde_json::to_string_pretty(answer).map(|text| text + "\n").unwrap_or_default(),
    };
    // A reader that went away (`| head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// One of several answers, as it comes: a line of JSON, or the lines that a person reads.
pub fn event<T: Serialize>(event: &T, json: bool, lines: impl FnOnce(&T) -> String) {
    let text = match json {
        false => lines(event),
        true => serde_json::to_string(event).map(|text| text + "\n").unwrap_or_default(),
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The service listens. Scripts read this line from stdout.
pub fn listening(url: &str) {
    let _ = writeln!(std::io::stdout(), "listening on {url}");
}

/// A panic of a command shows its place, without its words, which might have a photograph's bytes. A decoder's panic is
/// an error of the photograph, and the command's own error line follows.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let _ = writeln!(std::io::stderr(), "internal error at {place}");
    }));
}

/// Logs go to stderr, one line an event: JSON, or words where a person looks on. A panic is one with its place and without its words,
/// which might have a photograph's bytes.
pub fn logging(level: LevelFilter) {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    let log = tracing_subscriber::fmt().with_target(false).with_max_level(level).with_writer(std::io::stderr);
    match std::io::stderr().is_terminal() {
        true => log.compact().init(),
        false => log.json().flatten_event(true).init(),
    }
}

/// A line of an answer that comes in many.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A secret, shown only this once: alone on a line of stdout.
pub fn secret(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
}
