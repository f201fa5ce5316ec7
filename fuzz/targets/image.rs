//! Any bytes as a photograph: what decodes goes through both resamplings and every crop.
#![no_main]

use libfuzzer_sys::fuzz_target;
use likeness::align::{aligned, unaligned};
use likeness::crop::crop;
use likeness::detect::{Area, Face};
use likeness::embed;
use likeness::image::{Limits, decode};

const LIMITS: Limits = Limits { bytes: 1 << 16, pixels: 1 << 14, halved: 1 << 16, side: 1 << 12 };

fuzz_target!(|file: &[u8]| {
    let Ok(image) = decode(file, &LIMITS) else { return };
    let (width, height) = (image.width() as i64, image.height() as i64);
    assert!(width * height <= 1 << 16);
    let _ = embed::input_skip(&image);
    let number = |at: usize| i64::from(file.get(at).copied().unwrap_or(0));
    let area = Area { x: number(20) - 64, y: number(21) - 64, w: number(22), h: number(23) };
    let landmarks = [[number(24), number(25)], [number(26), number(27)], [0, 0], [0, 0], [0, 0]];
    let face = Face { area, unclipped: area, landmarks, score: 0.5 };
    for cut in [aligned(&image, &face), unaligned(&image, &face)].into_iter().flatten() {
        let _ = embed::input(&cut);
    }
    if width > 1 && height > 1 {
        let inside = Area { x: 0, y: 0, w: width - 1, h: height - 1 };
        assert_eq!(crop(image.width(), image.height(), &inside, 2.7).pixels(&image).width(), 80);
    }
});
