//! Prints all output of the program.
//!
//! Rules: a result goes to stdout, an error to stderr. Lines begin in lower case and end without a period. An
//! error is printed as `error:`, then `hint:`. A digest is never shortened, and has its own line.
#![expect(clippy::print_stderr, reason = "this is the one place that prints")]

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;
use tracing_subscriber::filter::LevelFilter;

use crate::exit::Failure;

/// Tells a failure and its way out; one line of JSON where answers are JSON.
pub fn failure(failure: &Failure, json: bool) {
    if json {
        let Failure { exit, what, hint } = failure;
        eprintln!("{}", serde_json::json!({"error": what, "hint": hint, "exit": *exit as u8}));
        return;
    }
    let hint = failure.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    eprint!("error: {}\n{hint}", failure.what);
}

/// Prints a result as JSON or as text.
pub fn answer<T: Serialize>(answer: &T, json: bool, lines: impl FnOnce(&T) -> String) {
    let text = match json {
        false => lines(answer),
        true => serde_json::to_string_pretty(answer).map(|text| text + "\n").unwrap_or_default(),
    };
    // A closed pipe (`| head`) is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints one of several results at once: as one line of JSON or as text.
pub fn event<T: Serialize>(event: &T, json: bool, lines: impl FnOnce(&T) -> String) {
    let text = match json {
        false => lines(event),
        true => serde_json::to_string(event).map(|text| text + "\n").unwrap_or_default(),
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// How far many photographs are, where a person looks on and answers go elsewhere.
pub fn progress(done: usize, all: usize, since: Duration) {
    if all < 2 || !std::io::stderr().is_terminal() || std::io::stdout().is_terminal() {
        return;
    }
    let each_second = done as f64 / since.as_secs_f64().max(1e-3);
    let end = if done == all { "\n" } else { "" };
    eprint!("\r{done} of {all}, {each_second:.1} a second{end}");
}

/// The service listens. Scripts read this line from stdout.
pub fn listening(url: &str) {
    let _ = writeln!(std::io::stdout(), "listening on {url}");
}

/// Makes a panic of a command print its source location without its message, which might contain a
/// photograph's bytes. A decoder's panic counts as an error of the photograph, and the command's error line
/// follows.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let _ = writeln!(std::io::stderr(), "internal error at {place}");
    }));
}

/// Sends logs to stderr, one line for each event: as text on a terminal, otherwise as JSON. A panic is logged
/// with its source location without its message, which might contain a photograph's bytes.
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

/// Prints one line of a long result.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a secret on a line of stdout.
pub fn secret(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
}
