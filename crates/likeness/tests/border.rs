//! Compares the detector on a region of a black canvas with the detector on the whole canvas.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the table is for --nocapture")]

mod support;

use std::path::Path;

use likeness::engine::{KernelSet, Region, Scratch};
use likeness::net::Detector;
use likeness::net::centerface::MARGIN;
use support::{CENTERFACE, testdata, weights};
use testkit::data::own_data;

/// Returns noise in blocks of several sizes, 0 to 255, with edges at every scale.
fn pixel(y: usize, x: usize, c: usize) -> f32 {
    let blocks = [1, 4, 16, 64].map(|side| ((y / side * 7919 + x / side * 104_729 + c * 31) % 64) as f32);
    blocks.iter().sum::<f32>()
}

#[test]
fn maps_of_a_region_are_those_of_the_whole_canvas() {
    region_beside_canvas(own_data().root());
}

#[test]
fn maps_of_a_region_are_those_of_the_whole_canvas_with_published_weights() {
    let Some(folder) = testdata("a region's maps with published weights") else { return };
    region_beside_canvas(&folder);
}

fn region_beside_canvas(folder: &Path) {
    let detector = Detector::load(weights(folder, CENTERFACE), KernelSet::best()).unwrap();
    let mut scratch = Scratch::default();
    let mut failures = Vec::new();
    // Rows and columns of the canvas, and where the picture begins and ends.
    for (canvas, from, to) in [
        ([640, 672], [160, 170], [480, 500]),
        ([800, 608], [200, 150], [600, 450]),
        ([320, 512], [80, 128], [240, 384]),
    ] {
        let inside = |y: usize, x: usize| y >= from[0] && y < to[0] && x >= from[1] && x < to[1];
        let part = |start: [usize; 2], end: [usize; 2]| -> Vec<f32> {
            let places = (start[0]..end[0]).flat_map(|y| (start[1]..end[1]).map(move |x| (y, x)));
            places.flat_map(|(y, x)| [0, 1, 2].map(|c| if inside(y, x) { pixel(y, x, c) } else { 0.0 })).collect()
        };
        let start = [0, 1].map(|axis| from[axis].saturating_sub(MARGIN) / 32 * 32);
        let end = [0, 1].map(|axis| (to[axis] + MARGIN).next_multiple_of(32).min(canvas[axis]));
        let whole = detector.maps(&mut scratch, canvas[0], canvas[1], &part([0, 0], canvas)).unwrap();
        let (columns, heat, landmarks) = (whole.columns, whole.heat.to_vec(), whole.landmarks.to_vec());
        let region = Region {
            canvas: (canvas[0], canvas[1]),
            start: (start[0], start[1]),
            size: (end[0] - start[0], end[1] - start[1]),
        };
        let found = detector.maps_within(&mut scratch, region, &part(start, end)).unwrap();
        let mut worst = 0.0f32;
        for y in from[0].div_ceil(4)..to[0] / 4 {
            for x in from[1].div_ceil(4)..to[1] / 4 {
                let (there, here) = (y * columns + x, (y - start[0] / 4) * found.columns + x - start[1] / 4);
                worst = worst.max((heat[there] - found.heat[here]).abs());
                for k in 0..10 {
                    worst = worst.max((landmarks[10 * there + k] - found.landmarks[10 * here + k]).abs());
                }
            }
        }
        println!("{region:?}: worst difference {worst:e}");
        if worst > 0.0 {
            failures.push(format!("{region:?}: {worst:e}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
