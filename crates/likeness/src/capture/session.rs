//! A session: takes what the frames show, one after the other, and decides whether they followed the prompts.
//!
//! Promises: the next step is known only after the step before was seen. Only the given times count; no window becomes
//! longer if the clock goes back, and the service's own work uses up no window, up to a bound. The caller keeps a session between two
//! frames, and makes sure that each state is used once. Touches nothing.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::geometry::{Landmarks, landmarks, residual};
use super::guide::{advice, height};
use super::outcome::{Best, EmbeddingSeen, HoldCount, HoldSeen, Outcome, Rule, judge};
use super::steps::{Prompt, draw};
use crate::detect::Area;
use crate::examine::Photograph;
use crate::policy::{CaptureRule, Policy};

/// What a frame shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// The digest of the frame's bytes.
    pub digest: [u8; 32],
    /// The largest face, if there is one.
    pub face: Option<FaceSeen>,
    /// Whether a second face is in the frame.
    pub second: bool,
}

impl Sighting {
    /// Describes a frame with this digest, without a hold.
    #[must_use]
    pub fn of(frame: &Photograph, digest: [u8; 32], policy: &Policy) -> Self {
        let detected = frame.detected();
        let largest = detected.faces.iter().enumerate().max_by_key(|(_, face)| face.area.pixels());
        let straight = advice(frame, policy).is_none();
        let face = largest.map(|(at, face)| FaceSeen {
            room: frame.room(at) / policy.liveness.context,
            area: face.area,
            landmarks: landmarks(face),
            height: height(face, &detected.look),
            hold: None,
            straight,
        });
        Self { digest, face, second: detected.faces.len() > 1 }
    }
}

/// The face in a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceSeen {
    /// The box.
    pub area: Area,
    /// The landmarks.
    pub landmarks: Landmarks,
    /// The height in the detector's input.
    pub height: f64,
    /// The factor by which the face may grow before the spoof networks see too little around it.
    pub room: f64,
    /// The findings of the networks, if the face is well placed and [`Session::wants_hold`].
    pub hold: Option<HoldSeen>,
    /// Whether the face is well placed for a hold.
    pub straight: bool,
}

/// A session. Moments are milliseconds since 1970 on the server's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The moment from which it can no longer be used.
    ends: i64,
    /// The last moment.
    last: i64,
    /// The last moment at which the face was seen, and its box then.
    face: Option<(i64, [i64; 4])>,
    /// The steps; empty before the first frame that can be used.
    steps: Vec<Prompt>,
    /// The number of the present step, its start, and the height of the face at its start.
    at: usize,
    prompted: i64,
    height: f64,
    /// Milliseconds since then in which the service worked on frames, or had no core for one; at most a step's time.
    worked: i64,
    /// Frames that show the step, and that show a turn to the other side.
    shown: u32,
    against: u32,
    /// The landmarks in the holds.
    references: Vec<Landmarks>,
    /// The embedding of the first hold's first frame, and whether a later hold is of another person.
    face_of: Option<EmbeddingSeen>,
    differs: bool,
    holds: Vec<HoldCount>,
    best: Option<Best>,
    /// Parts of the digests of the last frames.
    taken: VecDeque<u64>,
    seconds: u32,
    frames: u32,
    /// Frames for which the service had no core.
    refused: u32,
    /// Milliseconds of the pause that the answer to such a frame requested; 0 after another answer.
    pause: i64,
    outcome: Option<Outcome>,
}

impl Session {
    /// Begins a session at a moment.
    #[must_use]
    pub fn begin(now: i64, rule: &CaptureRule) -> Self {
        Self {
            ends: now.saturating_add((rule.seconds * 1e3) as i64),
            last: now,
            face: None,
            steps: Vec::new(),
            at: 0,
            prompted: now,
            height: 0.0,
            worked: 0,
            shown: 0,
            against: 0,
            references: Vec::new(),
            face_of: None,
            differs: false,
            holds: Vec::new(),
            best: None,
            taken: VecDeque::new(),
            seconds: 0,
            frames: 0,
            refused: 0,
            pause: 0,
            outcome: None,
        }
    }

    /// The outcome, once there is one.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// How many frames were taken.
    #[must_use]
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// The liveness of each hold so far.
    #[must_use]
    pub fn holds(&self) -> &[HoldCount] {
        &self.holds
    }

    /// The number of the step that is under way, from 1, and how many there are; both 0 before the first frame that can
    /// be used.
    #[must_use]
    pub fn step(&self) -> (usize, usize) {
        if self.steps.is_empty() { (0, 0) } else { (self.steps.len().min(self.at + 1), self.steps.len()) }
    }

