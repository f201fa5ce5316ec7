//! Tests `/inspect` with all networks, and without some.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::{EMBEDDER, Ground, Request, SPOOF_FAR, SPOOF_NEAR, Service, recorded_box, wait_for};

fn inspect(service: &Service, files: &[(&str, &[u8])]) -> Value {
    let form = || files.iter().fold(Request::post("/api/v1/inspect"), |form, (name, bytes)| form.file(name, bytes));
    service.when_loaded(form).json()
}

/// The width and height of a PNG in a data URI.
fn png_size(uri: &Value) -> (u32, u32) {
    let text = uri.as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    (reader.info().width, reader.info().height)
}

#[test]
fn one_photograph_shows_box_crops_and_both_networks_numbers() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let bytes = ground.image("anna.jpg");
    let reply = inspect(&service, &[("file", &bytes)]);
    assert_eq!((&reply["comparison"], &reply["missing"]), (&Value::Null, &json!([])));
    let seen = &reply["photographs"][0];
    assert_eq!((&seen["subject"], &seen["unfit"]), (&json!(0), &Value::Null));
    assert_eq!(seen["faces"][0]["bounding_box"], recorded_box("anna.jpg"));
    let liveness = &seen["liveness"];
    assert_eq!((&liveness["verdict"], &liveness["doubt"]), (&json!("live"), &Value::Null));
    let alone = service.ask(Request::post("/api/v1/liveness").file("file", &bytes)).json();
    assert_eq!(liveness["live_probability"], alone["live_probability"]);
    let networks = liveness["networks"].as_array().unwrap();
    let mean: f64 = networks.iter().map(|network| network["probabilities"][1].as_f64().unwrap()).sum::<f64>() / 2.0;
    assert!((mean - liveness["live_probability"].as_f64().unwrap()).abs() < 1e-5, "{liveness}");
    for (network, file) in networks.iter().zip([SPOOF_NEAR, SPOOF_FAR]) {
        assert_eq!((&network["file"], png_size(&network["crop"])), (&json!(file), (80, 80)));
        let sum: f64 = network["probabilities"].as_array().unwrap().iter().map(|part| part.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{network}");
    }
    assert_eq!(png_size(&seen["embedder"]["face"]), (160, 160));
    for stage in ["decode", "detect", "quality", "spoof", "align", "embed", "render"] {
        assert!(seen["timing_ms"][stage].is_number(), "{stage}: {}", seen["timing_ms"]);
    }
    assert!(!reply.to_string().contains("embedding\":["), "no embedding leaves");
}

#[test]
fn two_photographs_are_compared_as_compare_does_and_a_spoof_is_never_accepted() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let (live, spoof) = (ground.image("anna.jpg"), ground.image("anna_fake.jpg"));
    let same = inspect(&service, &[("file", &live), ("file2", &live)]);
    let comparison = &same["comparison"];
    assert_eq!((&comparison["matched"], &comparison["verdict"]), (&json!(true), &json!("accept")));
    assert_eq!((&comparison["threshold"], &comparison["reasons"]), (&json!(0.3), &json!([])));
    let faked = inspect(&service, &[("file", &live), ("file2", &spoof)]);
    assert_eq!(faked["comparison"]["verdict"], "reject");
    assert_eq!(faked["comparison"]["reasons"][0]["code"], "spoof");
    let form = Request::post("/api/v1/compare").file("file1", &live).file("file2", &spoof);
    assert_eq!(faked["comparison"]["distance"], service.ask(form).json()["distance"]);
}

#[test]
fn a_photograph_without_one_face_that_counts_shows_its_faces_and_says_why() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let table = [("large.jpg", 1, None), ("two.jpg", 2, Some("MULTIPLE_FACES")), ("", 0, Some("FACE_NOT_DETECTED"))];
    let wrong: Vec<_> = table
        .into_iter()
        .filter_map(|(image, faces, code)| {
            let bytes = if image.is_empty() { blank() } else { ground.image(image) };
            let reply = inspect(&service, &[("file", &bytes)]);
            let seen = &reply["photographs"][0];
            let found = seen["faces"].as_array().unwrap().len();
            let judged = !seen["liveness"].is_null() && !seen["embedder"].is_null() && !seen["subject"].is_null();
            let right = found == faces && seen["unfit"]["error_code"].as_str() == code && judged == code.is_none();
            (!right).then(|| format!("{image}: {seen}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let other = service.ask(Request::post("/api/v1/inspect").file("file", &blank()).file("file2", b"GIF89a"));
    assert_eq!((other.problem().1.as_str(), &other.json()["field"]), ("UNSUPPORTED_MEDIA_TYPE", &json!("file2")));
}

/// Returns a grey photograph.
fn blank() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 64, 64);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[128; 64 * 64]).unwrap();
    out
}

#[test]
fn without_networks_their_part_is_null_and_their_files_are_named_and_nothing_is_judged() {
    let ground = Ground::without(&[SPOOF_NEAR, EMBEDDER]);
    let service = ground.serve(&["--require", "faces/detect-all"], &[]).ready();
    let live = ground.image("anna.jpg");
    let reply = inspect(&service, &[("file", &live), ("file2", &live)]);
    for part in ["liveness", "embedder"] {
        assert_eq!(reply["photographs"][0][part], Value::Null, "{part}");
    }
    assert_eq!((&reply["comparison"], reply["photographs"][1]["faces"].as_array().unwrap().len()), (&Value::Null, 1));
    let files: Vec<_> = reply["missing"].as_array().unwrap().iter().map(|missing| &missing["file"]).collect();
    assert!(files.contains(&&json!(SPOOF_NEAR)) && files.contains(&&json!(EMBEDDER)), "{files:?}");
    for word in ["spoof", "verdict", "\"live\"", "accept", "reject"] {
        assert!(!reply.to_string().contains(word), "{word}: {reply}");
    }
    ground.bring(SPOOF_NEAR);
    let verdict = || inspect(&service, &[("file", &live)])["photographs"][0]["liveness"]["verdict"].clone();
    wait_for("a live face", || (verdict() == "live").then_some(()));
}

#[test]
fn without_the_detector_there_is_nothing_to_see() {
    let ground = Ground::without(&[crate::support::DETECTOR]);
    let service = ground.serve(&[], &[]);
    service.until("/api/v1/health/live", 200);
    let refused = service.ask(Request::post("/api/v1/inspect").file("file", &ground.image("anna.jpg")));
    assert_eq!(refused.problem(), (503, "MODEL_UNAVAILABLE".into()));
}
