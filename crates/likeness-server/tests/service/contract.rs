//! Provokes every status and error code that the description promises for each route.
//!
//! Prints what was seen (`--nocapture`). A documented code that was never seen is a failure, and so is a seen
//! code that is not documented.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use likeness::image::resize::resize;
use likeness::image::{Limits, decode};
use serde_json::{Value, json};

mod captures;

use captures::{begin, captures, frames};

use crate::support::{Answer, Ground, PATIENCE, Request, Service};

/// A route's description, how it is called, and the fields of its photographs.
struct Route {
    operation: &'static str,
    path: &'static str,
    photographs: &'static [&'static str],
    person: bool,
}

const fn route(
    operation: &'static str,
    path: &'static str,
    photographs: &'static [&'static str],
    person: bool,
) -> Route {
    Route { operation, path, photographs, person }
}

const ROUTES: [Route; 22] = [
    route("GET /api/v1/health", "/api/v1/health", &[], false),
    route("GET /api/v1/health/live", "/api/v1/health/live", &[], false),
    route("GET /api/v1/health/ready", "/api/v1/health/ready", &[], false),
    route("GET /api/v1/health/detailed", "/api/v1/health/detailed", &[], false),
    route("GET /metrics", "/metrics", &[], false),
    route("GET /deepface/", "/deepface/", &[], false),
    route("POST /api/v1/enroll", "/api/v1/enroll", &["file"], true),
    route("POST /api/v1/enroll/multi", "/api/v1/enroll/multi", &["files", "files"], true),
    route("POST /api/v1/verify", "/api/v1/verify", &["file"], true),
    route("POST /api/v1/search", "/api/v1/search", &["file"], false),
    route("POST /api/v1/liveness", "/api/v1/liveness", &["file"], false),
    route("POST /api/v1/compare", "/api/v1/compare", &["file1", "file2"], false),
    route("POST /api/v1/faces/detect-all", "/api/v1/faces/detect-all", &["file"], false),
    route("POST /api/v1/frames", "/api/v1/frames", &["file"], false),
    route("POST /api/v1/inspect", "/api/v1/inspect", &["file"], false),
    route("POST /deepface/verify", "/deepface/verify", &["img1", "img2"], false),
    route("POST /deepface/represent", "/deepface/represent", &["img"], false),
    route("GET /api/v1/models/statement", "/api/v1/models/statement", &[], false),
    route("GET /api/v1/persons", "/api/v1/persons", &[], false),
    route("GET /api/v1/persons/{user_id}", "/api/v1/persons/ann", &[], false),
    route("GET /api/v1/persons/{user_id}/export", "/api/v1/persons/ann/export", &[], false),
    route("GET /api/v1/tenants", "/api/v1/tenants", &[], false),
];

const DELETE: Route = route("DELETE /api/v1/enroll/{user_id}", "/api/v1/enroll/ann", &[], false);
const ERASE: Route = route("DELETE /api/v1/persons/{user_id}", "/api/v1/persons/ann", &[], false);
/// The route with the id of an erasure that does not exist.
const ERASURE: Route =
    route("GET /api/v1/erasures/{erasure_id}", "/api/v1/erasures/0123456789abcdef0123456789abcdef", &[], false);
/// The route with the id of a record that does not exist.
const RECORD: Route =
    route("GET /api/v1/records/{id}", "/api/v1/records/01890000-0000-7000-8000-000000000000", &[], false);
const BEGIN: Route = route("POST /api/v1/captures", "/api/v1/captures", &[], false);
/// The route with the id of a capture that does not exist.
const FRAME: Route = route(
    "POST /api/v1/captures/{capture_id}/frames",
    "/api/v1/captures/0123456789abcdef0123456789abcdef/frames",
    &["file"],
    false,
);
/// The routes that are called in an order of their own.
const LATER: [&Route; 6] = [&DELETE, &ERASE, &ERASURE, &RECORD, &BEGIN, &FRAME];
/// The routes beside health that need no key.
const PUBLIC: [&str; 2] = ["GET /deepface/", "GET /api/v1/models/statement"];
/// The index of the first route about persons without a photograph.
const PERSONS: usize = 18;

/// Codes that no request of this test can provoke, with the place that tests each one.
const ELSEWHERE: [(&str, &str); 4] = [
    ("INTERNAL_SERVER_ERROR", "the gate's own test, whose handler panics; nothing known provokes it from outside"),
    ("STORE_UNAVAILABLE", "the tests of replicas, whose database goes"),
    ("CALIBRATION_MISMATCH", "the tests of calibration"),
    ("INDEX_LOADING", "the tests of replicas, whose database is locked"),
];

