//! The metrics of the service: the name, kind and help of each family. Every series whose labels are known
//! exists from the start.
//!
//! Promises: `promtool check metrics` reports no problem; no label contains a tenant, a subject or a key.

use std::time::Duration;

use likeness::capture::outcome::Rule;
use likeness::liveness::Liveness;
use metrics::{Counter, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::codes;
use crate::problem::Code;
use crate::routes::{EVERY, HEALTH, Route};
use crate::store::Limit;
use crate::trail::Seen;

/// The kind of a metric family.
#[derive(Debug, Clone, Copy)]
enum FamilyKind {
    Counter,
    Gauge,
    /// A histogram with these bucket limits.
    Histogram(&'static [f64]),
}

const REQUESTS: &[f64] = &[0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const STAGES: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
/// Finer around DeepFace's threshold 0.3 and the replaced service's 0.4.
const DISTANCES: &[f64] = &[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0];
/// Finer around the limits 0.3 (spoof) and 0.7 (live).
const PROBABILITIES: &[f64] = &[0.05, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95];
const SCORES: &[f64] = &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0];

/// Every family.
const FAMILIES: [(&str, FamilyKind, &str); 32] = [
    ("likeness_build_info", FamilyKind::Gauge, "Always 1; the labels name the version, the commit and the kernels."),
    ("likeness_start_time_seconds", FamilyKind::Gauge, "When the service began, in seconds since 1970."),
    ("likeness_ready", FamilyKind::Gauge, "1 if /api/v1/health/ready answers 200."),
    ("likeness_requests_total", FamilyKind::Counter, "Answered requests, by route, status and error code."),
    (
        "likeness_request_seconds",
        FamilyKind::Histogram(REQUESTS),
        "Time from a request's headers to its answer, by outcome.",
    ),
    ("likeness_stage_seconds", FamilyKind::Histogram(STAGES), "Time of each stage of an examination."),
    ("likeness_queue_wait_seconds", FamilyKind::Histogram(STAGES), "How long admitted work waited for a core."),
    ("likeness_verdicts_total", FamilyKind::Counter, "Verdicts about persons and pairs of photographs."),
    ("likeness_liveness_total", FamilyKind::Counter, "What both spoof networks decided together."),
    ("likeness_captures_total", FamilyKind::Counter, "Captures, by outcome."),
    ("likeness_capture_failures_total", FamilyKind::Counter, "Captures that failed, by the rule."),
    ("likeness_distance", FamilyKind::Histogram(DISTANCES), "Cosine distances that were compared with a threshold."),
    ("likeness_live_probability", FamilyKind::Histogram(PROBABILITIES), "Live probabilities of judged faces."),
    ("likeness_quality_score", FamilyKind::Histogram(SCORES), "Quality of examined faces, 0 to 100."),
    (
        "likeness_limited_total",
        FamilyKind::Counter,
        "Refusals by a rate limit, and lock-outs (the scopes of a subject).",
    ),
    ("likeness_panics_total", FamilyKind::Counter, "Panics that were caught, by activity."),
    ("likeness_ignored_fields_total", FamilyKind::Counter, "Form fields that no route reads."),
    ("likeness_connections", FamilyKind::Gauge, "Open connections with a place, by listener."),
    (
        "likeness_connections_stalled_total",
        FamilyKind::Counter,
        "Connections that ended because the client did not read.",
    ),
    ("likeness_connections_without_a_place_total", FamilyKind::Counter, "Connections beyond the limit."),
    ("likeness_weights_loaded", FamilyKind::Gauge, "1 if the role's model is loaded and self-tested."),
    ("likeness_weights_on_disk", FamilyKind::Gauge, "1 if the file of the loaded model is still right."),
    ("likeness_embedder", FamilyKind::Gauge, "1 at the embedder's trust: published, accepted, unknown, none."),
    ("likeness_store", FamilyKind::Gauge, "1 at the store's state: none, ready, index_loading, unavailable."),
    ("likeness_index_persons", FamilyKind::Gauge, "Persons in the search index."),
    (
        "likeness_index_unreadable",
        FamilyKind::Gauge,
        "Persons left out of the index because their row can't be opened.",
    ),
    (
        "likeness_index_age_seconds",
        FamilyKind::Gauge,
        "Seconds since the index last followed the store; 0 without a store.",
    ),
    ("likeness_work_admitted", FamilyKind::Gauge, "Pieces of work that run or wait for a core."),
    ("likeness_work_capacity", FamilyKind::Gauge, "Pieces of work that may run or wait."),
    ("likeness_body_bytes", FamilyKind::Gauge, "Bytes of bodies in memory."),
    ("likeness_journal_total", FamilyKind::Counter, "Entries of the journal, by outcome."),
    ("likeness_reloads_total", FamilyKind::Counter, "SIGHUPs, by outcome."),
];

/// The states of the store: labels of `likeness_store`.
pub const STORE_STATES: [&str; 4] = ["none", "ready", "index_loading", "unavailable"];
/// The embedder's trust: labels of `likeness_embedder`.
pub const EMBEDDERS: [&str; 4] = ["published", "accepted", "unknown", "none"];
/// The outcomes of a request: status below 400, below 500, and 500 or more.
const OUTCOMES: [&str; 3] = ["answered", "refused", "failed"];
/// The label of a request that entered no route.
pub const NO_ROUTE: &str = "none";
/// The label `code` of a response without an error code.
const NO_CODE: &str = "none";
/// What becomes of a capture.
const CAPTURES: [&str; 5] = ["begun", "completed", "ended", "used", "refused"];
/// The outcomes of a reload.
const RELOADS: [&str; 2] = ["done", "refused"];

/// The time between two additions of samples to their histogram buckets.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder and registers the families and their known series.
///
/// # Errors
/// Another recorder is installed already.
pub fn install(kernels: &'static str) -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, kind, _) in FAMILIES {
        if let FamilyKind::Histogram(buckets) = kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
        }
    }
    let handle = builder.install_recorder()?;
    for (name, kind, help) in FAMILIES {
        match kind {
            FamilyKind::Counter => describe_counter!(name, help),
            FamilyKind::Gauge => describe_gauge!(name, help),
            FamilyKind::Histogram(_) => describe_histogram!(name, help),
        }
    }
    begin(kernels);
    Ok(handle)
}

