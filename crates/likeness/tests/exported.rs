//! Tests networks exported to ONNX, as DeepFace 0.0.103 opens them. Each exporter's file gives the same results as
//! upstream's file; an unknown operator is refused by name.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the tables are for --nocapture")]

mod support;

use likeness::engine::{KernelSet, Scratch};
use likeness::net::minifasnet::softmax;
use likeness::net::{Detector, Embedder, SpoofV1Se, SpoofV2, WeightFile};
use likeness::selftest::{SelfTest, picture};
use likeness::weights::onnx::OnnxModel;
use support::{FACENET512, SPOOF_V1SE, SPOOF_V2, testdata};
use testkit::data::exported::{self, EXPORTED, Exported, Form};
use testkit::data::onnx::{Attribute, Graph, PYTORCH_1_2, Stored};
use testkit::data::tensor::Tensor;
use testkit::data::{EMBEDDER, SPOOF_FAR, SPOOF_NEAR, facenet512, minifasnet, own_data};

/// The largest difference from upstream's file, for a probability and for a number of an embedding.
const SPOOF_BOUND: f32 = 1e-6;
const EMBEDDING_BOUND: f32 = 2e-4;

const SPOOF_FORMS: [Form; 4] = [Form::TorchScript, Form::Unfolded, Form::Dynamo, Form::DynamoOpen];

/// Returns a network's result for the self-test's picture.
fn answer(network: &str, file: Vec<u8>) -> Result<Vec<f32>, String> {
    let (file, kernels, mut scratch) = (WeightFile::new(file), KernelSet::best(), Scratch::default());
    let refused = |why: likeness::net::Refusal| why.to_string();
    let pixels = picture(80, 80);
    Ok(match network {
        "V2" => softmax(SpoofV2::load(file, kernels).map_err(refused)?.logits(&mut scratch, &pixels).unwrap()).to_vec(),
        "V1SE" => {
            softmax(SpoofV1Se::load(file, kernels).map_err(refused)?.logits(&mut scratch, &pixels).unwrap()).to_vec()
        }
        _ => {
            let pixels: Vec<f32> = picture(160, 160).into_iter().map(|number| number / 255.0).collect();
            Embedder::load(file, kernels).map_err(refused)?.embed(&mut scratch, &pixels).unwrap().to_vec()
        }
    })
}

/// Returns the difference between an exported network's results and those of upstream's file.
fn error(network: &str, own: &[f32], exported: Vec<u8>) -> f32 {
    let found = answer(network, exported).unwrap_or_else(|why| panic!("{network}: {why}"));
    assert_eq!(found.len(), own.len());
    found.iter().zip(own).map(|(found, own)| (found - own).abs()).fold(0.0, f32::max)
}

fn spoof(network: &str, tensors: Vec<Tensor>, form: Form) -> Exported {
    exported::minifasnet(if network == "V2" { &minifasnet::V2 } else { &minifasnet::V1SE }, tensors, form)
}

#[test]
fn graphs_are_made_of_what_the_exporters_wrote() {
    let line = |network: &str, form: Form, counts: &str| format!("{network} {form:?} {counts}");
    let mut made = Vec::new();
    for form in SPOOF_FORMS {
        for (network, plan) in [("V2", &minifasnet::V2), ("V1SE", &minifasnet::V1SE)] {
            made.push(line(network, form, &spoof(network, minifasnet::tensors(plan), form).counts));
        }
    }
    for form in Form::ALL {
        made.push(line("Facenet512", form, &exported::facenet512(facenet512::layers(), form).counts));
    }
    made.sort();
    let mut recorded: Vec<&str> = EXPORTED.lines().collect();
    recorded.sort_unstable();
    assert_eq!(made, recorded);
}

#[test]
fn a_spoof_network_answers_alike_from_every_form_of_its_file() {
    for (network, plan, name) in [("V2", &minifasnet::V2, SPOOF_NEAR), ("V1SE", &minifasnet::V1SE, SPOOF_FAR)] {
        let own = answer(network, own_data().weight(name)).unwrap();
        for form in SPOOF_FORMS {
            let error = error(network, &own, spoof(network, minifasnet::tensors(plan), form).file);
            println!("{network:5} {form:?} {error:.1e}");
            assert!(error <= SPOOF_BOUND, "{network} {form:?}: {error}");
        }
    }
}

#[test]
fn the_embedder_answers_alike_from_every_form_of_its_file() {
    let own = answer("Facenet512", own_data().weight(EMBEDDER)).unwrap();
    for form in Form::ALL {
        let error = error("Facenet512", &own, exported::facenet512(facenet512::layers(), form).file);
        println!("{form:?} {error:.1e}");
        assert!(error <= EMBEDDING_BOUND, "{form:?}: {error}");
    }
}