impl Route {
    fn method(&self) -> &'static str {
        self.operation.split(' ').next().unwrap()
    }

    /// Returns a request with the same photograph in every field, and with this person if the route has one.
    fn with(&self, photograph: &[u8], person: &str) -> Request {
        let request = Request::new(self.method(), self.path);
        let request = if self.person { request.text("user_id", person) } else { request };
        self.photographs.iter().fold(request, |request, field| request.file(field, photograph))
    }

    fn bare(&self) -> Request {
        let request = Request::new(self.method(), self.path);
        if self.photographs.is_empty() { request } else { request.text("nothing", "x") }
    }
}

/// The seen operations with status and code, and the successful responses for the examples.
#[derive(Default)]
struct Seen {
    codes: BTreeSet<(String, u16, String)>,
    wrong: Vec<String>,
    good: BTreeMap<String, Value>,
}

impl Seen {
    fn note(&mut self, operation: &str, answer: &Answer) -> u16 {
        if answer.status == 200 || operation.contains("health") && answer.status == 503 {
            let body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::from(answer.text()));
            if answer.status == 200 {
                self.good.insert(operation.to_owned(), body);
            }
            self.codes.insert((operation.to_owned(), answer.status, String::new()));
        } else {
            let (status, code) = answer.problem();
            self.codes.insert((operation.to_owned(), status, code));
        }
        answer.status
    }

    /// Sends a request, and records a fault if its code is another.
    fn expect(&mut self, service: &Service, route: &Route, request: Request, code: &str) {
        let answer = service.ask(request);
        self.note(route.operation, &answer);
        let found = if answer.status == 200 { "200".to_owned() } else { answer.problem().1 };
        if found != code {
            self.wrong.push(format!("{}: expected {code}, found {answer:?}", route.operation));
        }
    }
}

/// The routes about one person without a photograph.
fn about_one() -> [&'static Route; 3] {
    [&ROUTES[PERSONS + 1], &ROUTES[PERSONS + 2], &ERASE]
}

fn with_photographs() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| !route.photographs.is_empty())
}

#[test]
fn every_documented_code_of_every_route_is_seen_and_no_other() {
    if !testkit::need::time("every_documented_code_of_every_route_is_seen_and_no_other") {
        return;
    }
    let ground = Ground::new();
    let mut seen = Seen::default();
    let settings = [("MAX_FILE_SIZE", "1500000"), ("QUEUE_WAIT_SECONDS", "0")];
    let service = ground.serve_with_store(&[], &settings).ready();
    let document = service.get("/openapi.json").json();
    good(&mut seen, &service, &ground);
    bad_photographs(&mut seen, &service, &ground);
    captures(&mut seen, &service, &ground);
    persons(&mut seen, &service, &ground);
    foreign(&mut seen, &service);
    crowd(&mut seen, &service, &ground);
    drop(service);
    keys(&mut seen, &ground);
    late(&mut seen, &ground);
    without_store(&mut seen, &ground);
    other_embedder(&mut seen, &ground);
    without_weights(&mut seen);
    print(&seen);
    seen.wrong.extend(beside(&seen, &document));
    seen.wrong.extend(examples(&seen, &document));
    assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
}

fn good(seen: &mut Seen, service: &Service, ground: &Ground) {
    let live = ground.image("anna.jpg");
    for route in &ROUTES {
        seen.expect(service, route, route.with(&live, "ann"), "200");
    }
    seen.expect(service, &DELETE, DELETE.bare(), "200");
    seen.expect(service, &ROUTES[6], ROUTES[6].with(&live, "ann"), "200");
    let erased = service.ask(ERASE.bare());
    seen.note(ERASE.operation, &erased);
    let path = format!("/api/v1/erasures/{}", erased.json()["erasure_id"].as_str().unwrap());
    seen.expect(service, &ERASURE, Request::new("GET", &path), "200");
    let judged = service.ask(Request::post("/api/v1/liveness").file("file", &live));
    let path = format!("/api/v1/records/{}", judged.header("x-likeness-record").unwrap());
    seen.expect(service, &RECORD, Request::new("GET", &path), "200");
}

