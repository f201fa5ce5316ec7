//! Tests the native look policy on framings of real faces: one face, the right box and eyes, the same
//! embedding for every frame size. The reference is the face in the whole photograph, at heights where the
//! detector is most confident.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the table is for --nocapture")]

mod support;

use likeness::detect::{Area, Face};
use likeness::distance::Metric;
use likeness::engine::Scratch;
use likeness::find::{Finder, Mode};
use likeness::image::Bgr;
use likeness::image::resize::resize;
use likeness::image::shrink::shrink;
use likeness::turn::TURNS;
use support::all_sizes;
use support::deepface::{assert_none, photo};
use support::world::world;

/// Photographs of one upright person each, with room around the face.
const PERSONS: [&str; 7] = ["img10.jpg", "img11.jpg", "img14.jpg", "img2.jpg", "img25.jpg", "img29.jpg", "img3.jpg"];
/// Frames of 3:4, from a thumbnail to a phone's photograph. Without `LIKENESS_SIZES=all`, every other size is
/// tested; each way to find a face still occurs.
const FRAMES: [[usize; 2]; 6] = [[240, 320], [480, 640], [768, 1024], [1020, 1360], [1536, 2048], [3000, 4000]];
/// The face's height as a part of the frame's height. Without `LIKENESS_SIZES=all`, every other part is
/// tested.
const PARTS: [f64; 8] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.85, 0.95];
/// The smallest distance between the eyes, in pixels, for which the test sets limits.
const EYES: f64 = 40.0;

/// Reduces an image by blocks first, so that every pixel counts, then to the size.
fn sized(image: &Bgr, width: usize, height: usize) -> Bgr {
    let block = (image.width() / width).min(image.height() / height).max(1);
    resize(&shrink(image, block), width, height)
}

/// A framing of a face at a size, with the face's place in the frame.
struct Framing {
    row: String,
    image: Bgr,
    area: [f64; 4],
    eyes: [[f64; 2]; 2],
}

/// The heights of the face in the detector's input, over which the reference is the median.
const HEIGHTS: [f64; 5] = [140.0, 170.0, 200.0, 230.0, 260.0];

/// Detects the only face of the whole photograph, reduced to this longer side; returns the box in pixels of
/// the photograph.
fn seen_at(finder: &Finder, scratch: &mut Scratch, image: &Bgr, side: f64) -> [i64; 8] {
    let scale = (image.width().max(image.height()) as f64 / side).max(1.0);
    let small = sized(image, (image.width() as f64 / scale) as usize, (image.height() as f64 / scale) as usize);
    let face = finder.find(scratch, &small, Mode::Fast { side: 4096 }).unwrap().faces[0];
    let (Area { x, y, w, h }, [[ax, ay], [bx, by], ..]) = (face.area, face.landmarks);
    [x, y, w, h, ax, ay, bx, by].map(|v| (v as f64 * scale).round() as i64)
}

/// Returns the reference face of a photograph: the median over the heights at which the detector is most
/// confident.
fn truth(finder: &Finder, scratch: &mut Scratch, image: &Bgr) -> Face {
    let height = seen_at(finder, scratch, image, 700.0)[3] as f64;
    let longer = image.width().max(image.height()) as f64;
    let looks = HEIGHTS.map(|wanted| seen_at(finder, scratch, image, (longer * wanted / height).min(longer)));
    let [x, y, w, h, ax, ay, bx, by] = std::array::from_fn(|at| {
        let mut values = looks.map(|look| look[at]);
        values.sort_unstable();
        values[HEIGHTS.len() / 2]
    });
    let area = Area { x, y, w, h };
    Face { area, unclipped: area, landmarks: [[ax, ay], [bx, by], [ax, ay], [ax, ay], [ax, ay]], score: 1.0 }
}

