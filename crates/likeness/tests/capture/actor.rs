//! The subject in front of the camera: a head of points in space, or a picture of it that a person moves.

use likeness::capture::geometry::Landmarks;
use testkit::random::Random;

use crate::film::between;

/// The subject in front of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A head that turns by at least 25 degrees.
    Head,
    /// A picture that stays where it is.
    Still,
    /// A picture that is moved sideways.
    Moved,
    /// A picture that comes closer and goes back.
    Scaled,
    /// A picture that is tilted by up to 45 degrees.
    Tilted,
}

/// A point in millimetres: to the person's left, down, towards the camera; from between the eyes.
type Point = [f64; 3];

/// The distance between the eyes.
const EYES: f64 = 64.0;
/// The height of the face.
const FACE: f64 = 190.0;
/// Pixels of the camera's focal length; a frame has 640 x 480 pixels.
const FOCAL: f64 = 700.0;

/// An actor who follows the prompts.
pub struct Actor {
    kind: Kind,
    points: [Point; 5],
    /// The distance of a turn's axis behind the eyes.
    axis: f64,
    distance: f64,
    /// The size of an answer to a prompt, and how long it takes to begin and per degree.
    peak: f64,
    reaction: f64,
    speed: f64,
    /// Tilts that do not change, and the frequency of a small sway.
    lean: [f64; 2],
    sway: f64,
    /// The yaw in degrees, and where it was at the last prompt.
    yaw: f64,
    from: f64,
    closer: f64,
}

impl Actor {
    /// Draws an actor.
    pub fn new(kind: Kind, random: &mut Random) -> Self {
        // The nose's distance from the plane of eyes and mouth, so that turns of 20 and 30 degrees show what was
        // measured on photographs: 0.11 to 0.19, and 0.19 to 0.37 distances between the eyes.
        let nose = EYES * between(random, 0.33, 0.60);
        let (mouth, low) = (between(random, 22.0, 28.0), between(random, 62.0, 76.0));
        let points = [
            [-EYES / 2.0, 0.0, 0.0],
            [EYES / 2.0, 0.0, 0.0],
            [between(random, -2.0, 2.0), low * between(random, 0.5, 0.62), nose],
            [-mouth, low, 0.0],
            [mouth, low, 0.0],
        ];
        let head = kind == Kind::Head;
        let mut actor = Self {
            kind,
            points,
            axis: if head { 80.0 } else { 0.0 },
            distance: FOCAL * FACE / between(random, 262.0, 310.0),
            peak: if head { between(random, 25.0, 45.0) } else { between(random, 20.0, 45.0) },
            reaction: between(random, 0.3, 0.9),
            speed: between(random, 50.0, 120.0),
            lean: [between(random, -8.0, 8.0), between(random, -8.0, 8.0)],
            sway: between(random, 0.1, 0.5),
            yaw: 0.0,
            from: 0.0,
            closer: 1.0,
        };
        if !head {
            actor.flatten(random);
        }
        actor
    }

    /// Makes a picture of the head, taken from the front or a little aside: a plane with the same eyes and mouth.
    fn flatten(&mut self, random: &mut Random) {
        let (yaw, away) = (between(random, -5.0, 5.0), between(random, 400.0, 1500.0));
        let (sin, cos) = yaw.to_radians().sin_cos();
        self.points = self.points.map(|[x, y, z]| {
            let (x, z) = (x * cos + z * sin, z * cos - x * sin);
            let scale = away / (away - z);
            [x * scale, y * scale, 0.0]
        });
    }

    /// Is called when the prompt changes.
    pub fn prompted(&mut self) {
        self.from = self.yaw;
    }

    /// Returns the landmarks `since` seconds after a prompt, at a time of the film; the distance between the eyes from the
    /// front; and the height of the face.
    pub fn view(&mut self, prompt: &str, since: f64, time: f64) -> (Landmarks, f64, f64) {
        let (side, near) = match prompt {
            "turn_left" => (1.0, 1.0),
            "turn_right" => (-1.0, 1.0),
            "come_closer" => (0.0, 1.15),
            "move_back" => (0.0, 1.0 / 1.15),
            _ => (0.0, 1.0),
        };
        let acting = (since - self.reaction).max(0.0);
        let (mut aside, mut scale) = (0.0, 1.0);
        match self.kind {
            Kind::Head | Kind::Tilted => {
                let to = side * self.peak;
                let step = (self.speed * acting).min((to - self.from).abs());
                self.yaw = self.from + (to - self.from).signum() * step;
            }
            Kind::Moved => aside = side * 60.0 * acting.min(1.0),
            Kind::Scaled => scale = 1.0 + 0.3 * side * acting.min(1.0),
            Kind::Still => {}
        }
        if near != 1.0 && acting > 0.0 {
            // The height changes by at most a twentieth in each frame, so that the face does not jump.
            self.closer = if near > 1.0 { (self.closer * 1.05).min(near) } else { (self.closer / 1.05).max(near) };
        }
        self.seen(aside, scale * self.closer, time)
    }

    fn seen(&self, aside: f64, scale: f64, time: f64) -> (Landmarks, f64, f64) {
        let distance = self.distance / scale;
        let wave = (time * self.sway * std::f64::consts::TAU).sin();
        let [pitch, roll] = self.lean;
        let turned = self.points.map(|[x, y, z]| {
            let [x, z] = rotated([x, z + self.axis], self.yaw + 1.5 * wave);
            let [y, z] = rotated([y, z - self.axis], pitch);
            let [x, y] = rotated([x, y], roll + wave);
            let scale = FOCAL / (distance - z);
            [320.0 + scale * (x + aside + 4.0 * wave), 200.0 + scale * (y + 2.0 * wave)]
        });
        (turned, FOCAL / distance * EYES, FOCAL / distance * FACE)
    }
}

/// Rotates, so that positive degrees turn the second axis into the first.
fn rotated([a, b]: [f64; 2], degrees: f64) -> [f64; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [a * cos + b * sin, b * cos - a * sin]
}
