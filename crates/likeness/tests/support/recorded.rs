//! Compares each network with an independent implementation's results for one small generated photograph
//! (`tools/own-data-answers`). The difference is infinite if a network fails or finds another face.

use std::sync::OnceLock;

use likeness::align::aligned;
use likeness::crop;
use likeness::detect::Area;
use likeness::embed;
use likeness::engine::{RunError, Scratch};
use likeness::find::{Finder, Mode};
use likeness::image::{Bgr, Limits, decode};
use likeness::net::Embedder;
use likeness::net::minifasnet::softmax;
use serde_json::Value;
use testkit::data::{ANSWERS, own_data};

use super::{farthest, numbers, world::own};

/// The photograph: one face, 240 x 320 pixels.
const PHOTOGRAPH: &str = "crowd_01.jpg";
/// The largest allowed difference of a score and of a probability.
pub const TOLERANCE: f64 = 1e-5;
/// The largest allowed difference of a mean of eight numbers of an embedding.
pub const EMBEDDING_TOLERANCE: f64 = 1e-4;

struct Recorded {
    image: Bgr,
    answer: Value,
}

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let image = decode(&own_data().image(PHOTOGRAPH), &Limits::default()).unwrap();
        let answers: Value = serde_json::from_str(ANSWERS).unwrap();
        Recorded { image, answer: answers["photographs"][PHOTOGRAPH][0].clone() }
    })
}

/// A finder's face: its score, where box and landmarks are the recorded ones.
pub fn finder_error(finder: &Finder) -> f64 {
    let Recorded { image, answer } = recorded();
    let Ok(found) = finder.find(&mut Scratch::default(), image, Mode::Exact) else { return f64::INFINITY };
    let [face] = found.faces[..] else { return f64::INFINITY };
    let Area { x, y, w, h } = face.area;
    if serde_json::json!([[x, y, w, h], face.landmarks]) != serde_json::json!([answer["area"], answer["landmarks"]]) {
        return f64::INFINITY;
    }
    (f64::from(face.score) - answer["score"].as_f64().unwrap()).abs()
}

/// A spoof network's probabilities: the one at `index` of the recorded two, which sees `scale`.
pub fn spoof_error(
    index: usize,
    scale: f64,
    logits: impl FnOnce(&mut Scratch, &[f32]) -> Result<[f32; 3], RunError>,
) -> f64 {
    let Recorded { image, answer } = recorded();
    let [x, y, w, h] = std::array::from_fn(|at| answer["area"][at].as_i64().unwrap());
    let crop = crop::crop(image.width(), image.height(), &Area { x, y, w, h }, scale);
    let Ok(logits) = logits(&mut Scratch::default(), &crop::input(&crop.pixels(image))) else { return f64::INFINITY };
    farthest(&softmax(logits), &numbers(&answer["softmax"][index]))
}

/// An embedder's embedding of the face.
pub fn embedder_error(embedder: &Embedder) -> f64 {
    static INPUT: OnceLock<Vec<f32>> = OnceLock::new();
    let Recorded { image, answer } = recorded();
    let input = INPUT.get_or_init(|| {
        let face = own().finder.find(&mut Scratch::default(), image, Mode::Exact).unwrap().faces[0];
        embed::input(&aligned(image, &face).unwrap()).unwrap()
    });
    let mut scratch = Scratch::default();
    let Ok(embedding) = embedder.embed(&mut scratch, input) else { return f64::INFINITY };
    let means: Vec<f32> = embedding.chunks(8).map(|eight| eight.iter().sum::<f32>() / 8.0).collect();
    farthest(&means, &numbers(&answer["embedding"]))
}
