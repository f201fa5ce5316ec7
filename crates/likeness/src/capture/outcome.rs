//! The outcome of a session, from what its holds showed. Touches nothing.

use serde::{Deserialize, Serialize};

use crate::detect::Area;
use crate::distance::Metric;
use crate::embed::Embedding;
use crate::examine::Examination;
use crate::liveness::Liveness;
use crate::policy::{CaptureRule, Policy, Threshold};

/// The embedding of a face in one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingSeen {
    /// The embedding space.
    pub space: [u8; 32],
    /// The direction.
    pub numbers: Vec<f32>,
}

impl EmbeddingSeen {
    /// Takes the direction of an embedding.
    #[must_use]
    pub fn of(embedding: &Embedding) -> Self {
        let direction = embedding.direction();
        Self { space: *direction.space().as_bytes(), numbers: direction.numbers().to_vec() }
    }

    /// Returns whether the distance of both faces is within a threshold.
    pub(super) fn is_as(&self, other: &Self, threshold: Threshold) -> bool {
        let numbers = |seen: &Self| seen.numbers.iter().map(|number| f64::from(*number)).collect::<Vec<_>>();
        let comparable = self.space == other.space && self.numbers.len() == other.numbers.len();
        comparable && threshold.includes(Metric::Cosine.distance(&numbers(self), &numbers(other)))
    }
}

/// The networks' findings in a frame of a hold.
#[derive(Debug, Clone, PartialEq)]
pub struct HoldSeen {
    /// Whether both spoof networks together find the face live.
    pub live: bool,
    /// The live probability.
    pub live_probability: f64,
    /// The sharpness of the face.
    pub sharpness: f64,
    /// The embedding.
    pub embedding: EmbeddingSeen,
}

impl HoldSeen {
    /// Takes what a hold needs from an examination of a frame.
    #[must_use]
    pub fn of(examined: &Examination<Liveness, Embedding>) -> Self {
        let liveness = examined.liveness();
        Self {
            live: matches!(liveness, Liveness::Live(_)),
            live_probability: liveness.scores().live_probability(),
            sharpness: examined.quality().blur,
            embedding: EmbeddingSeen::of(examined.embedding()),
        }
    }
}

/// The liveness of a hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HoldCount {
    /// How many frames are live.
    pub live: u32,
    /// The live probability of each frame, in order.
    pub probabilities: Vec<f64>,
}

impl HoldCount {
    pub(super) fn add(&mut self, seen: &HoldSeen) {
        self.live += u32::from(seen.live);
        self.probabilities.push(seen.live_probability);
    }

    /// The median of the live probabilities; of two in the middle, the greater.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.probabilities.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// Returns whether most frames are live, and the median of their live probabilities is that of a live face.
    fn is_live(&self, policy: &Policy) -> bool {
        let most = 2 * self.live as usize > self.probabilities.len();
        most && self.median().is_some_and(|median| median >= policy.liveness.live)
    }
}

/// The rule that a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// A frame was repeated, skipped or reordered, or is of another session.
    OutOfOrder,
    /// A step was not seen in its time.
    Late,
    /// A turn was seen before anybody could react.
    Early,
    /// The head turned to the other side.
    WrongTurn,
    /// The face was out of sight for too long.
    FaceLost,
    /// The face was at once in another place.
    FaceJumped,
    /// A second face was there.
    SecondFace,
    /// The server's clock went back.
    Clock,
    /// A hold is of another person than the first.
    OtherFace,
    /// A hold is not live.
    NotLive,
    /// The session does not exist: it is unknown, was used, or belongs to another tenant.
    Unknown,
    /// The session was used before it was complete.
    Unfinished,
    /// The session was used too late.
    Expired,
    /// The session is for another purpose.
    OtherPurpose,
    /// The session is for another person.
    OtherSubject,
    /// The photograph is not the best frame.
    OtherPhotograph,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 16] = [
        Self::OutOfOrder,
        Self::Late,
        Self::Early,
        Self::WrongTurn,
        Self::FaceLost,
        Self::FaceJumped,
        Self::SecondFace,
        Self::Clock,
        Self::OtherFace,
        Self::NotLive,
        Self::Unknown,
        Self::Unfinished,
        Self::Expired,
        Self::OtherPurpose,
        Self::OtherSubject,
        Self::OtherPhotograph,
    ];

    /// Its stable word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::OutOfOrder => "out_of_order",
            Self::Late => "late",
            Self::Early => "early",
            Self::WrongTurn => "wrong_turn",
            Self::FaceLost => "face_lost",
            Self::FaceJumped => "face_jumped",
            Self::SecondFace => "second_face",
            Self::Clock => "clock",
            Self::OtherFace => "other_face",
            Self::NotLive => "not_live",
            Self::Unknown => "unknown",
            Self::Unfinished => "unfinished",
            Self::Expired => "expired",
            Self::OtherPurpose => "other_purpose",
            Self::OtherSubject => "other_subject",
            Self::OtherPhotograph => "other_photograph",
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// Every step was seen.
    Completed {
        /// The frame that counts: the sharpest of all frames of holds.
        best: Best,
        /// The rule that the holds failed, if any. A caller does not learn it before the session is used.
        failed: Option<Rule>,
    },
    /// A step was not seen as it should, or the frames came otherwise.
    Failed(Rule),
}

/// The frame that counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The number of the frame, from 1.
    pub frame: u32,
    /// The digest of its bytes.
    pub digest: [u8; 32],
    /// The box of the face that followed the prompts: x, y, width and height in pixels.
    pub area: [i64; 4],
    /// The sharpness of the face.
    pub sharpness: f64,
    /// Whether it is live.
    pub live: bool,
}

impl Best {
    /// Returns whether a face that was found in this frame is the one that followed the prompts. A capture finds faces at
    /// another scale than a route that judges, and a small face can appear where the large one disappears.
    #[must_use]
    pub fn shows(&self, found: &Area, rule: &CaptureRule) -> bool {
        let [x, y, w, h] = self.area;
        found.overlap(&Area { x, y, w, h }) >= rule.same
    }
}

impl Outcome {
    /// The rule that was failed.
    #[must_use]
    pub fn failed(&self) -> Option<Rule> {
        match self {
            Self::Completed { failed, .. } => *failed,
            Self::Failed(rule) => Some(*rule),
        }
    }
}

/// Judges a session whose steps are all complete; `differs` means that a hold or a turn shows another person.
pub(super) fn judge(holds: &[HoldCount], best: Option<Best>, differs: bool, policy: &Policy) -> Outcome {
    let Some(best) = best else { return Outcome::Failed(Rule::Unfinished) };
    let live = best.live && holds.iter().all(|hold| hold.is_live(policy));
    let failed = match (differs, live) {
        (true, _) => Some(Rule::OtherFace),
        (_, false) => Some(Rule::NotLive),
        _ => None,
    };
    Outcome::Completed { best, failed }
}
