//! Attacks on captures, on two replicas of one store. The examiner of these tests reads from a frame's bytes what the
//! frame shows.

use std::sync::{Arc, Barrier};

use likeness::capture::geometry::Landmarks;
use likeness::capture::outcome::{EmbeddingSeen, HoldSeen};
use likeness::capture::session::FaceSeen;
use likeness::detect::Area;
use tokio::runtime::{Builder, Runtime};

use super::usage::use_up;
use super::*;
use crate::store::suite::{Place, enroll, subject, tenant};
use crate::store::{Limit, Source};
use crate::trail::Trail;

#[path = "captures_state_tests.rs"]
mod states;

/// The moment at which each test begins, in milliseconds since 1970.
const NOW: i64 = 1_800_000_000_000;

const ANN: &str = "ann";

/// Who uses captures.
const SOURCE: Source<'_> = Source { key: "key", address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST) };

/// An examiner that reads a frame's text: the prompt that the frame follows, and words that change it.
#[derive(Clone, Default)]
struct Film {
    /// Waits after each look until both replicas have looked.
    both: Option<Arc<Barrier>>,
    /// Has no core.
    busy: bool,
}

impl FrameExaminer for Film {
    type Shown = ();

    async fn look(&self, frame: Bytes, wants_hold: bool) -> Result<(Sighting, ()), Problem> {
        if self.busy {
            return Err(Problem::new(Code::Overloaded, "no core"));
        }
        let text = String::from_utf8_lossy(&frame).into_owned();
        let (seen, digest) = (face(&text, wants_hold), *blake3::hash(&frame).as_bytes());
        if let Some(both) = self.both.clone() {
            tokio::task::spawn_blocking(move || both.wait()).await.map_err(|why| Problem::internal(&why))?;
        }
        Ok((Sighting { digest, face: Some(seen), second: false }, ()))
    }
}

/// Returns the face of a frame that follows this prompt.
fn face(text: &str, wants_hold: bool) -> FaceSeen {
    let (nose, height) = match text.split(' ').next().unwrap_or_default() {
        "turn_left" => (32.5, 170.0),
        "turn_right" => (-32.5, 170.0),
        "come_closer" => (0.0, 221.0),
        _ => (0.0, 170.0),
    };
    let landmarks: Landmarks = [[255.0, 200.0], [385.0, 200.0], [320.0 + nose, 275.0], [270.0, 345.0], [370.0, 345.0]];
    let hold = HoldSeen {
        live: !text.contains("spoof"),
        live_probability: 0.95,
        sharpness: 40.0,
        embedding: EmbeddingSeen { space: [7; 32], numbers: direction(7) },
    };
    let straight = nose == 0.0;
    FaceSeen { area: AREA, landmarks, height, room: 1.3, hold: (wants_hold && straight).then_some(hold), straight }
}

/// The direction along one axis.
fn direction(axis: u16) -> Vec<f32> {
    (0..512_u16).map(|at| if at == axis { 1.0 } else { 0.0 }).collect()
}

/// The box of the face.
const AREA: Area = Area { x: 200, y: 60, w: 240, h: 340 };

/// Two replicas of a store, and the capture that a test drives.
struct Scene {
    replicas: [Arc<Store>; 2],
    runtime: Runtime,
    trail: Trail,
    id: String,
    capture: Capture,
    at: i64,
    /// Milliseconds from a frame's arrival to its answer, and whether there is no core.
    work: i64,
    busy: bool,
    /// The face that the route judges.
    judged: Area,
    /// Every frame with the hash that it carried.
    sent: Vec<(String, String)>,
}

impl Drop for Scene {
    /// Leaves room for the person's next captures.
    fn drop(&mut self) {
        if let Some(id) = unhex_capture(&self.id) {
            let _ = self.replicas[0].take_capture(&id);
        }
    }
}

impl Scene {
    fn new(place: &Place) -> Self {
        Self::bound(place, &bound(CapturePurpose::Verify, "acme", Some(ANN)))
    }

    fn bound(place: &Place, bound: &Binding) -> Self {
        let replicas = [place.store(), place.store()];
        if replicas[0].pseudonym(&tenant(), &subject(ANN), NOW / 1000).unwrap().is_none() {
            enroll(&replicas[0], ANN, 1);
        }
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (id, capture) =
            runtime.block_on(begin(&replicas[0], (bound.clone(), "key"), &Policy::default(), NOW)).unwrap();
        Self {
            replicas,
            runtime,
            trail: Trail::default(),
            id: hex(&id),
            capture,
            at: NOW,
            work: 0,
            busy: false,
            judged: AREA,
            sent: Vec::new(),
        }
    }