/// Returns a photograph of 96 x 128 pixels, whose face is too small to be judged.
fn small(live: &[u8]) -> Vec<u8> {
    let image = resize(&decode(live, &Limits::default()).unwrap(), 96, 128);
    let rgb: Vec<u8> = image.data().chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
    png(96, 128, png::ColorType::Rgb, &rgb)
}

fn png(width: u32, height: u32, color: png::ColorType, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

fn bad_photographs(seen: &mut Seen, service: &Service, ground: &Ground) {
    let live = ground.image("anna.jpg");
    let none = png(64, 48, png::ColorType::Grayscale, &[127; 64 * 48]);
    let (small, couple) = (small(&live), ground.image("two.jpg"));
    // A person is enrolled before a verification.
    let enroll = &ROUTES[6];
    seen.expect(service, enroll, enroll.with(&live, "ann"), "200");
    let codes = |route: &Route| {
        let several = route.operation.ends_with("multi");
        let deepface = route.operation.contains("deepface");
        let all = ["detect-all", "frames", "inspect"].iter().any(|name| route.operation.ends_with(name));
        let or =
            |code: &'static str, several_photographs: &'static str| if several { several_photographs } else { code };
        let cut = or("INVALID_IMAGE", "POOR_IMAGE_QUALITY");
        let absent = if all { "200" } else { or("FACE_NOT_DETECTED", "POOR_IMAGE_QUALITY") };
        let two = if all || deepface { "200" } else { or("MULTIPLE_FACES", "POOR_IMAGE_QUALITY") };
        let poor = if all || deepface { "200" } else { "POOR_IMAGE_QUALITY" };
        [cut, absent, two, poor]
    };
    for route in with_photographs() {
        let [cut, absent, two, poor] = codes(route);
        for (photograph, code) in [
            (&live[..live.len() / 2], cut),
            (&none, absent),
            (&couple, two),
            (&small, poor),
            (b"GIF89a\0\0\0\0\xff".as_slice(), "UNSUPPORTED_MEDIA_TYPE"),
            (&vec![0xff; 1_500_001], "FILE_TOO_LARGE"),
        ] {
            seen.expect(service, route, route.with(photograph, "ann"), code);
        }
        seen.expect(service, route, route.bare(), "INVALID_INPUT");
    }
    let invalid = Request::new("DELETE", "/api/v1/enroll/not%20an%20id");
    seen.expect(service, &DELETE, invalid, "INVALID_INPUT");
    seen.expect(service, &ROUTES[PERSONS], Request::new("GET", "/api/v1/persons?limit=0"), "INVALID_INPUT");
    for route in about_one() {
        let path = route.path.replace("ann", "not%20an%20id");
        seen.expect(service, route, Request::new(route.method(), &path), "INVALID_INPUT");
    }
}

fn persons(seen: &mut Seen, service: &Service, ground: &Ground) {
    for route in about_one() {
        let path = route.path.replace("ann", "ben");
        seen.expect(service, route, Request::new(route.method(), &path), "EMBEDDING_NOT_FOUND");
    }
    seen.expect(service, &ERASURE, ERASURE.bare(), "NOT_FOUND");
    seen.expect(service, &RECORD, RECORD.bare(), "NOT_FOUND");
    let [_, _, _, _, _, _, enroll, multi, verify, search, ..] = &ROUTES;
    let (live, other, spoof) = (ground.image("anna.jpg"), ground.image("carl.jpg"), ground.image("anna_fake.jpg"));
    seen.expect(service, verify, verify.with(&live, "ben"), "EMBEDDING_NOT_FOUND");
    seen.expect(service, &DELETE, Request::new("DELETE", "/api/v1/enroll/ben"), "EMBEDDING_NOT_FOUND");
    for route in [enroll, multi] {
        seen.expect(service, route, route.with(&other, "ann"), "EMBEDDING_ALREADY_EXISTS");
        seen.expect(service, route, route.with(&spoof, "eve"), "LIVENESS_FAILED");
        let keyed = |person| route.with(&live, person).header("idempotency-key", "once");
        seen.expect(service, route, keyed("bob"), "200");
        seen.expect(service, route, keyed("eve"), "IDEMPOTENCY_CONFLICT");
    }
    for route in [verify, search] {
        seen.expect(service, route, route.with(&spoof, "ann"), "ANTISPOOF_BLOCKED");
    }
    for route in with_photographs().filter(|route| route.operation.contains("deepface")) {
        let guarded = route.with(&spoof, "").text("anti_spoofing", "true");
        seen.expect(service, route, guarded, "LIVENESS_FAILED");
    }
}

/// Checks that a request of another origin is refused without keys.
fn foreign(seen: &mut Seen, service: &Service) {
    for route in ROUTES.iter().chain(LATER) {
        seen.expect(service, route, route.bare().header("origin", "http://rebound.example"), "FORBIDDEN");
    }
}

/// Fills the cores and the queue with other requests while each route gets a request.
fn crowd(seen: &mut Seen, service: &Service, ground: &Ground) {
    let (couple, url, over) = (ground.image("two.jpg"), service.url.clone(), AtomicBool::new(false));
    let clients = 4 * std::thread::available_parallelism().map_or(1, usize::from) + 4;
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    Request::post("/deepface/represent").file("img", &couple).to(&url);
                }
            });
        }
        for route in with_photographs() {
            let live = ground.image("anna.jpg");
            // This thread must not panic: the other threads would never end.
            let start = Instant::now();
            let mut busy = false;
            while !busy && start.elapsed() < PATIENCE {
                busy = seen.note(route.operation, &service.ask(route.with(&live, "ann"))) == 503;
            }
            if !busy {
                seen.wrong.push(format!("{}: never busy", route.operation));
            }
        }
        frames(seen, service, &ground.image("anna.jpg"));
        over.store(true, Ordering::Relaxed);
    });
}