    /// The prompt for the person; `None` once there is an outcome.
    #[must_use]
    pub fn prompt(&self) -> Option<&'static str> {
        let first = Prompt::Hold { frames: 0 };
        self.outcome.is_none().then(|| self.steps.get(self.at).unwrap_or(&first).word())
    }

    /// Returns whether all networks must examine the next frame, if its face is well placed.
    #[must_use]
    pub fn wants_hold(&self) -> bool {
        self.outcome.is_none() && matches!(self.steps.get(self.at), Some(Prompt::Hold { .. }))
    }

    /// Returns whether the present step asks for a turn of the head.
    #[must_use]
    pub fn wants_turn(&self) -> bool {
        self.outcome.is_none() && matches!(self.steps.get(self.at), Some(Prompt::Turn(_)))
    }

    /// Ends the session by a rule, also a completed one; the first rule stays.
    pub fn end(&mut self, rule: Rule) {
        if !matches!(self.outcome, Some(Outcome::Failed(_))) {
            self.outcome = Some(Outcome::Failed(rule));
        }
        self.forget();
    }

    /// Clears what only an open session needs, the embedding above all.
    fn forget(&mut self) {
        self.face_of = None;
        self.references.clear();
        self.taken.clear();
    }

    /// When the session can no longer be used, in whole seconds since 1970.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.ends.div_euclid(1000)
    }

    /// Returns whether the session can no longer be used at this moment.
    #[must_use]
    pub fn is_over(&self, now: i64) -> bool {
        now.max(self.last) >= self.ends
    }

    /// The rule that keeps the session from being used at this moment, by the clock alone.
    #[must_use]
    pub fn untimely(&self, now: i64, rule: &CaptureRule) -> Option<Rule> {
        let back = seconds(now, self.last) > rule.back;
        back.then_some(Rule::Clock).or_else(|| self.is_over(now).then_some(Rule::Expired))
    }

    /// Notes that the answer to the last frame is ready: until now the person saw the prompt before, and the service worked.
    pub fn answered(&mut self, now: i64, rule: &CaptureRule) {
        let taken = self.last;
        self.last = now.max(taken);
        if self.prompted == taken {
            self.prompted = self.last;
        } else {
            self.credit(self.last - taken, rule);
        }
        self.face.iter_mut().filter(|(at, _)| *at == taken).for_each(|(at, _)| *at = self.last);
    }

    /// Notes that the service had no core for a frame, and requested a pause of so many milliseconds: the time since
    /// the frame arrived, and that pause, count for no window. Returns whether the session changed; it does for so many
    /// frames, so that load can't stretch the windows without end.
    pub fn refused(&mut self, arrived: i64, now: i64, pause: i64, rule: &CaptureRule) -> bool {
        if self.outcome.is_some() || self.refused >= rule.refused {
            return false;
        }
        self.refused += 1;
        self.paused(arrived, rule);
        self.give_back(now.max(self.last) - arrived.max(self.last), rule);
        (self.last, self.pause) = (now.max(self.last), pause);
        true
    }

    /// Gives back the pause that the last answer requested, as far as the client made it.
    fn paused(&mut self, arrived: i64, rule: &CaptureRule) {
        let pause = std::mem::take(&mut self.pause).min(arrived - self.last).max(0);
        self.give_back(pause, rule);
    }

    /// Gives back time in which no frame could be taken, also to the face.
    fn give_back(&mut self, lost: i64, rule: &CaptureRule) {
        let given = self.credit(lost, rule);
        self.face.iter_mut().for_each(|(at, _)| *at += given);
    }

    /// Gives back time in which the service worked, or had no core: at most as much again as a step has, since a client
    /// chooses how many frames it sends and how large they are. Returns how much.
    fn credit(&mut self, lost: i64, rule: &CaptureRule) -> i64 {
        let given = lost.min((rule.step * 1e3) as i64 - self.worked).max(0);
        self.worked += given;
        given
    }

    /// Takes a frame that arrived at a moment. `random` draws the sequence, if the frame is the first that can be used.
    pub fn take(&mut self, seen: &Sighting, now: i64, random: u64, policy: &Policy) {
        if self.outcome.is_some() {
            return;
        }
        self.frames += 1;
        let (rule, before) = (&policy.capture, self.last);
        self.paused(now, rule);
        self.last = now.max(before);
        let back = seconds(now, before) > rule.back;
        let followed = match (back, self.repeats(&seen.digest)) {
            (true, _) => Err(Rule::Clock),
            // A camera that stands still has not begun, and its person gets advice.
            (_, true) if self.steps.is_empty() => Ok(()),
            (_, true) => Err(Rule::OutOfOrder),
            _ => self.followed(seen, random, policy),
        };
        followed.unwrap_or_else(|rule| self.end(rule));
    }

    /// Returns whether one of the last frames had the same bytes.
    fn repeats(&mut self, digest: &[u8; 32]) -> bool {
        let part = digest.first_chunk().copied().map_or(0, u64::from_le_bytes);
        if self.taken.contains(&part) {
            return true;
        }
        if self.taken.len() == REMEMBERED {
            self.taken.pop_front();
        }
        self.taken.push_back(part);
        false
    }

    fn followed(&mut self, seen: &Sighting, random: u64, policy: &Policy) -> Result<(), Rule> {
        let rule = &policy.capture;
        if seconds(self.prompted + self.worked, self.last) > rule.step && !self.steps.is_empty() {
            return Err(Rule::Late);
        }
        self.same_face(seen, rule)?;
        let Some(face) = &seen.face else { return Ok(()) };
        if seen.second {
            self.seconds += 1;
            return if self.seconds >= rule.second { Err(Rule::SecondFace) } else { Ok(()) };
        }
        let [least, most] = rule.height;
        if !(least..=most).contains(&face.height) {
            return Ok(());
        }
        match self.steps.get(self.at).copied() {
            None if face.straight => {
                self.steps = draw(random, rule.hold_frames);
                self.prompt_from(face.height);
            }
            None => {}
            Some(Prompt::Hold { frames }) => self.straight((face, &seen.digest), frames, policy),
            Some(Prompt::Turn(side)) => self.turned(face, side.sign(), rule)?,
            Some(Prompt::Closer) => self.moved(face, face.height >= self.height * NEARER),
            Some(Prompt::Back) => self.moved(face, face.height * NEARER <= self.height),
        }
        Ok(())
    }

    /// Checks that the face is near its place in the previous frame.
    fn same_face(&mut self, seen: &Sighting, rule: &CaptureRule) -> Result<(), Rule> {
        let begun = !self.steps.is_empty();
        if let Some((at, [x, y, w, h])) = self.face.filter(|_| begun) {
            if seconds(at, self.last) > rule.gap {
                return Err(Rule::FaceLost);
            }
            let jumped = |face: &FaceSeen| face.area.overlap(&Area { x, y, w, h }) < rule.overlap;
            if seen.face.as_ref().is_some_and(jumped) {
                return Err(Rule::FaceJumped);
            }
        }
        if let Some(FaceSeen { area: Area { x, y, w, h }, .. }) = seen.face {
            self.face = Some((self.last, [x, y, w, h]));
        }
        Ok(())
    }

    fn straight(&mut self, (face, digest): (&FaceSeen, &[u8; 32]), frames: u32, policy: &Policy) {
        let Some(hold) = &face.hold else { return };
        if self.shown == 0 {
            self.holds.push(HoldCount::default());
        }
        self.references.push(face.landmarks);
        if let Some(count) = self.holds.last_mut() {
            count.add(hold);
        }
        let first = self.face_of.get_or_insert_with(|| hold.embedding.clone());
        self.differs |= !hold.embedding.is_as(first, policy.threshold);
        if self.best.is_none_or(|best| hold.sharpness >= best.sharpness) {
            let HoldSeen { live, sharpness, .. } = *hold;
            let Area { x, y, w, h } = face.area;
            self.best = Some(Best { frame: self.frames, digest: *digest, area: [x, y, w, h], sharpness, live });
        }
        self.shown += 1;
        if self.shown >= frames {
            self.next(face);
            if self.at == self.steps.len() {
                self.outcome = Some(judge(&self.holds, self.best, self.differs, policy));
                self.forget();
            }
        }
    }

    fn turned(&mut self, face: &FaceSeen, sign: f64, rule: &CaptureRule) -> Result<(), Rule> {
        let Some(found) = self.residual(&face.landmarks) else { return Ok(()) };
        let (towards, early) = (found * sign, seconds(self.prompted, self.last) < rule.reaction);
        match (towards >= rule.turn, -towards >= rule.turn) {
            (true, _) if early => return Err(Rule::Early),
            (true, _) => self.shown += 1,
            (_, true) => self.against += 1,
            _ => {}
        }
        if self.against >= rule.turn_frames {
            return Err(Rule::WrongTurn);
        }
        if self.shown >= rule.turn_frames {
            self.next(face);
        }
        Ok(())
    }

    /// The mean residual against the landmarks of all holds.
    fn residual(&self, now: &Landmarks) -> Option<f64> {
        let found: Vec<f64> = self.references.iter().filter_map(|before| residual(before, now)).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    }

    fn moved(&mut self, face: &FaceSeen, done: bool) {
        if done {
            self.next(face);
        }
    }

    /// Begins the next step. A person who has no room to come closer moves back.
    fn next(&mut self, face: &FaceSeen) {
        self.at += 1;
        if let Some(step) = self.steps.get_mut(self.at).filter(|step| **step == Prompt::Closer && face.room < ROOM) {
            *step = Prompt::Back;
        }
        self.prompt_from(face.height);
    }

    fn prompt_from(&mut self, height: f64) {
        (self.prompted, self.height) = (self.last, height);
        (self.worked, self.shown, self.against) = (0, 0, 0);
    }
}

/// The growth of a face's height that counts as coming closer. It shows only a reaction. In a frame of 640 x 480 pixels a
/// well placed face is 260 to 320 pixels high, so it can grow by at most 1.23.
const NEARER: f64 = 1.1;

/// The least [`FaceSeen::room`] of a face that gets the prompt to come closer: a little more than [`NEARER`]. In a frame of
/// 640 x 480 pixels, a face with less room is large enough to move back.
const ROOM: f64 = 1.15;

/// The number of frames whose digests are remembered, to notice the same bytes again: half a minute or more.
const REMEMBERED: usize = 512;

/// The seconds from one moment to another.
fn seconds(from: i64, to: i64) -> f64 {
    to.saturating_sub(from) as f64 / 1e3
}
