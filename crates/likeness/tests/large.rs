//! Tests JPEG files with more pixels than the limit of a full decode: they are decoded at half size, within
//! the same memory, with the same face.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]
#![cfg(target_os = "linux")]

mod support;

use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use likeness::detect::Face;
use likeness::engine::Scratch;
use likeness::find::Mode;
use likeness::image::resize::resize;
use likeness::image::shrink::shrink;
use likeness::image::{Bgr, DecodeError, Limits, decode};
use support::world::own;
use testkit::data::own_data;

/// The largest memory of a decode, in MiB. 69 was measured for a baseline file, and 138 for a progressive
/// one.
const MOST: usize = 192;

/// Returns the memory of this process in MiB: `VmHWM`, the peak, or `VmRSS`.
fn memory(what: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

fn jpeg(image: &Bgr, progressive: bool) -> Vec<u8> {
    let (width, height) = (image.width(), image.height());
    let encoder = Encoder::new(image.data(), width, height, PixelFormat::Bgr).quality(90);
    encoder.subsampling(Subsampling::S420).progressive(progressive).encode().unwrap()
}

/// Decodes a file; returns the pixels, and the memory in MiB.
fn measured(file: &[u8]) -> (Bgr, usize) {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    let image = decode(file, &Limits::default()).unwrap();
    (image, memory("VmHWM").saturating_sub(before))
}

/// Returns the mean difference of two pictures' bytes.
fn difference(a: &Bgr, b: &Bgr) -> f64 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let sum: u64 = a.data().iter().zip(b.data()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.data().len() as f64
}

#[test]
fn a_photograph_of_48_megapixels_is_decoded_at_half_its_size_within_the_same_memory() {
    let small = decode(&own_data().image("anna.jpg"), &Limits::default()).unwrap();
    let (width, height) = (6000, 8000);
    let large = resize(&small, width, height);
    let half = shrink(&large, 2);
    let files = [false, true].map(|progressive| jpeg(&large, progressive));
    drop(large);
    for (file, progressive) in files.iter().zip([false, true]) {
        let (image, taken) = measured(file);
        let off = difference(&image, &half);
        println!("progressive {progressive}: {} bytes, {taken} MiB, mean difference {off:.3}", file.len());
        assert_eq!((image.width(), image.height(), image.unit()), (3000, 4000, 2));
        assert!(off < 1.0, "progressive {progressive}: {off}");
        assert!(taken <= MOST, "progressive {progressive}: {taken} MiB");
        assert_eq!(decode(file, &Limits::default()).unwrap(), image, "the same pixels each time");
    }
    faces_are_answered_in_pixels_of_the_file(&files[0], &half);
    for (width, height) in [(8001, 8000), (12_001, 100)] {
        let mut claims = files[0].clone();
        let frame = claims.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
        claims[frame + 5..frame + 7].copy_from_slice(&u16::try_from(height).unwrap().to_be_bytes());
        claims[frame + 7..frame + 9].copy_from_slice(&u16::try_from(width).unwrap().to_be_bytes());
        let refused = decode(&claims, &Limits::default());
        assert!(matches!(
            refused,
            Err(DecodeError::TooManyPixels { limit: 64_000_000, .. } | DecodeError::SideTooLong { limit: 12_000, .. })
        ));
    }
}

/// Checks that the face in a halved photograph, in pixels of the file, is that of the original picture.
fn faces_are_answered_in_pixels_of_the_file(file: &[u8], half: &Bgr) {
    let (world, mut scratch) = (own(), Scratch::default());
    let mut found = |image: &Bgr| world.finder.find(&mut scratch, image, Mode::Auto).unwrap();
    let (halved, reduced) = (found(&decode(file, &Limits::default()).unwrap()), found(half));
    let (one, other): (Face, Face) = (halved.look.in_file(&halved.faces[0]), reduced.faces[0]);
    assert_eq!((halved.faces.len(), halved.look.file_size().y), (1, 8000));
    let apart = |a: i64, b: i64| (a - 2 * b).abs();
    let (a, b) = (one.area, other.area);
    println!("{a:?} of the file, {b:?} of half of it");
    assert!([apart(a.x, b.x), apart(a.y, b.y), apart(a.w, b.w), apart(a.h, b.h)].into_iter().all(|n| n <= 16));
}
