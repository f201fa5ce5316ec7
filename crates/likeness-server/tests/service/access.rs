//! Tests access: without keys, only this machine has access; with keys, only a caller with a valid key.

use crate::support::{Ground, Request, Service};

const KEY: &str = "a-key-of-the-tests-of-32-letters";

/// The id of an erasure, or of a capture, that does not exist.
const ERASURE: &str = "0123456789abcdef0123456789abcdef";

/// The routes that need a key, by method and path.
pub const BEHIND_A_KEY: [(&str, &str); 22] = [
    ("POST", "/api/v1/verify"),
    ("POST", "/api/v1/enroll"),
    ("POST", "/api/v1/enroll/multi"),
    ("DELETE", "/api/v1/enroll/ann"),
    ("POST", "/api/v1/liveness"),
    ("POST", "/api/v1/search"),
    ("POST", "/api/v1/compare"),
    ("POST", "/api/v1/faces/detect-all"),
    ("POST", "/api/v1/frames"),
    ("POST", "/api/v1/inspect"),
    ("POST", "/deepface/verify"),
    ("POST", "/deepface/represent"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/persons"),
    ("GET", "/api/v1/persons/ann"),
    ("GET", "/api/v1/persons/ann/export"),
    ("DELETE", "/api/v1/persons/ann"),
    ("GET", "/api/v1/erasures/0123456789abcdef0123456789abcdef"),
    ("GET", "/api/v1/tenants"),
    ("GET", RECORD),
    ("POST", "/api/v1/captures"),
    ("POST", "/api/v1/captures/0123456789abcdef0123456789abcdef/frames"),
];

/// A decision record's address.
const RECORD: &str = "/api/v1/records/01890000-0000-7000-8000-000000000000";

/// The described routes that need no key.
const OPEN: [&str; 6] = [
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/api/v1/health/detailed",
    "/api/v1/models/statement",
    "/deepface/",
];

/// Returns a request of this method to this path, with an empty form if the method allows one.
pub fn to(method: &'static str, path: &str) -> Request {
    let request = Request::new(method, path);
    if method == "POST" { request.text("nothing", "x") } else { request }
}

fn refused(service: &Service, request: Request) -> (u16, String) {
    service.ask(request).problem()
}

#[test]
fn every_route_but_health_asks_for_a_key_and_says_how() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("API_KEY_SECRET", KEY), ("RATE_LIMIT_ENABLED", "false")]);
    let mut wrong = Vec::new();
    for (method, path) in BEHIND_A_KEY {
        let bare = service.ask(to(method, path));
        if bare.problem() != (401, "UNAUTHORIZED".into()) || bare.header("www-authenticate").is_none() {
            wrong.push(format!("{method} {path}: {bare:?}"));
        }
        for (header, value) in [
            ("x-api-key", "another-key-of-the-tests-32-long".to_owned()),
            ("x-api-key", KEY[..31].to_owned()),
            ("x-api-key", format!("{KEY}x")),
            ("authorization", KEY.to_owned()),
            ("authorization", format!("Basic {KEY}")),
            ("authorization", "Bearer lk_environment_0".to_owned()),
            ("x-forwarded-for", "127.0.0.1".to_owned()),
        ] {
            if refused(&service, to(method, path).header(header, &value)).0 != 401 {
                wrong.push(format!("{method} {path} {header}: {value}"));
            }
        }
        for (header, value) in [("X-API-Key", KEY.to_owned()), ("Authorization", format!("Bearer {KEY}"))] {
            let passed = service.ask(to(method, path).header(header, &value));
            if [401, 403, 429].contains(&passed.status) {
                wrong.push(format!("{method} {path} {header}: {passed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for path in OPEN {
        assert_ne!(service.get(path).status, 401, "{path}");
    }
    let described = service.get("/openapi.json").json();
    let filled = |path: &String| match path.as_str() {
        "/api/v1/records/{id}" => RECORD.to_owned(),
        other => other.replace("{user_id}", "ann").replace("{erasure_id}", ERASURE).replace("{capture_id}", ERASURE),
    };
    let described = described["paths"].as_object().unwrap().keys().map(filled);
    let known = |path: &String| OPEN.contains(&path.as_str()) || BEHIND_A_KEY.iter().any(|(_, behind)| behind == path);
    let forgotten: Vec<_> = described.filter(|path| !known(path)).collect();
    assert!(forgotten.is_empty(), "described, and in neither table: {forgotten:?}");
}

#[test]
fn the_header_for_keys_has_the_name_that_was_set() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("API_KEY_SECRET", KEY), ("API_KEY_HEADER", "X-Other")]);
    assert_eq!(service.ask(Request::new("GET", "/metrics").header("X-Other", KEY)).status, 200);
    assert_eq!(service.ask(Request::new("GET", "/metrics").header("X-API-Key", KEY)).status, 401);
}

