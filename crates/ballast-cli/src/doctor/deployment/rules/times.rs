//! Whether the times of probes leave room for the verification that comes before the app listens.

use super::Rules;
use crate::doctor::deployment::service::Service;
use crate::doctor::finding::{Code, Finding, Severity};

/// Bytes a second that are read and hashed where storage is fast and cores are many: less time than this takes none.
const FAST: u64 = 2_000_000_000;
/// The same from a network's storage on one core.
const SLOW: u64 = 200_000_000;

impl Rules<'_> {
    /// Rules of times.
    pub(super) fn times(&self, service: &Service, found: &mut Vec<Finding>) {
        if service.init {
            return;
        }
        found.extend(self.killed_while_verifying(service));
        found.extend(self.unhealthy_while_verifying(service));
    }

    /// The severity of the start's time limit: an error if no machine can keep it, a warning if a slow one can't.
    fn shortage(&self, seconds: u64) -> Option<(Severity, u64)> {
        let (fast, slow) = (self.bytes() / FAST, self.bytes() / SLOW);
        match seconds {
            _ if seconds < fast => Some((Severity::Error, slow)),
            _ if seconds < slow => Some((Severity::Warning, slow)),
            _ => None,
        }
    }

    fn killed_while_verifying(&self, service: &Service) -> Option<Finding> {
        let budget = service.start_budget.as_ref()?;
        let (key, seconds) = budget.value;
        let (severity, slow) = self.shortage(seconds)?;
        let what = format!(
            "{key} ends the container after {seconds} s, and a boot verifies {} GB before the app listens: {} to {slow} s",
            self.bytes() / 1_000_000_000,
            self.bytes() / FAST
        );
        let threshold = slow.div_ceil(10).max(3);
        let fix = format!(
            "startupProbe: {{exec: {{command: [\"ballast\", \"status\"]}}, periodSeconds: 10, failureThreshold: {threshold}}}"
        );
        Some(self.at(budget.line, severity, Code::ProbeTooSoon, what, fix))
    }

    fn unhealthy_while_verifying(&self, service: &Service) -> Option<Finding> {
        let seconds = service.health_budget?;
        let health = service.health.as_ref()?;
        let (_, slow) = self.shortage(seconds)?;
        let what = format!(
            "the container counts as unhealthy after {seconds} s, and a boot verifies {} GB first: {} to {slow} s",
            self.bytes() / 1_000_000_000,
            self.bytes() / FAST
        );
        Some(self.at(health.line, Severity::Warning, Code::ProbeTooSoon, what, format!("start_period: {slow}s")))
    }
}
