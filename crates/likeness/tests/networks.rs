//! Compares the four networks with golden results, and tests swapped and altered files.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the tables are for --nocapture")]

mod support;

use likeness::embed::{Trust, TrustedEmbedder};
use likeness::engine::{KernelSet, RunError, Scratch};
use likeness::image::resize::{Window, resize, resize_window};
use likeness::image::{Bgr, Framed};
use likeness::net::centerface::Maps;
use likeness::net::minifasnet::softmax;
use likeness::net::{Detector, Digest, Embedder, SpoofV1Se, SpoofV2, WeightFile};
use likeness::selftest::SelfTest;
use likeness::space::{DetectionPolicy, SpaceId};
use serde_json::Value;
use support::{
    Array, CENTERFACE, FACENET512, SPOOF_V1SE, SPOOF_V2, array, farthest, golden, numbers, testdata, weights,
};
use testkit::data::{EMBEDDER, own_data};

/// Converts a channels-first array of 3 x 80 x 80 to rows of pixels.
fn pixels(chw: &Array) -> Vec<f32> {
    assert_eq!(chw.shape, [3, 80, 80]);
    let plane = 80 * 80;
    (0..3 * plane).map(|i| chw.numbers[i % 3 * plane + i / 3]).collect()
}

/// Returns the golden results of a spoof network for every stored input: photograph, vector.
fn spoof_answers(golden: &Value, network: &str) -> Vec<(String, Value)> {
    let images = golden["images"].as_object().unwrap();
    let rows = images.iter().flat_map(|(photo, image)| {
        let faces = image["align_True"]["faces"].as_array().unwrap();
        let first = faces.first()?;
        let nets = first["fasnet"].as_array()?;
        let net = nets.iter().find(|net| net["model"] == network)?;
        Some((photo.clone(), net.clone()))
    });
    rows.collect()
}

