//! The outcome of a session, from what its holds showed. Touches nothing.

use serde::{Deserialize, Serialize};

use crate::distance::Metric;
use crate::embed::Embedding;
use crate::examine::Examination;
use crate::liveness::Liveness;
use crate::policy::Policy;

/// What the networks found in a frame of a hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldSeen {
    /// The number of the frame, from 1.
    pub frame: u32,
    /// The digest of the frame's bytes.
    pub digest: [u8; 32],
    /// Whether both spoof networks together say live.
    pub live: bool,
    /// The live probability.
    pub live_probability: f64,
    /// The sharpness of the face.
    pub sharpness: f64,
    /// The embedding space.
    pub space: [u8; 32],
    /// The direction of the embedding.
    pub embedding: Vec<f32>,
}

impl HoldSeen {
    /// Takes what a hold needs from an examination of a frame with this digest.
    #[must_use]
    pub fn of(examined: &Examination<Liveness, Embedding>, digest: [u8; 32]) -> Self {
        let (liveness, direction) = (examined.liveness(), examined.embedding().direction());
        Self {
            frame: 0,
            digest,
            live: matches!(liveness, Liveness::Live(_)),
            live_probability: liveness.scores().live_probability(),
            sharpness: examined.quality().blur,
            space: *direction.space().as_bytes(),
            embedding: direction.numbers().to_vec(),
        }
    }

    /// Whether both embeddings are of one person, by the policy's threshold.
    fn is_as(&self, other: &Self, policy: &Policy) -> bool {
        let numbers = |hold: &Self| hold.embedding.iter().map(|number| f64::from(*number)).collect::<Vec<_>>();
        let comparable = self.space == other.space && self.embedding.len() == other.embedding.len();
        comparable && policy.threshold.includes(Metric::Cosine.distance(&numbers(self), &numbers(other)))
    }
}

/// The rule that a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// A frame did not follow the last answer: repeated, skipped, reordered, or of another session.
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
    /// The holds show different persons.
    OtherFace,
    /// A hold is not live.
    NotLive,
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
    pub const ALL: [Self; 15] = [
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
        /// The frame that counts: the sharpest of the live frames of holds.
        best: Best,
        /// The rule that the holds failed, if any. A caller does not learn it before the session is used.
        failed: Option<Rule>,
    },
    /// A step was not seen as it should, or the frames came otherwise.
    Failed(Rule),
}

/// The frame that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Best {
    /// The number of the frame, from 1.
    pub frame: u32,
    /// The digest of its bytes.
    pub digest: [u8; 32],
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

/// Judges the holds of a session whose steps were all seen.
pub(super) fn judge(holds: &[Vec<HoldSeen>], policy: &Policy) -> Outcome {
    let all = || holds.iter().flatten();
    let Some(best) = all().max_by(|a, b| a.live.cmp(&b.live).then(a.sharpness.total_cmp(&b.sharpness))) else {
        return Outcome::Failed(Rule::Unfinished);
    };
    let same = all().all(|hold| hold.is_as(best, policy));
    let live = best.live && holds.iter().all(|hold| is_live(hold, policy));
    let failed = match (same, live) {
        (false, _) => Some(Rule::OtherFace),
        (_, false) => Some(Rule::NotLive),
        _ => None,
    };
    Outcome::Completed { best: Best { frame: best.frame, digest: best.digest }, failed }
}

/// Whether most frames of a hold are live, and the median of their live probabilities is that of a live face.
fn is_live(hold: &[HoldSeen], policy: &Policy) -> bool {
    let live = hold.iter().filter(|frame| frame.live).count();
    let mut probabilities: Vec<f64> = hold.iter().map(|frame| frame.live_probability).collect();
    probabilities.sort_by(f64::total_cmp);
    let median = probabilities.get(probabilities.len() / 2);
    2 * live > hold.len() && median.is_some_and(|median| *median >= policy.liveness.live)
}
