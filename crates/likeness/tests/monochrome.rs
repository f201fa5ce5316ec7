//! Tests that a face without colour is neither live nor a spoof: real and fake faces, with nine colour casts
//! and three gammas, in grey and in colour.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the table is for --nocapture")]

mod support;

use likeness::detect::{Area, Face};
use likeness::engine::Scratch;
use likeness::find::Mode;
use likeness::image::{Bgr, Limits, decode};
use likeness::liveness::{Doubt, Liveness, judge};
use likeness::policy::Policy;
use likeness::quality::Quality;
use support::deepface;
use support::world::{World, own, world};
use testkit::data::own_data;

/// The colour casts: factors of red, green and blue.
const CASTS: [[f64; 3]; 9] = [
    [1.0, 1.0, 1.0],
    [1.0, 0.89, 0.71],
    [1.0, 0.95, 0.85],
    [0.85, 0.92, 1.0],
    [0.7, 0.85, 1.0],
    [0.9, 1.0, 0.85],
    [1.0, 0.8, 0.9],
    [0.75, 1.0, 0.75],
    [1.0, 0.7, 0.6],
];
const GAMMAS: [f64; 3] = [0.6, 1.0, 1.6];

/// Applies a gamma and a cast to a photograph; makes it grey first if `grey` is true.
fn developed(image: &Bgr, grey: bool, cast: [f64; 3], gamma: f64) -> Bgr {
    let curve = |part: f64| -> [u8; 256] {
        std::array::from_fn(|value| (255.0 * part * (value as f64 / 255.0).powf(gamma)).round() as u8)
    };
    let [red, green, blue] = cast.map(curve);
    let pixels = image.data().chunks_exact(3).flat_map(|pixel| {
        let [b, g, r] = [0, 1, 2].map(|at| usize::from(pixel[at]));
        let mean = (299 * r + 587 * g + 114 * b + 500) / 1000;
        let [b, g, r] = if grey { [mean; 3] } else { [b, g, r] };
        [blue[b], green[g], red[r]]
    });
    Bgr::new(image.width(), image.height(), pixels.collect()).unwrap()
}

fn judged(world: &World, scratch: &mut Scratch, image: &Bgr, face: &Face) -> (Liveness, Quality) {
    let scores = world.pair.scores(scratch, image, &face.area).unwrap();
    let measured = Quality::of(image, face);
    (judge(scores, measured.shown(), &Policy::default().liveness), measured)
}

/// The results: the largest colour of grey faces, the smallest of coloured ones, and what breaks the rule.
struct Table {
    without: f64,
    with: f64,
    faded: Vec<String>,
    wrong: Vec<String>,
}

impl Table {
    fn new() -> Self {
        Self { without: 0.0, with: f64::INFINITY, faded: Vec::new(), wrong: Vec::new() }
    }

    /// Tests one face. The photograph itself keeps its verdict without the rule of colour. A grey copy is neither live
    /// nor a spoof under any cast and gamma. A coloured copy counts as coloured, unless it is both brighter and of
    /// another cast.
    fn add(&mut self, world: &World, scratch: &mut Scratch, name: &str, image: &Bgr, face: &Face) {
        let lines = Policy::default().liveness;
        let (itself, measured) = judged(world, scratch, image, face);
        let any = judge(*itself.scores(), Quality { colour: f64::MAX, ..measured }.shown(), &lines);
        self.with = self.with.min(measured.colour);
        if itself != any {
            self.wrong.push(format!("{name}: {itself:?}, without the rule {any:?}"));
        }
        for (cast, gamma) in CASTS.into_iter().flat_map(|cast| GAMMAS.map(|gamma| (cast, gamma))) {
            let (grey, measured) = judged(world, scratch, &developed(image, true, cast, gamma), face);
            self.without = self.without.max(measured.colour);
            if grey.doubt() != Some(Doubt::NoColour) {
                self.wrong.push(format!("{name} grey {cast:?} {gamma}: {grey:?} at {:.2}", measured.colour));
            }
            let colour = Quality::of(&developed(image, false, cast, gamma), face).colour;
            if colour < lines.colour {
                let faded = if gamma < 1.0 && cast != [1.0; 3] { &mut self.faded } else { &mut self.wrong };
                faded.push(format!("{name} colour {cast:?} {gamma}: {colour:.2}"));
            }
        }
    }

    fn check(self, what: &str) {
        let Self { without, with, faded, wrong } = self;
        println!("{what}: colour at most {without:.2} without, at least {with:.2} with; too little left: {faded:#?}");
        assert!(with.is_finite() && wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn no_golden_face_without_colour_is_live_or_a_spoof() {
    let Some(world) = world("no_golden_face_without_colour_is_live_or_a_spoof") else { return };
    let (mut scratch, mut table) = (Scratch::default(), Table::new());
    for (name, answers) in deepface::answers(&world.folder).images {
        let image = deepface::photo(&world.folder, &name);
        for face in answers.aligned.faces {
            let deepface::Area { x, y, w, h, .. } = face.facial_area;
            let area = Area { x, y, w, h };
            let face = Face { area, unclipped: area, landmarks: [[x, y]; 5], score: 1.0 };
            table.add(world, &mut scratch, &name, &image, &face);
        }
    }
    table.check("golden faces");
}

/// The drawn faces are live or fake in colour; the same faces without colour are neither.
#[test]
fn no_drawn_face_without_colour_is_live_or_a_spoof() {
    let (world, mut scratch, mut table) = (own(), Scratch::default(), Table::new());
    for (name, expected) in [("anna.jpg", "live"), ("bert.jpg", "live"), ("anna_fake.jpg", "spoof")] {
        let image = decode(&own_data().image(name), &Limits::default()).unwrap();
        let face = world.finder.find(&mut scratch, &image, Mode::Auto).unwrap().faces[0];
        let found = judged(world, &mut scratch, &image, &face).0.name();
        assert_eq!(found, expected, "{name}");
        table.add(world, &mut scratch, name, &image, &face);
    }
    table.check("drawn faces");
}