/// Registers every series whose labels are known, with value 0.
fn begin(kernels: &'static str) {
    let build = [("version", env!("CARGO_PKG_VERSION")), ("commit", ballast::version::COMMIT), ("kernels", kernels)];
    gauge!("likeness_build_info", &build).set(1.0);
    gauge!("likeness_start_time_seconds").set(crate::clock::now() as f64);
    for route in &EVERY {
        requests(route);
    }
    for code in [Code::NotFound, Code::MethodNotAllowed, Code::Forbidden, Code::Overloaded] {
        refusal(NO_ROUTE, code);
    }
    times(NO_ROUTE);
    answered(HEALTH.name, 503, NO_CODE).absolute(0);
    for stage in ["decode", "detect", "quality", "spoof", "align", "embed", "render"] {
        let _ = histogram!("likeness_stage_seconds", "stage" => stage);
    }
    for name in ["likeness_queue_wait_seconds", "likeness_live_probability", "likeness_quality_score"] {
        let _ = histogram!(name);
    }
    let labelled: [(&'static str, &'static str, &[&'static str]); 9] = [
        ("likeness_verdicts_total", "verdict", &VERDICTS),
        ("likeness_liveness_total", "verdict", &Liveness::NAMES),
        ("likeness_panics_total", "during", &["decode", "handler", "work"]),
        ("likeness_reloads_total", "outcome", &RELOADS),
        ("likeness_captures_total", "outcome", &CAPTURES),
        ("likeness_capture_failures_total", "rule", &Rule::ALL.map(Rule::code)),
        ("likeness_journal_total", "outcome", &["kept", "lost"]),
        ("likeness_limited_total", "scope", &["address", "key"]),
        ("likeness_limited_total", "scope", &Limit::ALL.map(|(limit, _)| limit.name())),
    ];
    for (name, label, values) in labelled {
        values.iter().for_each(|value| counter!(name, label => *value).absolute(0));
    }
    for listener in ["service", "operations"] {
        gauge!("likeness_connections", "listener" => listener).set(0.0);
    }
    for name in PLAIN {
        counter!(name).absolute(0);
    }
}

/// The verdicts of the library, and the two results of a comparison without liveness.
const VERDICTS: [&str; 5] = ["accept", "review", "reject", "match", "no_match"];

/// Counters without a label.
const PLAIN: [&str; 3] = [
    "likeness_ignored_fields_total",
    "likeness_connections_stalled_total",
    "likeness_connections_without_a_place_total",
];

fn requests(route: &Route) {
    answered(route.name, 200, NO_CODE).absolute(0);
    codes::codes(route).chain([Code::MethodNotAllowed]).for_each(|code| refusal(route.name, code));
    times(route.name);
    if route.judges() {
        let _ = histogram!("likeness_distance", "route" => route.name);
    }
}

fn refusal(route: &'static str, code: Code) {
    answered(route, code.status().as_u16(), code.name()).absolute(0);
}

fn times(route: &'static str) {
    for outcome in OUTCOMES {
        let _ = histogram!("likeness_request_seconds", "route" => route, "outcome" => outcome);
    }
}

fn answered(route: &'static str, status: u16, code: &'static str) -> Counter {
    counter!("likeness_requests_total", "route" => route, "status" => status.to_string(), "code" => code)
}

/// Counts a request and the measurements in its trail.
pub fn request(route: &'static str, status: u16, code: Option<&'static str>, elapsed: Duration, seen: &Seen) {
    let outcome = OUTCOMES[usize::from(status >= 400) + usize::from(status >= 500)];
    answered(route, status, code.unwrap_or(NO_CODE)).increment(1);
    histogram!("likeness_request_seconds", "route" => route, "outcome" => outcome).record(elapsed.as_secs_f64());
    for (stage, ms) in &seen.stages {
        histogram!("likeness_stage_seconds", "stage" => *stage).record(ms / 1e3);
    }
    for distance in &seen.distances {
        histogram!("likeness_distance", "route" => route).record(*distance);
    }
    for photograph in &seen.photographs {
        if let Some(face) = &photograph.face {
            histogram!("likeness_quality_score").record(face.quality.score());
        }
        if let Some(judged) = &photograph.liveness {
            histogram!("likeness_live_probability").record(judged.scores().live_probability());
            counter!("likeness_liveness_total", "verdict" => judged.name()).increment(1);
        }
    }
    if let Some(verdict) = seen.verdict {
        counter!("likeness_verdicts_total", "verdict" => verdict).increment(1);
    }
}

/// Counts a request that a rate limit or a limit of failures refused.
pub fn limited(scope: String) {
    counter!("likeness_limited_total", "scope" => scope).increment(1);
}

/// Counts what became of a capture.
pub fn capture(outcome: &'static str) {
    counter!("likeness_captures_total", "outcome" => outcome).increment(1);
}

/// Counts a rule that a capture failed, if it failed one.
pub fn capture_failed(rule: Option<&'static str>) {
    rule.into_iter().for_each(|rule| counter!("likeness_capture_failures_total", "rule" => rule).increment(1));
}

/// Counts a reload, done or refused.
pub fn reloaded(done: bool) {
    counter!("likeness_reloads_total", "outcome" => RELOADS[usize::from(!done)]).increment(1);
}

/// Sets the gauge of the current state to 1, and of the other states to 0.
pub fn state(name: &'static str, label: &'static str, states: &[&'static str], now: &str) {
    for state in states {
        gauge!(name, label => *state).set(if *state == now { 1.0 } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_named_once_and_its_buckets_ascend() {
        let mut names: Vec<_> = FAMILIES.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FAMILIES.len());
        for (name, kind, help) in FAMILIES {
            let ascends = match kind {
                FamilyKind::Histogram(buckets) => buckets.is_sorted(),
                FamilyKind::Counter => name.ends_with("_total"),
                FamilyKind::Gauge => !name.ends_with("_total"),
            };
            assert!(ascends && help.ends_with('.'), "{name}");
        }
    }
}
