//! Shows the progress of a fetch on stderr: bars on a terminal, otherwise a plain line per event.

use std::io::{IsTerminal, stderr};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::escape;

/// All lines of one fetch.
pub struct Progress {
    bars: Option<MultiProgress>,
}

/// One file's line.
pub struct ProgressLine {
    name: String,
    bar: ProgressBar,
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Bars if stderr is a terminal.
    pub fn new() -> Self {
        Self { bars: stderr().is_terminal().then(MultiProgress::new) }
    }

    /// Begins one file's line.
    pub fn line(&self, name: &str, size: Option<u64>) -> ProgressLine {
        let bar = self.bars.as_ref().map_or_else(ProgressBar::hidden, |bars| bars.add(bar(size)));
        let name = escape::line(name).into_owned();
        bar.set_prefix(name.clone());
        ProgressLine { name, bar, bars: self.bars.clone() }
    }
}

fn bar(size: Option<u64>) -> ProgressBar {
    let (template, bar) = match size {
        Some(size) => ("{prefix:32!} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}", ProgressBar::new(size)),
        None => ("{prefix:32!} {spinner} {bytes} {bytes_per_sec}", ProgressBar::no_length()),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl ProgressLine {
    /// Sets the number of bytes so far.
    pub fn at(&self, bytes: u64) {
        if self.bars.is_some() {
            self.bar.set_position(bytes);
        }
    }

    /// Prints a remark about this file.
    pub fn remark(&self, text: &str) {
        let reported = format!("ballast: {}: {text}", self.name);
        match &self.bars {
            Some(bars) => bars.suspend(|| super::output::lines(&format!("{reported}\n"))),
            None => super::output::lines(&format!("{reported}\n")),
        }
    }

    /// Ends the line without words.
    pub fn end_quietly(&self) {
        self.bar.finish_and_clear();
    }

    /// Ends the line with these words.
    pub fn end(&self, text: &str) {
        self.bar.finish_and_clear();
        self.remark(text);
    }
}
