//! Reads the clock, which the library does not do: the time of day, and the milliseconds of each stage.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use likeness::examine::Stage;
use time::format_description::well_known::Rfc3339;

use crate::trail;

/// Milliseconds by stage.
pub type Timings = BTreeMap<&'static str, f64>;

/// A running clock.
pub struct Stopwatch {
    last: Instant,
    timings: Timings,
}

impl Stopwatch {
    /// Starts the watch.
    pub fn start() -> Self {
        Self { last: Instant::now(), timings: Timings::new() }
    }

    /// Notes that a stage has ended.
    pub fn lap(&mut self, stage: Stage) {
        self.note(stage.name());
    }

    /// Notes that a step of this name has ended.
    pub fn note(&mut self, name: &'static str) {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        trail::stage(name, seconds * 1e3);
        *self.timings.entry(name).or_default() += seconds * 1e3;
        self.last = now;
    }

    /// Returns the milliseconds of each stage, rounded to a thousandth.
    pub fn timings(self) -> Timings {
        self.timings.into_iter().map(|(name, ms)| (name, (ms * 1e3).round() / 1e3)).collect()
    }
}

/// Returns the current time in seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// Returns the current time in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Formats seconds since 1970 as RFC 3339 in UTC.
pub fn rfc3339(seconds: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Parses a time in RFC 3339 to seconds since 1970; a fraction of a second is dropped.
pub fn of_rfc3339(text: &str) -> Option<i64> {
    time::OffsetDateTime::parse(text, &Rfc3339).ok().map(time::OffsetDateTime::unix_timestamp)
}
