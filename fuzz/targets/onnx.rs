//! Any bytes as an ONNX model: every initializer that it names is looked at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likeness::weights::onnx::OnnxModel;

fuzz_target!(|file: &[u8]| {
    let Ok(model) = OnnxModel::read(file.to_vec()) else { return };
    for name in model.floats() {
        if let Ok(tensor) = model.tensor(name) {
            assert_eq!(tensor.values().count(), tensor.shape().iter().product::<usize>());
        }
    }
    for node in &model.nodes {
        assert!(node.attribute_names().all(|name| node.integers(name).len() <= 64));
    }
});