    /// Sends a frame with this text and hash to a replica, for a caller of this tenant.
    fn send(&mut self, replica: usize, text: &str, previous: &str, tenant: &str) -> Result<(), Code> {
        let answered = self.at + self.work;
        let captures = Captures {
            store: self.replicas[replica].clone(),
            examiner: Film { busy: self.busy, both: None },
            policy: Policy::default(),
            clock: Box::new(move || answered),
        };
        let arrival = Arrival { id: &self.id, previous, bytes: Bytes::from(text.to_owned()), at: self.at };
        let frame = self.trail.clone().along(captures.frame(arrival, |found| found == tenant));
        let (capture, ()) = self.runtime.block_on(frame).map_err(|problem| problem.code())?;
        self.sent.push((text.to_owned(), previous.to_owned()));
        self.capture = capture;
        Ok(())
    }

    /// Sends the frame that the prompt asks for, 500 ms later, to either replica in turn; `words` change it.
    fn next(&mut self, words: &str) -> Result<(), Code> {
        self.at += 500;
        let text = format!("{} {words} {}", self.capture.session.prompt().unwrap_or("none"), self.sent.len());
        let previous = self.capture.answer.clone();
        let tenant = self.capture.bound.tenant.clone();
        self.send(self.sent.len() % 2, &text, &previous, &tenant)
    }

    /// Follows the prompts until the capture is complete or ended.
    fn finish(&mut self, words: &str) {
        while self.capture.session.outcome().is_none() {
            self.next(words).unwrap();
        }
    }

