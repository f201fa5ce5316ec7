//! The clock, which the library does not have: the time of day, and milliseconds of each stage.

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
    /// Starts.
    pub fn start() -> Self {
        Self { last: Instant::now(), timings: Timings::new() }
    }

    /// A stage has ended.
    pub fn lap(&mut self, stage: Stage) {
        self.note(stage.name());
    }

    /// Something else has ended.
    pub fn note(&mut self, name: &'static str) {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        trail::stage(name, seconds * 1e3);
        *self.timings.entry(name).or_default() += seconds * 1e3;
        self.last = now;
    }

    /// The milliseconds so far, to the thousandth.
    pub fn timings(self) -> Timings {
        self.timings.into_iter().map(|(name, ms)| (name, (ms * 1e3).round() / 1e3)).collect()
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// Seconds since 1970 as RFC 3339 writes them, in UTC.
pub fn rfc3339(seconds: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}

/// A moment as RFC 3339 writes it, in seconds since 1970; a part of a second is left out.
pub fn of_rfc3339(text: &str) -> Option<i64> {
    time::OffsetDateTime::parse(text, &Rfc3339).ok().map(time::OffsetDateTime::unix_timestamp)
}
