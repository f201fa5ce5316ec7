//! Reproduces the results of DeepFace 0.0.103 that `tools/deepface-answers` recorded, from the `.onnx` files
//! that DeepFace opened. `just parity` prints the tables. `tests/parity.rs` compares each step, for 0.0.98.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the tables are for --nocapture")]

mod support;

use std::collections::BTreeMap;

use likeness::align::{aligned, unaligned};
use likeness::deepface::{Subject, verify};
use likeness::detect::inside;
use likeness::distance::Metric;
use likeness::embed;
use likeness::engine::Scratch;
use likeness::find::{Detected, Mode};
use likeness::image::Bgr;
use serde_json::{Value, json};
use support::deepface::{photo, sha256};
use support::table::{Table, on_the_edge};
use support::world::{World, exported};
use support::{FACENET512, testdata};
use testkit::data::{EMBEDDER, own_data};

const OWN: &str = include_str!("deepface/0.0.103-own.json");
const SHARED: &str = include_str!("deepface/0.0.103-shared.json");

/// The ways in which DeepFace takes faces from a photograph.
const WAYS: [&str; 4] = ["align=True", "align=False", "skip", "whole"];

type Faces = Vec<Subject<()>>;

#[test]
fn every_answer_of_0_0_103_about_drawn_faces_is_ours() {
    compare("drawn faces", OWN, &exported(own_data().root(), EMBEDDER), 2e-3);
}

#[test]
fn every_answer_of_0_0_103_about_photographs_is_ours() {
    if let Some(folder) = testdata("every_answer_of_0_0_103_about_photographs_is_ours") {
        compare("photographs", SHARED, &exported(&folder, FACENET512), 1e-4);
    }
}

/// Compares results; `most` is the largest difference of a distance, because the embedder of the drawn faces
/// enlarges small differences.
fn compare(title: &str, recorded: &str, world: &World, most: f64) {
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    assert_eq!(recorded["versions"]["deepface"], "0.0.103");
    let (mut table, mut scratch, mut seen) = (Table::default(), Scratch::default(), BTreeMap::new());
    for (name, expected) in recorded["photographs"].as_object().unwrap() {
        let image = photo(&world.folder, name);
        for (way, mode) in [("align=True", Mode::Exact), ("align=False", Mode::Fast { side: 4096 })] {
            let found = world.finder.find(&mut scratch, &image, mode).unwrap();
            let subjects =
                faces(&mut table, &mut scratch, world, &image, &found, &expected[way], &format!("{name} {way}"));
            seen.insert((name.clone(), way), subjects);
        }
        for (way, input) in [("skip", embed::input_skip(&image)), ("whole", embed::input(&image))] {
            seen.insert((name.clone(), way), vec![subject(world, &mut scratch, &input.unwrap(), None)]);
        }
        lengths(&mut table, &seen[&(name.clone(), "align=True")], &expected["centerface"], name);
        lengths(&mut table, &seen[&(name.clone(), "skip")], &expected["skip"], name);
    }
    assert_eq!(seen.len(), WAYS.len() * recorded["photographs"].as_object().unwrap().len());
    for row in recorded["pairs"].as_array().unwrap() {
        pair(&mut table, &seen, row, most);
    }
    table.finish(title);
}

fn subject(world: &World, scratch: &mut Scratch, input: &[f32], is_real: Option<bool>) -> Subject<()> {
    let numbers = world.encoder.embedder().embed(scratch, input).unwrap();
    Subject { area: (), embedding: numbers.iter().map(|number| f64::from(*number)).collect(), is_real }
}