    /// Returns the bytes of the frame that counts.
    fn best(&self) -> String {
        match self.capture.session.outcome() {
            Some(Outcome::Completed { best, .. }) => self.sent[best.frame as usize - 1].0.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn use_up(&self, bound: &Binding, photograph: &str) -> Result<(), Code> {
        let moment = (self.at, &Policy::default().capture);
        let used = use_up(&self.replicas[1], &self.id, (bound, None, photograph.as_bytes()), SOURCE, moment);
        let judged = self.judged;
        let counted = async move { used.await?.map_err(|_| refused())?.counted(&judged) };
        let counted = self.runtime.block_on(self.trail.clone().along(counted));
        counted.map(|id| assert_eq!(id, self.id)).map_err(|problem| problem.code())
    }

    /// Returns the rule that the record names.
    fn rule(&self) -> Option<&'static str> {
        self.trail.seen().capture.and_then(|capture| capture.failed)
    }
}

fn bound(purpose: CapturePurpose, tenant: &str, subject: Option<&str>) -> Binding {
    Binding { purpose, tenant: tenant.into(), subject: subject.map(str::to_owned) }
}

/// An attack, with the expected code and the expected rule in the record.
type Attack = (&'static str, fn(&mut Scene) -> Result<(), Code>, Code, Option<&'static str>);

/// Attacks while frames are sent. Whatever is refused, the capture is ended, except where no rule is named.
const ON_FRAMES: [Attack; 13] = [
    ("a frame is sent again", |scene| replay(scene, 0), Code::CaptureEnded, Some("out_of_order")),
    ("an earlier frame is sent again", |scene| replay(scene, 2), Code::CaptureEnded, Some("out_of_order")),
    (
        "the bytes of an earlier frame with the right hash",
        |scene| {
            let (text, previous) = (scene.sent[1].0.clone(), scene.capture.answer.clone());
            scene.at += 500;
            scene.send(1, &text, &previous, "acme").unwrap();
            scene.next("")
        },
        Code::CaptureEnded,
        Some("out_of_order"),
    ),
    (
        "a frame overtakes another",
        |scene| {
            let (before, text) = (scene.capture.answer.clone(), "look_straight");
            scene.send(0, text, &before, "acme").unwrap();
            scene.send(1, text, &before, "acme")
        },
        Code::CaptureEnded,
        Some("out_of_order"),
    ),
    (
        "an answer is skipped",
        |scene| scene.send(0, "look_straight", &"0".repeat(64), "acme"),
        Code::CaptureEnded,
        Some("out_of_order"),
    ),
    (
        "a hash of another capture",
        |scene| {
            let other = Capture { answer: String::new(), ..scene.capture.clone() };
            let mut other = Capture { session: Session::begin(NOW, &Policy::default().capture), ..other };
            other.chain(&[0; 32]).unwrap();
            scene.send(0, "look_straight", &other.answer, "acme")
        },
        Code::CaptureEnded,
        Some("out_of_order"),
    ),
    (
        "a caller of another tenant",
        |scene| {
            let previous = scene.capture.answer.clone();
            scene.send(0, "look_straight", &previous, "other")
        },
        Code::NotFound,
        None,
    ),
    (
        "a capture that is unknown",
        |scene| {
            scene.id = hex(&[7; 16]);
            scene.next("")
        },
        Code::NotFound,
        None,
    ),
    (
        "a step too late",
        |scene| {
            scene.at += 9_000;
            scene.next("").unwrap();
            scene.next("")
        },
        Code::CaptureEnded,
        Some("late"),
    ),
    (
        "a turn before anybody can react",
        |scene| {
            while !scene.capture.session.prompt().unwrap().starts_with("turn") {
                scene.next("").unwrap();
            }
            scene.at -= 400;
            scene.next("").unwrap();
            scene.next("")
        },
        Code::CaptureEnded,
        Some("early"),
    ),
    (
        "after its end",
        |scene| {
            scene.at += 180_000;
            scene.next("")
        },
        Code::NotFound,
        None,
    ),
    (
        "the clock goes back by an hour",
        |scene| {
            scene.at -= 3_600_000;
            scene.next("").unwrap();
            scene.next("")
        },
        Code::CaptureEnded,
        Some("clock"),
    ),
    (
        "the clock jumps ahead by a minute",
        |scene| {
            scene.at += 60_000;
            scene.next("").unwrap();
            scene.next("")
        },
        Code::CaptureEnded,
        Some("late"),
    ),
];

fn replay(scene: &mut Scene, before: usize) -> Result<(), Code> {
    let (text, previous) = scene.sent[scene.sent.len() - 1 - before].clone();
    scene.at += 500;
    scene.send(1, &text, &previous, "acme")
}

/// Attacks on a completed capture.
const ON_USE: [Attack; 12] = [
    (
        "for another purpose",
        |scene| used(scene, CapturePurpose::Enroll, "acme", Some(ANN)),
        REFUSED,
        Some("other_purpose"),
    ),
    (
        "for another person",
        |scene| used(scene, CapturePurpose::Verify, "acme", Some("ben")),
        REFUSED,
        Some("other_subject"),
    ),
    ("for no person", |scene| used(scene, CapturePurpose::Verify, "acme", None), REFUSED, Some("other_subject")),
    ("by another tenant", |scene| used(scene, CapturePurpose::Verify, "other", Some(ANN)), REFUSED, Some("unknown")),
    (
        "with the number of no capture",
        |scene| {
            scene.id = "7".repeat(32);
            used(scene, CapturePurpose::Verify, "acme", Some(ANN))
        },
        REFUSED,
        Some("unknown"),
    ),
    (
        "with another photograph",
        |scene| scene.use_up(&bound(CapturePurpose::Verify, "acme", Some(ANN)), "a photograph"),
        REFUSED,
        Some("other_photograph"),
    ),
    (
        "by a small face within the large one",
        |scene| {
            scene.judged = Area { x: 290, y: 80, w: 60, h: 85 };
            used(scene, CapturePurpose::Verify, "acme", Some(ANN))
        },
        REFUSED,
        Some("other_face"),
    ),
    (
        "by a face beside it",
        |scene| {
            scene.judged = Area { x: 0, ..AREA };
            used(scene, CapturePurpose::Verify, "acme", Some(ANN))
        },
        REFUSED,
        Some("other_face"),
    ),
    (
        "twice",
        |scene| {
            used(scene, CapturePurpose::Verify, "acme", Some(ANN)).unwrap();
            used(scene, CapturePurpose::Verify, "acme", Some(ANN))
        },
        REFUSED,
        Some("unknown"),
    ),
    (
        "too late",
        |scene| {
            scene.at = NOW + 180_000;
            used(scene, CapturePurpose::Verify, "acme", Some(ANN))
        },
        REFUSED,
        Some("expired"),
    ),
    (
        "after the clock went back",
        |scene| {
            scene.at -= 1_500;
            used(scene, CapturePurpose::Verify, "acme", Some(ANN))
        },
        REFUSED,
        Some("clock"),
    ),
    ("a frame after the last", |scene| scene.next(""), Code::CaptureEnded, None),
];

const REFUSED: Code = Code::CaptureRefused;

fn used(scene: &mut Scene, purpose: CapturePurpose, tenant: &str, subject: Option<&str>) -> Result<(), Code> {
    let best = scene.best();
    scene.use_up(&bound(purpose, tenant, subject), &best)
}

#[test]
fn no_attack_on_a_capture_passes() {
    attacks(&Place::sqlite());
}

/// Runs every attack on the database of a place.
pub fn attacks(place: &Place) {
    let mut wrong = Vec::new();
    for (at, (name, attack, code, rule)) in ON_FRAMES.into_iter().chain(ON_USE).enumerate() {
        let mut scene = Scene::new(place);
        if at < ON_FRAMES.len() {
            (0..4).for_each(|_| scene.next("").unwrap());
        } else {
            scene.finish("");
        }
        let found = attack(&mut scene);
        if (found, scene.rule()) != (Err(code), rule) {
            wrong.push(format!("{name}: expected {code:?} {rule:?}, found {found:?} {:?}", scene.rule()));
        }
        // A capture that a frame out of order has ended stays ended.
        if code == Code::CaptureEnded && at < ON_FRAMES.len() && scene.next("") != Err(Code::CaptureEnded) {
            wrong.push(format!("{name}: it goes on"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    states::all(place);
}