/// Cuts the photograph so that the face takes this part of the height, if the photograph is large enough.
fn framings(image: &Bgr, face: &Face, name: &str, part: f64) -> Vec<Framing> {
    let Area { x, y, w, h } = face.area;
    let (high, wide) = (h as f64 / part, h as f64 / part * 0.75);
    let (image_w, image_h) = (image.width() as f64, image.height() as f64);
    if high > image_h || wide > image_w || w as f64 > wide {
        return Vec::new();
    }
    let left = (x as f64 + w as f64 / 2.0 - wide / 2.0).clamp(0.0, image_w - wide).floor();
    let top = (y as f64 + h as f64 / 2.0 - high / 2.0).clamp(0.0, image_h - high).floor();
    let cut = image.window(left as i64, top as i64, wide as usize, high as usize);
    let one = |[width, height]: [usize; 2]| {
        let (sx, sy) = (width as f64 / cut.width() as f64, height as f64 / cut.height() as f64);
        let at = |point: [i64; 2]| [(point[0] as f64 - left) * sx, (point[1] as f64 - top) * sy];
        let corner = at([x, y]);
        Framing {
            row: format!("{name} {part} {width}x{height}"),
            image: sized(&cut, width, height),
            area: [corner[0], corner[1], w as f64 * sx, h as f64 * sy],
            eyes: [at(face.landmarks[0]), at(face.landmarks[1])],
        }
    };
    FRAMES.into_iter().step_by(step()).map(one).collect()
}

/// Returns the step through the framings: 1 for all, 2 for every other one.
fn step() -> usize {
    if all_sizes() { 1 } else { 2 }
}

fn apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Returns the quantile of the values.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// All photographs of the test data; a normal run uses every other one.
const PHOTOGRAPHS: [&str; 17] = [
    "img1.jpg",
    "img10.jpg",
    "img11.jpg",
    "img14.jpg",
    "couple.jpg",
    "img16.jpg",
    "img17.jpg",
    "image_T1.jpg",
    "img2.jpg",
    "img20.jpg",
    "img25.jpg",
    "img3.jpg",
    "img29.jpg",
    "img43.jpg",
    "img5.jpg",
    "img51.jpg",
    "image_F1.jpg",
];
/// A photograph whose face looks upright when it is upside down: that is not noticed, and from its sides it
/// is rotated to the wrong side.
const MISTAKEN: &str = "img16.jpg";

#[test]
fn a_photograph_on_its_side_or_head_is_turned_back_to_the_same_pixels_and_faces() {
    let Some(world) = world("a_photograph_on_its_side_or_head_is_turned_back_to_the_same_pixels_and_faces") else {
        return;
    };
    let (mut scratch, mut wrong, mut of, mut noticed) = (Scratch::default(), Vec::new(), 0, 0);
    for name in PHOTOGRAPHS.into_iter().step_by(step()) {
        let image = photo(&world.folder, name);
        let (_, straight) = world.finder.upright(&mut scratch, image.clone(), Mode::Auto).unwrap();
        if straight.look.rotated != 0 {
            wrong.push(format!("{name}: turned by {}", straight.look.rotated));
        }
        for (degrees, orientation) in TURNS {
            of += 1;
            let sent = image.clone().oriented(orientation);
            let (back, found) = world.finder.upright(&mut scratch, sent, Mode::Auto).unwrap();
            noticed += usize::from(found.look.rotated != 0);
            let right = back == image && found.look.rotated == 360 - degrees && found.faces == straight.faces;
            if right == (name == MISTAKEN) {
                wrong.push(format!(
                    "{name} at {degrees}: turned by {}, {} faces",
                    found.look.rotated,
                    found.faces.len()
                ));
            }
        }
    }
    println!("{noticed} of {of} turned photographs were noticed, and all but those of {MISTAKEN} turned back");
    assert_none(&wrong, "turned photographs");
}

