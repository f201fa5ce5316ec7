//! Tests API keys: their tenant, scopes, expiry and rate.

use std::process::Command;

use crate::access::{BEHIND_A_KEY, to};
use crate::openapi::takes;
use crate::support::{Ground, Request, Service, wait_for};

/// Every scope.
const SCOPES: [&str; 12] = [
    "verify",
    "enroll",
    "admin",
    "inspect",
    "represent",
    "metrics",
    "delete",
    "replace",
    "persons",
    "export",
    "audit",
    "capture",
];

/// Settings with which a photograph of any quality can be enrolled.
pub const LENIENT: [(&str, &str); 2] = [("QUALITY_THRESHOLD", "0"), ("BLUR_THRESHOLD", "0")];

/// Runs `likeness key …` on the store that `serve_with_store` created.
pub fn manage(ground: &Ground, words: &[&str]) -> String {
    let store = format!("sqlite:{}", ground.dir.path().join("data/templates.db").display());
    let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
    program.arg("key").args(words).args(["--store", &store, "--key-file"]).arg(ground.dir.path().join("key"));
    let end = program.output().unwrap();
    assert!(end.status.success(), "{words:?}: {end:?}");
    String::from_utf8(end.stdout).unwrap().trim().to_owned()
}

pub fn key(ground: &Ground, scopes: &str, tenant: &str, more: &[&str]) -> String {
    let key = manage(ground, &[&["new", "--scopes", scopes, "--tenant", tenant], more].concat());
    assert!(key.starts_with("lk_"), "{key}");
    key
}

