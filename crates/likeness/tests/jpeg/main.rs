//! Tests JPEG files of every sampling: the pixels equal libjpeg-turbo's, or the file is refused by name. No
//! file causes a panic.
//!
//! `writer` creates the files, and `reference` computes the pixels of libjpeg-turbo and OpenCV. The reference
//! was compared with OpenCV 4 on about 4,000 of these files: every file that OpenCV reads had the same
//! pixels.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the counts are for --nocapture")]

mod reference;
mod writer;

use std::collections::BTreeMap;

use likeness::image::{DecodeError, Limits, decode};
use testkit::random::Random;

use self::writer::{Colours, Jpeg, Scans};

const SIZES: [(usize, usize); 4] = [(37, 29), (64, 64), (70, 5), (3, 50)];

/// Returns every combination of sampling factors for this many components.
fn samplings(components: usize) -> Vec<Vec<(usize, usize)>> {
    let factors: Vec<_> = (1..=4).flat_map(|h| (1..=4).map(move |v| (h, v))).collect();
    let mut all = vec![Vec::new()];
    for _ in 0..components {
        all = all.iter().flat_map(|some| factors.iter().map(move |one| [&some[..], &[*one]].concat())).collect();
    }
    all
}

/// Returns whether the decoder must accept the file. The decoder must refuse each layout that `docs/pipeline.md` does
/// not name.
fn decodable(file: &Jpeg<'_>) -> bool {
    let (first, even) = (file.sampling[0], file.sampling.iter().all(|one| *one == file.sampling[0]));
    match (file.sampling.len(), file.colours) {
        (3, Colours::Jfif) => first == file.max() && reference::pixels(file).is_some(),
        (4, _) => even,
        _ => reference::pixels(file).is_some(),
    }
}

/// Returns what is wrong with the result, if anything.
fn fault(file: &Jpeg<'_>) -> Option<String> {
    let outcome = decode(&file.bytes(), &Limits::default());
    let right = match &outcome {
        Ok(image) => {
            let sizes = (image.width(), image.height()) == (file.width, file.height);
            decodable(file) && sizes && reference::pixels(file).is_some_and(|pixels| image.data() == pixels)
        }
        Err(error) => !decodable(file) && error.code() == "image_unsupported",
    };
    let halved = halved_fault(file, outcome.is_ok());
    halved.or_else(|| (!right).then(|| format!("{file:?}: decodable {}, found {outcome:?}", decodable(file))))
}

/// Limits under which each file counts as too large for a full decode.
const HALVED: Limits = Limits { bytes: 1 << 20, pixels: 1, halved: 1 << 20, side: 1 << 12 };

/// Returns what is wrong with the result at half the size, if anything.
fn halved_fault(file: &Jpeg<'_>, decoded: bool) -> Option<String> {
    let outcome = decode(&file.bytes(), &HALVED);
    let right = match &outcome {
        Ok(image) => {
            let half = (file.width.div_ceil(2), file.height.div_ceil(2));
            decoded && (image.width(), image.height(), image.unit()) == (half.0, half.1, 2)
        }
        Err(error) => !decoded && error.code() == "image_unsupported",
    };
    (!right).then(|| format!("{file:?} halved: found {outcome:?}"))
}

