//! Tests what an operator relies on: logs without secrets, an orderly end, TLS, a separate port for metrics,
//! strict headers, and equal pins.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Ground, Request, Service, wait_for};

/// Ends the service as an orchestrator does.
fn terminate(service: &Service) {
    let end = Command::new("kill").arg("-TERM").arg(service.child.id().to_string()).status().unwrap();
    assert!(end.success());
}

fn probe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_likeness")).arg("probe").args(arguments).output().unwrap()
}

#[test]
fn logs_have_nothing_of_what_was_sent() {
    let ground = Ground::new();
    let secret = "MARKsecretMARKsecretMARK";
    let variables = [("API_KEY_SECRET", secret), ("TRUSTED_PROXIES", "127.0.0.1"), ("LOG_LEVEL", "debug")];
    let service = ground.serve_with_store(&[], &variables).ready();
    let live = ground.image("anna.jpg");
    let form = |path: &str| {
        let request = Request::post(path).text("user_id", "MARKuser").text("tenant_id", "MARKtenant");
        request.text("session_id", "MARKsession").file("file", &live).file("file1", b"MARKimage").file("files", b"MARK")
    };
    let mut requests = Vec::new();
    for path in
        ["verify", "enroll", "enroll/multi", "liveness", "search", "compare", "faces/detect-all", "frames", "inspect"]
    {
        requests.extend([form(&format!("/api/v1/{path}")), form(&format!("/api/v1/{path}?threshold=MARKquery"))]);
    }
    for path in ["/deepface/verify", "/deepface/represent"] {
        requests.push(
            Request::post(path).json(&json!({"img": "MARKimg", "img1": "/MARK/path", "model_name": "MARKmodel"})),
        );
    }
    requests.push(Request::new("DELETE", "/api/v1/enroll/MARKperson?tenant_id=MARKtenant"));
    for path in ["/metrics", "/MARKpath", "/docs/MARK", "/api/v1/health?MARKquery", "/openapi.json"] {
        requests.push(Request::new("GET", path));
    }
    let sent = requests.len();
    for (number, request) in requests.into_iter().enumerate() {
        let key = if number % 3 == 2 { "lk_MARKid_MARKguess" } else { secret };
        let request = request.header("x-api-key", key).header("x-forwarded-for", "203.0.113.77");
        service.ask(request.header("idempotency-key", "MARKidempotency").header("user-agent", "MARKagent"));
    }
    let log = service.log();
    assert!(log.matches("\"answered\"").count() >= sent, "{sent} requests: {log}");
    let found: Vec<_> = log.lines().filter(|line| line.contains("MARK") || line.contains("203.0.113")).collect();
    assert!(found.is_empty(), "{found:#?}");
    assert!(log.lines().all(|line| line.starts_with('{')), "a line that is no JSON: {log}");
    let metrics = service.ask(Request::new("GET", "/metrics").header("x-api-key", secret)).text();
    assert!(metrics.contains("likeness_requests_total") && !metrics.contains("MARK"), "{metrics}");
}

#[test]
fn at_the_end_running_requests_are_answered_and_new_connections_refused() {
    let ground = Ground::new();
    let mut service = ground.serve(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
    let body = [head.as_bytes(), &live, b"\r\n--b--\r\n"].concat();
    let mut running = Raw::posting(&service, "/api/v1/liveness", Some(body.len()));
    assert!(running.send(&body[..1000]));
    // When a later request on another connection was answered, the first half has arrived.
    assert_eq!(service.get("/api/v1/health/live").status, 200);
    terminate(&service);
    let address = service.url.rsplit('/').next().unwrap().to_owned();
    wait_for("a refused connection", || TcpStream::connect(&address).is_err().then_some(()));
    assert!(running.send(&body[1000..]));
    let reply = running.read();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("\"verdict\":\"live\""), "{reply}");
    assert!(service.child.wait().unwrap().success());
}

#[test]
fn tls_is_served_with_its_certificate_and_probed() {
    let ground = Ground::new();
    let file = |name: &str| ground.dir.path().join(name).to_str().unwrap().to_owned();
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(file(&format!("{name}.pem")), made.cert.pem()).unwrap();
        let key = file(&format!("{name}.key"));
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    made("own");
    made("other");
    let (certificate, key, other) = (file("own.pem"), file("own.key"), file("other.key"));
    let service = ground.serve(&["--tls-cert", &certificate, "--tls-key", &key], &[]);
    assert!(service.url.starts_with("https://127.0.0.1:"), "{}", service.url);
    let live = format!("{}/api/v1/health/live", service.url);
    let plain = live.replace("https", "http");
    let table: [(&[&str], i32); 4] = [
        (&[&live], 0),
        (&[&live, "--ca", &certificate], 0),
        (&[&live, "--ca", &file("other.pem")], 26),
        (&[&plain], 26),
    ];
    for (arguments, code) in table {
        let end = probe(arguments);
        assert_eq!(end.status.code(), Some(code), "{arguments:?}: {end:?}");
    }
    let end = ground.program("serve").args(["--port", "0", "--tls-cert", &certificate, "--tls-key", &other]).output();
    assert_eq!(end.unwrap().status.code(), Some(24), "a key of another certificate");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let end = ground.program("serve").args(["--port", "0", "--tls-cert", &certificate, "--tls-key", &key]).output();
    let end = end.unwrap();
    let reply = String::from_utf8_lossy(&end.stderr);
    assert!(end.status.code() == Some(24) && reply.contains("chmod 600"), "a key that others read: {reply}");
}

