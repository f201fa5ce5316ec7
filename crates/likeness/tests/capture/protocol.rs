//! Sessions that are followed exactly, except for one thing: each rule ends the session that breaks it, and no other.

use likeness::capture::geometry::Landmarks;
use likeness::capture::outcome::{Outcome, Rule};
use likeness::capture::session::{Session, Sighting};
use likeness::policy::Policy;

use crate::film::{NOW, face};

/// A face from the front, in a frame of 640 x 480 pixels.
const FRONT: Landmarks = [[255.0, 200.0], [385.0, 200.0], [320.0, 275.0], [270.0, 345.0], [370.0, 345.0]];
/// Its height.
const HEIGHT: f64 = 318.0;
/// The displacement of a turned nose in pixels: 0.25 of the distance between the eyes.
const TURNED: f64 = 32.5;

/// A frame that is to be sent.
struct Shot {
    prompt: &'static str,
    /// The number of the step, from 1; 0 before the first.
    step: usize,
    /// Milliseconds since the prompt.
    since: i64,
    /// The frame's number, from 1.
    frame: u32,
    /// The moment of arrival.
    at: i64,
    seen: Sighting,
    /// Milliseconds from the arrival to the answer.
    work: i64,
}

impl Shot {
    fn show(&mut self, nose: f64, height: f64, wanted: bool) {
        let mut points = FRONT;
        points[2][0] += nose;
        self.seen.face = Some(face(points, height, wanted, &Policy::default()));
    }

    fn is_turn(&self) -> bool {
        self.prompt.starts_with("turn_")
    }

    /// The nose's displacement that the prompt asks for.
    fn prompted(&self) -> f64 {
        match self.prompt {
            "turn_left" => TURNED,
            "turn_right" => -TURNED,
            _ => 0.0,
        }
    }
}

/// The digest of a frame with this number.
fn digest(frame: u32) -> [u8; 32] {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&frame.to_le_bytes());
    digest
}

/// Follows the prompts every 200 ms; `change` alters frames before they are taken.
fn run(change: impl FnMut(&mut Shot)) -> Outcome {
    drawn(18, change)
}

/// Makes the same session with these random bits: 18 draws turns to the left, right and right, with three frames in
/// each hold.
fn drawn(random: u64, mut change: impl FnMut(&mut Shot)) -> Outcome {
    let policy = Policy::default();
    let mut session = Session::begin(NOW, &policy.capture);
    let (mut at, mut prompted, mut height) = (NOW, NOW, HEIGHT);
    for frame in 1..1000 {
        at += 200;
        let before = session.step();
        let (prompt, since) = (session.prompt().unwrap(), at - prompted);
        let seen = Sighting { digest: digest(frame), face: None, second: false };
        let mut shot = Shot { prompt, step: before.0, since, frame, at, seen, work: 0 };
        let acts = since >= 400;
        match prompt {
            "come_closer" if acts => height = HEIGHT * 1.15,
            "move_back" if acts => height = HEIGHT / 1.15,
            _ => {}
        }
        shot.show(if acts { shot.prompted() } else { 0.0 }, height, session.wants_hold());
        change(&mut shot);
        at = shot.at;
        session.take(&shot.seen, at, random, &policy);
        at += shot.work;
        session.answered(at, &policy.capture);
        if let Some(outcome) = session.outcome() {
            return outcome.clone();
        }
        if session.step() != before {
            prompted = at;
        }
    }
    panic!("no outcome: {session:?}")
}

type Change = fn(&mut Shot);

