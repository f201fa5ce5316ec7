//! Reads the small files that fuzzing starts from: unchanged, with each bit flipped, and cut at each byte.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::fs;
use std::path::PathBuf;

use likeness::weights::keras::File;
use likeness::weights::onnx::OnnxModel;
use likeness::weights::torch::StateDict;

fn seeds(reader: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds")).join(reader);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut seeds: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
    seeds.sort();
    seeds
}

/// Reads a file; returns the number of numbers, or a refusal.
fn read(reader: &str, file: Vec<u8>) -> Result<usize, String> {
    match reader {
        "onnx" => {
            let model = OnnxModel::read(file).map_err(|why| why.to_string())?;
            let tensors = model.floats().map(|name| Ok(model.tensor(name)?.values().count()));
            tensors.sum::<Result<usize, likeness::weights::WeightError>>().map_err(|why| why.to_string())
        }
        "keras" => {
            let file = File::open(file).map_err(|why| why.to_string())?;
            let layers = file.layers().map_err(|why| why.to_string())?;
            Ok(layers.iter().flat_map(|layer| &layer.weights).map(|tensor| tensor.values().count()).sum())
        }
        _ => {
            let state = StateDict::read(&file).map_err(|why| why.to_string())?;
            Ok(state.tensors().iter().map(|tensor| tensor.values().count()).sum())
        }
    }
}

#[test]
fn a_keras_tensor_is_seen_in_place() {
    for (name, bytes) in seeds("keras") {
        let (copy, start) = (bytes.clone(), bytes.as_ptr());
        let file = File::open(bytes).unwrap();
        let layers = file.layers().unwrap();
        assert_eq!(layers.iter().map(|layer| layer.weights.len()).collect::<Vec<_>>(), [1, 3], "{name}");
        for tensor in layers.iter().flat_map(|layer| &layer.weights) {
            assert_eq!(tensor.bytes().as_ptr(), start.wrapping_add(tensor.offset()), "{name}: a copy");
            assert_eq!(tensor.bytes(), &copy[tensor.offset()..][..tensor.bytes().len()], "{name}");
            assert!(tensor.values().all(|number| number == 1.0), "{name}");
        }
    }
}

#[test]
fn no_flipped_bit_and_no_cut_makes_a_reader_panic() {
    let mut rows = Vec::new();
    for (reader, numbers) in [("onnx", 8), ("keras", 12), ("torch", 6)] {
        rows.extend(seeds(reader).into_iter().map(|(name, file)| (reader, numbers, name, file)));
    }
    let wrong = testkit::rows::wrong(&rows, |(reader, numbers, name, file)| {
        let (mut wrong, whole) = (Vec::new(), read(reader, file.clone()));
        if whole.is_err() != (name == "pop-below-mark") || whole.as_ref().is_ok_and(|whole| whole != numbers) {
            wrong.push(format!("{reader}/{name}: {whole:?}"));
        }
        let mut refused = 0;
        for bit in 0..8 * file.len() {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            refused += usize::from(read(reader, file).is_err());
        }
        for length in 0..file.len() {
            let cut = read(reader, file[..length].to_vec());
            // The other two formats contain further data after their tensors, which their networks need.
            if cut.is_ok() && *reader == "torch" {
                wrong.push(format!("{reader}/{name} cut to {length}: {cut:?}"));
            }
        }
        println!("{reader}/{name}: {refused} of {} flipped bits refused", 8 * file.len());
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
