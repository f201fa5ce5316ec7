//! Prints all output of the program.
//!
//! Rules: a result goes to stdout, an error to stderr. Lines begin in lower case and end without a period. An
//! error is printed as `error:`, then `hint:`. A digest is never shortened, and has its own line.
//!
//! Promises: what others named or wrote is escaped (`ballast::escape`). No write ends the program. The first failed write to stdout is kept for the exit code; a failed write to
//! stderr has no one to report to.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use ballast::escape;
use rustix::io::Errno;
use serde::Serialize;
use tracing_subscriber::filter::LevelFilter;

use crate::exit::{Exit, Failure};

/// The first failed write to stdout. After it, the program writes no more bytes to stdout.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// The sequences that [`styled`] writes, which no other text may contain.
const STYLES: [&str; 4] = ["\x1b[1;32m", "\x1b[1;33m", "\x1b[1;31m", "\x1b[0m"];

/// Escapes text, but for the styles of a verdict. A photograph's name is escaped before it is beside one.
fn shown(text: &str) -> String {
    let (mut rest, mut shown) = (text, String::with_capacity(text.len()));
    while let Some(at) = rest.find('\x1b') {
        let style = STYLES.iter().find(|style| rest[at..].starts_with(**style));
        let (before, after) = rest.split_at(at + style.map_or(1, |_| 0));
        shown += &escape::lines(before);
        shown += style.unwrap_or(&"");
        rest = &after[style.map_or(0, |style| style.len())..];
    }
    shown + &escape::lines(rest)
}

fn document(json: &str) -> String {
    format!("{}\n", escape::json(json))
}

/// Writes to stdout at once. A closed pipe (`| head`) is no error.
fn out(text: &str) {
    if LOST.get().is_some() {
        return;
    }
    let mut stdout = io::stdout();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error);
    }
}

fn err(text: &str) {
    let _ = io::stderr().write_all(escape::lines(text).as_bytes());
}

/// The failure of a command that did its work, if stdout did not take the whole result.
pub fn lost() -> Option<Failure> {
    let what = |error| format!("stdout did not take the whole result: {error}");
    let lost = LOST.get().map(|error| Failure::new(Exit::AnswerLost, what(error)));
    lost.map(|failure| failure.hint("make room, or write the result elsewhere"))
}

/// Prints help, the version or an error of the command line; returns the exit code.
pub fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        match std::env::args_os().any(|word| word == "--json") {
            true => failure(&Failure::new(Exit::Usage, text.trim_end().to_owned()), true),
            false => err(&text),
        }
    } else {
        out(&escape::lines(&text))
    }
    match lost() {
        Some(failure) => {
            self::failure(&failure, false);
            failure.exit.into()
        }
        None => u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8).into(),
    }
}

/// Prints an error with its hint; if results are JSON, as one line of JSON with the fields of the API's errors.
pub fn failure(failure: &Failure, json: bool) {
    if json {
        let Failure { exit, what, hint } = failure;
        let line = serde_json::json!({"error_code": exit.code(), "message": what, "hint": hint, "exit": *exit as u8});
        return err(&document(&line.to_string()));
    }
    let hint = failure.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    err(&format!("error: {}\n{hint}", failure.what));
}

/// Prints a result as JSON or as text.
pub fn answer<T: Serialize>(answer: &T, json: bool, lines: impl FnOnce(&T) -> String) {
    let text = match json {
        false => shown(&lines(answer)),
        true => serde_json::to_string_pretty(answer).map(|text| document(&text)).unwrap_or_default(),
    };
    out(&text);
}

/// Prints one of several results at once: as one line of JSON or as text.
pub fn event<T: Serialize>(event: &T, json: bool, lines: impl FnOnce(&T) -> String) {
    let text = match json {
        false => shown(&lines(event)),
        true => serde_json::to_string(event).map(|text| document(&text)).unwrap_or_default(),
    };
    out(&text);
}

/// The meaning of a word for a person or a photograph.
#[derive(Debug, Clone, Copy)]
pub enum Tone {
    /// Accepted, or live.
    Good,
    /// For a person to review.
    Unclear,
    /// Rejected, or a spoof.
    Bad,
}

/// Returns a verdict in bold and in colour for a terminal, and plain for a pipe or with `NO_COLOR`.
pub fn verdict(word: &str, tone: Tone) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
    styled(word, tone, !plain && std::io::stdout().is_terminal())
}

fn styled(word: &str, tone: Tone, terminal: bool) -> String {
    let colour = match tone {
        Tone::Good => 32,
        Tone::Unclear => 33,
        Tone::Bad => 31,
    };
    if terminal { format!("\x1b[1;{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

/// Prints the progress of many photographs, if stderr is a terminal and the results go elsewhere.
pub fn progress(done: usize, all: usize, since: Duration) {
    if all < 2 || !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return;
    }
    let each_second = done as f64 / since.as_secs_f64().max(1e-3);
    let end = if done == all { "\n" } else { "" };
    let _ = write!(io::stderr(), "\r{done} of {all}, {each_second:.1} a second{end}");
}

/// The service listens. Scripts read this line from stdout.
pub fn listening(url: &str) {
    // A service serves, whether or not a script reads this line.
    let _ = writeln!(io::stdout(), "listening on {url}");
}

/// Makes a panic of a command print its source location without its message, which might contain a
/// photograph's bytes. A decoder's panic counts as an error of the photograph, and the command's error line
/// follows.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        err(&format!("internal error at {place}\n"));
    }));
}

/// Sends logs to stderr, one line for each event: as text on a terminal, otherwise as JSON. A panic is logged
/// with its source location without its message, which might contain a photograph's bytes.
pub fn logging(level: LevelFilter) {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    // A line that stderr does not take is lost: the subscriber's own message about it would panic.
    let log = tracing_subscriber::fmt().with_target(false).with_max_level(level).log_internal_errors(false);
    let log = log.with_writer(io::stderr);
    match io::stderr().is_terminal() {
        true => log.compact().init(),
        false => log.json().flatten_event(true).init(),
    }
}

/// Prints one line of a long result.
pub fn line(text: &str) {
    out(&format!("{}\n", escape::lines(text)));
}

/// Prints a secret on a line of stdout, without a copy of it in memory. A closed pipe is an error too: the secret is
/// shown once.
///
/// # Errors
/// Stdout did not take the whole line.
pub fn secret(text: &str) -> io::Result<()> {
    // The standard library calls a stdout that can't be written a success.
    for part in [text.as_bytes(), b"\n"] {
        let mut rest = part;
        while !rest.is_empty() {
            match rustix::io::write(rustix::stdio::stdout(), rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_stands_out_on_a_terminal_and_is_plain_in_a_pipe() {
        assert_eq!(styled("accept", Tone::Good, true), "\x1b[1;32maccept\x1b[0m");
        assert_eq!(styled("reject", Tone::Bad, false), "reject");
    }

    #[test]
    fn of_all_sequences_only_the_styles_of_a_verdict_reach_a_terminal() {
        for tone in [Tone::Good, Tone::Unclear, Tone::Bad] {
            let verdict = styled("word", tone, true);
            assert_eq!(
                shown(&format!("a\x1b[2J {verdict} \u{202e}b\n")),
                format!("a\\u{{1b}}[2J {verdict} \\u{{202e}}b\n")
            );
        }
        assert_eq!(shown("\x1b"), "\\u{1b}");
    }
}
