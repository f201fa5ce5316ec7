//! Reproduces the results of DeepFace and Silent-Face step by step; `just parity` prints the table.
//!
//! The tolerances are the differences of DeepFace itself between two versions of OpenCV.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the table is for --nocapture")]

mod support;

use std::collections::BTreeMap;
use std::fs;

use likeness::align::{aligned, unaligned};
use likeness::crop::{self, Crop};
use likeness::deepface::{Subject, verify};
use likeness::detect::{Area, Face, Size, inside};
use likeness::distance::Metric;
use likeness::embed;
use likeness::engine::Scratch;
use likeness::find::{Detected, Mode};
use likeness::image::Bgr;
use likeness::liveness::{self, SpoofScores};
use likeness::policy::Policy;
use likeness::quality::Quality;
use support::deepface::{self as golden, DeepFace, Outcome, Pair, Run, answers, le_bytes, photo, sha256};
use support::table::{Table, on_the_edge};
use support::world::{World, world};

#[test]
fn every_face_is_deepfaces() {
    let Some(world) = world("every_face_is_deepfaces") else { return };
    let (mut table, mut scratch) = (Table::default(), Scratch::default());
    let mut different = [0, 0];
    for (name, image) in answers(&world.folder).images {
        let pixels = photo(&world.folder, &name);
        table.equal("decoded pixels, sha256", sha256(pixels.data()), image.decoded_bgr_sha256.clone(), &name);
        for (mode, run, align) in
            [(Mode::Exact, &image.aligned, true), (Mode::Fast { side: 4096 }, &image.unaligned, false)]
        {
            let found = world.finder.find(&mut scratch, &pixels, mode).unwrap();
            let row = format!("{name} {}", found.look.name());
            let Size { x, y } = found.look.view.net;
            table.equal("network's input size", [y, x], run.raw_detector.net_hw, &row);
            detections(&mut table, &found, run, &row);
            for (at, (face, expected)) in found.faces.iter().zip(&run.faces).enumerate() {
                let row = format!("{row} face {at}");
                spoof(&mut table, &mut scratch, world, &pixels, face, expected, &row);
                different[0] += 1;
                different[1] +=
                    usize::from(expected.fasnet[0].input_chw_f32_sha256 != expected.fasnet[1].input_chw_f32_sha256);
                let cut = if align { aligned(&pixels, face) } else { unaligned(&pixels, face) };
                let stored =
                    (align && at == 0).then(|| world.folder.join(format!("golden/arrays/{name}.face_rgb_u8.npy")));
                let stored = stored.and_then(|path| fs::read(path).ok());
                cut_face(&mut table, &cut.unwrap(), expected, stored.as_deref(), &row);
            }
        }
    }
    table.listed.push(format!("{} of {} faces have different 2.7 and 4.0 crops", different[1], different[0]));
    assert!(different[1] > 0, "faces that tell the two scales apart");
    table.finish("faces");
}

/// Compares raw boxes and landmarks, then integers.
fn detections(table: &mut Table, found: &Detected, run: &Run, row: &str) {
    let raw = &run.raw_detector;
    let landmarks: &Vec<[f32; 10]> = &raw.landmarks_xy5;
    table.equal("number of faces", found.faces.len(), run.faces.len(), row);
    for ((ours, theirs), points) in found.raw.iter().zip(&raw.detections_x1y1x2y2score).zip(landmarks) {
        let box_error = farthest(&ours.corners, &theirs[..4]);
        table.within("raw boxes, pixels", 1e-3, box_error, row);
        table.within("raw landmarks, pixels", 1e-3, farthest(ours.landmarks.as_flattened(), points), row);
        table.within("score", 1e-4, f64::from((ours.score - theirs[4]).abs()), row);
    }
    let view = &found.look.view;
    for ((face, raw), expected) in found.faces.iter().zip(&found.raw).zip(&run.faces) {
        let ours = reported(face, view.image);
        if ours != expected.facial_area && on_the_edge(raw) {
            table.listed.push(format!("{row}: {ours:?}, a raw coordinate lies within 2e-3 of an integer"));
        } else {
            table.equal("facial areas and eyes", ours, expected.facial_area, row);
        }
        table.equal("confidence, two decimals", face.confidence(), expected.confidence, row);
    }
}

fn reported(face: &Face, image: Size) -> golden::Area {
    let Area { x, y, w, h } = face.area;
    let eye = |point| inside(point, image);
    golden::Area { x, y, w, h, left_eye: eye(face.left_eye()), right_eye: eye(face.right_eye()) }
}

