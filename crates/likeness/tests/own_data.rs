//! Tests the generated networks and photographs: every reader accepts the files, and every result is the one
//! that an independent implementation recorded (`tools/own-data-answers`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the table is for --nocapture")]

mod support;

use std::sync::OnceLock;

use likeness::align::aligned;
use likeness::detect::Face;
use likeness::distance::Metric;
use likeness::embed;
use likeness::engine::Scratch;
use likeness::find::{FAST_SIDE, Mode};
use likeness::image::{Bgr, Limits, decode};
use likeness::liveness::{Liveness, judge};
use likeness::policy::Policy;
use likeness::quality::Quality;
use likeness::selftest::SelfTest;
use serde_json::Value;
use support::numbers;
use support::world::own as world;
use testkit::data::{self, OwnData, own_data};

fn recorded() -> &'static Value {
    static RECORDED: OnceLock<Value> = OnceLock::new();
    RECORDED.get_or_init(|| serde_json::from_str(data::ANSWERS).unwrap())
}

fn photo(name: &str) -> Bgr {
    decode(&own_data().image(name), &Limits::default()).unwrap()
}

fn farthest(ours: impl IntoIterator<Item = f64>, theirs: &Value) -> f64 {
    let (ours, theirs): (Vec<f64>, _) = (ours.into_iter().collect(), numbers(theirs));
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn embedding(image: &Bgr, face: &Face, scratch: &mut Scratch) -> Vec<f64> {
    let input = embed::input(&aligned(image, face).unwrap()).unwrap();
    world().encoder.embedder().embed(scratch, &input).unwrap().iter().map(|number| f64::from(*number)).collect()
}

#[test]
fn the_files_load_under_their_pins_as_files_that_are_not_known() {
    let world = world();
    let pins = [data::DETECTOR, data::SPOOF_NEAR, data::SPOOF_FAR, data::EMBEDDER].map(OwnData::sha256);
    let tested = [
        world.finder.detector().tested(),
        world.pair.v2().tested(),
        world.pair.v1se().tested(),
        world.encoder.embedder().tested(),
    ];
    for (tested, pin) in tested.into_iter().zip(pins) {
        assert!(matches!(tested, SelfTest::Structural { .. }), "{tested:?}");
        assert_eq!(tested.digest().to_string(), pin);
    }
}

#[test]
fn every_face_of_every_photograph_is_the_recorded_one() {
    let (mut scratch, mut wrong) = (Scratch::default(), Vec::new());
    // The worst errors of scores, probabilities and embeddings.
    let mut worst = [0.0_f64; 3];
    for (name, expected) in recorded()["photographs"].as_object().unwrap() {
        let image = photo(name);
        let found = world().finder.find(&mut scratch, &image, Mode::Exact).unwrap();
        let expected = expected.as_array().unwrap();
        if found.faces.len() != expected.len() {
            wrong.push(format!("{name}: expected {} faces, found {:?}", expected.len(), found.faces));
        }
        for (face, expected) in found.faces.iter().zip(expected) {
            let area = serde_json::json!([face.area.x, face.area.y, face.area.w, face.area.h]);
            let landmarks = serde_json::json!(face.landmarks);
            if area != expected["area"] || landmarks != expected["landmarks"] {
                wrong.push(format!("{name}: expected {expected}, found {area} and {landmarks}"));
                continue;
            }
            let scores = world().pair.scores(&mut scratch, &image, &face.area).unwrap();
            let seen = [0, 1].map(|at| farthest(scores.softmax()[at].map(f64::from), &expected["softmax"][at]));
            let means: Vec<f64> =
                embedding(&image, face, &mut scratch).chunks(8).map(|eight| eight.iter().sum::<f64>() / 8.0).collect();
            let errors = [
                (f64::from(face.score) - expected["score"].as_f64().unwrap()).abs(),
                seen[0].max(seen[1]),
                farthest(means, &expected["embedding"]),
            ];
            worst = std::array::from_fn(|at| worst[at].max(errors[at]));
            if errors[0] > 1e-5 || errors[1] > 1e-5 || errors[2] > 5e-3 {
                wrong.push(format!("{name}: score, probability, embedding off by {errors:?}"));
            }
        }
    }
    println!("worst score, probability, embedding: {worst:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_distance_of_two_photographs_is_the_recorded_one() {
    let (mut scratch, mut wrong, mut worst) = (Scratch::default(), Vec::new(), 0.0_f64);
    let mut embeddings = std::collections::BTreeMap::new();
    for (name, faces) in recorded()["photographs"].as_object().unwrap() {
        if faces.as_array().unwrap().is_empty() {
            continue;
        }
        let image = photo(name);
        let face = world().finder.find(&mut scratch, &image, Mode::Exact).unwrap().faces[0];
        embeddings.insert(name.as_str(), embedding(&image, &face, &mut scratch));
    }
    for pair in recorded()["pairs"].as_array().unwrap() {
        let [first, second] = [0, 1].map(|at| &embeddings[pair[at].as_str().unwrap()]);
        let error = (Metric::Cosine.distance(first, second) - pair[2].as_f64().unwrap()).abs();
        worst = worst.max(error);
        if error > 2e-3 {
            wrong.push(format!("{pair}: {error:.1e}"));
        }
    }
    println!("worst distance: {worst:.1e}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_photographs_are_live_fake_and_neither_as_they_were_drawn() {
    let table = [
        ("anna.jpg", "live", None),
        ("bert.jpg", "live", None),
        ("carl.jpg", "live", None),
        ("anna_fake.jpg", "spoof", None),
        ("bert_fake.jpg", "spoof", None),
        ("unsure.jpg", "indeterminate", Some("unsure")),
        ("disagree.jpg", "indeterminate", Some("networks_disagree")),
        ("close.jpg", "indeterminate", Some("context_too_small")),
    ];
    let mut scratch = Scratch::default();
    let found = table.map(|(name, ..)| {
        let image = photo(name);
        let face = world().finder.find(&mut scratch, &image, Mode::Auto).unwrap().faces[0];
        let scores = world().pair.scores(&mut scratch, &image, &face.area).unwrap();
        let liveness: Liveness = judge(scores, Quality::of(&image, &face).shown(), &Policy::default().liveness);
        (name, liveness.name(), liveness.doubt().map(|doubt| doubt.code()))
    });
    assert_eq!(found, table);
}

/// A found box differs from the drawn box by at most a tenth of its width, whether the photograph is reduced
/// or not.
#[test]
fn drawn_faces_are_found_where_they_were_drawn_in_both_modes() {
    let (mut scratch, mut wrong) = (Scratch::default(), Vec::new());
    for (name, scene) in data::photographs::all() {
        let image = photo(&name);
        for mode in [Mode::Exact, Mode::Fast { side: FAST_SIDE }] {
            let found = world().finder.find(&mut scratch, &image, mode).unwrap().faces;
            if found.len() != scene.faces.len() {
                wrong.push(format!("{name} {mode:?}: {} faces, drawn {}", found.len(), scene.faces.len()));
            }
            for drawn in &scene.faces {
                let near = |face: &Face| {
                    let middle = [face.area.x + face.area.w / 2, face.area.y + face.area.h / 2];
                    let off = [0, 1].map(|axis| (middle[axis] - i64::from(drawn.middle[axis])).abs());
                    let size = (face.area.w - i64::from(drawn.width)).abs();
                    10 * off[0].max(off[1]).max(size) <= i64::from(drawn.width)
                };
                if !found.iter().any(near) {
                    wrong.push(format!("{name} {mode:?}: {found:?}, drawn {:?} {}", drawn.middle, drawn.width));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
