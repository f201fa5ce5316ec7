//! Tests hostile and altered ONNX files: the reader's limits, and how the detector follows the graph.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use likeness::engine::KernelSet;
use likeness::net::{Detector, WeightFile};
use likeness::weights::onnx::OnnxModel;
use testkit::data::{DETECTOR, own_data};

/// Returns a protobuf field of bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    let mut length = bytes.len();
    while length > 127 {
        out.push(length as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    [out, bytes.to_vec()].concat()
}

/// Returns a protobuf field of a small number.
fn number(tag: u8, value: u8) -> Vec<u8> {
    vec![tag << 3, value]
}

fn tensor(name: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    field(5, &[parts.concat(), field(8, name.as_bytes())].concat())
}

fn model(graph: &[u8]) -> Vec<u8> {
    [field(8, &number(2, 9)), field(7, graph)].concat()
}

/// Returns a valid model with one f32 named `w`.
fn good() -> Vec<u8> {
    model(&tensor("w", &[number(1, 1), number(2, 1), field(9, &1f32.to_le_bytes())]))
}

#[test]
fn a_tensor_is_seen_in_place() {
    let file = good();
    let (data, at) = (file.as_ptr(), file.len() - 7);
    let model = OnnxModel::read(file).unwrap();
    let tensor = model.tensor("w").unwrap();
    assert_eq!((tensor.shape(), tensor.values().collect::<Vec<_>>()), (&[1][..], vec![1.0]));
    assert_eq!((tensor.bytes().as_ptr(), tensor.offset()), (data.wrapping_add(at), at), "a copy");
}

#[test]
fn files_that_grow_or_nest_are_refused() {
    let many = |tag: u8| model(&field(tag, &[]).repeat(5000));
    let wide = model(&field(1, &field(1, b"").repeat(100_000)));
    let attributes = model(&field(1, &field(5, b"").repeat(100_000)));
    let integers = model(&field(1, &field(5, &number(8, 1).repeat(100_000))));
    let dims = model(&tensor("w", &[number(1, 1).repeat(1000), number(2, 1)]));
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("empty", Vec::new(), "expected a graph"),
        ("a million open groups", vec![0x0b; 1_000_000], "a model"),
        ("a million open groups in the graph", model(&vec![0x0b; 1_000_000]), "a graph"),
        ("five thousand nodes", many(1), "at most 4096 nodes"),
        ("five thousand tensors", many(5), "at most 4096 initializers"),
        ("a node of many inputs", wide, "at most 64 parts of a node"),
        ("a node of many attributes", attributes, "at most 64 parts of a node"),
        ("an attribute of many numbers", integers, "at most 64 parts of a node"),
        ("a tensor of many dimensions", dims, "a tensor's dimensions"),
        ("a tensor twice", model(&tensor("w", &[]).repeat(2)), "each initializer once"),
        ("a length beyond the end", vec![0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f], "a model"),
        ("a page of HTML", b"<!doctype html>".to_vec(), "a model"),
    ];
    let mut failures = Vec::new();
    for (case, file, expected) in cases {
        match OnnxModel::read(file) {
            Err(why) if why.to_string().contains(expected) => println!("{case}: {why}"),
            other => failures.push(format!("{case}: {other:?}")),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn tensors_whose_bytes_are_not_their_shape_are_refused() {
    let bytes = |n: usize| field(9, &vec![0; n]);
    let minus_one = [vec![1 << 3], vec![0xff; 9], vec![1]].concat();
    let huge = [vec![1 << 3], vec![0xff; 8], vec![0x7f]].concat();
    let cases: [(&str, Vec<Vec<u8>>); 7] = [
        ("too few bytes", vec![number(1, 2), number(2, 1), bytes(7)]),
        ("too many bytes", vec![number(1, 2), number(2, 1), bytes(9)]),
        ("a negative dimension", vec![minus_one, number(2, 1), bytes(4)]),
        ("a product beyond every number", vec![huge.clone(), huge, number(2, 1), bytes(4)]),
        ("doubles", vec![number(1, 1), number(2, 11), bytes(8)]),
        ("halves", vec![number(1, 2), number(2, 10), bytes(4)]),
        ("numbers outside the raw bytes", vec![number(1, 1), number(2, 1), vec![0x25, 0, 0, 0, 0]]),
    ];
    for (case, parts) in cases {
        let found = OnnxModel::read(model(&tensor("w", &parts))).and_then(|model| model.tensor("w").map(|_| ()));
        let why = found.expect_err(case);
        println!("{case}: {why}");
    }
}

#[test]
fn no_truncation_loses_a_tensor_silently() {
    let small = good();
    for length in 0..small.len() {
        let found = OnnxModel::read(small[..length].to_vec()).and_then(|model| model.tensor("w").map(|_| ()));
        found.expect_err(&format!("{length} of {} bytes", small.len()));
    }
}

/// Replaces the first `old` after `after` by as many bytes.
fn edit(file: &mut [u8], after: &[u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let find = |from: usize, what: &[u8]| from + file[from..].windows(what.len()).position(|w| w == what).unwrap();
    let at = find(find(0, after), old);
    file[at..at + new.len()].copy_from_slice(new);
}

#[test]
fn an_altered_graph_is_refused_at_its_operator() {
    let original = own_data().weight(DETECTOR);
    let half = 1e-5f32.to_le_bytes();
    let stem: &[u8] = b"backbone.features.0.0.weight";
    // The case's name, a text before the change, the old bytes, the new bytes, the refusal.
    type Case<'a> = (&'a str, &'a [u8], &'a [u8], &'a [u8], &'a str);
    let cases: [Case; 11] = [
        ("another operator", b"Relu", b"Relu", b"Tanh", "operator 2 of the graph: expected Relu"),
        ("no sigmoid", b"Sigmoid", b"Sigmoid", b"Softmax", "expected Sigmoid of 536"),
        ("another epsilon", b"epsilon", &half, &1e-2f32.to_le_bytes(), "expected epsilon 0.00001, found"),
        ("another stride", b"strides", b"\x40\x02\x40\x02", b"\x40\x01\x40\x01", "operator 0 of the graph: expected"),
        ("other padding", b"pads", b"\x40\x01\x40\x01", b"\x40\x00\x40\x00", "operator 0 of the graph: expected"),
        ("dilation", b"dilations", b"\x40\x01\x40\x01", b"\x40\x02\x40\x02", "operator 0 of the graph: expected"),
        ("a sum with itself", b"\x0a\x03378\x0a\x03386", b"386", b"378", "expected Add of 378 and 386"),
        ("another attribute", b"momentum", b"momentum", b"momentun", "expected BatchNormalization of 363"),
        ("another operator set", b"\x42\x02\x10\x09", b"\x10\x09", b"\x10\x0d", "expected operator set 9, found 13"),
        (
            "a weight renamed in the graph",
            stem,
            stem,
            b"backbone.features.9.9.weight",
            "backbone.features.9.9.weight: expected",
        ),
        ("an output renamed", b"\x62\x1d\x0a\x03537", b"537", b"999", "outputs: expected"),
    ];
    let mut failures = Vec::new();
    for (case, after, old, new, expected) in cases {
        let mut file = original.clone();
        edit(&mut file, after, old, new);
        match Detector::load(WeightFile::new(file), KernelSet::best()) {
            Err(why) if why.to_string().contains(expected) => println!("{case}: {why}"),
            Err(why) => failures.push(format!("{case}: {why}")),
            Ok(_) => failures.push(format!("{case}: loaded")),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_name() {
    let original = own_data().weight(DETECTOR);
    let model = OnnxModel::read(original.clone()).unwrap();
    let cases = [
        ("backbone.features.0.0.weight", f32::NAN, "backbone.features.0.0.weight: expected finite numbers, found"),
        ("neck.deconv_layers.1.conv.weight", f32::INFINITY, "neck.deconv_layers.1.conv.weight: expected finite"),
        ("head.lm_conv.bias", f32::NEG_INFINITY, "head.lm_conv.bias: expected finite numbers, found -inf at element 0"),
        ("head.feat_bn.running_var", -1.0, "head.feat_bn.running_var: expected variances of zero or more, found -1"),
        ("head.feat_bn.weight", f32::MAX, "self-test: output 0: expected finite numbers, found"),
    ];
    for (name, value, expected) in cases {
        let at = model.tensor(name).unwrap().offset();
        let mut file = original.clone();
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let why = Detector::load(WeightFile::new(file), KernelSet::best()).err().expect(name).to_string();
        println!("{why}");
        assert!(why.contains(expected), "{name} = {value}: {why}");
    }
}