fn farthest(ours: &[f32], theirs: &[f32]) -> f64 {
    ours.iter().zip(theirs).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

/// Compares crops, the networks' inputs and outputs, and DeepFace's conclusion from them.
fn spoof(
    table: &mut Table,
    scratch: &mut Scratch,
    world: &World,
    image: &Bgr,
    face: &Face,
    expected: &golden::Face,
    row: &str,
) {
    let scores = world.pair.scores(scratch, image, &face.area).unwrap();
    for ((crop, softmax), network) in scores.crops().iter().zip(scores.softmax()).zip(&expected.fasnet) {
        let row = format!("{row} {}", network.model);
        let Crop { first: [x1, y1], last: [x2, y2], .. } = *crop;
        table.equal("spoof crops", [x1, y1, x2, y2], network.crop_x1y1x2y2_inclusive, &row);
        let input = sha256(&le_bytes(&planes(&crop::input(&crop.pixels(image)))));
        table.equal("spoof inputs, sha256", input, network.input_chw_f32_sha256.clone(), &row);
        table.within("spoof softmax", 1e-5, apart(softmax, &network.softmax), &row);
    }
    table.equal("is_real", scores.is_real(), expected.is_real, row);
    table.within("antispoof_score", 1e-5, (scores.antispoof_score() - expected.antispoof_score).abs(), row);
}

fn apart(ours: &[f32; 3], theirs: &[f64; 3]) -> f64 {
    ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

/// Converts rows of pixels to one plane for each channel.
fn planes(pixels: &[f32]) -> Vec<f32> {
    (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied()).collect()
}

fn rgb(face: &Bgr) -> Vec<u8> {
    face.data().chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]).collect()
}

/// Compares the cut-out face: equal, or at most one byte of a thousand differs by one.
fn cut_face(table: &mut Table, cut: &Bgr, expected: &golden::Face, stored: Option<&[u8]>, row: &str) {
    let ours = rgb(cut);
    if sha256(&ours) == expected.face_u8_rgb_sha256 {
        table.within("face bytes off by one, part", 1e-3, 0.0, row);
        return;
    }
    let Some(stored) = stored else {
        table.listed.push(format!("{row}: face bytes differ, and only their sum is stored"));
        return;
    };
    let theirs = &stored[stored.len() - ours.len()..];
    let off: Vec<u8> = ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(*b)).filter(|d| *d > 0).collect();
    table.within("face bytes off by one, part", 1e-3, off.len() as f64 / ours.len() as f64, row);
    table.within("face bytes, greatest difference", 1.0, f64::from(off.iter().copied().max().unwrap_or(0)), row);
}

/// Embeds the faces of a photograph as DeepFace aligns them, or the whole photograph.
fn embed_all(world: &World, scratch: &mut Scratch, image: &Bgr, skip: bool) -> Vec<Vec<f64>> {
    let mut embed = |input: &[f32]| {
        world.encoder.embedder().embed(scratch, input).unwrap().iter().map(|v| f64::from(*v)).collect::<Vec<_>>()
    };
    if skip {
        return vec![embed(&embed::input_skip(image).unwrap())];
    }
    let found = world.finder.find(&mut Scratch::default(), image, Mode::Exact).unwrap();
    found.faces.iter().map(|face| embed(&embed::input(&aligned(image, face).unwrap()).unwrap())).collect()
}

#[test]
fn every_embedding_is_deepfaces() {
    let Some(world) = world("every_embedding_is_deepfaces") else { return };
    let (mut table, mut scratch) = (Table::default(), Scratch::default());
    for (name, expected) in answers(&world.folder).embeddings {
        let image = photo(&world.folder, &name);
        let input = sha256(&le_bytes(&embed::input_skip(&image).unwrap()));
        table.equal("whole photographs: input, sha256", input, expected.skip[0].input_nhwc_f32_sha256.clone(), &name);
        let stored = fs::read(world.folder.join(format!("golden/arrays/{name}.face_rgb_u8.npy"))).unwrap();
        let theirs = stored_face(&stored);
        let input = sha256(&le_bytes(&embed::input(&theirs).unwrap()));
        let row = &expected.centerface[0];
        table.equal("stored faces: input, sha256", input, row.input_nhwc_f32_sha256.clone(), &name);
        for (ours, theirs) in embed_all(world, &mut scratch, &image, false).iter().zip(&expected.centerface) {
            table.within("aligned, cosine distance", 1e-4, Metric::Cosine.distance(ours, &theirs.embedding), &name);
        }
        let ours = &embed_all(world, &mut scratch, &image, true)[0];
        let theirs = &expected.skip[0].embedding;
        table.within("whole photographs, cosine distance", 1e-5, Metric::Cosine.distance(ours, theirs), &name);
        let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        table.within("whole photographs, a component", 2e-4, worst, &name);
    }
    table.finish("embeddings");
}

