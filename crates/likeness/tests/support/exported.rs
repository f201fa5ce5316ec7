//! Converts networks from upstream's files to the form that DeepFace 0.0.103 opens: its file names, ONNX,
//! NHWC.

use std::path::Path;

use likeness::weights::WeightTensor;
use likeness::weights::keras::File;
use likeness::weights::torch::StateDict;
use testkit::data::exported::{self, Exported, Form};
use testkit::data::minifasnet::{Plan, V1SE, V2};
use testkit::data::tensor::Tensor;

/// The names below `.deepface/weights`, beside the detector's, which has not changed.
pub const SPOOF_V2: &str = "2.7_80x80_MiniFASNetV2.onnx";
pub const SPOOF_V1SE: &str = "4_0_0_80x80_MiniFASNetV1SE.onnx";
pub const FACENET512: &str = "facenet512_weights.onnx";

fn copied(tensor: &WeightTensor, name: &str) -> Tensor {
    Tensor::new(name, tensor.shape(), tensor.values().collect())
}

/// A spoof network, from the bytes of its `.pth`.
pub fn spoof(plan: &Plan, state: &[u8], form: Form) -> Exported {
    let state = StateDict::read(state).unwrap();
    let tensors = state.tensors().into_iter().map(|tensor| copied(tensor, tensor.name())).collect();
    exported::minifasnet(plan, tensors, form)
}

/// The embedder, from the bytes of its `.h5`.
pub fn embedder(keras: Vec<u8>, form: Form) -> Exported {
    let file = File::open(keras).unwrap();
    let layers = file.layers().unwrap();
    let layers = layers
        .iter()
        .map(|layer| (layer.name.clone(), layer.weights.iter().map(|tensor| copied(tensor, tensor.name())).collect()));
    exported::facenet512(layers.collect(), form)
}

/// The three networks of a folder that has them in upstream's forms, by the name that 0.0.103 opens.
pub fn weights(folder: &Path, embedder_name: &str) -> [(&'static str, Vec<u8>); 3] {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    [
        (SPOOF_V2, spoof(&V2, &read(super::SPOOF_V2), Form::TorchScript).file),
        (SPOOF_V1SE, spoof(&V1SE, &read(super::SPOOF_V1SE), Form::TorchScript).file),
        (FACENET512, embedder(read(embedder_name), Form::TorchScript).file),
    ]
}
