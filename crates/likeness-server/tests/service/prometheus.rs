//! `deploy/observability` in a real Prometheus: rules, their tests, and every query of the dashboard on what this service
//! says. The tests bring Prometheus where it is missing (`tools/test-packages`).

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use testkit::need;

use crate::support::{Ground, Request, wait_for};

const INSTALL: &str = "apt-get install prometheus";

fn files() -> PathBuf {
    testkit::paths::repository().join("deploy/observability")
}

/// Ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Collects every expression of alerts and panels, with Grafana's variables replaced.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(expression)) = fields.get("expr") {
                found.push(expression.replace("$__rate_interval", "1m").replace("$job", "likeness"));
            }
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn every_alert_fires_in_its_outage_and_none_in_a_healthy_hour() {
    let test = "alert rules";
    if !need::tool(test, "promtool", INSTALL) {
        return;
    }
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        let end = Command::new("promtool").args(arguments).current_dir(files()).output().unwrap();
        assert!(end.status.success(), "{arguments:?}: {end:?}");
    }
    let text = |name: &str| fs::read_to_string(files().join(name)).unwrap();
    let tests = text("alerts_test.yaml");
    let untested: Vec<_> = text("alerts.yaml")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: ").map(str::to_owned))
        .filter(|name| !tests.contains(&format!("alertname=\"{name}\"")))
        .collect();
    assert!(untested.is_empty(), "alerts without a test: {untested:?}");
}

#[test]
fn every_query_of_the_dashboard_finds_series_in_a_real_prometheus_with_a_key_for_scraping() {
    let test = "the dashboard's queries";
    if !need::full_tier(test, "a daemon") || !need::tool(test, "prometheus", INSTALL) {
        return;
    }
    let ground = Ground::new();
    drop(ground.serve_with_store(&[], &[]));
    let path = |name: &str| ground.dir.path().join(name).to_str().unwrap().to_owned();
    let (store, key) = (format!("sqlite:{}", path("data/templates.db")), path("key"));
    let made = Command::new(env!("CARGO_BIN_EXE_likeness"))
        .args(["key", "new", "--scopes", "metrics", "--tenant", "*", "--store", &store, "--key-file", &key])
        .output()
        .unwrap();
    fs::write(path("scrape.key"), &made.stdout).unwrap();
    let service = ground.serve_with_store(&[], &[]);
    let address = service.url.strip_prefix("http://").unwrap().to_owned();
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
         rule_files: [{}]\n\
         scrape_configs:\n  - job_name: likeness\n    authorization: {{ credentials_file: {} }}\n    \
         static_configs: [{{ targets: [\"{address}\"] }}]\n",
        files().join("alerts.yaml").display(),
        path("scrape.key"),
    );
    fs::write(path("prometheus.yml"), config).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let _prometheus = Running(
        Command::new("prometheus")
            .args(["--config.file", &path("prometheus.yml"), "--storage.tsdb.path", &path("tsdb")])
            .args(["--web.listen-address", &free, "--log.level=error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let base = format!("http://{free}");
    wait_for("Prometheus", || std::net::TcpStream::connect(&free).ok());
    wait_for("Prometheus", || (Request::new("GET", "/-/ready").to(&base).status == 200).then_some(()));
    let query = |expression: &str| {
        let text: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        Request::new("GET", &format!("/api/v1/query?query={text}")).to(&base).json()
    };
    wait_for("three scrapes", || {
        let scrapes = query("count_over_time(up{job=\"likeness\"}[1m]) >= 3 and up == 1");
        (!scrapes["data"]["result"].as_array()?.is_empty()).then_some(())
    });
    let mut all = Vec::new();
    expressions(&serde_json::from_str(&fs::read_to_string(files().join("dashboard.json")).unwrap()).unwrap(), &mut all);
    assert!(all.len() > 20, "{all:#?}");
    let wrong: Vec<_> = all
        .into_iter()
        .filter_map(|expression| {
            let reply = query(&expression);
            let empty = reply["data"]["result"].as_array().is_none_or(Vec::is_empty);
            (reply["status"] != "success" || empty).then(|| format!("{expression}: {reply}"))
        })
        .collect();
    assert!(wrong.is_empty(), "queries that find nothing: {wrong:#?}");
    let rules = Request::new("GET", "/api/v1/rules").to(&base).json();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    let unwell: Vec<_> = rules.iter().filter(|rule| rule["health"] == "err").collect();
    assert!(rules.len() > 10 && unwell.is_empty(), "{unwell:#?}");
}
