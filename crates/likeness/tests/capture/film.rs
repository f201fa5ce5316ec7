//! A film: an actor in front of a camera, and the session that the frames go to.

use likeness::capture::geometry::{Landmarks, eye_distance, offset};
use likeness::capture::outcome::{EmbeddingSeen, HoldSeen, Outcome};
use likeness::capture::session::{FaceSeen, Session, Sighting};
use likeness::detect::Area;
use likeness::policy::Policy;
use testkit::random::Random;

use crate::actor::Actor;

/// The moment at which every film begins, in milliseconds since 1970.
pub const NOW: i64 = 1_800_000_000_000;

/// A standard normal number.
pub fn normal(random: &mut Random) -> f64 {
    let (a, b) = (random.part().max(1e-12), random.part());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// A number between two.
pub fn between(random: &mut Random, least: f64, most: f64) -> f64 {
    least + (most - least) * random.part()
}

/// The detector's errors: normal, and similar in successive frames.
pub struct Noise {
    deviation: f64,
    memory: f64,
    last: Landmarks,
}

impl Noise {
    /// Draws the deviation, 2.3 to 3.1 % of the distance between the eyes, and how similar successive errors are.
    pub fn new(random: &mut Random) -> Self {
        let mut noise =
            Self { deviation: between(random, 0.023, 0.031), memory: between(random, 0.0, 0.9), last: [[0.0; 2]; 5] };
        noise.last = noise.last.map(|point| point.map(|_| normal(random)));
        noise
    }

    /// Adds errors to landmarks whose eyes are `eyes` apart in a view from the front, and truncates to whole pixels.
    pub fn on(&mut self, points: &Landmarks, eyes: f64, random: &mut Random) -> Landmarks {
        let fresh = (1.0 - self.memory * self.memory).sqrt();
        self.last = self.last.map(|point| point.map(|error| self.memory * error + fresh * normal(random)));
        let mut noisy = *points;
        for (point, error) in noisy.iter_mut().flatten().zip(self.last.iter().flatten()) {
            *point = (*point + error * self.deviation * eyes).trunc();
        }
        noisy
    }
}

/// Returns a live frame of a hold of one person.
pub fn live() -> HoldSeen {
    let numbers = (0..512_u16).map(|at| if at == 7 { 1.0 } else { 0.0 }).collect();
    HoldSeen {
        live: true,
        live_probability: 0.95,
        sharpness: 40.0,
        embedding: EmbeddingSeen { space: [7; 32], numbers },
    }
}

/// Returns the face of these landmarks; its height is `height`, in a photograph of 640 x 480 pixels.
pub fn face(points: Landmarks, height: f64, wanted: bool, policy: &Policy) -> FaceSeen {
    let room = 479.0 / height / policy.liveness.context;
    let straight = offset(&points).abs() <= policy.capture.straight && room >= 1.0;
    let [x, y] = points[2];
    #[expect(clippy::cast_possible_truncation, reason = "pixels")]
    let area = {
        let width = 0.75 * height;
        Area { x: (x - width / 2.0) as i64, y: (y - height / 2.0) as i64, w: width as i64, h: height as i64 }
    };
    let hold = (wanted && straight && eye_distance(&points) > 1.0).then(live);
    // The detector's input has 256 rows.
    FaceSeen { area, landmarks: points, height: height * 256.0 / 480.0, room, hold, straight }
}

/// Plays a film to its end; the passive check of liveness takes every frame for live.
pub fn play(actor: &mut Actor, random: &mut Random) -> Outcome {
    let policy = Policy::default();
    let (mut session, mut noise) = (Session::begin(NOW, &policy.capture), Noise::new(random));
    let (mut now, mut prompt, mut prompted) = (0.0, "", 0.0);
    while session.outcome().is_none() {
        now += between(random, 0.1, 0.22);
        assert!(now < 180.0, "a film without an end: {:?}", session.step());
        let (points, eyes, height) = actor.view(prompt, now - prompted, now);
        let points = noise.on(&points, eyes, random);
        let seen = face(points, height, session.wants_hold(), &policy);
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds")]
        let at = NOW + (now * 1e3) as i64;
        let before = session.step();
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&at.to_le_bytes());
        session.take(&Sighting { digest, face: Some(seen), second: false }, at, random.bits(), &policy);
        if session.step() != before {
            (prompt, prompted) = (session.prompt().unwrap_or(""), now);
            actor.prompted();
        }
    }
    session.outcome().unwrap().clone()
}