fn id(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

/// Sends a request until the response has this status, because keys are remembered for 2 seconds.
pub fn becomes(service: &Service, request: impl Fn() -> Request, status: u16) {
    wait_for(&format!("status {status}"), || (service.ask(request()).status == status).then_some(()));
}

fn metrics(key: &str) -> Request {
    Request::new("GET", "/metrics").header("x-api-key", key)
}

#[test]
fn every_route_by_own_other_and_absent_tenant() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &LENIENT).ready();
    let all = SCOPES.join(",");
    let (own, any) = (key(&ground, &all, "own", &[]), key(&ground, &all, "*", &[]));
    becomes(&service, || Request::new("GET", "/metrics"), 401);
    let photograph = ground.image("anna.jpg");
    let ask = |method: &'static str, path: &str, key: &str, tenant: Option<&str>| {
        let request = match (method, tenant) {
            ("POST", tenant) => {
                let form = Request::post(path).text("user_id", "ann").text("purpose", "verify");
                tenant.into_iter().fold(form, |form, id| form.text("tenant_id", id))
            }
            (_, Some(id)) => Request::new(method, &format!("{path}?tenant_id={id}")),
            (_, None) => Request::new(method, path),
        };
        let request = if method == "POST" { request.file("file", &photograph) } else { request };
        service.ask(request.header("x-api-key", key)).status
    };
    let mut wrong = Vec::new();
    for (method, path) in BEHIND_A_KEY {
        for (who, key, tenant, refused) in [
            ("own", &own, Some("own"), false),
            ("other", &own, Some("other"), true),
            ("absent", &own, None, false),
            ("any", &any, Some("other"), false),
            ("any, absent", &any, None, false),
        ] {
            let refused = refused && takes(method, path, "tenant_id");
            let status = ask(method, path, key, tenant);
            if (status == 403) != refused || status == 401 {
                wrong.push(format!("{method} {path} {who}: {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_person_of_one_tenant_is_unknown_to_another() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &LENIENT).ready();
    let made = |tenant: &str| key(&ground, "verify,enroll,delete", tenant, &[]);
    let (one, two, any) = (made("one"), made("two"), made("*"));
    becomes(&service, || Request::new("GET", "/metrics"), 401);
    let photograph = ground.image("anna.jpg");
    let form = |path: &str, key: &str| {
        Request::post(path).header("x-api-key", key).text("user_id", "ann").file("file", &photograph)
    };
    let enrolled = service.ask(form("/api/v1/enroll", &one));
    assert_eq!(enrolled.status, 200, "{enrolled:?}");
    for (who, key, tenant, status) in [
        ("its own", &one, None, 200),
        ("another's", &two, None, 404),
        ("any, by name", &any, Some("one"), 200),
        ("any, of another", &any, Some("two"), 404),
        ("any, by default", &any, None, 404),
    ] {
        let request = form("/api/v1/verify", key);
        let request = tenant.into_iter().fold(request, |form, id| form.text("tenant_id", id));
        let answer = service.ask(request);
        assert_eq!(answer.status, status, "{who}: {answer:?}");
    }
    becomes(&service, || form("/api/v1/search", &two), 200);
    let found = service.ask(form("/api/v1/search", &two)).json();
    assert_eq!((&found["found"], &found["total_searched"]), (&false.into(), &0.into()), "{found}");
    let erase = |key: &str| Request::new("DELETE", "/api/v1/enroll/ann").header("x-api-key", key);
    assert_eq!(service.ask(erase(&two)).status, 404);
    assert_eq!(service.ask(erase(&one)).status, 200);
}

#[test]
fn each_scope_opens_its_own_routes_and_no_other() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]);
    let keys = SCOPES.map(|scope| (scope, key(&ground, scope, "*", &[])));
    becomes(&service, || Request::new("GET", "/metrics"), 401);
    let mut wrong = Vec::new();
    for (method, path) in BEHIND_A_KEY {
        let needed: &[&str] = match path.trim_start_matches("/api/v1/") {
            "enroll" | "enroll/multi" => &["enroll"],
            "enroll/ann" => &["delete", "admin"],
            "persons" | "tenants" => &["persons", "admin"],
            "persons/ann" if method == "GET" => &["persons", "admin"],
            "persons/ann/export" => &["export"],
            erasure if erasure.starts_with("persons/") || erasure.starts_with("erasures/") => &["delete", "admin"],
            record if record.starts_with("records/") => &["audit"],
            "inspect" => &["inspect"],
            capture if capture.starts_with("captures") => &["capture"],
            "/deepface/represent" => &["represent"],
            "/metrics" => &["metrics"],
            _ => &["verify"],
        };
        for (scope, key) in &keys {
            let answer = service.ask(to(method, path).header("x-api-key", key));
            if (answer.status == 403) == needed.contains(scope) {
                wrong.push(format!("{method} {path} with {scope}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_revoked_key_ends_while_the_service_runs_and_never_leaves_it_open() {
    let ground = Ground::new();
    let mut service = ground.serve_with_store(&[], &[]);
    assert_eq!(service.get("/metrics").status, 200, "no key was made yet");
    let first = key(&ground, "metrics", "*", &[]);
    becomes(&service, || Request::new("GET", "/metrics"), 401);
    assert_eq!(service.ask(metrics(&first)).status, 200);
    let other = first[..first.len() - 1].to_owned() + if first.ends_with('0') { "1" } else { "0" };
    let unknown = format!("lk_0000000000000000_{}", first.rsplit('_').next().unwrap());
    for wrong in [&other, &unknown, &format!("{first}0"), id(&first)] {
        assert_eq!(service.ask(metrics(wrong)).status, 401, "{wrong}");
    }
    manage(&ground, &["revoke", id(&first)]);
    becomes(&service, || metrics(&first), 401);
    assert_eq!(service.get("/metrics").status, 401);
    service.child.kill().unwrap();
    service.child.wait().unwrap();
    let service = ground.serve_with_store(&["--host", "0.0.0.0"], &[]);
    let port = service.url.rsplit(':').next().unwrap().to_owned();
    let url = format!("http://127.0.0.1:{port}");
    assert_eq!([metrics(&first).to(&url).status, Request::new("GET", "/metrics").to(&url).status], [401, 401]);
}

#[test]
fn a_keys_own_limit_is_its_own() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[("RATE_LIMIT_ENABLED", "false")]);
    let limited = key(&ground, "metrics", "*", &["--per-minute", "3"]);
    let free = key(&ground, "metrics", "*", &[]);
    becomes(&service, || Request::new("GET", "/metrics"), 401);
    let statuses: Vec<_> = (0..4).map(|_| service.ask(metrics(&limited)).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let reply = service.ask(metrics(&limited));
    assert_eq!((&reply.json()["scope"], reply.header("retry-after").is_some()), (&"key".into(), true));
    assert!((0..10).all(|_| service.ask(metrics(&free)).status == 200));
}
