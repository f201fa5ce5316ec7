//! Tests damaged weight files: the digest always refuses them. Also measures which corruptions are refused without the
//! digest.
//!
//! `just corruption` prints both tables.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the tables are for --nocapture")]

mod support;

use std::path::Path;

use likeness::engine::KernelSet;
use likeness::find::Finder;
use likeness::net::{Detector, Digest, Embedder, Refusal, SpoofV1Se, SpoofV2, WeightFile, WrongAnswer};
use likeness::selftest::SelfTest;
use likeness::weights::{keras, onnx, torch};
use support::recorded::{EMBEDDING_TOLERANCE, TOLERANCE, embedder_error, finder_error, spoof_error};
use support::{CENTERFACE, FACENET512, SPOOF_V1SE, SPOOF_V2, testdata};
use testkit::data::{EMBEDDER, own_data};
use testkit::random::Random;

const FILES: [&str; 4] = [CENTERFACE, SPOOF_V2, SPOOF_V1SE, FACENET512];
const OWN_FILES: [&str; 4] = [CENTERFACE, SPOOF_V2, SPOOF_V1SE, EMBEDDER];

/// Loads a file as if its digest had been checked. Loads as the library does; the answer of the test
/// data's embedder is compared here.
fn load(name: &str, bytes: Vec<u8>, digest: Digest) -> Result<SelfTest, Refusal> {
    let (file, kernels) = (WeightFile::verified(bytes, digest), KernelSet::best());
    match name {
        CENTERFACE => Detector::load(file, kernels).map(|network| *network.tested()),
        SPOOF_V2 => SpoofV2::load(file, kernels).map(|network| *network.tested()),
        SPOOF_V1SE => SpoofV1Se::load(file, kernels).map(|network| *network.tested()),
        _ => {
            let network = Embedder::load(file, kernels)?;
            let found = support::synthetic_error(&network);
            let right = found <= support::SYNTHETIC_TOLERANCE;
            let wrong = WrongAnswer { index: 0, expected: 0.0, tolerance: support::SYNTHETIC_TOLERANCE, found };
            if right { Ok(*network.tested()) } else { Err(wrong.into()) }
        }
    }
}

/// Loads a generated file in the same way; its answer about a photograph is compared with the recorded one.
fn load_own(name: &str, bytes: Vec<u8>, digest: Digest) -> Result<SelfTest, Refusal> {
    let (file, kernels) = (WeightFile::verified(bytes, digest), KernelSet::best());
    let (error, tolerance) = match name {
        CENTERFACE => (finder_error(&Finder::new(Detector::load(file, kernels)?)), TOLERANCE),
        SPOOF_V2 => {
            let network = SpoofV2::load(file, kernels)?;
            (spoof_error(0, 2.7, |scratch, input| network.logits(scratch, input)), TOLERANCE)
        }
        SPOOF_V1SE => {
            let network = SpoofV1Se::load(file, kernels)?;
            (spoof_error(1, 4.0, |scratch, input| network.logits(scratch, input)), TOLERANCE)
        }
        _ => (embedder_error(&Embedder::load(file, kernels)?), EMBEDDING_TOLERANCE),
    };
    let (found, tolerance) = (error as f32, tolerance as f32);
    let wrong = WrongAnswer { index: 0, expected: 0.0, tolerance, found };
    if found <= tolerance { Ok(SelfTest::Structural { digest }) } else { Err(wrong.into()) }
}

/// The kind of damage that truncates the file.
const CUT: usize = 8;

/// Applies one of ten kinds of damage; always changes the file.
fn damage(bytes: &mut Vec<u8>, kind: usize, dice: &mut Random) -> String {
    let before = bytes.clone();
    loop {
        let at = dice.below(bytes.len());
        let what = match kind {
            0..=3 => {
                let bit = dice.below(8);
                bytes[at] ^= 1 << bit;
                format!("bit {bit} of byte {at} flipped")
            }
            4..=6 => {
                let length = [512, 512, 65536][kind - 4].min(bytes.len() - at);
                bytes[at..at + length].fill(0);
                format!("{length} bytes at {at} zeroed")
            }
            7 => {
                let to = dice.below(bytes.len() - 4096);
                let from = at.min(bytes.len() - 4096);
                bytes.copy_within(from..from + 4096, to);
                format!("4096 bytes of {from} over {to}")
            }
            CUT => {
                bytes.truncate(at);
                format!("cut to {at} bytes")
            }
            _ => {
                let length = 4096.min(bytes.len() - at);
                bytes[at..at + length].iter_mut().for_each(|byte| *byte = dice.byte());
                format!("{length} random bytes at {at}")
            }
        };
        if *bytes != before {
            return what;
        }
    }
}

#[derive(Default, Clone, Copy)]
struct Counts {
    digest: usize,
    reader: usize,
    selftest: usize,
    nothing: usize,
}

#[test]
fn forty_corruptions_are_all_refused_by_digest_and_most_without() {
    let Some(folder) = testdata("corruptions") else { return };
    let nothing = forty_corruptions(&folder, FILES, load).nothing;
    assert!(nothing <= 12, "{nothing} corruptions passed the reader and the self-test");
}

/// Most numbers of the generated detector have no effect, so much damage changes no result. Only the digest
/// must refuse it, and the reader must refuse a truncated file.
#[test]
fn forty_corruptions_of_generated_files_are_all_refused_by_digest_and_by_the_reader_where_cut() {
    forty_corruptions(own_data().root(), OWN_FILES, load_own);
}

