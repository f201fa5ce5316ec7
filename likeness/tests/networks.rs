//! The four networks against golden answers, and what happens when files are swapped or altered.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the tables are for --nocapture")]

mod support;

use likeness::engine::{KernelSet, Scratch};
use likeness::net::minifasnet::softmax;
use likeness::net::{Detector, Embedder, SpoofV1Se, SpoofV2, WeightFile};
use likeness::selftest::SelfTest;
use serde_json::Value;
use support::{
    Array, CENTERFACE, FACENET512, SPOOF_V1SE, SPOOF_V2, array, farthest, golden, numbers, testdata, weights,
};

/// A channels-first array of 3 x 80 x 80 as rows of pixels.
fn pixels(chw: &Array) -> Vec<f32> {
    assert_eq!(chw.shape, [3, 80, 80]);
    let plane = 80 * 80;
    (0..3 * plane).map(|i| chw.numbers[i % 3 * plane + i / 3]).collect()
}

/// The golden answers of a spoof network for every stored input: photo, vector.
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

#[test]
fn no_network_loads_another_networks_file() {
    let Some(folder) = testdata("swapped files") else { return };
    let kernels = KernelSet::best();
    let load = |network: &str, file: WeightFile| match network {
        "Detector" => Detector::load(file, kernels).err(),
        "SpoofV2" => SpoofV2::load(file, kernels).err(),
        "SpoofV1Se" => SpoofV1Se::load(file, kernels).err(),
        _ => Embedder::load(file, kernels).err(),
    };
    let homes = [("Detector", CENTERFACE), ("SpoofV2", SPOOF_V2), ("SpoofV1Se", SPOOF_V1SE), ("Embedder", FACENET512)];
    let mut failures = Vec::new();
    for (network, home) in homes {
        for (_, file) in homes {
            match load(network, weights(&folder, file)) {
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
            *Embedder::load(weights(&folder, FACENET512), kernels).unwrap().tested(),
        ];
        for (tested, numbers) in tested.into_iter().zip([90, 3, 3, 64]) {
            println!("{:9} {} {tested}", kernels.name(), tested.digest());
            assert!(matches!(tested, SelfTest::Exact { numbers: n, .. } if n == numbers), "{tested:?}");
        }
    }
}
