//! Provokes the codes of captures.

use std::time::Instant;

use serde_json::json;

use super::{BEGIN, FRAME, ROUTES, Seen};
use crate::support::{Answer, Ground, PATIENCE, Request, Service};

/// Returns a request that begins a capture.
pub fn begin(purpose: &str) -> Request {
    Request::post(BEGIN.path).text("purpose", purpose)
}

/// Provokes the codes of captures.
pub fn captures(seen: &mut Seen, service: &Service, ground: &Ground) {
    let live = ground.image("anna.jpg");
    seen.expect(service, &BEGIN, begin("else"), "INVALID_INPUT");
    seen.expect(service, &BEGIN, Request::post(BEGIN.path).json(&json!({})), "UNSUPPORTED_MEDIA_TYPE");
    seen.expect(service, &BEGIN, begin(&"x".repeat(70_000)), "FILE_TOO_LARGE");
    let begun = service.ask(begin("liveness"));
    seen.note(BEGIN.operation, &begun);
    let (id, hash) = (begun.json()["capture_id"].clone(), begun.json()["answer_sha256"].clone());
    let (id, hash) = (id.as_str().unwrap(), hash.as_str().unwrap());
    let path = format!("{}/{id}/frames", BEGIN.path);
    for (photograph, code) in [
        (&live[..live.len() / 2], "INVALID_IMAGE"),
        (b"GIF89a\0\0\0\0\xff".as_slice(), "UNSUPPORTED_MEDIA_TYPE"),
        (&vec![0xff; 1_500_001], "FILE_TOO_LARGE"),
        (&live, "200"),
        (&live, "CAPTURE_ENDED"),
    ] {
        let frame = Request::post(&path).file("file", photograph).text("previous", hash);
        seen.expect(service, &FRAME, frame, code);
    }
    seen.expect(service, &FRAME, FRAME.bare(), "INVALID_INPUT");
    seen.expect(service, &FRAME, FRAME.with(&live, "").text("previous", hash), "NOT_FOUND");
    let [_, _, _, _, _, _, enroll, _, verify, _, liveness, ..] = &ROUTES;
    for route in [enroll, verify, liveness] {
        seen.expect(service, route, route.with(&live, "ann").text("capture_id", id), "CAPTURE_REFUSED");
    }
}

/// Sends frames of a capture until no core is free. It must not panic.
pub fn frames(seen: &mut Seen, service: &Service, live: &[u8]) {
    let text = |answer: &Answer, name: &str| answer.json()[name].as_str().unwrap_or("none").to_owned();
    let start = Instant::now();
    let mut last = service.ask(begin("liveness"));
    while start.elapsed() < PATIENCE {
        let path = format!("{}/{}/frames", BEGIN.path, text(&last, "capture_id"));
        let previous = text(&last, "answer_sha256");
        let answer = service.ask(Request::post(&path).file("file", live).text("previous", &previous));
        match seen.note(FRAME.operation, &answer) {
            503 => return,
            200 => last = answer,
            _ => last = service.ask(begin("liveness")),
        }
    }
    seen.wrong.push(format!("{}: never busy", FRAME.operation));
}