/// The detector does not find small faces on their side. 146 photographs were rotated (17 persons, faces of
/// 48 to 240 pixels in frames of 900 x 700). Rotation found a face in 119, and in 114 the face that is found
/// upright.
#[test]
fn a_photograph_that_shows_no_face_as_it_was_sent_is_turned_too() {
    let Some(world) = world("a_photograph_that_shows_no_face_as_it_was_sent_is_turned_too") else { return };
    let (mut scratch, mut wrong) = (Scratch::default(), Vec::new());
    for name in ["img20.jpg", "img29.jpg", "img5.jpg"] {
        let image = photo(&world.folder, name);
        let (width, height) = (64 * image.width() / image.height(), 64);
        let framed = resize(&image, width, height).window(-300, -200, 900, 700);
        let (_, straight) = world.finder.upright(&mut scratch, framed.clone(), Mode::Auto).unwrap();
        let sent = framed.clone().oriented(6);
        let as_sent = world.finder.find(&mut scratch, &sent, Mode::Auto).unwrap();
        let (back, found) = world.finder.upright(&mut scratch, sent, Mode::Auto).unwrap();
        let right = back == framed && found.look.rotated == 270 && found.faces == straight.faces;
        if !as_sent.faces.is_empty() || straight.faces.len() != 1 || !right {
            wrong.push(format!("{name}: {} faces as sent, {} turned", as_sent.faces.len(), found.faces.len()));
        }
    }
    assert_none(&wrong, "photographs without a face as sent");
}

#[test]
fn every_framing_gives_one_face_in_its_place_and_the_same_embedding_at_every_size() {
    let Some(world) = world("every_framing_gives_one_face_in_its_place_and_the_same_embedding_at_every_size") else {
        return;
    };
    let (mut scratch, mut wrong) = (Scratch::default(), Vec::new());
    let (mut shared, mut eyes, mut distances) = (Vec::new(), Vec::new(), Vec::new());
    let persons = PERSONS.map(|name| {
        let image = photo(&world.folder, name);
        let face = truth(&world.finder, &mut scratch, &image);
        (name, image, face)
    });
    let cuts = || PARTS.into_iter().step_by(step());
    for ((name, image, face), part) in persons.iter().flat_map(|person| cuts().map(move |part| (person, part))) {
        let mut embeddings: Vec<Vec<f64>> = Vec::new();
        for framing in framings(image, face, name, part) {
            let between = apart(framing.eyes[0], framing.eyes[1]);
            if between < EYES {
                continue;
            }
            let found = world.finder.find(&mut scratch, &framing.image, Mode::All).unwrap();
            let [one] = found.faces[..] else {
                wrong.push(format!("{}: {} faces", framing.row, found.faces.len()));
                continue;
            };
            let place = Area {
                x: framing.area[0].round() as i64,
                y: framing.area[1].round() as i64,
                w: framing.area[2].round() as i64,
                h: framing.area[3].round() as i64,
            };
            shared.push(one.area.overlap(&place));
            let off = [0, 1].map(|eye| apart(one.landmarks[eye].map(|v| v as f64), framing.eyes[eye]) / between);
            eyes.extend(off);
            println!("{:28} IoU {:.3} eyes {:.3} {:.3}", framing.row, shared[shared.len() - 1], off[0], off[1]);
            let embedding = world.encoder.embed(&mut scratch, &framing.image, &one, &mut |_| ()).unwrap();
            let embedding: Vec<_> = embedding.numbers().iter().map(|number| f64::from(*number)).collect();
            distances.extend(embeddings.iter().map(|other| Metric::Cosine.distance(other, &embedding)));
            embeddings.push(embedding);
        }
    }
    let of = shared.len();
    let least = quantile(&mut shared, 0.0);
    let [eye50, eye95, eye100] = [0.5, 0.95, 1.0].map(|part| quantile(&mut eyes, part));
    println!("{of} framings: IoU at least {least:.3}; eyes {eye50:.3} / {eye95:.3} / {eye100:.3}");
    let embedding = [0.5, 0.95].map(|part| quantile(&mut distances, part));
    println!("{} distances, p50 {:.3}, p95 {:.3}", distances.len(), embedding[0], embedding[1]);
    assert_none(&wrong, "framings");
    assert!(of >= 100 / step().pow(2) && least >= 0.82, "{of} framings, IoU {least}");
    assert!(eye50 <= 0.045 && eye95 <= 0.085 && eye100 <= 0.12, "eyes {eye50} {eye95} {eye100}");
    assert!(embedding[0] <= 0.10 && embedding[1] <= 0.45, "{embedding:?}");
}