#[test]
fn browsers_get_strict_transport_security_where_tls_is_served() {
    let ground = Ground::new();
    let file = |name: &str| ground.dir.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(file("own.pem"), made.cert.pem()).unwrap();
    std::fs::write(file("own.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(file("own.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let service = ground.serve(&["--tls-cert", &file("own.pem"), "--tls-key", &file("own.key")], &[]);
    let curl = |url: &str| std::process::Command::new("curl").args(["-ksi", "--max-time", "60", url]).output().unwrap();
    for path in ["/api/v1/health/live", "/openapi.json", "/", "/nothing"] {
        let answer = String::from_utf8_lossy(&curl(&format!("{}{path}", service.url)).stdout).to_ascii_lowercase();
        assert!(answer.contains("strict-transport-security: max-age=63072000"), "{path}: {answer}");
    }
    drop(service);
    let plain = ground.serve(&[], &[]);
    assert_eq!(plain.get("/api/v1/health/live").header("strict-transport-security"), None);
}

#[test]
fn metrics_have_an_address_of_their_own_on_this_machine_without_a_key() {
    let ground = Ground::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = port.to_string();
    let key = [("API_KEY_SECRET", "a-key-of-the-tests-of-32-letters")];
    let service = ground.serve(&["--metrics-listen", &listen], &key);
    assert_eq!(service.get("/metrics").status, 401);
    let own = format!("http://{listen}");
    let reply = Request::new("GET", "/metrics").to(&own);
    assert!(reply.status == 200 && reply.text().contains("likeness_work_capacity"), "{reply:?}");
    assert_eq!(Request::new("GET", "/metrics").header("host", "rebound.example").to(&own).status, 403);
    assert_eq!(Request::new("GET", "/openapi.json").to(&own).status, 404);
    let beyond = ground.program("serve").args(["--port", "0", "--metrics-listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(beyond.status.code(), Some(24));
}

#[test]
fn every_answer_keeps_browsers_strict() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]);
    let mut lacking = Vec::new();
    for (method, path) in [
        ("GET", "/api/v1/health"),
        ("GET", "/api/v1/nothing"),
        ("GET", "/api/v1/liveness"),
        ("POST", "/api/v1/liveness"),
        ("GET", "/metrics"),
        ("GET", "/docs/"),
        ("GET", "/"),
    ] {
        let answer = service.ask(Request::new(method, path));
        for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")] {
            if answer.header(name) != Some(value) {
                lacking.push(format!("{method} {path}: {name}"));
            }
        }
        if path.starts_with("/api") && answer.header("cache-control") != Some("no-store") {
            lacking.push(format!("{method} {path}: no-store"));
        }
        if !answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src")) {
            lacking.push(format!("{method} {path}: a policy"));
        }
        if answer.header("access-control-allow-origin").is_some() {
            lacking.push(format!("{method} {path}: CORS without a setting"));
        }
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

#[test]
fn pages_of_the_origins_that_were_set_may_call_and_others_may_not() {
    let ground = Ground::new();
    let variables = [("CORS_ORIGINS", "https://app.example"), ("API_KEY_SECRET", "a-key-of-the-tests-of-32-letters")];
    let service = ground.serve(&[], &variables);
    let preflight = |origin: &str| {
        let request = Request::new("OPTIONS", "/api/v1/verify").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let answer = service.ask(request.header("access-control-request-headers", "x-api-key"));
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(preflight("https://app.example").as_deref(), Some("https://app.example"));
    assert_eq!(preflight("https://evil.example"), None);
}

#[test]
fn pins_of_the_environment_must_agree_and_the_stores_root_may_be_elsewhere() {
    let ground = Ground::new();
    let zeros = "0".repeat(64);
    for (name, value) in [("DEEPFACE_CENTERFACE_SHA256", zeros.as_str()), ("DEEPFACE_SHA256_REQUIRED", "true")] {
        let end = ground.program("serve").args(["--port", "0"]).env(name, value).output().unwrap();
        let reply = String::from_utf8_lossy(&end.stderr);
        assert_eq!(end.status.code(), Some(12), "{name}: {reply}");
        assert!(reply.contains("SHA256"), "{reply}");
    }
    let tree = ground.dir.path().join("elsewhere/.deepface/weights");
    std::fs::create_dir_all(&tree).unwrap();
    for entry in std::fs::read_dir(ground.weights()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), tree.join(entry.file_name())).unwrap();
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
    program.args(["serve", "--port", "0", "--lock"]).arg(ground.lock());
    program.env("DEEPFACE_HOME", ground.dir.path().join("elsewhere"));
    Service::start(program, ground.dir.path().join("log")).ready();
}

#[test]
fn a_log_that_takes_no_line_ends_nothing_and_changes_no_answer() {
    let ground = Ground::new();
    let bounded = ground.dir.path().join("bounded");
    let mut wrong = Vec::new();
    for (log, limit) in [("/dev/full".into(), "unlimited"), (bounded, "0")] {
        let likeness = ground.program("serve");
        let mut program = Command::new("/bin/sh");
        program.args(["-c", &format!("ulimit -f {limit}; exec \"$0\" \"$@\"")]).arg(likeness.get_program());
        program.args(likeness.get_args()).args(["--port", "0"]).env("LOG_LEVEL", "debug");
        program.env("LIKENESS_ACCEPT_EMBEDDER", ground.embedder());
        let mut service = Service::start(program, log).ready();
        let request = Request::post("/api/v1/liveness").file("file", &ground.image("anna.jpg"));
        let answer = service.ask(request);
        terminate(&service);
        let ended = service.child.wait().unwrap();
        if answer.status != 200 || !ended.success() {
            wrong.push(format!("limit {limit}: {answer:?}, then {ended}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