#[test]
fn published_weights_answer_alike_from_every_form_of_their_file() {
    let Some(folder) = testdata("exported weights") else { return };
    for (network, plan, name) in [("V2", &minifasnet::V2, SPOOF_V2), ("V1SE", &minifasnet::V1SE, SPOOF_V1SE)] {
        let file = support::bytes(&folder, name);
        let own = answer(network, file.clone()).unwrap();
        for form in SPOOF_FORMS {
            let error = error(network, &own, support::exported::spoof(plan, &file, form).file);
            println!("{network:5} {form:?} {error:.1e}");
            assert!(error <= SPOOF_BOUND, "{network} {form:?}: {error}");
        }
    }
    let own = answer("Facenet512", support::bytes(&folder, FACENET512)).unwrap();
    for form in [Form::TorchScript, Form::DynamoOpen, Form::Tf2onnx] {
        let exported = support::exported::embedder(support::bytes(&folder, FACENET512), form);
        let error = error("Facenet512", &own, exported.file);
        println!("{form:?} {error:.1e}");
        assert!(error <= EMBEDDING_BOUND, "{form:?}: {error}");
    }
}

#[test]
fn an_exported_network_says_that_no_answer_is_recorded_for_it() {
    let file = WeightFile::new(spoof("V2", minifasnet::tensors(&minifasnet::V2), Form::TorchScript).file);
    let digest = file.digest();
    let network = SpoofV2::load(file, KernelSet::best()).unwrap();
    assert_eq!(*network.tested(), SelfTest::Structural { digest });
}

#[test]
fn no_network_loads_another_networks_export() {
    let v2 = || spoof("V2", minifasnet::tensors(&minifasnet::V2), Form::Dynamo).file;
    let v1se = || spoof("V1SE", minifasnet::tensors(&minifasnet::V1SE), Form::Dynamo).file;
    for (network, file) in [("V1SE", v2()), ("V2", v1se()), ("Facenet512", v2())] {
        let why = answer(network, file).unwrap_err();
        println!("{network}: {why}");
        assert!(why.contains("expected"), "{why}");
    }
    let detector = own_data().weight(testkit::data::DETECTOR);
    for network in ["V2", "V1SE", "Facenet512"] {
        println!("{network}: {}", answer(network, detector.clone()).unwrap_err());
    }
}

