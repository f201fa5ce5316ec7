//! Any bytes as a PyTorch state dict: every tensor lies in the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likeness::weights::torch::StateDict;

fuzz_target!(|file: &[u8]| {
    let Ok(state) = StateDict::read(file) else { return };
    for tensor in state.tensors() {
        assert!(tensor.offset() + tensor.bytes().len() <= file.len());
        assert_eq!(tensor.values().count(), tensor.shape().iter().product::<usize>());
    }
});
