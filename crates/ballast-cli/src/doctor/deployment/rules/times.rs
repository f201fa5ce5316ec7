//! Checks that the times of probes allow the verification, which comes before the app listens.

use super::Rules;
use crate::doctor::deployment::service::{At, Health, Service, is_ballast};
use crate::doctor::finding::{Code, Finding, Severity};

/// Bytes a second of a fast verification: files in memory, hashed with the index on a few cores
/// (`docs/speed.md`).
const FAST: u64 = 10_000_000_000;
/// Bytes a second of a slow verification: network storage, or SHA-256 on a core without instructions for it.
const SLOW: u64 = 200_000_000;

impl Rules<'_> {
    /// Applies the rules of times. A container that the file starts without ballast does not verify.
    pub(super) fn times(&self, service: &Service, found: &mut Vec<Finding>) {
        if service.init || service.bypasses().is_some() {
            return;
        }
        found.extend(service.start_budgets.iter().filter_map(|budget| self.killed_while_verifying(budget)));
        found.extend(self.unhealthy_while_verifying(service));
        found.extend(self.check_that_hashes(service));
    }

    /// Returns the severity of a start's time limit: an error if even a fast machine exceeds it, a warning if
    /// a slow one does.
    fn shortage(&self, seconds: u64) -> Option<(Severity, u64)> {
        let (fast, slow) = (self.bytes() / FAST, self.bytes() / SLOW);
        match seconds {
            _ if seconds < fast => Some((Severity::Error, slow)),
            _ if seconds < slow => Some((Severity::Warning, slow)),
            _ => None,
        }
    }

    /// Describes how much a boot verifies, and how long that takes.
    fn work(&self) -> String {
        let bytes = self.bytes();
        format!("{} GB: {} to {} s", bytes.div_ceil(1_000_000_000), bytes / FAST, bytes / SLOW)
    }

    fn killed_while_verifying(&self, budget: &At<(&'static str, u64)>) -> Option<Finding> {
        let (key, seconds) = budget.value;
        let (severity, slow) = self.shortage(seconds)?;
        let work = self.work();
        let what = format!("{key} ends the container after {seconds} s, and a boot first verifies {work}");
        let fix = if key.ends_with("Probe") {
            let threshold = slow.div_ceil(10).max(3);
            format!(
                "startupProbe: {{exec: {{command: [\"ballast\", \"status\"]}}, periodSeconds: 10, failureThreshold: {threshold}}}"
            )
        } else {
            format!("{key}: {}, and the time of the work itself", seconds.saturating_add(slow))
        };
        Some(self.at(budget.line, severity, Code::ProbeTooSoon, what, fix))
    }

    /// Finds a health check that reads every weight and may exceed the time of one check.
    fn check_that_hashes(&self, service: &Service) -> Option<Finding> {
        let (health, timeout) = (service.health.as_ref()?, service.health_timeout?);
        let Health::Command(test) = &health.value else { return None };
        let words: Vec<_> = test.split_whitespace().collect();
        let hashes = words.iter().any(|word| is_ballast(word)) && words.iter().any(|word| word.ends_with("verify"));
        if !hashes || timeout >= self.bytes() / SLOW {
            return None;
        }
        let what = format!("each check may take {timeout} s, and this one reads every weight, {}", self.work());
        let fix = test.replace(" --verify", "").replace("verify", "status").trim_start_matches("CMD ").to_owned();
        Some(self.at(health.line, Severity::Warning, Code::ProbeTooSoon, what, fix))
    }

    fn unhealthy_while_verifying(&self, service: &Service) -> Option<Finding> {
        let seconds = service.health_budget?;
        let health = service.health.as_ref()?;
        let (_, slow) = self.shortage(seconds)?;
        let work = self.work();
        let what = format!("the container counts as unhealthy after {seconds} s, and a boot first verifies {work}");
        Some(self.at(health.line, Severity::Warning, Code::ProbeTooSoon, what, format!("start_period: {slow}s")))
    }
}