/// Enrols with one embedder and verifies with another, which is unknown at first and then accepted.
fn other_embedder(seen: &mut Seen, ground: &Ground) {
    let (live, other) = (ground.image("anna.jpg"), ground.bring_other_embedder());
    let service = ground.serve_with_store(&[], &[]).ready();
    let health = service.get("/api/v1/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("degraded")));
    for route in with_photographs().filter(|route| needs_embedder(route)) {
        seen.expect(&service, route, route.with(&live, "bob"), "EMBEDDER_UNKNOWN");
    }
    seen.expect(&service, &BEGIN, begin("liveness"), "EMBEDDER_UNKNOWN");
    seen.expect(&service, &FRAME, FRAME.with(&live, "").text("previous", "x"), "EMBEDDER_UNKNOWN");
    drop(service);
    let service = ground.serve_with_store(&[], &[("LIKENESS_ACCEPT_EMBEDDER", &other)]).ready();
    for route in &ROUTES[6..10] {
        seen.expect(&service, route, route.with(&live, "bob"), "EMBEDDING_CONTRACT_MISMATCH");
    }
}

fn needs_embedder(route: &Route) -> bool {
    !["liveness", "detect-all", "frames", "inspect"].iter().any(|name| route.operation.ends_with(name))
}

fn keys(seen: &mut Seen, ground: &Ground) {
    let key = ("API_KEY_SECRET", "a-key-of-the-tests-of-32-letters");
    let service = ground.serve(&[], &[key, ("RATE_LIMIT_ENABLED", "false")]);
    let open = |route: &&Route| route.operation.contains("health") || PUBLIC.contains(&route.operation);
    let locked = || ROUTES.iter().chain(LATER).filter(|route| !open(route));
    for route in locked() {
        seen.expect(&service, route, route.bare(), "UNAUTHORIZED");
    }
    let service = ground.serve(&[], &[key, ("RATE_LIMIT_PER_MINUTE", "1")]);
    service.ask(ROUTES[6].bare());
    for route in locked() {
        seen.expect(&service, route, route.bare(), "RATE_LIMIT_EXCEEDED");
    }
}

/// Sends half a form and waits.
fn late(seen: &mut Seen, ground: &Ground) {
    let service = ground.serve_with_store(&[], &[("REQUEST_TIMEOUT_SECONDS", "1")]).ready();
    let host = service.url.strip_prefix("http://").unwrap();
    for route in with_photographs().chain([&BEGIN, &FRAME]) {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 1000\r\n\
             Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n",
            route.path
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        if reply.starts_with("HTTP/1.1 408 ") && reply.contains("\"REQUEST_TIMEOUT\"") {
            seen.codes.insert((route.operation.to_owned(), 408, "REQUEST_TIMEOUT".to_owned()));
        } else {
            seen.wrong.push(format!("{}: {reply}", route.operation));
        }
    }
}

fn without_store(seen: &mut Seen, ground: &Ground) {
    let service = ground.serve(&["--store", "none"], &[]).ready();
    let live = ground.image("anna.jpg");
    let later = LATER.into_iter().filter(|route| route.operation != BEGIN.operation);
    for route in ROUTES[6..10].iter().chain(&ROUTES[PERSONS..]).chain(later) {
        seen.expect(&service, route, route.with(&live, "ann"), "NOT_FOUND");
    }
    seen.expect(&service, &BEGIN, begin("liveness"), "NOT_FOUND");
    seen.expect(&service, &ROUTES[10], ROUTES[10].with(&live, "").text("capture_id", "x"), "NOT_FOUND");
}

fn without_weights(seen: &mut Seen) {
    use crate::support::{DETECTOR, EMBEDDER, SPOOF_FAR, SPOOF_NEAR};
    let all = [DETECTOR, EMBEDDER, SPOOF_FAR, SPOOF_NEAR];
    let ground = Ground::without(&all);
    let service = ground.serve_with_store(&[], &[]);
    let live = ground.image("anna.jpg");
    for route in with_photographs() {
        seen.expect(&service, route, route.with(&live, "ann"), "MODEL_UNAVAILABLE");
    }
    seen.expect(&service, &BEGIN, begin("liveness"), "MODEL_UNAVAILABLE");
    seen.expect(&service, &FRAME, FRAME.with(&live, "").text("previous", "x"), "MODEL_UNAVAILABLE");
    for route in &ROUTES[..4] {
        seen.note(route.operation, &service.ask(route.bare()));
    }
}

#[expect(clippy::print_stdout, reason = "the list is the output")]
fn print(seen: &Seen) {
    let mut lines: BTreeMap<(&str, u16), Vec<&str>> = BTreeMap::new();
    for (operation, status, code) in &seen.codes {
        lines.entry((operation, *status)).or_default().push(code);
    }
    for ((operation, status), codes) in lines {
        println!("{operation:<36} {status}  {}", codes.join(", "));
    }
}

/// Returns promised codes that no request saw, and seen codes that are not promised.
fn beside(seen: &Seen, document: &Value) -> Vec<String> {
    let mut promised = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let name = format!("{} {path}", method.to_uppercase());
                let status: u16 = status.parse().unwrap();
                match response["content"]["application/json"]["examples"].as_object() {
                    Some(codes) => promised.extend(codes.keys().map(|code| (name.clone(), status, code.clone()))),
                    None => drop(promised.insert((name, status, String::new()))),
                }
            }
        }
    }
    let elsewhere = |code: &str| ELSEWHERE.iter().any(|(other, _)| *other == code);
    let unseen = promised.difference(&seen.codes).filter(|(.., code)| !elsewhere(code));
    let undocumented = seen.codes.difference(&promised);
    let (unseen, undocumented) =
        (unseen.map(|row| format!("never seen: {row:?}")), undocumented.map(|row| format!("not documented: {row:?}")));
    unseen.chain(undocumented).collect()
}