/// The change to the frames, and the rule that ends the session.
const BREAKS: [(&str, Change, Option<Rule>); 27] = [
    ("as prompted", |_| (), None),
    (
        "no turn",
        |shot| {
            if shot.is_turn() {
                shot.show(0.0, HEIGHT, false)
            }
        },
        Some(Rule::Late),
    ),
    (
        "a turn of four frames",
        |shot| {
            if shot.is_turn() && shot.since >= 1200 {
                shot.show(0.0, HEIGHT, false)
            }
        },
        Some(Rule::Late),
    ),
    (
        "turned when the prompt comes",
        |shot| {
            if shot.is_turn() {
                shot.at -= 100;
                shot.show(shot.prompted(), HEIGHT, false);
            }
        },
        Some(Rule::Early),
    ),
    ("an answer takes three seconds", |shot| shot.work = if shot.frame % 4 == 0 { 3_000 } else { 0 }, None),
    ("every answer takes a second", |shot| shot.work = 1_000, None),
    ("every answer takes three seconds", |shot| shot.work = 3_000, Some(Rule::Late)),
    (
        "turned when the prompt comes after a second",
        |shot| {
            shot.work = 1_000;
            if shot.is_turn() {
                shot.at -= 100;
                shot.show(shot.prompted(), HEIGHT, false);
            }
        },
        Some(Rule::Early),
    ),
    (
        "the other side",
        |shot| {
            if shot.is_turn() {
                shot.show(-shot.prompted(), HEIGHT, false)
            }
        },
        Some(Rule::WrongTurn),
    ),
    (
        "far away in turns",
        |shot| {
            if shot.is_turn() {
                shot.show(shot.prompted(), 240.0, false)
            }
        },
        Some(Rule::Late),
    ),
    (
        "too near in turns",
        |shot| {
            if shot.is_turn() {
                shot.show(shot.prompted(), 570.0, false)
            }
        },
        Some(Rule::Late),
    ),
    (
        "out of sight for a second",
        |shot| {
            if shot.is_turn() && shot.since < 1200 {
                shot.seen.face = None
            }
        },
        None,
    ),
    (
        "out of sight for two",
        |shot| {
            if shot.is_turn() && shot.since < 2200 {
                shot.seen.face = None
            }
        },
        Some(Rule::FaceLost),
    ),
    (
        "two seconds without a frame",
        |shot| {
            if shot.frame == 7 {
                shot.at += 1800
            }
        },
        Some(Rule::FaceLost),
    ),
    (
        "in another place",
        |shot| {
            if shot.frame == 7 {
                shot.seen.face.iter_mut().for_each(|face| face.area.x += 200);
            }
        },
        Some(Rule::FaceJumped),
    ),
    ("a second face, twice", |shot| shot.seen.second = shot.frame == 4 || shot.frame == 7, None),
    ("a second face, three times", |shot| shot.seen.second = (4..7).contains(&shot.frame), Some(Rule::SecondFace)),
    (
        "the clock goes back by half a second",
        |shot| {
            if shot.frame == 7 {
                shot.at -= 700
            }
        },
        None,
    ),
    (
        "the clock goes back by two",
        |shot| {
            if shot.frame == 7 {
                shot.at -= 2200
            }
        },
        Some(Rule::Clock),
    ),
    (
        "the clock jumps ahead by an hour",
        |shot| {
            if shot.frame == 7 {
                shot.at += 3_600_000
            }
        },
        Some(Rule::Late),
    ),
    (
        "another face in the last hold",
        |shot| {
            if shot.step == 7 {
                shot.seen
                    .face
                    .iter_mut()
                    .flat_map(|face| &mut face.hold)
                    .for_each(|hold| hold.embedding.numbers.reverse());
            }
        },
        Some(Rule::OtherFace),
    ),
    (
        "another embedder in the last hold",
        |shot| {
            if shot.step == 7 {
                shot.seen
                    .face
                    .iter_mut()
                    .flat_map(|face| &mut face.hold)
                    .for_each(|hold| hold.embedding.space = [8; 32]);
            }
        },
        Some(Rule::OtherFace),
    ),
    ("the bytes of the frame before", |shot| shot.seen.digest = digest(shot.frame.min(6)), Some(Rule::OutOfOrder)),
    (
        "the bytes of the first frame",
        |shot| {
            if shot.step == 6 {
                shot.seen.digest = digest(1);
            }
        },
        Some(Rule::OutOfOrder),
    ),
    (
        "the sharpest frame is not live",
        |shot| {
            if shot.step == 3 && shot.since == 400 {
                let holds = shot.seen.face.iter_mut().flat_map(|face| &mut face.hold);
                holds.for_each(|hold| (hold.live, hold.sharpness) = (false, 90.0));
            }
        },
        Some(Rule::NotLive),
    ),
    (
        "one hold of a picture",
        |shot| {
            if shot.step == 3 {
                shot.seen.face.iter_mut().flat_map(|face| &mut face.hold).for_each(|hold| hold.live = false);
            }
        },
        Some(Rule::NotLive),
    ),
    (
        "one hold below the live probability",
        |shot| {
            if shot.step == 3 {
                shot.seen.face.iter_mut().flat_map(|face| &mut face.hold).for_each(|hold| hold.live_probability = 0.6);
            }
        },
        Some(Rule::NotLive),
    ),
];