/// Converts a stored array of RGB bytes to an image.
fn stored_face(file: &[u8]) -> Bgr {
    let end = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    let header = std::str::from_utf8(&file[10..end]).unwrap();
    let shape = header.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let sizes: Vec<usize> = shape.split(',').map(|n| n.trim().parse().unwrap()).collect();
    let bgr = file[end..].chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
    Bgr::new(sizes[1], sizes[0], bgr).unwrap()
}

/// Returns a photograph's faces for DeepFace's rule.
fn subjects(world: &World, scratch: &mut Scratch, name: &str) -> Vec<Subject<Area>> {
    let image = photo(&world.folder, name);
    let embeddings = embed_all(world, scratch, &image, false);
    let found = world.finder.find(scratch, &image, Mode::Exact).unwrap();
    let with = |(face, embedding): (&Face, Vec<f64>)| {
        let is_real = world.pair.scores(scratch, &image, &face.area).unwrap().is_real();
        Subject { area: face.area, embedding, is_real: Some(is_real) }
    };
    found.faces.iter().zip(embeddings).map(with).collect()
}

fn metric(name: &str) -> Metric {
    Metric::ALL.into_iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn every_pair_is_deepfaces() {
    let Some(world) = world("every_pair_is_deepfaces") else { return };
    let (mut table, mut scratch) = (Table::default(), Scratch::default());
    let DeepFace { pairs, embeddings, .. } = answers(&world.folder);
    let mut seen: BTreeMap<String, Vec<Subject<Area>>> = BTreeMap::new();
    for pair in &pairs {
        let (Pair::Plain(golden::Plain { img1, img2, .. })
        | Pair::AntiSpoofing(golden::AntiSpoofing { img1, img2, .. })) = pair;
        for name in [img1, img2] {
            seen.entry(name.clone()).or_insert_with_key(|name| subjects(world, &mut scratch, name));
        }
        let (first, second) = (&seen[img1], &seen[img2]);
        match pair {
            Pair::Plain(plain) => {
                plain_pair(&mut table, plain, first, second);
                if let (Some(first), Some(second)) = (embeddings.get(img1), embeddings.get(img2)) {
                    stored_pair(&mut table, plain, &first.centerface, &second.centerface);
                }
            }
            Pair::AntiSpoofing(guarded) => guarded_pair(&mut table, guarded, first, second),
        }
    }
    table.finish("pairs");
}

/// Compares distance and confidence from DeepFace's stored embeddings.
fn stored_pair(table: &mut Table, plain: &golden::Plain, first: &[golden::Embedding], second: &[golden::Embedding]) {
    let row = format!("{} {} {}", plain.img1, plain.img2, plain.similarity_metric);
    let metric = metric(&plain.similarity_metric);
    let pairs = first.iter().flat_map(|a| second.iter().map(|b| metric.distance(&a.embedding, &b.embedding)));
    let ours = pairs.fold(f64::INFINITY, f64::min);
    let Some(distance) = plain.distance else { return };
    // DeepFace embedded the faces again for the comparison, so the error is relative to the distance.
    let error = (ours - distance).abs() / distance.abs().max(1.0);
    table.within("distance from stored embeddings, relative", 1e-6, error, &row);
    if metric == Metric::Cosine {
        table.within("cosine distance from stored embeddings", 1e-6, (ours - distance).abs(), &row);
    }
    table.within(
        "confidence from DeepFace's distance",
        0.0,
        (metric.confidence(distance, plain.verified) - plain.confidence).abs(),
        &row,
    );
}

/// Compares the result from pixels.
fn plain_pair(table: &mut Table, plain: &golden::Plain, first: &[Subject<Area>], second: &[Subject<Area>]) {
    let row = format!("{} {} {}", plain.img1, plain.img2, plain.similarity_metric);
    let metric = metric(&plain.similarity_metric);
    let blind = |subjects: &[Subject<Area>]| -> Vec<_> {
        subjects.iter().map(|subject| Subject { is_real: None, ..subject.clone() }).collect()
    };
    let answer = verify(&blind(first), &blind(second), metric).unwrap();
    table.equal("threshold", answer.threshold, plain.threshold, &row);
    // For a face compared with itself, DeepFace's angle is NaN because of rounding, and so is not a match. This row is
    // not compared.
    let Some(distance) = plain.distance else {
        let found = (answer.verified, answer.distance);
        table.listed.push(format!("{row}: DeepFace finds no distance and no match, ours is {found:?}"));
        return;
    };
    table.equal("verified", answer.verified, plain.verified, &row);
    if metric == Metric::Cosine {
        table.within("cosine distance, end to end", 1e-4, (answer.distance - distance).abs(), &row);
    }
    table.within("confidence, end to end", 0.05, (answer.confidence - plain.confidence).abs(), &row);
}

/// Compares a pair with anti-spoofing: the same result, or the same exception about the same photograph.
fn guarded_pair(table: &mut Table, guarded: &golden::AntiSpoofing, first: &[Subject<Area>], second: &[Subject<Area>]) {
    let row = format!("{} {} with anti-spoofing", guarded.img1, guarded.img2);
    match (verify(first, second, Metric::Cosine), &guarded.cosine_result) {
        (Ok(answer), Outcome::Answered { verified, distance }) => {
            table.equal("anti-spoofing: verified", answer.verified, *verified, &row);
            table.within("anti-spoofing: distance", 1e-4, (answer.distance - distance).abs(), &row);
        }
        (Err(spoof), Outcome::Raised { message, cause }) => {
            assert!(cause.contains("SpoofDetected"), "{cause}");
            table.equal("anti-spoofing: exception", spoof.to_string().starts_with(message.as_str()), true, &row);
        }
        (ours, _) => table.equal("anti-spoofing: exception", format!("{ours:?}"), "the other outcome".into(), &row),
    }
}

#[test]
fn silent_faces_own_numbers() {
    let Some(world) = world("silent_faces_own_numbers") else { return };
    let (mut table, mut scratch) = (Table::default(), Scratch::default());
    let samples = support::golden(&world.folder, "silent_face.json");
    for (name, sample) in samples.as_object().unwrap() {
        let image = photo(&world.folder, name);
        for detector in ["retinaface", "centerface"] {
            let expected = &sample[detector];
            let row = format!("{name} {detector}");
            let [x, y, w, h] = numbers(&expected["bbox_xywh"]).map(|v| v as i64);
            let scores = world.pair.scores(&mut scratch, &image, &Area { x, y, w, h }).unwrap();
            table.equal("label", scores.label() as i64, expected["label"].as_i64().unwrap(), &row);
            table.within("score", 1e-5, (scores.antispoof_score() - expected["score"].as_f64().unwrap()).abs(), &row);
            for (at, network) in ["MiniFASNetV2", "MiniFASNetV1SE"].into_iter().enumerate() {
                silent_network(
                    &mut table,
                    &image,
                    &scores,
                    at,
                    &expected["per_model"][network],
                    &format!("{row} {network}"),
                );
            }
        }
    }
    table.finish("Silent-Face");
}

fn silent_network(
    table: &mut Table,
    image: &Bgr,
    scores: &SpoofScores,
    at: usize,
    expected: &serde_json::Value,
    row: &str,
) {
    let Crop { first: [x1, y1], last: [x2, y2], .. } = scores.crops()[at];
    table.equal("crop", [x1, y1, x2, y2].map(|v| v as f64), numbers(&expected["crop_xyxy_inclusive"]), row);
    let sum: u64 = scores.crops()[at].pixels(image).data().iter().map(|v| u64::from(*v)).sum();
    table.equal("sum of the 80x80 bytes", sum, expected["crop_sum"].as_u64().unwrap(), row);
    table.within("softmax", 1e-5, apart(&scores.softmax()[at], &numbers(&expected["softmax"])), row);
}

fn numbers<const N: usize>(list: &serde_json::Value) -> [f64; N] {
    support::numbers(list).try_into().unwrap()
}

/// Returns every face of the golden files with its photograph and DeepFace's result.
fn golden_faces(world: &World) -> Vec<(String, Bgr, golden::Face)> {
    let faces = answers(&world.folder).images.into_iter().flat_map(|(name, image)| {
        let pixels = photo(&world.folder, &name);
        let faces = image.aligned.faces.into_iter().chain(image.unaligned.faces);
        faces.map(move |face| (name.clone(), pixels.clone(), face))
    });
    faces.collect()
}

fn area(of: &golden::Area) -> Area {
    Area { x: of.x, y: of.y, w: of.w, h: of.h }
}

/// Measures the quality of a face's box, as if the box were completely in the photograph.
fn whole(image: &Bgr, area: Area) -> Quality {
    let face = Face { area, unclipped: area, landmarks: [[0, 0]; 5], score: 1.0 };
    Quality { inside: 1.0, ..Quality::of(image, &face) }
}

#[test]
fn no_face_that_deepface_calls_fake_is_live() {
    let Some(world) = world("no_face_that_deepface_calls_fake_is_live") else { return };
    let mut scratch = Scratch::default();
    let mut fakes = 0;
    for (name, image, face) in golden_faces(world) {
        let scores = world.pair.scores(&mut scratch, &image, &area(&face.facial_area)).unwrap();
        let judged =
            liveness::judge(scores, whole(&image, area(&face.facial_area)).shown(), &Policy::default().liveness);
        let (p, least, context) = (scores.live_probability(), scores.least(), scores.context());
        println!(
            "{name:14} is_real {:5} {:13} live {p:.4}, least {least:.4}, context {context:.2}",
            face.is_real,
            judged.name()
        );
        fakes += usize::from(!face.is_real);
        assert!(face.is_real || judged.name() != "live", "{name}: {judged:?}");
    }
    assert!(fakes > 0, "golden faces that are fake");
}

#[test]
fn a_photograph_cropped_to_its_face_is_never_a_spoof_for_want_of_context() {
    let Some(world) = world("cropped") else { return };
    let mut scratch = Scratch::default();
    for (name, image, face) in golden_faces(world) {
        let Area { x, y, w, h } = area(&face.facial_area);
        let cropped = image.window(x, y, w as usize, h as usize);
        let whole_area = Area { x: 0, y: 0, w: w - 1, h: h - 1 };
        let scores = world.pair.scores(&mut scratch, &cropped, &whole_area).unwrap();
        let judged = liveness::judge(scores, whole(&cropped, whole_area).shown(), &Policy::default().liveness);
        assert_eq!(judged.doubt(), Some(liveness::Doubt::ContextTooSmall), "{name}: {judged:?}");
    }
}

/// Returns the largest difference from DeepFace's vectors over all faces, if the networks get other crops.
fn worst_when(world: &World, look: impl Fn(&Bgr, &Area, &mut Scratch) -> [[f32; 3]; 2]) -> f64 {
    let mut scratch = Scratch::default();
    let errors = golden_faces(world).into_iter().map(|(_, image, face)| {
        let found = look(&image, &area(&face.facial_area), &mut scratch);
        found.iter().zip(&face.fasnet).map(|(ours, theirs)| apart(ours, &theirs.softmax)).fold(0.0, f64::max)
    });
    errors.fold(0.0, f64::max)
}

#[test]
fn swapped_scales_swapped_networks_and_swapped_colours_are_noticed() {
    use likeness::net::minifasnet::softmax;
    let Some(world) = world("swapped") else { return };
    let (v2, v1se) = (world.pair.v2(), world.pair.v1se());
    let pixels = |image: &Bgr, area: &Area, scale: f64| {
        crop::input(&crop::crop(image.width(), image.height(), area, scale).pixels(image))
    };
    let turned = |input: Vec<f32>| -> Vec<f32> { input.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]).collect() };
    let run = |near: &[f32], far: &[f32], scratch: &mut Scratch| {
        [softmax(v2.logits(scratch, near).unwrap()), softmax(v1se.logits(scratch, far).unwrap())]
    };
    let right = worst_when(world, |image, area, s| run(&pixels(image, area, 2.7), &pixels(image, area, 4.0), s));
    let scales = worst_when(world, |image, area, s| run(&pixels(image, area, 4.0), &pixels(image, area, 2.7), s));
    let colours = worst_when(world, |image, area, s| {
        run(&turned(pixels(image, area, 2.7)), &turned(pixels(image, area, 4.0)), s)
    });
    let networks = worst_when(world, |image, area, s| {
        let [first, second] = run(&pixels(image, area, 2.7), &pixels(image, area, 4.0), s);
        [second, first]
    });
    println!("right {right:.1e}, scales {scales:.2}, colours {colours:.2}, networks {networks:.2}");
    assert!(right < 1e-5);
    assert!(scales > 0.1 && colours > 0.1 && networks > 0.1);
}
