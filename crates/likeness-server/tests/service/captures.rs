//! Tests guidance and captures over HTTP: what a caller learns, and what only the record and the metrics say.

use serde_json::{Value, json};

use crate::support::{Answer, Ground, Request, Service};
use crate::tenants::{becomes, key};

fn frame(path: &str, photograph: &[u8], previous: &Value) -> Request {
    Request::post(path).file("file", photograph).text("previous", previous.as_str().unwrap())
}

fn begin(purpose: &str) -> Request {
    Request::post("/api/v1/captures").text("purpose", purpose)
}

fn frames_of(begun: &Answer) -> String {
    format!("/api/v1/captures/{}/frames", begun.json()["capture_id"].as_str().unwrap())
}

#[test]
fn a_frame_gets_advice_a_face_and_liveness_only_on_request() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let ask = |image: &str, liveness: &str| {
        let request = Request::post("/api/v1/frames").file("file", &ground.image(image)).text("liveness", liveness);
        service.ask(request)
    };
    let one = ask("anna.jpg", "false");
    assert_eq!((&one.json()["face_count"], &one.json()["liveness"]), (&json!(1), &Value::Null), "{one:?}");
    assert!(
        one.json()["face"]["bounding_box"]["width"].as_u64().unwrap() > 0 && one.header("x-likeness-record").is_none()
    );
    let judged = ask("anna.jpg", "true");
    assert_eq!(judged.json()["liveness"]["verdict"], "live", "{judged:?}");
    assert!(judged.header("x-likeness-record").is_none(), "guidance has no record: {judged:?}");
    let scores = "likeness_liveness_total{verdict=\"live\"} 0";
    assert!(service.get("/metrics").text().contains(scores), "the metrics of scores count guidance");
    assert_eq!(ask("two.jpg", "false").json()["advice"], "one_face_only");
    assert_eq!(ask("anna.jpg", "perhaps").problem(), (400, "INVALID_INPUT".into()));
}

#[test]
fn a_repeated_frame_ends_a_capture_and_only_the_record_says_why() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let begun = service.ask(begin("verify").text("user_id", "ann"));
    let fields =
        |answer: &Answer| ["state", "prompt", "frame_count", "best_frame"].map(|name| answer.json()[name].clone());
    assert_eq!(fields(&begun), [json!("open"), json!("look_straight"), json!(0), Value::Null]);
    let (path, hash) = (frames_of(&begun), begun.json()["answer_sha256"].clone());
    let first = service.ask(frame(&path, &live, &hash));
    assert_eq!(fields(&first), [json!("open"), json!("look_straight"), json!(1), Value::Null], "{first:?}");
    assert_ne!(first.json()["answer_sha256"], hash);
    let again = service.ask(frame(&path, &live, &hash));
    assert_eq!(again.problem(), (409, "CAPTURE_ENDED".into()));
    assert!(!again.text().contains("order"), "{again:?}");
    // The right frame comes too late: the capture has ended.
    let late = service.ask(frame(&path, &live, &first.json()["answer_sha256"]));
    assert_eq!(late.problem(), (409, "CAPTURE_ENDED".into()));
    let record = format!("/api/v1/records/{}", again.header("x-likeness-record").unwrap());
    let capture = service.get(&record).json()["record"]["capture"].clone();
    assert_eq!((&capture["failed"], &capture["purpose"]), (&json!("out_of_order"), &json!("verify")), "{capture}");
    let metrics = service.get("/metrics").text();
    for line in [
        "likeness_captures_total{outcome=\"begun\"} 1",
        "likeness_captures_total{outcome=\"ended\"} 1",
        "likeness_capture_failures_total{rule=\"out_of_order\"} 1",
        "likeness_capture_failures_total{rule=\"late\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn an_unfinished_capture_counts_for_no_request_and_is_gone_afterwards() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    assert_eq!(service.ask(Request::post("/api/v1/enroll").text("user_id", "ann").file("file", &live)).status, 200);
    for (path, purpose, user) in
        [("verify", "verify", true), ("enroll", "enroll", true), ("liveness", "liveness", false)]
    {
        let named = |request: Request| if user { request.text("user_id", "ann") } else { request };
        let begun = service.ask(named(begin(purpose)));
        let id = begun.json()["capture_id"].clone();
        let request = || {
            let request = named(Request::post(&format!("/api/v1/{path}"))).file("file", &live);
            request.text("capture_id", id.as_str().unwrap())
        };
        let refused = service.ask(request());
        assert_eq!(refused.problem(), (403, "CAPTURE_REFUSED".into()), "{path}");
        assert!(!refused.text().contains("unfinished"), "{refused:?}");
        let record = format!("/api/v1/records/{}", refused.header("x-likeness-record").unwrap());
        assert_eq!(service.get(&record).json()["record"]["capture"]["failed"], "unfinished", "{path}");
        assert_eq!(service.ask(frame(&frames_of(&begun), &live, &begun.json()["answer_sha256"])).status, 404, "{path}");
        let again = service.ask(request());
        assert_eq!(again.problem(), (403, "CAPTURE_REFUSED".into()), "{path}, again");
        let record = format!("/api/v1/records/{}", again.header("x-likeness-record").unwrap());
        assert_eq!(service.get(&record).json()["record"]["capture"]["failed"], "unknown", "{path}, again");
    }
}