#[test]
fn an_altered_export_is_refused_at_its_operator() {
    let original = spoof("V1SE", minifasnet::tensors(&minifasnet::V1SE), Form::TorchScript).file;
    // The case's name, the old bytes, the new bytes, the refusal.
    let cases: [(&str, &[u8], &[u8], &str); 8] = [
        (
            "no softmax",
            b"\x22\x07Softmax",
            b"\x22\x07Sigmoid",
            "operator 124 of the graph: expected Sigmoid with attributes",
        ),
        ("another gate", b"\x22\x07Sigmoid", b"\x22\x07Softmax", "expected a softmax of each row"),
        ("another operator", b"\x22\x05PRelu", b"\x22\x05PReLU", "operator 2 of the graph: expected an operator of"),
        ("another order", b"\x40\x03\x40\x01\x40\x02", b"\x40\x01\x40\x02\x40\x03", "expected channels moved"),
        ("another stride", b"\x40\x02\x40\x02", b"\x40\x01\x40\x01", "operator 120 of the graph: expected one pixel's"),
        (
            "other padding",
            b"\x40\x01\x40\x01\x40\x01\x40\x01",
            b"\x40\x02\x40\x02\x40\x02\x40\x02",
            "expected one pixel's",
        ),
        (
            "another attribute",
            b"kernel_shape",
            b"kernel_shave",
            "operator 1 of the graph: expected Conv with attributes",
        ),
        ("another sum", b"\x22\x03Add", b"\x22\x03Sub", "expected a value and a weight, or two values"),
    ];
    let mut failures = Vec::new();
    for (case, old, new, expected) in cases {
        let mut file = original.clone();
        let at = file.windows(old.len()).position(|bytes| bytes == old).expect(case);
        file[at..at + new.len()].copy_from_slice(new);
        match answer("V1SE", file) {
            Err(why) if why.contains(expected) => println!("{case}: {why}"),
            other => failures.push(format!("{case}: {other:?}")),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn numbers_that_are_none_are_refused_by_name() {
    let original = spoof("V2", minifasnet::tensors(&minifasnet::V2), Form::Unfolded).file;
    let model = OnnxModel::read(original.clone()).unwrap();
    let cases = [
        ("conv1.conv.weight", f32::NAN, "module.conv1.conv.weight: expected finite numbers, found weight NaN"),
        ("conv1.conv.weight_slopes", f32::INFINITY, "weight_slopes: expected finite numbers, found inf"),
        ("conv1.conv.weight_mean", f32::NAN, "weight_mean: expected finite numbers, found NaN at element 0"),
        ("conv1.conv.weight_variance", -1.0, "weight_variance: expected variances of zero or more, found -1"),
        ("linear.weight_gamma", f32::MAX, "self-test: output 0: expected finite numbers, found"),
    ];
    for (name, value, expected) in cases {
        let at = model.tensor(&format!("module.{name}")).unwrap().offset();
        let mut file = original.clone();
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let why = answer("V2", file).expect_err(name);
        println!("{why}");
        assert!(why.contains(expected), "{name} = {value}: {why}");
    }
}

/// Returns a file with these operators after the picture.
fn small(operators: impl FnOnce(&mut Graph) -> String) -> Vec<u8> {
    let mut graph = Graph::starting_at(1);
    let output = operators(&mut graph);
    graph.finish(&PYTORCH_1_2, ("input", &[0, 80, 80, 3]), &[(&output, &[0, 3])])
}

#[test]
fn small_files_do_not_become_large_graphs() {
    let axis = |axis| vec![Attribute::Int("axis", axis)];
    let doubled = |graph: &mut Graph, mut x: String, at: usize| {
        for _ in 0..40 {
            x = graph.node("Concat", &[&x, &x], axis(at));
        }
        x
    };
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("channels", small(|graph| doubled(graph, "input".into(), 3)), "at most 16384 channels"),
        (
            "integers",
            small(|graph| {
                let shape = graph.node("Shape", &["input"], Vec::new());
                doubled(graph, shape, 0)
            }),
            "expected channels one after the other",
        ),
        (
            "many integers",
            small(|graph| {
                let name = graph.store(Stored::integers("list", &[4096], &[0; 4096]));
                for _ in 0..40 {
                    graph.node("Identity", &[&name], Vec::new());
                }
                "input".into()
            }),
            "at most 65536 integers",
        ),
        ("a loop", small(|graph| graph.node("Relu", &["1"], Vec::new())), "of earlier values, found input 0 is \"1\""),
        ("the input itself", small(|_| "input".into()), "expected rows of numbers"),
        ("no such output", small(|_| "none".into()), "the first output: expected the result of an operator"),
        (
            "a weight that nothing takes",
            small(|graph| {
                graph.tensor(Tensor::new("extra", &[1], vec![0.0]));
                graph.node("Softmax", &["input"], Vec::new())
            }),
            "expected a softmax of each row",
        ),
    ];
    for (case, file, expected) in cases {
        let found = answer("V2", file);
        println!("{case}: {found:?}");
        assert!(found.is_err_and(|why| why.contains(expected)), "{case}");
    }
}

/// DeepFace with TensorFlow opens all networks as `.h5`, and with PyTorch all as `.pth`: the library does not
/// read these forms.
#[test]
fn a_form_of_another_engine_is_refused_by_its_name() {
    let (keras, torch) = (own_data().weight(EMBEDDER), own_data().weight(SPOOF_NEAR));
    let zip = b"PK\x03\x04archive/data.pkl".to_vec();
    let refused = Detector::load(WeightFile::new(keras.clone()), KernelSet::best()).err().unwrap().to_string();
    assert_eq!(refused, "the file: expected an ONNX file (.onnx), found a Keras file (.h5)");
    let cases = [
        (
            "V2",
            keras.clone(),
            "expected a file of PyTorch's legacy format (.pth) or an ONNX file",
            "found a Keras file",
        ),
        ("V1SE", keras, "expected a file of PyTorch's legacy format (.pth) or an ONNX file", "found a Keras file"),
        ("V2", zip.clone(), "or an ONNX file (.onnx); pin one of them", "found a zip (PyTorch's later .pth"),
        ("Facenet512", torch, "expected a Keras file (.h5) or an ONNX file", "found a file of PyTorch's legacy format"),
        ("Facenet512", zip, "or an ONNX file (.onnx); pin one of them", "found a zip (PyTorch's later .pth"),
    ];
    for (network, file, expected, found) in cases {
        let why = answer(network, file).unwrap_err();
        println!("{network}: {why}");
        assert!(why.contains(expected) && why.contains(found), "{network}: {why}");
    }
}
