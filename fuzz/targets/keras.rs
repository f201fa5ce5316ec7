//! Any bytes as a Keras weight file: every tensor of every layer is looked at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likeness::weights::keras::File;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = File::open(bytes.to_vec()) else { return };
    let Ok(layers) = file.layers() else { return };
    for tensor in layers.iter().flat_map(|layer| &layer.weights) {
        assert_eq!(tensor.values().count(), tensor.shape().iter().product::<usize>());
    }
});
