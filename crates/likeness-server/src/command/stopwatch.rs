//! Milliseconds between the ends of stages: the clock that the pipeline does not have.

use std::time::Instant;

use likeness::pipeline::Stage;

use crate::report::Timings;

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
        *self.timings.entry(name).or_default() += (now - self.last).as_secs_f64() * 1e3;
        self.last = now;
    }

    /// The milliseconds so far.
    pub fn timings(self) -> Timings {
        self.timings
    }
}