fn assert_none(wrong: &[String], of: usize) {
    println!("{of} files");
    assert!(wrong.is_empty(), "{} of {of} files:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn every_sampling_of_one_and_three_components_is_libjpeg_turbos_pixels_or_refused_by_name() {
    let (mut wrong, mut of) = (Vec::new(), 0);
    let kinds = [(1, Colours::Jfif), (3, Colours::Jfif), (3, Colours::Adobe)];
    for (components, colours) in kinds {
        for sampling in samplings(components) {
            for scans in [Scans::Interleaved, Scans::Separate, Scans::Progressive] {
                for (width, height) in SIZES {
                    of += 1;
                    wrong.extend(fault(&Jpeg { width, height, sampling: &sampling, scans, colours }));
                }
            }
        }
    }
    assert_none(&wrong, of);
}

#[test]
fn every_sampling_of_four_components_is_libjpeg_turbos_pixels_or_refused_by_name() {
    let (mut wrong, mut of) = (Vec::new(), 0);
    for (at, sampling) in samplings(4).into_iter().enumerate() {
        let even = sampling.iter().all(|one| *one == sampling[0]);
        let all = [Scans::Interleaved, Scans::Separate, Scans::Progressive];
        // Uneven layouts are refused on their header: one file of each is enough.
        let scans = if even { &all[..] } else { &all[at % 3..=at % 3] };
        for (scans, colours) in scans.iter().flat_map(|scans| [(*scans, Colours::Adobe), (*scans, Colours::Ycck)]) {
            for (width, height) in &SIZES[..if even { 4 } else { 1 }] {
                of += 1;
                wrong.extend(fault(&Jpeg { width: *width, height: *height, sampling: &sampling, scans, colours }));
            }
        }
    }
    assert_none(&wrong, of);
}

/// Returns where a segment's body begins.
fn body(bytes: &[u8], markers: &[u8]) -> usize {
    bytes.windows(2).position(|pair| pair[0] == 0xff && markers.contains(&pair[1])).unwrap() + 4
}

/// Changes one part of the header (its frame and its first scan begin there), as an attacker who knows the format does.
fn change_header(bytes: &mut [u8], frame: usize, scan: usize, components: usize, dice: &mut Random) {
    let component = frame + 6 + 3 * dice.below(components);
    match dice.below(9) {
        0 => bytes[frame] = [2, 8, 12, 16][dice.below(4)],
        1 => bytes[frame + 1 + dice.below(4)] = [0, 1, 2, 7, 8, 9, 40][dice.below(7)],
        2 => bytes[component] = dice.below(6) as u8,
        3 => bytes[component + 1] = dice.below(256) as u8,
        4 => bytes[component + 1] = ((1 + dice.below(4)) << 4 | (1 + dice.below(4))) as u8,
        5 => bytes[component + 2] = dice.below(5) as u8,
        6 => bytes[frame - 3] = 0xc0 + dice.below(16) as u8,
        7 => bytes[scan + dice.below(2 + 2 * components)] = dice.below(34) as u8,
        _ => bytes[frame + 5] = dice.below(6) as u8,
    }
}

/// Returns the result for a file whose header claims this width and height.
fn outcome(bytes: &[u8], claimed: (usize, usize), limits: &Limits) -> &'static str {
    match decode(bytes, limits) {
        Ok(image) if [image.width(), image.height()] == [claimed.0, claimed.1].map(|n| n.div_ceil(image.unit())) => {
            "decoded"
        }
        Ok(_) => "of another size",
        Err(DecodeError::CodecFailed(_)) => "a panic",
        Err(error) => error.code(),
    }
}

#[test]
fn a_changed_header_is_decoded_to_its_own_sizes_or_refused_by_name() {
    let (mut dice, mut counts, mut wrong) = (Random::new(0x9e37_79b9_7f4a_7c15), BTreeMap::new(), Vec::new());
    let kinds = [(1, Colours::Jfif), (3, Colours::Jfif), (3, Colours::Adobe), (4, Colours::Adobe), (4, Colours::Ycck)];
    for turn in 0..60_000 {
        let (components, colours) = kinds[turn % kinds.len()];
        let sampling = vec![[(1, 1), (2, 2)][turn % 2]; components];
        let scans = [Scans::Interleaved, Scans::Separate, Scans::Progressive][dice.below(3)];
        let mut bytes = Jpeg { width: 37, height: 29, sampling: &sampling, scans, colours }.bytes();
        let (frame, scan) = (body(&bytes, &[0xc0, 0xc2]), body(&bytes, &[0xda]));
        for _ in 0..=dice.below(2) {
            change_header(&mut bytes, frame, scan, components, &mut dice);
        }
        let side = |at: usize| usize::from(u16::from_be_bytes([bytes[frame + at], bytes[frame + at + 1]]));
        let (claimed, header) = ((side(3), side(1)), bytes[frame - 4..scan].to_vec());
        if dice.below(4) == 0 {
            // A restart interval that the scan does not have.
            bytes.splice(2..2, [0xff, 0xdd, 0, 4, 0, dice.below(9) as u8]);
        }
        let limits = if turn / 2 % 2 == 0 { Limits { pixels: 1 << 20, halved: 1 << 20, ..HALVED } } else { HALVED };
        let word = outcome(&bytes, claimed, &limits);
        if ["of another size", "a panic"].contains(&word) {
            wrong.push(format!("turn {turn}: {word}: {scans:?} {colours:?} {:02x?}", &header[..22.min(header.len())]));
        }
        *counts.entry(word).or_insert(0) += 1;
    }
    println!("{counts:?}");
    assert!(counts.contains_key("decoded") && counts.contains_key("image_unsupported"), "{counts:?}");
    assert_none(&wrong, 60_000);
}
