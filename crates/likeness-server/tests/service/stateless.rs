//! Tests the routes that need no store.

use serde_json::{Value, json};

use crate::support::{Answer, Ground, Request, recorded_box};

#[test]
fn liveness_tells_live_spoof_and_neither() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let table = [("anna.jpg", "live", true), ("anna_fake.jpg", "spoof", false), ("unsure.jpg", "indeterminate", false)];
    let wrong: Vec<_> = table
        .into_iter()
        .filter_map(|(image, verdict, is_live)| {
            let answer = service.ask(Request::post("/api/v1/liveness").file("file", &ground.image(image)));
            let reply = answer.json();
            let right = reply["verdict"] == verdict && reply["is_live"] == is_live && reply["challenge"] == "passive";
            (!right).then(|| format!("{image}: {answer:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn compare_tells_distance_and_both_faces() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let (a, b) = (ground.image("anna.jpg"), ground.image("bert.jpg"));
    let same = service.ask(Request::post("/api/v1/compare").file("file1", &a).file("file2", &a)).json();
    assert_eq!(
        (&same["match"], &same["confidence"], &same["model"]["embedder"]),
        (&json!(true), &json!("high"), &json!("accepted"))
    );
    assert_eq!(same["face1"]["bounding_box"], recorded_box("anna.jpg"));
    let strict =
        service.ask(Request::post("/api/v1/compare?threshold=0.0001").file("file1", &a).file("file2", &b)).json();
    assert_eq!((&strict["match"], &strict["threshold"]), (&json!(false), &json!(0.0001)));
    assert_eq!((&same["threshold_source"], &strict["threshold_source"]), (&json!("deepface"), &json!("request")));
}

#[test]
fn detect_tells_every_face_up_to_the_most_that_is_wanted() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let couple = ground.image("two.jpg");
    let ask = |query: &str| {
        service.ask(Request::post(&format!("/api/v1/faces/detect-all{query}")).file("file", &couple)).json()
    };
    let all = ask("");
    assert_eq!(all["face_count"], 2);
    assert_eq!(ask("?max_faces=1")["faces"], json!([all["faces"][0]]));
    assert!(all["faces"][0]["landmarks"]["left_eye"][0].is_number());
}

#[test]
fn what_is_wrong_is_named_in_one_shape() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("MAX_FILE_SIZE", "100000")]).ready();
    let post = |path: &str| Request::post(path);
    let live = ground.image("anna.jpg");
    let cut = &live[..live.len() / 2];
    let table: Vec<(&str, Request, u16, &str)> = vec![
        ("no route", Request::new("GET", "/api/v1/nothing"), 404, "NOT_FOUND"),
        ("method", Request::new("GET", "/api/v1/liveness"), 405, "METHOD_NOT_ALLOWED"),
        ("no form", post("/api/v1/liveness").json(&json!({})), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("no file", post("/api/v1/liveness").text("other", "x"), 400, "INVALID_INPUT"),
        ("no boundary", post("/api/v1/liveness").body("multipart/form-data", "x"), 400, "INVALID_INPUT"),
        ("cut form", post("/api/v1/liveness").body("multipart/form-data; boundary=b", "--b\r\n"), 400, "INVALID_INPUT"),
        ("gif", post("/api/v1/liveness").file("file", b"GIF89a"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("cut", post("/api/v1/liveness").file("file", cut), 400, "INVALID_IMAGE"),
        ("long", post("/api/v1/liveness").file("file", &vec![0; 100_001]), 413, "FILE_TOO_LARGE"),
        ("very long", post("/api/v1/liveness").file("file", &vec![0; 300_000]), 413, "FILE_TOO_LARGE"),
        ("faces", post("/api/v1/faces/detect-all?max_faces=51").file("file", &live), 400, "INVALID_INPUT"),
        (
            "threshold",
            post("/api/v1/compare?threshold=2").file("file1", &live).file("file2", &live),
            400,
            "INVALID_INPUT",
        ),
        ("one of two", post("/api/v1/compare").file("file1", &live), 400, "INVALID_INPUT"),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .filter_map(|(row, request, status, code)| {
            let answer = service.ask(request);
            let right = answer.problem() == (status, code.to_owned()) && shaped(&answer);
            (!right).then(|| format!("{row}: {answer:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns whether an error response has a code, a message and the same request id as the header.
fn shaped(answer: &Answer) -> bool {
    let reply = answer.json();
    let id = reply["request_id"].as_str();
    id.is_some() && id == answer.header("x-request-id") && reply["message"] != Value::Null
}
