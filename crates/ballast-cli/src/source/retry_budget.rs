//! Retries of a source: after transient faults, until the overall time is up.

use std::time::{Duration, Instant};

use super::fault::Fault;
use super::limits::Limits;

/// An attempt that brought so much does not count as a retry.
const GAIN: u64 = 1 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The remaining time and retries for one file from one source.
pub struct RetryBudget {
    until: Instant,
    retries: u32,
    most: u32,
}

impl RetryBudget {
    /// A budget with all time and retries.
    pub fn new(limits: Limits) -> Self {
        Self { until: Instant::now() + limits.overall, retries: 0, most: limits.retries }
    }

    /// When the overall time is up.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// The pause before the next attempt, after an attempt that brought this many bytes; `None` if
    /// no attempt is left.
    pub fn again(&mut self, gained: u64, fault: &Fault) -> Option<Duration> {
        if gained >= GAIN {
            self.retries = 0;
        }
        if !fault.may_pass() || self.retries == self.most {
            return None;
        }
        let pause = (FIRST_PAUSE * 2u32.saturating_pow(self.retries)).min(LONGEST_PAUSE);
        self.retries += 1;
        (Instant::now() + pause < self.until).then_some(pause)
    }
}
