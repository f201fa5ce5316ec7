//! Tests requests as real clients and proxies send them: compressed, with a repeated field, ten at once, below a
//! prefix, or to DeepFace routes that are not offered. Each request is served, or refused with advice.

use std::thread;

use serde_json::json;

use crate::support::{Answer, Ground, Request};

/// Returns the rows with an unexpected response, by name.
fn wrong(rows: impl IntoIterator<Item = (String, Answer, u16, &'static str, &'static str)>) -> Vec<String> {
    let row = |(row, answer, status, code, word): (String, Answer, u16, &str, &str)| {
        let right = answer.problem() == (status, code.to_owned()) && answer.text().contains(word);
        (!right).then(|| format!("{row}: expected {status} {code} {word:?}, found {answer:?}"))
    };
    rows.into_iter().filter_map(row).collect()
}

#[test]
fn a_field_with_one_value_that_came_twice_is_refused_in_every_encoding() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let (detect, represent) = ("/api/v1/faces/detect-all", "/deepface/represent");
    let one = |path: &str| Request::post(path).file("file", &live);
    let base64 = "%2F9j%2F2wBDAAEB";
    let table: Vec<(&str, Request, &str)> = vec![
        ("form, a word", one(detect).text("max_faces", "1").text("max_faces", "2"), "`max_faces`"),
        ("form, the same word", one(detect).text("max_faces", "1").text("max_faces", "1"), "`max_faces`"),
        ("form, a photograph", one(detect).file("file", &live), "`file`"),
        ("query", one(&format!("{detect}?max_faces=1&max_faces=2")), "`max_faces`"),
        ("query and form", one(&format!("{detect}?max_faces=1")).text("max_faces", "2"), "`max_faces`"),
        (
            "query and form of compare",
            {
                let files = Request::post("/api/v1/compare?threshold=0.2").file("file1", &live).file("file2", &live);
                files.text("threshold", "0.3")
            },
            "`threshold`",
        ),
        ("JSON", Request::post(represent).body("application/json", r#"{"img": "/9j/", "img": "/9j/"}"#), "`img`"),
        (
            "JSON, a word",
            Request::post(represent).body("application/json", r#"{"img": "/9j/", "align": true, "align": false}"#),
            "`align`",
        ),
        (
            "words",
            Request::post(represent).body("application/x-www-form-urlencoded", format!("img={base64}&img={base64}")),
            "`img`",
        ),
    ];
    let rows = table
        .into_iter()
        .map(|(row, request, word)| (row.to_owned(), service.ask(request), 400, "INVALID_INPUT", word));
    let wrong = wrong(rows);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_compressed_body_is_refused_by_the_name_of_its_coding() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let body = |path: &str| Request::post(path).file("file", &live).file("img", &live);
    let mut rows = Vec::new();
    for path in ["/api/v1/liveness", "/deepface/represent", "/api/v1/inspect"] {
        for coding in ["gzip", "br", "deflate", "zstd", "GZIP, identity"] {
            let answer = service.ask(body(path).header("content-encoding", coding));
            rows.push((format!("{path} {coding}"), answer, 415, "UNSUPPORTED_MEDIA_TYPE", "send it uncompressed"));
        }
    }
    let wrong = wrong(rows);
    assert!(wrong.is_empty(), "{wrong:#?}");
    for coding in ["identity", ""] {
        assert_eq!(service.ask(body("/api/v1/liveness").header("content-encoding", coding)).status, 200, "{coding:?}");
    }
    assert_eq!(service.ask(Request::new("GET", "/api/v1/health").header("content-encoding", "gzip")).status, 200);
}

#[test]
fn no_message_has_a_type_of_the_language() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let fields = [
        ("/api/v1/faces/detect-all", "file", "max_faces"),
        ("/deepface/represent", "img", "max_faces"),
        ("/deepface/represent", "img", "align"),
        ("/api/v1/search", "file", "max_results"),
        ("/api/v1/search", "file", "threshold"),
        ("/api/v1/enroll", "file", "replace"),
    ];
    let mut wrong = Vec::new();
    for (path, photograph, field) in fields {
        for value in ["abc", "1.5.0", "-", "99999999999999999999999", "\u{221e}"] {
            let request = Request::post(path).file(photograph, &live).text("user_id", "ann").text(field, value);
            let answer = service.ask(request);
            let said = answer.json()["message"].as_str().unwrap().to_owned();
            let words: Vec<_> = said.split(|letter: char| !letter.is_alphanumeric()).collect();
            let types = ["usize", "i64", "f64", "u64", "bool", "Truth", "str", "String", "Option", "None", "Some"];
            if answer.status != 400 || types.iter().any(|name| words.contains(name)) || !said.contains(field) {
                wrong.push(format!("{path} {field}={value}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ten_requests_at_once_wait_for_a_core_and_are_all_answered() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("QUEUE_WAIT_SECONDS", "600"), ("REQUEST_TIMEOUT_SECONDS", "600")]).ready();
    let live = ground.image("anna.jpg");
    let form = || Request::post("/api/v1/liveness").file("file", &live);
    let codes: Vec<u16> = thread::scope(|scope| {
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(|| service.ask(form()).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(codes, [200; 10]);
}

#[test]
fn routes_of_deepface_that_are_not_offered_say_so_and_what_to_do() {
    let ground = Ground::new();
    let service = ground.serve(&["--deepface-root"], &[]).ready();
    let mut rows = Vec::new();
    for prefix in ["", "/deepface"] {
        for route in ["analyze", "register", "search", "build/index"] {
            let path = format!("{prefix}/{route}");
            let answer = service.ask(Request::post(&path).json(&json!({})));
            assert_eq!(answer.json()["error"], answer.json()["message"], "{path}");
            rows.push((path, answer, 404, "NOT_FOUND", "is not offered"));
        }
    }
    rows.push(("unknown".into(), service.get("/deepface/anything"), 404, "NOT_FOUND", "POST /deepface/verify"));
    let wrong = wrong(rows);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let plain = ground.serve(&[], &[]).get("/analyze");
    assert!(plain.status == 404 && plain.json().get("error").is_none(), "{plain:?}");
}

#[test]
fn a_photograph_without_a_face_is_refused_in_deepfaces_words() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let (none, live) = (crate::deepface::blank(), ground.image("anna.jpg"));
    let requests = [
        Request::post("/deepface/represent").file("img", &none),
        Request::post("/deepface/verify").file("img1", &live).file("img2", &none),
    ];
    let rows = requests.map(|request| service.ask(request));
    let rows = rows.map(|answer| ("none".into(), answer, 400, "FACE_NOT_DETECTED", "Face could not be detected"));
    let wrong = wrong(rows);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each route with a form, and the fields that it requires, in a request that is otherwise right.
const FORMS: [(&str, &[(&str, &str)]); 13] = [
    ("/api/v1/captures", &[("purpose", "verify"), ("user_id", "ann")]),
    ("/api/v1/captures/00000000000000000000000000000000/frames", &[("file", ""), ("previous", "00")]),
    ("/api/v1/frames", &[("file", "")]),
    ("/api/v1/verify", &[("user_id", "ann"), ("file", "")]),
    ("/api/v1/enroll", &[("user_id", "ann"), ("file", "")]),
    ("/api/v1/enroll/multi", &[("user_id", "ann"), ("files", "")]),
    ("/api/v1/search", &[("file", "")]),
    ("/api/v1/liveness", &[("file", "")]),
    ("/api/v1/compare", &[("file1", ""), ("file2", "")]),
    ("/api/v1/faces/detect-all", &[("file", "")]),
    ("/api/v1/inspect", &[("file", "")]),
    ("/deepface/verify", &[("img1", ""), ("img2", "")]),
    ("/deepface/represent", &[("img", "")]),
];

#[test]
fn a_required_field_that_is_missing_is_named() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let mut wrong = Vec::new();
    for (path, fields) in FORMS {
        for (missing, _) in fields {
            let present = fields.iter().filter(|(name, _)| name != missing);
            let request = present.fold(Request::post(path), |request, (name, value)| match *value {
                "" => request.file(name, &live),
                value => request.text(name, value),
            });
            // A form without any field would have no parts.
            let answer = service.ask(request.text("unknown", "x"));
            let right = answer.problem() == (400, "INVALID_INPUT".to_owned()) && answer.json()["field"] == *missing;
            wrong.extend((!right).then(|| format!("{path} without {missing}: {}", answer.text())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_field_with_a_wrong_value_is_named_with_what_was_found() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let one = |path: &str| Request::post(path).file("file", &live);
    let two = || Request::post("/api/v1/compare").file("file1", &live).file("file2", &live);
    let enroll = || one("/api/v1/enroll").text("user_id", "ann");
    let consent = || enroll().text("consent_reference", "form 7").text("consent_version", "1");
    let table: Vec<(&str, &str, Request)> = vec![
        ("user_id", "a b", one("/api/v1/verify").text("user_id", "a b")),
        ("tenant_id", "a/b", one("/api/v1/search").text("tenant_id", "a/b")),
        ("user_id", "a b", Request::new("DELETE", "/api/v1/persons/a%20b")),
        ("tenant_id", "a b", Request::new("GET", "/api/v1/persons?tenant_id=a%20b")),
        ("purpose", "play", Request::post("/api/v1/captures").text("purpose", "play")),
        ("user_id", "a b", Request::post("/api/v1/captures").text("purpose", "verify").text("user_id", "a b")),
        ("liveness", "maybe", one("/api/v1/frames").text("liveness", "maybe")),
        ("max_faces", "0", one("/api/v1/faces/detect-all").text("max_faces", "0")),
        ("max_faces", "many", one("/api/v1/faces/detect-all").text("max_faces", "many")),
        ("max_results", "0", one("/api/v1/search").text("max_results", "0")),
        ("threshold", "3", one("/api/v1/search").text("threshold", "3")),
        ("threshold", "7", two().text("threshold", "7")),
        ("replace", "maybe", enroll().text("replace", "maybe")),
        ("consent_given_at", "today", consent().text("consent_given_at", "today")),
        ("expires_at", "soon", enroll().text("expires_at", "soon")),
        ("consent_reference", "300", enroll().text("consent_reference", &"x".repeat(300)).text("consent_version", "1")),
        ("limit", "0", Request::new("GET", "/api/v1/persons?limit=0")),
        ("limit", "x", Request::new("GET", "/api/v1/persons?limit=x")),
    ];
    let rows = table.into_iter().map(|(field, found, request)| (field, found, service.ask(request)));
    let wrong: Vec<_> = rows
        .filter(|(field, found, answer)| {
            let message = answer.json()["message"].to_string();
            answer.status != 400
                || answer.json()["field"] != **field
                || !message.contains(&format!("found {found}")) && !message.contains(&format!("found \\\"{found}"))
        })
        .map(|(field, found, answer)| format!("{field} = {found}: {}", answer.text()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_refusal_without_a_key_names_the_header_of_this_service() {
    let ground = Ground::without(&[]);
    let keys = [("API_KEY_SECRET", "a-key-of-the-tests-0123456789abcdef"), ("API_KEY_HEADER", "X-Face-Key")];
    let answer = ground.serve(&[], &keys).ask(Request::new("GET", "/metrics"));
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("`X-Face-Key: KEY`"), "{}", answer.text());
}
