//! Tests what an operator sees: metrics from the start, one log line for each request, and the caller's own
//! ids.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::need;

use crate::support::{Ground, Request, Service, wait_for};

/// Returns the names and labels of every series.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Sends a request of each outcome: answered, refused, failed.
fn workload(service: &Service, ground: &Ground) {
    let (live, fake) = (ground.image("anna.jpg"), ground.image("anna_fake.jpg"));
    let one = |path: &str, bytes: &[u8]| Request::post(path).text("user_id", "anna").file("file", bytes);
    for request in [
        one("/api/v1/enroll", &live),
        one("/api/v1/verify", &live),
        one("/api/v1/verify", &fake),
        one("/api/v1/liveness", b"no photograph"),
        Request::post("/api/v1/compare").file("file1", &live).file("file2", &live),
        Request::new("GET", "/nothing"),
        Request::new("GET", "/api/v1/verify"),
        Request::new("GET", "/"),
    ] {
        service.ask(request);
    }
}

#[test]
fn every_series_is_there_from_the_start_and_promtool_finds_nothing() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]);
    let metrics = || service.get("/metrics").text();
    // The second response of /metrics counts the first one.
    let before = metrics();
    service.until("/api/v1/health/ready", 200);
    workload(&service, &ground);
    let after = metrics();
    let late: Vec<_> = series(&after).difference(&series(&before)).cloned().collect();
    assert!(late.is_empty(), "series that appear at first use: {late:#?}");
    for (found, sample) in [
        (&before, "likeness_requests_total{route=\"verify\",status=\"503\",code=\"MODEL_UNAVAILABLE\"} 0"),
        (&before, "likeness_limited_total{scope=\"subject\"} 0"),
        (&after, "likeness_requests_total{route=\"verify\",status=\"403\",code=\"ANTISPOOF_BLOCKED\"} 1"),
        (&after, "likeness_request_seconds_count{route=\"verify\",outcome=\"answered\"} 1"),
        (&after, "likeness_request_seconds_count{route=\"verify\",outcome=\"refused\"} 2"),
        (&after, "likeness_verdicts_total{verdict=\"accept\"} 1"),
        (&after, "likeness_distance_count{route=\"verify\"} 1"),
        (&after, "likeness_liveness_total{verdict=\"spoof\"} 1"),
        (&after, "likeness_ready 1"),
        (&after, "likeness_store{state=\"ready\"} 1"),
        (&after, "likeness_embedder{trust=\"accepted\"} 1"),
        (&after, "likeness_weights_on_disk{role=\"embedder\"} 1"),
    ] {
        assert!(found.lines().any(|line| line == sample), "expected {sample}, found:\n{found}");
    }
    let without_help = after.lines().filter_map(|line| line.strip_prefix("# TYPE ")).find(|family| {
        let name = family.split(' ').next().unwrap();
        !after.contains(&format!("# HELP {name} "))
    });
    assert_eq!(without_help, None);
    if need::tool("promtool check metrics", "promtool", "apt-get install prometheus") {
        let mut check = Command::new("promtool");
        check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut check = check.spawn().unwrap();
        check.stdin.take().unwrap().write_all(after.as_bytes()).unwrap();
        let end = check.wait_with_output().unwrap();
        assert!(end.status.success() && end.stdout.is_empty() && end.stderr.is_empty(), "{end:?}");
    }
}

/// Returns the log lines of responses.
fn answered(service: &Service) -> Vec<Value> {
    let lines = service.log();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"] == "answered").collect()
}

#[test]
fn a_request_is_one_line_with_its_verdict_code_threshold_stages_and_the_callers_ids() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let (live, fake) = (ground.image("anna.jpg"), ground.image("anna_fake.jpg"));
    let one = |path: &str, bytes: &[u8]| Request::post(path).text("user_id", "anna").file("file", bytes);
    assert_eq!(service.ask(one("/api/v1/enroll", &live)).status, 200);
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let traced = one("/api/v1/verify", &live).header("traceparent", &format!("00-{trace}-{span}-01"));
    let reply = service.ask(traced.header("x-request-id", "of-the-caller.1"));
    assert_eq!(reply.header("x-request-id"), Some("of-the-caller.1"));
    assert_eq!(reply.json()["request_id"], "of-the-caller.1");
    let odd = service.ask(one("/api/v1/verify", &fake).header("x-request-id", "of the caller"));
    let id = odd.header("x-request-id").unwrap().to_owned();
    assert!(id.len() == 36 && odd.json()["request_id"] == id.as_str(), "{id}: {odd:?}");
    let of = |id: &str| {
        let found: Vec<_> = answered(&service).into_iter().filter(|line| line["request_id"] == id).collect();
        assert_eq!(found.len(), 1, "one line a request: {found:?}");
        found[0].clone()
    };
    let line = of("of-the-caller.1");
    for (field, expected) in [
        ("route", "verify"),
        ("verdict", "accept"),
        ("liveness", "live"),
        ("threshold_source", "deepface"),
        ("trace_id", trace),
        ("span_id", span),
    ] {
        assert_eq!(line[field], expected, "{field}: {line}");
    }
    assert_eq!((&line["threshold"], &line["status"], &line["code"]), (&0.3.into(), &200.into(), &Value::Null));
    for stage in ["decode", "detect", "quality", "spoof", "align", "embed"] {
        assert!(line[format!("{stage}_ms")].as_f64().is_some_and(|ms| ms >= 0.0), "{stage}: {line}");
    }
    let line = of(&id);
    assert_eq!((&line["code"], &line["liveness"]), (&"ANTISPOOF_BLOCKED".into(), &"spoof".into()), "{line}");
    assert!(line["embed_ms"].is_null() && line["trace_id"].is_null(), "{line}");
}

#[test]
fn probes_and_the_pages_files_fill_no_log() {
    let ground = Ground::new();
    let routes = |service: &Service| {
        for path in ["/", "/page/style.css", "/docs/", "/openapi.json", "/api/v1/health/live", "/metrics", "/nothing"] {
            service.get(path);
        }
        // The last of them is at every level.
        wait_for("the last line", || answered(service).iter().any(|line| line["route"] == "none").then_some(()));
        answered(service).iter().map(|line| line["route"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let quiet = routes(&ground.serve(&[], &[]));
    assert_eq!(quiet, BTreeSet::from(["none".to_owned()]));
    let ground = Ground::new();
    let all = routes(&ground.serve(&[], &[("LOG_LEVEL", "debug")]));
    assert_eq!(all, ["health", "metrics", "none", "page"].map(str::to_owned).into());
    let odd = ground.program("serve").args(["--port", "0"]).env("LOG_LEVEL", "loud").output().unwrap();
    assert!(odd.status.code() == Some(24) && String::from_utf8_lossy(&odd.stderr).contains("LOG_LEVEL"), "{odd:?}");
}
