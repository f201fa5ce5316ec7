//! Photographs over HTTP that have more pixels than the limit of a full decode, and more than any limit.

use serde_json::Value;
use testkit::data::photographs;

use crate::support::{Ground, Request};

/// Anna's photograph with each pixel repeated.
fn anna(times: usize) -> Vec<u8> {
    let (_, scene) = photographs::all().into_iter().find(|(name, _)| name == "anna.jpg").unwrap();
    scene.draw().enlarged(times).jpeg()
}

fn side(face: &Value, key: &str) -> f64 {
    face["bounding_box"][key].as_f64().unwrap()
}

#[test]
fn the_face_of_44_megapixels_is_that_of_the_small_photograph_and_69_megapixels_are_refused_by_name() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let detect = |bytes: &[u8]| service.ask(Request::post("/api/v1/faces/detect-all").file("file", bytes));
    let (small, large) = (detect(&anna(1)).json(), detect(&anna(12)).json());
    let faces = [&small, &large].map(|found| found["faces"].as_array().unwrap().clone());
    assert_eq!(faces.each_ref().map(Vec::len), [1, 1], "{large}");
    // The photograph is reduced before the search: the box may differ by 2 % of its width.
    let most = 0.02 * 12.0 * side(&faces[0][0], "width");
    let wrong: Vec<_> = ["x", "y", "width", "height"]
        .into_iter()
        .filter(|key| (side(&faces[1][0], key) - 12.0 * side(&faces[0][0], key)).abs() > most)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}: {small} and {large}");
    let refused = detect(&anna(15));
    let problem = refused.json();
    let message = problem["message"].as_str().unwrap();
    assert!(refused.status == 400 && problem["reason"] == "image_too_many_pixels", "{refused:?}");
    assert!(message.contains("64000000") && message.contains("7200x9600"), "{message}");
    assert_eq!(detect(&anna(1)).status, 200, "the next request is served");
}