#[test]
fn an_idempotency_key_with_another_capture_is_another_request() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let begun = service.ask(begin("enroll").text("user_id", "ann"));
    let id = begun.json()["capture_id"].as_str().unwrap().to_owned();
    let ask = |capture: Option<&str>| {
        let request = Request::post("/api/v1/enroll").text("user_id", "ann").file("file", &live);
        let request = request.header("idempotency-key", "once");
        service.ask(capture.iter().fold(request, |request, id| request.text("capture_id", id)))
    };
    assert_eq!(ask(Some(&id)).problem(), (403, "CAPTURE_REFUSED".into()), "nothing is remembered of a refusal");
    let first = ask(None);
    assert_eq!((first.status, &first.json()["capture_id"]), (200, &Value::Null));
    assert_eq!(ask(Some(&id)).problem(), (409, "IDEMPOTENCY_CONFLICT".into()));
    assert_eq!(ask(None).text(), first.text());
}

#[test]
fn a_form_of_captures_is_refused_as_those_of_other_routes_are() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let long = "a".repeat(5000);
    let paths = ["/api/v1/verify", "/api/v1/captures", "/api/v1/captures/0123456789abcdef0123456789abcdef/frames"];
    let many = |path: &str| (0..33).fold(Request::post(path), |form, at| form.text(&format!("field{at}"), "x"));
    type Row<'a> = (&'static str, (u16, &'static str), &'a dyn Fn(&str) -> Request);
    let table: [Row<'_>; 5] = [
        ("JSON", (415, "UNSUPPORTED_MEDIA_TYPE"), &|path| {
            Request::post(path).body("application/json", b"{\"purpose\": \"verify\"}".to_vec())
        }),
        ("a damaged form", (400, "INVALID_INPUT"), &|path| {
            Request::post(path).body("multipart/form-data; boundary=b", b"--b\r\nno".to_vec())
        }),
        ("a field twice", (400, "INVALID_INPUT"), &|path| {
            Request::post(path)
                .text("user_id", "ann")
                .text("user_id", "ann")
                .text("previous", "x")
                .text("previous", "x")
        }),
        ("a text too long", (400, "INVALID_INPUT"), &|path| {
            Request::post(path).text("user_id", &long).text("purpose", "verify").text("previous", &long)
        }),
        ("too many fields", (400, "INVALID_INPUT"), &|path| many(path)),
    ];
    let mut wrong = Vec::new();
    for (name, expected, request) in table {
        for path in paths {
            let answer = service.ask(request(path));
            if answer.problem() != (expected.0, expected.1.into()) {
                wrong.push(format!("{name} to {path}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_key_sees_the_captures_of_its_own_tenant_and_needs_no_other_scope() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let [own, other] = ["acme", "other"].map(|tenant| key(&ground, "capture", tenant, &[]));
    becomes(&service, || Request::new("GET", "/metrics"), 401);
    let live = ground.image("anna.jpg");
    let with = |request: Request, key: &str| service.ask(request.header("x-api-key", key));
    let begun = with(begin("verify").text("user_id", "ann"), &own);
    assert_eq!((begun.status, &begun.json()["tenant_id"]), (200, &json!("acme")));
    let send = |key: &str| with(frame(&frames_of(&begun), &live, &begun.json()["answer_sha256"]), key);
    assert_eq!(send(&other).problem(), (404, "NOT_FOUND".into()));
    assert_eq!(send(&own).status, 200, "the other tenant's frame changed nothing");
    let foreign = with(begin("verify").text("user_id", "ann").text("tenant_id", "other"), &own);
    assert_eq!(foreign.problem(), (403, "FORBIDDEN".into()));
    let judge = key(&ground, "verify", "acme", &[]);
    let photograph = || Request::post("/api/v1/liveness").file("file", &live);
    becomes(&service, || photograph().header("x-api-key", &judge), 200);
    for (tenant, expected) in [("acme", 200), ("other", 403), ("a b", 400)] {
        assert_eq!(with(photograph().text("tenant_id", tenant), &judge).status, expected, "liveness of {tenant}");
    }
    wrong_forms(&service, &own);
}

/// The fields of a beginning that make no sense are named.
fn wrong_forms(service: &Service, key: &str) {
    let table: [(&[(&str, &str)], &str); 4] = [
        (&[("user_id", "ann")], "purpose"),
        (&[("purpose", "search"), ("user_id", "ann")], "purpose"),
        (&[("purpose", "verify")], "user_id"),
        (&[("purpose", "liveness"), ("user_id", "ann")], "user_id"),
    ];
    let wrong: Vec<_> = table
        .iter()
        .filter_map(|(fields, named)| {
            let form = Request::post("/api/v1/captures").header("x-api-key", key);
            let answer = service.ask(fields.iter().fold(form, |form, (name, value)| form.text(name, value)));
            let right =
                answer.problem() == (400, "INVALID_INPUT".into()) && answer.text().contains(&format!("`{named}`"));
            (!right).then(|| format!("{fields:?}: {answer:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A field in the address would be without effect: a capture that is not used, another tenant.
#[test]
fn a_field_of_the_form_in_the_address_and_an_unknown_parameter_of_a_new_route_are_refused() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let photograph = |path: &str| Request::post(path).file("file", &live);
    let form = |path: &str| photograph(path).text("user_id", "ann");
    assert_eq!(service.ask(form("/api/v1/enroll")).status, 200);
    let id = "0123456789abcdef0123456789abcdef";
    let table: [(Request, &str); 15] = [
        (form(&format!("/api/v1/verify?capture_id={id}")), "`capture_id`"),
        (form(&format!("/api/v1/verify?capture_id={id}")).text("capture_id", id), "`capture_id`"),
        (form(&format!("/api/v1/enroll?capture%5fid={id}")), "`capture_id`"),
        (photograph(&format!("/api/v1/liveness?capture_id={id}")), "`capture_id`"),
        (form("/api/v1/verify?tenant_id=other"), "`tenant_id`"),
        (photograph("/api/v1/search?tenant_id=other"), "`tenant_id`"),
        (form("/api/v1/enroll?replace=true"), "`replace`"),
        (photograph("/api/v1/frames?liveness=true"), "`liveness`"),
        (begin("verify").text("user_id", "ann"), ""),
        (Request::post("/api/v1/captures?purpose=verify").text("purpose", "liveness"), "`purpose`"),
        (Request::post("/api/v1/captures?nonsense=1").text("purpose", "liveness"), "`nonsense`"),
        (frame(&format!("/api/v1/captures/{id}/frames?previous=x"), &live, &json!("x")), "`previous`"),
        (Request::new("GET", "/api/v1/models/statement?x=1"), "`x`"),
        (Request::new("GET", "/api/v1/tenants?limit=1"), "`limit`"),
        (Request::new("GET", "/api/v1/persons?curser=1"), "`curser`"),
    ];
    let mut wrong = Vec::new();
    for (at, (request, named)) in table.into_iter().enumerate() {
        let answer = service.ask(request);
        let right = match named {
            "" => answer.status == 200,
            _ => answer.status == 400 && answer.text().contains(named),
        };
        if !right {
            wrong.push(format!("row {at}, {named}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_route_that_takes_no_capture_refuses_one_and_an_empty_capture_is_none() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let form = |path: &str, files: &[&str]| {
        let form = Request::post(&format!("/api/v1/{path}")).text("user_id", "ann");
        files.iter().fold(form, |form, name| form.file(name, &live))
    };
    assert_eq!(service.ask(form("enroll", &["file"])).status, 200);
    let named = "0123456789abcdef0123456789abcdef";
    let table: [(&str, &[&str], &str); 9] = [
        ("enroll/multi", &["files", "files"], named),
        ("search", &["file"], named),
        ("compare", &["file1", "file2"], named),
        ("faces/detect-all", &["file"], named),
        ("inspect", &["file"], named),
        ("frames", &["file"], named),
        ("verify", &["file"], ""),
        ("enroll", &["file"], " "),
        ("liveness", &["file"], ""),
    ];
    let mut wrong = Vec::new();
    for (path, files, id) in table {
        let answer = service.ask(form(path, files).text("capture_id", id));
        if answer.problem() != (400, "INVALID_INPUT".into()) || answer.json()["field"] != "capture_id" {
            wrong.push(format!("{path} with {id:?}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
