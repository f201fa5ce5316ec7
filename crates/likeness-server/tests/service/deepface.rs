//! Tests DeepFace's routes: requests of its clients, the fields that they read, and DeepFace's recorded
//! results.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::support::{Answer, DETECTOR, EMBEDDER, Ground, Request, SPOOF_FAR, SPOOF_NEAR, Service};

/// Reads DeepFace's recorded results. Python writes an infinite distance as a bare word, which becomes null
/// here.
fn golden(ground: &Ground) -> Value {
    let text = std::fs::read_to_string(ground.data.join("golden/deepface.json")).unwrap();
    serde_json::from_str(&text.replace(": Infinity", ": null")).unwrap()
}

fn uri(bytes: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes))
}

/// Sends two photographs in JSON, with further fields.
fn verify(service: &Service, ground: &Ground, images: [&str; 2], words: &Value) -> Answer {
    let [img1, img2] = images.map(|name| Value::from(uri(&ground.image(name))));
    let mut body: Map<String, Value> = words.as_object().unwrap().clone();
    body.extend([("img1".into(), img1), ("img2".into(), img2)]);
    service.ask(Request::post("/deepface/verify").json(&body.into()))
}

fn near(found: &Value, expected: &Value, most: f64) -> bool {
    (found.as_f64().unwrap_or(f64::NAN) - expected.as_f64().unwrap_or(f64::NAN)).abs() <= most
}

/// Returns what differs from a recorded comparison.
fn beside(answer: &Value, golden: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in ["threshold", "model", "detector_backend", "similarity_metric"] {
        if answer[name] != golden[name] {
            wrong.push(name.to_owned());
        }
    }
    // For a face compared with itself, DeepFace's angle is NaN because of rounding, so this row is not compared.
    if golden["distance"].is_null() {
        return wrong;
    }
    let cosine = golden["similarity_metric"] == "cosine";
    let equal = ["verified", "facial_areas"].into_iter().filter(|name| answer[name] != golden[name]);
    wrong.extend(equal.map(|name| format!("{name}: expected {}, found {}", golden[name], answer[name])));
    for (name, most) in [("distance", if cosine { 1e-4 } else { f64::INFINITY }), ("confidence", 0.05)] {
        if !near(&answer[name], &golden[name], most) {
            wrong.push(format!("{name}: expected {}, found {}", golden[name], answer[name]));
        }
    }
    wrong
}

