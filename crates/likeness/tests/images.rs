//! Checks decoded photographs: JPEG gives the pixels of OpenCV, which uses libjpeg-turbo; PNG gives the
//! written pixels.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use likeness::image::{Bgr, Limits, decode};
use serde_json::Value;
use support::deepface::{answers, assert_none, photo, sha256};
use support::testdata;
use testkit::data::{PIXELS, own_data, photographs};

/// Returns how a photograph differs from the expected height, width and SHA-256 of the pixels.
fn difference(name: &str, found: &Bgr, size: [usize; 2], pixels: &str) -> Option<String> {
    let same = [found.height(), found.width()] == size && sha256(found.data()) == pixels;
    (!same).then(|| format!("{name}: expected {size:?} {pixels}, found {found:?} {}", sha256(found.data())))
}

#[test]
fn every_drawn_photograph_decodes_to_opencvs_bytes() {
    let recorded: Value = serde_json::from_str(PIXELS).unwrap();
    let wrong = photographs::all().into_iter().filter_map(|(name, _)| {
        let found = decode(&own_data().image(&name), &Limits::default()).unwrap();
        let size = [0, 1].map(|at| usize::try_from(recorded[&name][at].as_u64().unwrap()).unwrap());
        difference(&name, &found, size, recorded[&name][2].as_str().unwrap())
    });
    assert_none(&wrong.collect::<Vec<_>>(), "decoded photographs");
}

#[test]
fn every_drawn_photograph_as_png_decodes_to_what_was_drawn() {
    let wrong = photographs::all().into_iter().filter_map(|(name, scene)| {
        let drawing = scene.draw();
        let bgr: Vec<u8> = drawing.rgb.chunks_exact(3).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        let [width, height] = drawing.size;
        difference(&name, &decode(&drawing.png(), &Limits::default()).unwrap(), [height, width], &sha256(&bgr))
    });
    assert_none(&wrong.collect::<Vec<_>>(), "decoded photographs");
}

#[test]
fn every_portrait_decodes_to_libjpeg_turbos_bytes() {
    let Some(data) = testdata("every_portrait_decodes_to_libjpeg_turbos_bytes") else { return };
    let wrong = answers(&data).images.into_iter().filter_map(|(name, image)| {
        let [height, width, _] = image.decoded_shape_hwc;
        difference(&name, &photo(&data, &name), [height, width], &image.decoded_bgr_sha256)
    });
    assert_none(&wrong.collect::<Vec<_>>(), "decoded photographs");
}