type Load = fn(&str, Vec<u8>, Digest) -> Result<SelfTest, Refusal>;

/// Applies ten kinds of damage to each of four files, and counts what refused each.
fn forty_corruptions(folder: &Path, files: [&str; 4], load: Load) -> Counts {
    let mut counts = Counts::default();
    let mut table = String::new();
    for (number, name) in files.into_iter().enumerate() {
        let original = support::bytes(folder, name);
        let pin = Digest::of(&original);
        for kind in 0..10 {
            let mut bytes = original.clone();
            let what = damage(&mut bytes, kind, &mut Random::new((100 * number + kind) as u64));
            let refused = WeightFile::pinned(bytes.clone(), pin).is_err();
            counts.digest += usize::from(refused);
            let verdict = match load(name, bytes, pin) {
                Err(Refusal::Weights(why)) => (&mut counts.reader, format!("reader: {why}")),
                Err(Refusal::Filter(why)) => (&mut counts.reader, format!("reader: {why}")),
                Err(why) => (&mut counts.selftest, why.to_string()),
                Ok(tested) => (&mut counts.nothing, format!("nothing: {tested}")),
            };
            *verdict.0 += 1;
            assert!(kind != CUT || verdict.1.starts_with("reader"), "{name} {what}: {}", verdict.1);
            table += &format!(
                "{name:33} {what:42} digest: {} | {}\n",
                if refused { "refused" } else { "PASSED" },
                verdict.1
            );
        }
    }
    let Counts { digest, reader, selftest, nothing } = counts;
    println!("{table}digest checked: {digest} of 40 refused");
    println!("digest not checked: {reader} refused by the reader, {selftest} by the self-test, {nothing} by nothing");
    assert_eq!(digest, 40);
    assert_eq!(reader + selftest + nothing, 40);
    counts
}

/// Returns where the f32 of a file's tensors are: the offset of the first, and their number.
fn runs(name: &str, bytes: &[u8]) -> Vec<(usize, usize)> {
    let run = |tensor: &likeness::weights::WeightTensor| (tensor.offset(), tensor.bytes().len() / 4);
    match name {
        CENTERFACE => {
            let model = onnx::OnnxModel::read(bytes.to_vec()).unwrap();
            let mut names: Vec<&str> = model.floats().collect();
            names.sort_unstable();
            names.into_iter().map(|name| run(&model.tensor(name).unwrap())).collect()
        }
        FACENET512 => {
            let file = keras::File::open(bytes.to_vec()).unwrap();
            let layers = file.layers().unwrap();
            layers.iter().flat_map(|layer| layer.weights.iter().map(run)).collect()
        }
        _ => torch::StateDict::read(bytes).unwrap().tensors().into_iter().map(run).collect(),
    }
}

/// Returns the smallest k for which the self-test notices that a weight grows by 2^k times itself; `None`
/// above 2^10.
fn smallest(name: &str, bytes: &[u8], at: usize, pin: Digest) -> Option<i32> {
    let seen = |k: i32| {
        let mut bytes = bytes.to_vec();
        let weight = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&(weight * (1.0 + 2f32.powi(k))).to_le_bytes());
        load(name, bytes, pin).is_err()
    };
    let (mut unseen, mut saw) = (-24, 10);
    if !seen(saw) {
        return None;
    }
    while saw - unseen > 1 {
        let middle = (unseen + saw) / 2;
        if seen(middle) { saw = middle } else { unseen = middle }
    }
    Some(saw)
}

/// Returns the row of a network, for weights drawn evenly from all its weights.
fn sensitivity(folder: &Path, name: &str, draws: usize) -> (Option<i32>, String) {
    let bytes = support::bytes(folder, name);
    let pin = Digest::of(&bytes);
    let runs = runs(name, &bytes);
    let all: usize = runs.iter().map(|(_, length)| length).sum();
    let mut dice = Random::new(7);
    let mut found = Vec::new();
    while found.len() < draws {
        let mut index = dice.below(all);
        let (offset, _) = runs
            .iter()
            .find(|(_, n)| {
                index < *n || {
                    index -= n;
                    false
                }
            })
            .unwrap();
        let at = offset + 4 * index;
        if bytes[at..at + 4] != [0; 4] {
            found.push(smallest(name, &bytes, at, pin).unwrap_or(i32::MAX));
        }
    }
    found.sort_unstable();
    let show = |k: i32| if k == i32::MAX { "not seen".to_owned() } else { format!("2^{k}") };
    let unseen = found.iter().filter(|k| **k == i32::MAX).count();
    let row = format!(
        "{name:33} {draws:5} weights: smallest change seen {:8} median {:8} greatest {:8} never seen {unseen}",
        show(found[0]),
        show(found[draws / 2]),
        show(*found.iter().rfind(|k| **k != i32::MAX).unwrap_or(&i32::MAX)),
    );
    (Some(found[0]).filter(|k| *k != i32::MAX), row)
}

#[test]
fn the_self_test_sees_a_small_change_of_one_weight() {
    let Some(folder) = testdata("changes of one weight") else { return };
    for (name, draws) in FILES.into_iter().zip([16, 16, 16, 6]) {
        let (smallest, row) = sensitivity(&folder, name, draws);
        println!("{row}");
        assert!(smallest.is_some_and(|k| k < 0), "{row}");
    }
}