#[test]
fn stored_comparisons_are_answered_alike() {
    if !testkit::need::time("stored_comparisons_are_answered_alike") {
        return;
    }
    let Some(ground) = Ground::golden("stored_comparisons_are_answered_alike") else { return };
    let service = ground.serve(&["--mode", "exact"], &[]).ready();
    let golden = golden(&ground);
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for pair in golden["pairs"].as_array().unwrap() {
        let images = [pair["img1"].as_str().unwrap(), pair["img2"].as_str().unwrap()];
        if pair["anti_spoofing"] == true {
            let answer = verify(&service, &ground, images, &json!({"anti_spoofing": true}));
            *seen.entry("with anti-spoofing").or_default() += 1;
            guarded(&answer, &pair["cosine_result"], images, &mut wrong);
            continue;
        }
        let metric = pair["similarity_metric"].as_str().unwrap();
        let answer = verify(&service, &ground, images, &json!({"distance_metric": metric}));
        *seen.entry(metric).or_default() += 1;
        wrong.extend(beside(&answer.json(), pair).into_iter().map(|why| format!("{images:?} {metric}: {why}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.values().sum::<usize>(), 50, "{seen:?}");
}

fn guarded(answer: &Answer, expected: &Value, images: [&str; 2], wrong: &mut Vec<String>) {
    let reply = answer.json();
    let right = match expected["message"].as_str() {
        Some(message) => {
            let error = reply["error"].as_str().unwrap_or("");
            answer.status == 400 && error.starts_with(message) && error.contains("Spoof detected")
        }
        None => reply["verified"] == expected["verified"] && near(&reply["distance"], &expected["distance"], 1e-4),
    };
    if !right {
        wrong.push(format!("{images:?} with anti-spoofing: expected {expected}, found {answer:?}"));
    }
}

fn cosine(a: &Value, b: &Value) -> f64 {
    let numbers = |list: &Value| list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!((a.len(), b.len()), (512, 512));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    1.0 - dot(&a, &b) / (dot(&a, &a).sqrt() * dot(&b, &b).sqrt())
}

#[test]
fn stored_embeddings_are_answered_alike() {
    if !testkit::need::time("stored_embeddings_are_answered_alike") {
        return;
    }
    let Some(ground) = Ground::golden("stored_embeddings_are_answered_alike") else { return };
    let service = ground.serve(&[], &[]).ready();
    let mut wrong = Vec::new();
    for (name, expected) in golden(&ground)["embeddings"].as_object().unwrap() {
        for (backend, most) in [("centerface", 1e-4), ("skip", 1e-5)] {
            let request = Request::post("/deepface/represent").file("img", &ground.image(name));
            let answer = service.ask(request.text("detector_backend", backend)).json();
            let (ours, theirs) = (answer["results"].as_array().unwrap(), expected[backend].as_array().unwrap());
            if ours.len() != theirs.len() || answer["model"]["embedder"] != "accepted" {
                wrong.push(format!("{name} {backend}: {} faces, {}", ours.len(), answer["model"]));
            }
            for (ours, theirs) in ours.iter().zip(theirs) {
                let mut area = theirs["facial_area"].clone();
                if backend == "skip" {
                    (area["left_eye"], area["right_eye"]) = (Value::Null, Value::Null);
                }
                let far = cosine(&ours["embedding"], &theirs["embedding"]);
                let sure = near(&ours["face_confidence"], &theirs["face_confidence"], 0.0);
                if far > most || ours["facial_area"] != area || !sure {
                    wrong.push(format!("{name} {backend}: {far:e}, {}, expected {area}", ours["facial_area"]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn json_forms_and_both_spellings_of_base64_are_one_question() {
    let ground = Ground::new();
    let service = ground.serve(&["--deepface-root"], &[]).ready();
    let (a, b) = (ground.image("anna.jpg"), ground.image("close.jpg"));
    let (plain_a, plain_b) = (STANDARD.encode(&a), STANDARD.encode(&b));
    let body = json!({"img1": uri(&a), "img2": plain_b, "anti_spoofing": false, "model_name": null});
    let words = form(&[("img1", &plain_a), ("img2", &uri(&b)), ("align", "True")]);
    let table = [
        ("json", Request::post("/deepface/verify").json(&body)),
        ("root", Request::post("/verify").json(&body)),
        ("files", Request::post("/deepface/verify").file("img1", &a).file("img2", &b)),
        ("file and text", Request::post("/deepface/verify").file("img1", &a).text("img2", &plain_b)),
        ("words", Request::post("/deepface/verify").body("application/x-www-form-urlencoded", words)),
    ];
    let mut distances = Vec::new();
    for (row, request) in table {
        let answer = service.ask(request);
        let reply = answer.json();
        assert_eq!(answer.status, 200, "{row}: {answer:?}");
        let keys: Vec<_> = reply.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "confidence",
                "detector_backend",
                "distance",
                "facial_areas",
                "model",
                "similarity_metric",
                "threshold",
                "time",
                "verified",
                "weights"
            ],
            "{row}"
        );
        assert_eq!(reply["weights"]["embedder"], "accepted", "{row}");
        let time = reply["time"].as_f64().unwrap();
        assert!((time * 100.0 - (time * 100.0).round()).abs() < 1e-9, "{row}: {time}");
        distances.push(reply["distance"].clone());
    }
    assert!(distances.iter().all(|distance| *distance == distances[0]), "{distances:?}");
    let represented = service.ask(Request::post("/represent").file("img", &a));
    assert_eq!(represented.json()["results"].as_array().unwrap().len(), 1, "{represented:?}");
    assert_eq!(service.get("/deepface/").json()["model_name"], json!(["Facenet512"]));
    assert_eq!(service.get("/verify").problem(), (405, "METHOD_NOT_ALLOWED".into()));
}

/// Encodes a form of texts, as browsers and `requests` do.
fn form(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('%', "%25").replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    let fields: Vec<_> = fields.iter().map(|(name, text)| format!("{name}={}", escaped(text))).collect();
    fields.join("&")
}

#[test]
fn without_the_root_only_the_prefix_answers() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]);
    let answer = service.ask(Request::post("/verify").json(&json!({})));
    assert_eq!(answer.problem(), (404, "NOT_FOUND".into()));
    assert_eq!(answer.json()["error"], Value::Null);
}

#[test]
fn a_photograph_without_a_face_is_refused_or_is_the_face() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let none = blank();
    let ask = |words: &[(&str, &str)]| {
        let request = Request::post("/deepface/represent").file("img", &none);
        service.ask(words.iter().fold(request, |request, (name, text)| request.text(name, text)))
    };
    assert_eq!(ask(&[]).problem(), (400, "FACE_NOT_DETECTED".into()));
    let whole = ask(&[("enforce_detection", "false")]).json();
    let eyes = json!({"x": 0, "y": 0, "w": 63, "h": 47, "left_eye": null, "right_eye": null});
    assert_eq!((&whole["results"][0]["facial_area"], &whole["results"][0]["face_confidence"]), (&eyes, &json!(0.0)));
    let pair = Request::post("/deepface/verify").file("img1", &none).file("img2", &none);
    let pair = service.ask(pair.text("detector_backend", "skip")).json();
    assert_eq!((&pair["facial_areas"]["img1"], &pair["detector_backend"]), (&eyes, &json!("skip")));
    let fake = Request::post("/deepface/represent").file("img", &ground.image("anna_fake.jpg"));
    let fake = service.ask(fake.text("detector_backend", "skip").text("anti_spoofing", "true"));
    assert_eq!(fake.status, 400, "the whole photograph is the face, and a fake: {fake:?}");
}

/// Returns a PNG of 64 x 48 grey pixels.
pub fn blank() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 48);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[127; 64 * 48]).unwrap();
    bytes
}

#[test]
fn of_many_faces_the_largest_are_taken() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let three = ground.image("three.jpg");
    let ask = |most: &str| {
        let request = Request::post("/deepface/represent").file("img", &three).text("max_faces", most);
        let reply = service.ask(request).json();
        reply["results"].as_array().unwrap().iter().map(|face| face["facial_area"].clone()).collect::<Vec<_>>()
    };
    let all = ask("3");
    let size = |area: &Value| area["w"].as_i64().unwrap() * area["h"].as_i64().unwrap();
    let largest = all.iter().max_by_key(|area| size(area)).unwrap();
    assert_eq!((all.len(), ask("1")), (3, vec![largest.clone()]));
}

#[test]
fn what_is_not_available_or_no_photograph_is_named_with_deepfaces_error() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("MAX_FILE_SIZE", "100000")]).ready();
    let bytes = ground.image("anna.jpg");
    let photo = uri(&bytes);
    let with = |name: &str, value: Value| {
        let mut body = json!({"img1": photo, "img2": photo});
        body[name] = value;
        body
    };
    let one = |name: &str, value: Value| {
        let mut body = json!({"img": photo});
        body[name] = value;
        body
    };
    let (verify, represent) = ("/deepface/verify", "/deepface/represent");
    let table: [(&str, &str, Value, u16, &str, &str); 15] = [
        ("model", verify, with("model_name", "VGG-Face".into()), 400, "INVALID_INPUT", "Facenet512"),
        ("model", represent, one("model_name", "ArcFace".into()), 400, "INVALID_INPUT", "Facenet512"),
        ("detector", verify, with("detector_backend", "opencv".into()), 400, "INVALID_INPUT", "centerface, skip"),
        ("metric", verify, with("distance_metric", "l1".into()), 400, "INVALID_INPUT", "euclidean_l2"),
        ("boolean", verify, with("align", "maybe".into()), 400, "INVALID_INPUT", "true or false"),
        ("faces", represent, one("max_faces", 0.into()), 400, "INVALID_INPUT", "1 to 50"),
        ("path", verify, with("img1", "/etc/passwd".into()), 400, "INVALID_INPUT", "paths and URLs are not read"),
        ("url", verify, with("img2", "http://127.0.0.1:1/a.jpg".into()), 400, "INVALID_INPUT", "not read"),
        ("embedding", verify, with("img1", json!([0.1, 0.2])), 400, "INVALID_INPUT", "img1"),
        ("none", represent, json!({}), 400, "INVALID_INPUT", "`img`"),
        ("gif", represent, json!({"img": "data:image/gif;base64,R0lGODlh"}), 415, "UNSUPPORTED_MEDIA_TYPE", "JPEG"),
        ("cut", represent, one("img", uri(&bytes[..bytes.len() / 2]).into()), 400, "INVALID_IMAGE", ""),
        ("long", verify, with("img1", uri(&[0; 100_001]).into()), 413, "FILE_TOO_LARGE", "100000"),
        ("list", verify, json!([1]), 400, "INVALID_INPUT", "object"),
        ("deep", verify, json!({"img1": photo, "img2": {"a": 1}}), 400, "INVALID_INPUT", "img2"),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .filter_map(|(row, path, body, status, code, word)| {
            let answer = service.ask(Request::post(path).json(&body));
            let reply = answer.json();
            let error = reply["error"].as_str().unwrap_or("none");
            let right = answer.problem() == (status, code.to_owned())
                && error.contains(word)
                && reply["error"] == reply["message"]
                && !error.contains("passwd");
            (!right).then(|| format!("{row}: {answer:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let other = service.ask(Request::post(verify).body("text/plain", "x"));
    assert_eq!(other.problem(), (415, "UNSUPPORTED_MEDIA_TYPE".into()));
}

#[test]
fn a_missing_spoof_network_is_never_a_spoof_and_hinders_no_other_request() {
    let ground = Ground::without(&[SPOOF_NEAR, SPOOF_FAR]);
    let service = ground.serve(&[], &[]);
    let live = ground.image("anna.jpg");
    let plain = || Request::post("/deepface/verify").file("img1", &live).file("img2", &live);
    assert_eq!(service.when_loaded(plain).json()["verified"], true);
    for request in [plain(), Request::post("/deepface/represent").file("img", &live)] {
        let refused = service.ask(request.text("anti_spoofing", "true"));
        let reply = refused.text();
        assert_eq!(refused.problem(), (503, "MODEL_UNAVAILABLE".into()));
        assert!(reply.contains(SPOOF_NEAR) && reply.contains(SPOOF_FAR), "{reply}");
        assert!(!reply.to_lowercase().contains("spoof") && refused.json()["verified"].is_null(), "{reply}");
    }
}

#[test]
fn skip_needs_the_embedder_alone() {
    let ground = Ground::without(&[DETECTOR, SPOOF_NEAR, SPOOF_FAR]);
    let service = ground.serve(&[], &[]);
    let photo = ground.image("anna.jpg");
    let ask =
        |backend: &str| Request::post("/deepface/represent").file("img", &photo).text("detector_backend", backend);
    let reply = service.when_loaded(|| ask("skip")).json();
    assert_eq!(reply["model"]["embedder"], "accepted");
    let refused = service.ask(ask("centerface"));
    assert_eq!(refused.problem(), (503, "MODEL_UNAVAILABLE".into()));
    assert!(refused.text().contains(DETECTOR) && !refused.text().contains(EMBEDDER), "{refused:?}");
}
