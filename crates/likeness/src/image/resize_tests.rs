//! Against values that OpenCV 5.0.0 gave for a formula-made image, and properties.

use sha2::{Digest, Sha256};

use super::*;

/// Byte `at` of an image is `(at * 2654435761) >> 7`, cut to eight bits.
fn pattern(width: usize, height: usize) -> Bgr {
    let value = |at: usize| (at.wrapping_mul(2_654_435_761) >> 7) as u8;
    Bgr::new(width, height, (0..width * height * 3).map(value).collect()).unwrap()
}

/// The first eight bytes of the SHA-256, in hexadecimal.
fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn eight_bits_equal_opencv_to_the_byte() {
    let table = [
        (40, 61, 80, 80, "c073ef503eb6cf56"),
        (1000, 660, 1024, 672, "f5e073dd68e147b3"),
        (640, 480, 80, 80, "52ae12fdc86df9a6"),
        (33, 200, 80, 80, "05ba5cc2972898d7"),
        (1, 1, 80, 80, "a454f3506ca52848"),
        (2, 3, 80, 80, "58b6117bf21173f3"),
        (80, 80, 80, 80, "a90ea8d04918e9e9"),
        (417, 600, 448, 608, "df58b2e5d18bbc72"),
        (79, 81, 80, 80, "bbd56bf68b0a3546"),
        (1229, 1352, 80, 80, "fa5bd1cfbae1360a"),
    ];
    let wrong = table
        .iter()
        .filter(|(w, h, to_w, to_h, expected)| sum(resize(&pattern(*w, *h), *to_w, *to_h).data()) != *expected);
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&(usize, usize, usize, usize, &str)>::new());
}

#[test]
fn f64_equals_opencv_after_rounding_to_f32() {
    let table = [
        (40, 61, 104, 160, "8a4672312377f9dd"),
        (200, 246, 130, 160, "99389319f096770b"),
        (300, 100, 160, 53, "aa3fbfc5133b33e6"),
        (8, 9, 142, 160, "54981405db37e7d6"),
        (2, 3, 106, 160, "801051ec898c11c5"),
        (160, 160, 160, 160, "5949061da2635d00"),
    ];
    let wrong = table.iter().filter(|(w, h, to_w, to_h, expected)| {
        let bytes: Vec<u8> =
            resize_f64(&pattern(*w, *h), *to_w, *to_h).iter().flat_map(|v| (*v as f32).to_le_bytes()).collect();
        sum(&bytes) != *expected
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&(usize, usize, usize, usize, &str)>::new());
}

#[test]
fn one_colour_stays_and_values_never_leave_their_range() {
    for (width, height, to) in [(7, 5, 80), (200, 3, 80), (80, 80, 33), (1, 50, 64)] {
        for value in [0, 1, 127, 254, 255] {
            let image = Bgr::new(width, height, vec![value; width * height * 3]).unwrap();
            let out = resize(&image, to, to);
            // The fixed point drops below by at most one, as OpenCV's does.
            assert!(out.data().iter().all(|v| value - v <= 1 && *v <= value), "{width}x{height} of {value}");
            assert!(resize_f64(&image, to, to).iter().all(|v| *v == f64::from(value) / 255.0));
        }
    }
}

#[test]
fn a_window_equals_the_same_part_of_the_whole() {
    let image = pattern(67, 45);
    for canvas in [Framed::bare(&image), Framed::half(&image)] {
        for (width, height) in [(96, 64), (32, 32), (canvas.width(), canvas.height())] {
            let whole = resize_window(canvas, width, height, Window { left: 0, top: 0, width, height });
            let window = Window { left: width / 3, top: height / 4, width: width / 2, height: height / 2 };
            let part = resize_window(canvas, width, height, window);
            let expected = whole.window(window.left as i64, window.top as i64, window.width, window.height);
            assert_eq!(part.data(), expected.data(), "{width}x{height}");
        }
    }
}

#[test]
fn a_frame_equals_its_black_stored() {
    let image = pattern(67, 45);
    let canvas = Framed::half(&image);
    let (across, down) = (canvas.width(), canvas.height());
    let stored = image.window(-(canvas.x as i64), -(canvas.y as i64), across, down);
    for (width, height) in [(96, 64), (160, 96), (across, down)] {
        let framed = resize_window(canvas, width, height, Window { left: 0, top: 0, width, height });
        assert_eq!(framed.data(), resize(&stored, width, height).data(), "{width}x{height}");
    }
}
