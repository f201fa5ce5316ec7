//! Writes to stdout and stderr, and records write errors.
//!
//! Promise: no write ends the program or, in a boot, blocks it for long. stderr is written in
//! pieces that a pipe takes whole, so that lines of replicas with a common pipe do not mix. Touches
//! descriptors 1 and 2.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};
use rustix::stdio;

use crate::escape;

/// Bytes that a pipe accepts whole or not at all.
const WHOLE: usize = 4096;
/// The time that a boot waits for a reader of stderr that reads nothing.
const WAIT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Whether writes to stderr wait without a limit.
static PATIENT: AtomicBool = AtomicBool::new(true);
/// The first write error of each descriptor. After an error no more bytes are written to stderr.
static STDERR: Mutex<Option<Errno>> = Mutex::new(None);
static STDOUT: Mutex<Option<Errno>> = Mutex::new(None);

/// Begins the limited wait: from now on a boot does not wait long for a reader of stderr.
pub fn be_patient_no_more() {
    PATIENT.store(false, Relaxed);
}

/// Returns the error for which stderr did not take the whole report.
pub fn stderr_fault() -> Option<io::Error> {
    STDERR.lock().unwrap_or_else(PoisonError::into_inner).map(io::Error::from)
}

/// Returns the error for which stdout did not take the output. A closed pipe or a closed stdout is not an error.
pub fn answer_fault() -> Option<io::Error> {
    let fault = *STDOUT.lock().unwrap_or_else(PoisonError::into_inner);
    fault.filter(|errno| ![Errno::PIPE, Errno::BADF].contains(errno)).map(io::Error::from)
}

/// Records that an answer can't be written at all.
pub fn lose_answer() {
    STDOUT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Errno::ILSEQ);
}

/// Writes lines to stderr, with control characters escaped.
pub fn lines(text: &str) {
    escaped(&escape::lines(text));
}

/// Writes to stderr what is escaped already.
pub fn escaped(text: &str) {
    put(&STDERR, stdio::stderr(), text, !PATIENT.load(Relaxed));
}

/// Answers on stdout.
pub fn answer(text: &str) {
    put(&STDOUT, stdio::stdout(), text, false);
}

fn put(stream: &Mutex<Option<Errno>>, to: BorrowedFd, text: &str, goes_on: bool) {
    let mut fault = stream.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rest = text.as_bytes();
    while fault.is_none() && !rest.is_empty() {
        let (piece, _) = rest.split_at(whole_lines(rest));
        match ready(to, goes_on).and_then(|()| write(to, piece)) {
            Ok(0) => *fault = Some(Errno::IO),
            Ok(done) => rest = &rest[done..],
            Err(Errno::INTR) => {}
            // Another process shares the descriptor and made it non-blocking.
            Err(Errno::AGAIN) => *fault = ready(to, goes_on).err(),
            Err(errno) => *fault = Some(errno),
        }
    }
}

/// Returns as many whole lines as a pipe takes at once, otherwise a part of a line.
fn whole_lines(bytes: &[u8]) -> usize {
    let most = bytes.len().min(WHOLE);
    let line = bytes[..most].iter().rposition(|byte| *byte == b'\n');
    if bytes.len() == most { most } else { line.map_or(most, |at| at + 1) }
}

/// Waits until the descriptor is writable; in a boot for a short time only.
fn ready(to: BorrowedFd, goes_on: bool) -> Result<(), Errno> {
    let wait = goes_on.then_some(&WAIT);
    loop {
        match poll(&mut [PollFd::new(&to, PollFlags::OUT)], wait) {
            Ok(0) => return Err(Errno::TIMEDOUT),
            Err(Errno::INTR) => {}
            // Any other error comes from the write.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_whole_where_a_pipe_can_take_them() {
        let long = "x".repeat(WHOLE + 1);
        let rows = [
            ("a\nb\n".to_owned(), 4),
            (format!("a\n{long}\n"), 2),
            (long.clone(), WHOLE),
            (format!("{}\n{long}", "y".repeat(WHOLE - 1)), WHOLE),
        ];
        let wrong: Vec<_> = rows.iter().map(|(text, right)| (whole_lines(text.as_bytes()), *right)).collect();
        assert!(wrong.iter().all(|(found, right)| found == right), "{wrong:?}");
    }
}