#[test]
fn without_a_key_only_this_machine_is_served() {
    let ground = Ground::new();
    for host in ["0.0.0.0", "192.0.2.1", "::"] {
        let end = ground.program("serve").args(["--port", "0", "--host", host]).output().unwrap();
        let printed = String::from_utf8_lossy(&end.stderr);
        assert_eq!(end.status.code(), Some(24), "{host}: {printed}");
        assert!(printed.contains("hint: `likeness key new") && printed.contains("API_KEY_SECRET"), "{printed}");
    }
    let service = ground.serve(&["--host", "0.0.0.0"], &[("API_KEY_SECRET", KEY)]);
    let port = service.url.rsplit(':').next().unwrap();
    let there = Request::new("GET", "/api/v1/health/live").header("host", "faces.example");
    assert_eq!(there.to(&format!("http://127.0.0.1:{port}")).status, 200);
}

#[test]
fn without_a_key_a_foreign_host_or_origin_is_refused_on_every_route() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let port = service.url.rsplit(':').next().unwrap().to_owned();
    let open = [("GET", "/api/v1/health"), ("GET", "/docs/"), ("GET", "/openapi.json"), ("GET", "/nothing")];
    let mut wrong = Vec::new();
    for (method, path) in BEHIND_A_KEY.into_iter().chain(open) {
        let own = format!("http://127.0.0.1:{port}");
        for (name, value, passes) in [
            ("host", "rebound.example", false),
            ("host", "127.0.0.1.rebound.example:8001", false),
            ("host", "localhost:8001", true),
            ("origin", "http://rebound.example", false),
            ("origin", "http://localhost:3000", false),
            ("origin", "null", false),
            ("origin", &own, true),
        ] {
            let answer = service.ask(to(method, path).header(name, value));
            if (answer.status != 403) != passes {
                wrong.push(format!("{method} {path} {name}: {value}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_address_that_guesses_is_slowed_and_a_good_key_from_it_is_not() {
    let ground = Ground::new();
    let limit = [("API_KEY_SECRET", KEY), ("RATE_LIMIT_PER_MINUTE", "5")];
    let service = ground.serve(&[], &limit);
    let guess = |number: usize, forged: &str| {
        let guess = format!("lk_0123456789abcdef_{number:064x}");
        let request = Request::new("GET", "/metrics").header("x-api-key", &guess);
        service.ask(request.header("x-forwarded-for", forged))
    };
    let statuses: Vec<_> = (0..8).map(|number| guess(number, &format!("203.0.113.{number}")).status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let reply = guess(9, "203.0.113.9");
    let seconds = reply.json()["retry_after_seconds"].to_string();
    assert_eq!((reply.header("retry-after"), &reply.json()["scope"]), (Some(&*seconds), &"address".into()));
    assert_eq!(service.ask(Request::new("GET", "/metrics").header("x-api-key", KEY)).status, 200);
    assert_eq!(service.get("/api/v1/health/live").status, 200);
}

#[test]
fn behind_a_trusted_proxy_each_client_is_counted_and_its_own_hops_mean_nothing() {
    let ground = Ground::new();
    let limit = [("API_KEY_SECRET", KEY), ("RATE_LIMIT_PER_MINUTE", "2"), ("TRUSTED_PROXIES", "127.0.0.0/8, 10.1.2.3")];
    let service = ground.serve(&[], &limit);
    let from = |hops: &str| service.ask(Request::new("GET", "/metrics").header("x-forwarded-for", hops)).status;
    let table = [
        ("203.0.113.1", 401),
        ("198.51.100.9, 203.0.113.1", 401),
        ("198.51.100.8, 203.0.113.1, 10.1.2.3", 429),
        ("203.0.113.2", 401),
    ];
    for (hops, status) in table {
        assert_eq!(from(hops), status, "{hops}");
    }
}