#[test]
fn each_spoof_network_gives_deepfaces_vectors_for_the_stored_crops() {
    let Some(folder) = testdata("spoof vectors") else { return };
    let golden = golden(&folder, "deepface.json");
    let v2 = SpoofV2::load(weights(&folder, SPOOF_V2), KernelSet::best()).unwrap();
    let v1se = SpoofV1Se::load(weights(&folder, SPOOF_V1SE), KernelSet::best()).unwrap();
    let mut scratch = Scratch::default();
    let mut failures = Vec::new();
    for (ending, network) in [("fas27", "2.7_80x80_MiniFASNetV2"), ("fas40", "4_0_0_80x80_MiniFASNetV1SE")] {
        for (photo, answer) in spoof_answers(&golden, network) {
            let name = format!("{photo}.{ending}_chw_bgr_u8.npy");
            if !folder.join("golden/arrays").join(&name).exists() {
                continue;
            }
            let input = pixels(&array(&folder, &name));
            let logits = match ending {
                "fas27" => v2.logits(&mut scratch, &input),
                _ => v1se.logits(&mut scratch, &input),
            };
            let logits = logits.unwrap();
            let error = farthest(&softmax(logits), &numbers(&answer["softmax"]));
            let logit = farthest(&logits, &numbers(&answer["logits"]));
            println!("{photo:14} {ending}: softmax {error:.1e}, logits {logit:.1e}");
            if error > 1e-5 {
                failures.push(format!("{photo} {ending}: off by {error}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn facenet512_gives_deepfaces_embeddings_for_the_stored_faces() {
    let Some(folder) = testdata("embeddings") else { return };
    let golden = golden(&folder, "deepface.json");
    let embedder = Embedder::load(weights(&folder, FACENET512), KernelSet::best()).unwrap();
    let mut scratch = Scratch::default();
    let mut failures = Vec::new();
    let ending = ".centerface.facenet_input_nhwc_f32.npy";
    let photos = support::arrays(&folder, ending);
    assert!(!photos.is_empty());
    for photo in photos {
        let input = array(&folder, &format!("{photo}{ending}"));
        assert_eq!(input.shape, [1, 160, 160, 3]);
        let expected = numbers(&golden["embeddings"][&photo]["centerface"][0]["embedding"]);
        let error = farthest(embedder.embed(&mut scratch, &input.numbers).unwrap(), &expected);
        println!("{photo:14} embedding {error:.1e}");
        if error > 2e-4 {
            failures.push(format!("{photo}: off by {error}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Resizes a canvas as DeepFace does for CenterFace: RGB, height, width.
fn canvas(image: &Bgr, bordered: bool) -> (Vec<f32>, usize, usize) {
    let framed = if bordered { Framed::half(image) } else { Framed::bare(image) };
    let (height, width) = (framed.height().next_multiple_of(32), framed.width().next_multiple_of(32));
    let whole = Window { left: 0, top: 0, width, height };
    let resized = resize_window(framed, width, height, whole);
    let rgb = resized.data().chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]).map(f32::from);
    (rgb.collect(), height, width)
}

/// Returns the box (x1, y1, x2, y2) and ten landmark numbers of a cell of the maps, in pixels of the canvas.
fn decode_cell(maps: &Maps, cell: usize, height: f32, width: f32) -> ([f32; 4], [f32; 10]) {
    let (row, column) = ((cell / maps.columns) as f32, (cell % maps.columns) as f32);
    let (h, w) = (maps.scale[2 * cell].exp() * 4.0, maps.scale[2 * cell + 1].exp() * 4.0);
    let x = ((column + maps.offset[2 * cell + 1] + 0.5) * 4.0 - w / 2.0).clamp(0.0, width);
    let y = ((row + maps.offset[2 * cell] + 0.5) * 4.0 - h / 2.0).clamp(0.0, height);
    let landmark = |i: usize| {
        let part = maps.landmarks[10 * cell + (i ^ 1)];
        if i.is_multiple_of(2) { part * w + x } else { part * h + y }
    };
    ([x, y, (x + w).min(width), (y + h).min(height)], std::array::from_fn(landmark))
}

#[test]
fn the_detectors_maps_hold_every_golden_box_with_its_landmarks() {
    let Some(folder) = testdata("detections") else { return };
    let detector = Detector::load(weights(&folder, CENTERFACE), KernelSet::best()).unwrap();
    let mut scratch = Scratch::default();
    let (mut failures, mut boxes, mut worst) = (Vec::new(), 0, 0f32);
    for (photo, image) in support::deepface::answers(&folder).images {
        let pixels = support::deepface::photo(&folder, &photo);
        for (bordered, run) in [(true, image.aligned), (false, image.unaligned)] {
            if bordered && pixels.width() * pixels.height() > 300_000 {
                continue; // four times the pixels; the pipeline's own tests look at them
            }
            let (rgb, height, width) = canvas(&pixels, bordered);
            let raw = run.raw_detector;
            assert_eq!([height, width], raw.net_hw, "{photo}");
            let maps = detector.maps(&mut scratch, height, width, &rgb).unwrap();
            let [ratio_y, ratio_x] = [0, 1].map(|i| raw.net_hw[i] as f32 / raw.input_hw[i] as f32);
            for (golden, marks) in raw.detections_x1y1x2y2score.iter().zip(&raw.landmarks_xy5) {
                let far = |cell: usize| {
                    let (corners, landmarks) = decode_cell(&maps, cell, height as f32, width as f32);
                    let found = corners.iter().chain(&landmarks).enumerate();
                    let ratio = |i: usize| if i.is_multiple_of(2) { ratio_x } else { ratio_y };
                    let wanted = golden[..4].iter().chain(marks);
                    found.zip(wanted).map(|((i, f), w)| (f / ratio(i) - w).abs()).fold(0.0, f32::max)
                };
                let cells = (0..maps.heat.len()).filter(|&cell| (maps.heat[cell] - golden[4]).abs() < 1e-5);
                let nearest = cells.map(far).fold(f32::INFINITY, f32::min);
                (boxes, worst) = (boxes + 1, worst.max(nearest));
                if nearest > 1e-3 {
                    failures.push(format!("{photo}, bordered {bordered}, {golden:?}: {nearest} px"));
                }
            }
        }
    }
    println!("{boxes} boxes with landmarks, at most {worst:.1e} px off");
    assert!(boxes >= 25, "{boxes}");
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn each_spoof_network_gives_silent_faces_own_numbers() {
    let Some(folder) = testdata("Silent-Face") else { return };
    let golden = golden(&folder, "silent_face.json");
    let v2 = SpoofV2::load(weights(&folder, SPOOF_V2), KernelSet::best()).unwrap();
    let v1se = SpoofV1Se::load(weights(&folder, SPOOF_V1SE), KernelSet::best()).unwrap();
    let mut scratch = Scratch::default();
    let mut failures = Vec::new();
    for (photo, sample) in golden.as_object().unwrap() {
        let image = support::deepface::photo(&folder, photo);
        for boxes in ["retinaface", "centerface"] {
            for name in ["MiniFASNetV2", "MiniFASNetV1SE"] {
                let answer = &sample[boxes]["per_model"][name];
                let [left, top, right, bottom] =
                    [0, 1, 2, 3].map(|i| answer["crop_xyxy_inclusive"][i].as_u64().unwrap() as usize);
                let crop = image.window(left as i64, top as i64, right - left + 1, bottom - top + 1);
                let input: Vec<f32> = resize(&crop, 80, 80).data().iter().map(|&byte| f32::from(byte)).collect();
                let logits = match name {
                    "MiniFASNetV2" => v2.logits(&mut scratch, &input).unwrap(),
                    _ => v1se.logits(&mut scratch, &input).unwrap(),
                };
                let error = farthest(&softmax(logits), &numbers(&answer["softmax"]));
                println!("{photo:14} {boxes:10} {name:14} softmax {error:.1e}");
                if error > 1e-5 {
                    failures.push(format!("{photo} {boxes} {name}: off by {error}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_file_without_a_recorded_answer_is_tested_in_structure_only() {
    let folder = own_data().root();
    let unknown = Digest([7; 32]);
    let file = WeightFile::verified(support::bytes(folder, SPOOF_V2), unknown);
    let network = SpoofV2::load(file, KernelSet::best()).unwrap();
    assert_eq!(*network.tested(), SelfTest::Structural { digest: unknown });
    assert!(network.tested().to_string().contains("no answer is recorded"));
}

#[test]
fn inputs_of_another_size_are_refused_and_batches_are_their_faces() {
    let folder = own_data().root();
    let kernels = KernelSet::best();
    let mut scratch = Scratch::default();
    let detector = Detector::load(weights(folder, CENTERFACE), kernels).unwrap();
    for (height, width, numbers) in [(64, 64, 64 * 64 * 3 - 1), (64, 63, 64 * 63 * 3), (0, 64, 0), (32, 32, 0)] {
        let refused = detector.maps(&mut scratch, height, width, &vec![0.0; numbers]);
        assert!(matches!(refused, Err(RunError::Shape { .. })), "{height}x{width}, {numbers}: {refused:?}");
    }
    let spoof = SpoofV2::load(weights(folder, SPOOF_V2), kernels).unwrap();
    for numbers in [0, 80 * 80, 80 * 80 * 3 + 1, 2 * 80 * 80 * 3] {
        let refused = spoof.logits(&mut scratch, &vec![0.0; numbers]);
        assert!(matches!(refused, Err(RunError::Shape { .. })), "{numbers}: {refused:?}");
    }
    let nan = spoof.logits(&mut scratch, &[f32::NAN; 80 * 80 * 3]);
    assert!(matches!(nan, Err(RunError::NotFinite { .. })), "{nan:?}");
    let embedder = Embedder::load(weights(folder, EMBEDDER), kernels).unwrap();
    let face = 160 * 160 * 3;
    for numbers in [0, face - 1, face + 1] {
        assert!(embedder.embed(&mut scratch, &vec![0.0; numbers]).is_err(), "{numbers}");
    }
    let faces: Vec<f32> = (0..2 * face).map(|i| (i % 251) as f32 / 250.0).collect();
    let both = embedder.embed(&mut scratch, &faces).unwrap().to_vec();
    let second = embedder.embed(&mut scratch, &faces[face..]).unwrap();
    assert_eq!((both.len(), second), (1024, &both[512..]));
}

#[test]
fn the_spaces_of_the_test_data_s_files_never_change() {
    let Some(folder) = testdata("embedding spaces") else { return };
    let digests = [CENTERFACE, FACENET512].map(|name| weights(&folder, name).digest());
    let found = [DetectionPolicy::Native, DetectionPolicy::DeepFace]
        .map(|look| SpaceId::of(digests[0], digests[1], look).to_string());
    let expected = [
        "f86401a7403c8902e45b7e6f01018ba23e8fb8bb18ac34b17d697911033d3f41",
        "d56740a953b2b88ae0a2f771580b11b6653e46b8fc36a946d27f108dba6e77e8",
    ];
    assert_eq!(found, expected, "a store made with the former id can't be compared any more");
    let world = support::world::world("embedding spaces").unwrap();
    assert_eq!(world.encoder.space().to_string(), expected[0]);
}

#[test]
fn an_embedder_that_is_neither_published_nor_accepted_encodes_nothing() {
    let Some(folder) = testdata("unknown embedder") else { return };
    let embedder = std::sync::Arc::new(Embedder::load(weights(&folder, FACENET512), KernelSet::best()).unwrap());
    let digest = embedder.tested().digest();
    for accepted in [None, Some(Digest([7; 32]))] {
        let refused = TrustedEmbedder::of(embedder.clone(), accepted).err();
        assert_eq!(refused.map(|why| why.found), Some(digest), "{accepted:?}");
    }
    let trusted = TrustedEmbedder::of(embedder, Some(digest)).unwrap();
    assert_eq!(trusted.trust(), Trust::Accepted);
}

#[test]
fn no_network_loads_another_networks_file() {
    let folder = own_data().root();
    let kernels = KernelSet::best();
    let load = |network: &str, file: WeightFile| match network {
        "Detector" => Detector::load(file, kernels).err(),
        "SpoofV2" => SpoofV2::load(file, kernels).err(),
        "SpoofV1Se" => SpoofV1Se::load(file, kernels).err(),
        _ => Embedder::load(file, kernels).err(),
    };
    let homes = [("Detector", CENTERFACE), ("SpoofV2", SPOOF_V2), ("SpoofV1Se", SPOOF_V1SE), ("Embedder", EMBEDDER)];
    let mut failures = Vec::new();
    for (network, home) in homes {
        for (_, file) in homes {
            match load(network, weights(folder, file)) {
                None if file == home => {}
                Some(why) if file != home => println!("{network} of {file}: {why}"),
                wrong => failures.push(format!("{network} of {file}: {wrong:?}")),
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn each_known_file_reproduces_its_recorded_answer_on_every_kernel_set() {
    let Some(folder) = testdata("self-tests") else { return };
    for kernels in KernelSet::available() {
        let tested = [
            *Detector::load(weights(&folder, CENTERFACE), kernels).unwrap().tested(),
            *SpoofV2::load(weights(&folder, SPOOF_V2), kernels).unwrap().tested(),
            *SpoofV1Se::load(weights(&folder, SPOOF_V1SE), kernels).unwrap().tested(),
        ];
        let embedder = Embedder::load(weights(&folder, FACENET512), kernels).unwrap();
        let error = support::synthetic_error(&embedder);
        println!("{:9} {} off by {error:.1e}", kernels.name(), embedder.tested().digest());
        assert!(error <= support::SYNTHETIC_TOLERANCE, "{error}");
        for (tested, numbers) in tested.into_iter().zip([90, 3, 3]) {
            println!("{:9} {} {tested}", kernels.name(), tested.digest());
            assert!(matches!(tested, SelfTest::Exact { numbers: n, .. } if n == numbers), "{tested:?}");
        }
    }
}