/// Checks that every successful response has an example with the same fields; LIKENESS_BLESS=1 writes the
/// examples.
fn examples(seen: &Seen, document: &Value) -> Vec<String> {
    let good: BTreeMap<&String, Value> =
        seen.good.iter().map(|(operation, body)| (operation, shortened(body))).collect();
    if std::env::var_os("LIKENESS_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&good).unwrap() + "\n";
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/examples.json"), text).unwrap();
        return Vec::new();
    }
    let differ = good.iter().filter_map(|(operation, body)| {
        let (method, path) = operation.split_once(' ').unwrap();
        let response = &document["paths"][path][method.to_lowercase()]["responses"]["200"];
        let content = response["content"].as_object().and_then(|content| content.values().next());
        let example = content.map_or(&Value::Null, |content| &content["example"]);
        (fields(example) != fields(body)).then(|| format!("{operation}: the example has other fields: {example}"))
    });
    differ.collect()
}

fn fields(value: &Value) -> Vec<&String> {
    value.as_object().map(|object| object.keys().collect()).unwrap_or_default()
}

/// Shortens embeddings, pictures and metrics, which would make the examples long.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(list) if list.len() > 10 => json!(list[..3]),
        Value::Array(list) => list.iter().map(shortened).collect(),
        Value::Object(object) => {
            Value::Object(object.iter().map(|(name, value)| (name.clone(), shortened(value))).collect())
        }
        Value::String(text) if text.starts_with("data:") => "data:image/png;base64,…".into(),
        Value::String(text) if text.contains("# TYPE") => "# TYPE likeness_requests_total counter\n…".into(),
        other => other.clone(),
    }
}