#[test]
fn whatever_breaks_a_rule_ends_the_session_by_that_rule_and_nothing_else_does() {
    let wrong: Vec<_> = BREAKS
        .into_iter()
        .filter_map(|(name, change, expected)| {
            let outcome = run(change);
            (outcome.failed() != expected).then(|| format!("{name}: expected {expected:?}, found {outcome:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_person_who_follows_any_sequence_passes() {
    let wrong: Vec<_> =
        (0..200).map(|random| drawn(random, |_| ())).filter(|outcome| outcome.failed().is_some()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn who_has_come_near_before_the_step_is_asked_to_move_back() {
    for (height, never) in [(270.0, "move_back"), (312.0, "come_closer")] {
        let mut prompts = std::collections::BTreeSet::new();
        for random in 0..60 {
            drawn(random, |shot| {
                prompts.insert(shot.prompt);
                // The first frame is at another distance.
                let near = if shot.step < 1 { 290.0 } else { height };
                if !["come_closer", "move_back"].contains(&shot.prompt) {
                    shot.show(if shot.since >= 400 { shot.prompted() } else { 0.0 }, near, true);
                } else if shot.since >= 400 {
                    shot.show(0.0, if never == "move_back" { near * 1.15 } else { near / 1.15 }, true);
                } else {
                    shot.show(0.0, near, true);
                }
            });
        }
        assert!(prompts.len() == 4 && !prompts.contains(never), "{height}: {prompts:?}");
    }
}

#[test]
fn the_frame_that_counts_is_the_sharpest_of_all_holds() {
    let outcome = run(|shot| {
        let frame = shot.frame;
        for hold in shot.seen.face.iter_mut().flat_map(|face| &mut face.hold) {
            hold.sharpness = if frame < 30 { f64::from(frame) } else { 1.0 };
        }
    });
    let Outcome::Completed { best, .. } = outcome else { panic!("{outcome:?}") };
    assert!((20..30).contains(&best.frame), "{best:?}");
    assert_eq!(best.digest, digest(best.frame));
}

#[test]
fn nothing_is_prompted_or_taken_after_the_end_and_before_a_face_is_well_placed() {
    let policy = Policy::default();
    let mut session = Session::begin(NOW, &policy.capture);
    let none = |at: u32| Sighting { digest: digest(at), face: None, second: false };
    (1..40).for_each(|at| session.take(&none(at), NOW + i64::from(at) * 1000, 4, &policy));
    assert_eq!((session.step(), session.prompt(), session.wants_hold()), ((0, 0), Some("look_straight"), false));
    assert!(!session.is_over(NOW + 179_999) && session.is_over(NOW + 180_000));
    session.end(Rule::OutOfOrder);
    session.end(Rule::Late);
    let ended = session.clone();
    let shown = Sighting { digest: digest(41), face: Some(face(FRONT, HEIGHT, true, &policy)), second: false };
    session.take(&shown, NOW + 41_000, 4, &policy);
    assert_eq!((&session, session.prompt()), (&ended, None));
    assert_eq!(session.outcome(), Some(&Outcome::Failed(Rule::OutOfOrder)));
}

/// A session that has begun; its face was seen 400 ms after its beginning.
fn begun(policy: &Policy) -> Session {
    let mut session = Session::begin(NOW, &policy.capture);
    [200, 400].into_iter().for_each(|at| front(&mut session, at, policy));
    assert_ne!(session.step(), (0, 0));
    session
}

/// Takes a frame with the face from the front, so many milliseconds after the beginning.
fn front(session: &mut Session, at: i64, policy: &Policy) {
    let (face, digest) = (Some(face(FRONT, HEIGHT, true, policy)), digest(u32::try_from(at).unwrap()));
    session.take(&Sighting { digest, face, second: false }, NOW + at, 4, policy);
}

/// How long a client waits, a frame waits for a core, and the answer asks to wait, in milliseconds.
type Wait = (i64, i64, i64);

#[test]
fn frames_without_a_core_use_up_no_window_but_give_back_nothing_else() {
    let policy = Policy::default();
    let most = policy.capture.refused as usize;
    let table: [(&str, Vec<Wait>, i64, Option<Rule>); 8] = [
        ("the core comes late", vec![(200, 5_000, 1_000)], 200, None),
        ("the client waits as long as requested", vec![(200, 1_000, 1_000), (1_000, 1_000, 1_000)], 1_000, None),
        ("the client waits longer", vec![(200, 1_000, 1_000)], 2_600, Some(Rule::FaceLost)),
        ("nothing is sent before", vec![(20_000, 0, 1_000)], 200, Some(Rule::Late)),
        ("nothing is sent before, for two seconds", vec![(2_000, 0, 1_000)], 200, Some(Rule::FaceLost)),
        ("as many as are excused", vec![(10, 10, 0); most], 200, None),
        ("one more", vec![(10, 100, 0); most + 1], 1_400, Some(Rule::FaceLost)),
        ("more than a step has again", vec![(100, 5_000, 0); 4], 200, Some(Rule::Late)),
    ];
    let mut wrong = Vec::new();
    for (name, waits, then, expected) in table {
        let (mut session, mut at) = (begun(&policy), 400);
        for (idle, wait, pause) in waits {
            session.refused(NOW + at + idle, NOW + at + idle + wait, pause, &policy.capture);
            at += idle + wait;
        }
        front(&mut session, at + then, &policy);
        let found = session.outcome().and_then(Outcome::failed);
        if found != expected {
            wrong.push(format!("{name}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn work_on_frames_gives_a_step_at_most_as_much_time_again() {
    let (policy, mut wrong) = (Policy::default(), Vec::new());
    let whole = (policy.capture.step * 2e3) as i64;
    for work in [100, 400, 900, 1_500, 7_000] {
        let (mut session, mut at) = (begun(&policy), 400);
        while session.outcome().is_none() && at < 60_000 {
            at += 300;
            let seen = Sighting { digest: digest(u32::try_from(at).unwrap()), face: None, second: false };
            let mut shown = seen;
            // Too far away for any step, but in its place.
            shown.face = Some(face(FRONT, 240.0, false, &policy));
            session.take(&shown, NOW + at, 4, &policy);
            at += work;
            session.answered(NOW + at, &policy.capture);
        }
        let late = session.outcome() == Some(&Outcome::Failed(Rule::Late));
        if !late || !(9_000..=whole + 400 + 300 + 2 * work).contains(&at) {
            wrong.push((work, at, session.outcome().cloned()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_camera_that_stands_still_ends_no_session_before_its_first_step() {
    let policy = Policy::default();
    let mut session = Session::begin(NOW, &policy.capture);
    let still = Sighting { digest: digest(7), face: None, second: false };
    (1..40).for_each(|at| session.take(&still, NOW + at * 200, 4, &policy));
    assert_eq!((session.outcome(), session.prompt()), (None, Some("look_straight")));
    front(&mut session, 9_000, &policy);
    assert_ne!(session.step(), (0, 0));
    front(&mut session, 9_000, &policy);
    assert_eq!(session.outcome(), Some(&Outcome::Failed(Rule::OutOfOrder)));
}

#[test]
fn a_session_is_untimely_after_its_end_and_after_the_clock_went_back() {
    let policy = Policy::default();
    let mut session = Session::begin(NOW, &policy.capture);
    session.answered(NOW + 5_000, &policy.capture);
    let table = [(3_999, Some(Rule::Clock)), (4_000, None), (179_999, None), (180_000, Some(Rule::Expired))];
    let wrong: Vec<_> =
        table.into_iter().filter(|(at, rule)| session.untimely(NOW + at, &policy.capture) != *rule).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_session_is_the_same_after_it_was_written_and_read_between_any_two_frames() {
    let policy = Policy::default();
    let (mut one, mut other) = (Session::begin(NOW, &policy.capture), Session::begin(NOW, &policy.capture));
    let mut frames = Vec::new();
    drawn(4, |shot| frames.push((shot.seen.clone(), shot.at)));
    for (seen, at) in frames {
        one.take(&seen, at, 4, &policy);
        other = serde_json::from_str(&serde_json::to_string(&other).unwrap()).unwrap();
        other.take(&seen, at, 4, &policy);
        assert_eq!(one, other);
    }
    assert!(matches!(one.outcome(), Some(Outcome::Completed { failed: None, .. })), "{one:?}");
}