/// Compares the faces of a photograph with DeepFace's.
fn faces(
    table: &mut Table,
    scratch: &mut Scratch,
    world: &World,
    image: &Bgr,
    found: &Detected,
    expected: &Value,
    row: &str,
) -> Faces {
    if found.faces.is_empty() {
        table.equal("photographs without a face", &json!("FaceNotDetected"), &expected["raises"], row);
        return Vec::new();
    }
    let expected = expected.as_array().unwrap();
    table.equal("number of faces", found.faces.len(), expected.len(), row);
    let each = found.faces.iter().zip(&found.raw).zip(expected).map(|((face, raw), expected)| {
        let size = likeness::detect::Size { x: image.width(), y: image.height() };
        let eyes = [inside(face.left_eye(), size), inside(face.right_eye(), size)];
        let area = json!([[face.area.x, face.area.y, face.area.w, face.area.h], eyes, face.confidence()]);
        let theirs = json!([expected["area"], expected["eyes"], expected["confidence"]]);
        if area != theirs && on_the_edge(raw) {
            table.listed.push(format!("{row}: a raw coordinate lies within 2e-3 of an integer"));
        } else {
            table.equal("areas, eyes, confidence", area, theirs, row);
        }
        let scores = world.pair.scores(scratch, image, &face.area).unwrap();
        table.equal("is_real", &json!(scores.is_real()), &expected["is_real"], row);
        let error = scores.antispoof_score() - expected["antispoof_score"].as_f64().unwrap();
        table.within("antispoof_score", 1e-5, error.abs(), row);
        let turned = row.ends_with("align=True");
        let cut = if turned { aligned(image, face) } else { unaligned(image, face) }.unwrap();
        table.equal("size of the cut face", json!([cut.height(), cut.width()]), expected["shape"].clone(), row);
        let rgb: Vec<u8> = cut.data().chunks_exact(3).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        if turned && expected["sha256"] != sha256(&rgb) {
            table.listed.push(format!("{row}: the turned face differs in some byte"));
        } else {
            table.equal("bytes of the cut face", &json!(sha256(&rgb)), &expected["sha256"], row);
        }
        subject(world, scratch, &embed::input(&cut).unwrap(), Some(scores.is_real()))
    });
    each.collect()
}

/// Compares the lengths of embeddings.
fn lengths(table: &mut Table, found: &Faces, expected: &Value, row: &str) {
    let Some(expected) = expected.as_array() else { return };
    assert_eq!(found.len(), expected.len(), "{row}");
    for (subject, expected) in found.iter().zip(expected) {
        let (length, expected) =
            (subject.embedding.iter().map(|n| n * n).sum::<f64>().sqrt(), expected.as_f64().unwrap());
        table.within("length of an embedding, part of it", 1e-4, (length / expected - 1.0).abs(), row);
    }
}

/// Compares one pair with DeepFace's result.
fn pair(table: &mut Table, seen: &BTreeMap<(String, &str), Faces>, row: &Value, most: f64) {
    let (options, expected) = (&row[2], &row[3]);
    let way = match options {
        _ if options["align"] == false => "align=False",
        _ if options["detector_backend"] == "skip" => "whole",
        _ => "align=True",
    };
    let subjects = [0, 1].map(|at| {
        let name = row[at].as_str().unwrap().to_owned();
        let found = &seen[&(name.clone(), way)];
        let found =
            if found.is_empty() && options["enforce_detection"] == false { &seen[&(name, "whole")] } else { found };
        let judged = |subject: &Subject<()>| Subject {
            is_real: subject.is_real.filter(|_| options["anti_spoofing"] == true),
            ..subject.clone()
        };
        found.iter().map(judged).collect::<Faces>()
    });
    let name = options["distance_metric"].as_str().unwrap_or("cosine");
    let metric = Metric::ALL.into_iter().find(|(other, _)| *other == name).unwrap().1;
    let what = format!("{} {} {options}", row[0], row[1]);
    if let Some(at) = subjects.iter().position(Vec::is_empty) {
        let says = format!("Exception while processing img{}_path: Face could not be detected", at + 1);
        table.equal(
            "no face: the exception's words",
            expected["says"].as_str().unwrap().starts_with(&says),
            true,
            &what,
        );
        return;
    }
    match verify(&subjects[0], &subjects[1], metric) {
        Err(spoof) => table.equal("spoof: the exception's words", &json!(spoof.to_string()), &expected["says"], &what),
        Ok(answer) => {
            table.equal(
                "verified, threshold",
                json!([answer.verified, answer.threshold]),
                json!([expected[0], expected[2]]),
                &what,
            );
            let [distance, confidence] = [1, 3].map(|at| expected[at].as_f64().unwrap());
            let (title, most) =
                if name == "euclidean" { ("euclidean distance", 1e-2) } else { ("other distances", most) };
            table.within(title, most, (answer.distance - distance).abs(), &what);
            table.within("confidence", 0.05, (answer.confidence - confidence).abs(), &what);
        }
    }
}
