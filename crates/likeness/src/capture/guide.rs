//! Advises the person in front of a camera, from the measurements of an examination. Touches nothing.

use super::geometry::{landmarks, offset};
use crate::detect::Face;
use crate::examine::Photograph;
use crate::find::DetectionPlan;
use crate::policy::{CaptureRule, Policy};
use crate::quality::Unfit;

/// What the person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// No face is in the frame.
    ShowFace,
    /// A second face is in the frame.
    OneFaceOnly,
    /// The face is too small.
    ComeCloser,
    /// The face is too large, or the spoof networks see too little around it.
    MoveBack,
    /// The frame's edge cuts the face.
    MoveToMiddle,
    /// The face is too dark.
    MoreLight,
    /// The face is too bright.
    LessLight,
    /// The face is not seen from the front.
    LookStraight,
    /// The face is blurred.
    HoldStill,
}

impl Advice {
    /// Every advice, most urgent first.
    pub const ALL: [Self; 9] = [
        Self::ShowFace,
        Self::OneFaceOnly,
        Self::ComeCloser,
        Self::MoveBack,
        Self::MoveToMiddle,
        Self::MoreLight,
        Self::LessLight,
        Self::LookStraight,
        Self::HoldStill,
    ];

    /// Its stable word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ShowFace => "show_face",
            Self::OneFaceOnly => "one_face_only",
            Self::ComeCloser => "come_closer",
            Self::MoveBack => "move_back",
            Self::MoveToMiddle => "move_to_middle",
            Self::MoreLight => "more_light",
            Self::LessLight => "less_light",
            Self::LookStraight => "look_straight",
            Self::HoldStill => "hold_still",
        }
    }
}

/// The height of a face in the detector's input.
#[must_use]
pub fn height(face: &Face, plan: &DetectionPlan) -> f64 {
    face.unclipped.h as f64 * plan.scale()[1]
}

/// The most urgent advice for a frame, or `None` if the face can be used for a hold.
#[must_use]
pub fn advice(frame: &Photograph, policy: &Policy) -> Option<Advice> {
    if frame.detected().faces.len() > 1 {
        return Some(Advice::OneFaceOnly);
    }
    let at = match frame.subject(policy, false) {
        Err(Unfit::NoFace) => return Some(Advice::ShowFace),
        Err(Unfit::SeveralFaces { .. }) => return Some(Advice::OneFaceOnly),
        Err(Unfit::TooSmall { .. }) => return Some(Advice::ComeCloser),
        Err(Unfit::TooDark { .. }) => return Some(Advice::MoreLight),
        Err(Unfit::TooBright { .. }) => return Some(Advice::LessLight),
        Err(Unfit::Blurred { .. }) => return Some(Advice::HoldStill),
        Ok(at) => at,
    };
    let (quality, detected) = (frame.quality(at), frame.detected());
    let face = &detected.faces[at];
    let exposed = match quality.exposure() {
        Some(Unfit::TooDark { .. }) => Some(Advice::MoreLight),
        Some(_) => Some(Advice::LessLight),
        None => None,
    };
    let near = (frame.room(at) < policy.liveness.context).then_some(Advice::MoveBack);
    let cut = (quality.inside < policy.liveness.inside).then_some(Advice::MoveToMiddle);
    let turned = quality.turned || !is_straight(face, &policy.capture);
    let aside = turned.then_some(Advice::LookStraight);
    away(height(face, &detected.look), &policy.capture).or(near).or(cut).or(exposed).or(aside)
}

/// The advice for a face of this height.
fn away(height: f64, rule: &CaptureRule) -> Option<Advice> {
    let [least, most] = rule.height;
    match height {
        _ if height < least => Some(Advice::ComeCloser),
        _ if height > most => Some(Advice::MoveBack),
        _ => None,
    }
}

/// Returns whether the nose lies near the middle of the face.
fn is_straight(face: &Face, rule: &CaptureRule) -> bool {
    offset(&landmarks(face)).abs() <= rule.straight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_is_too_small_or_too_large_beyond_its_range() {
        let rule = Policy::default().capture;
        let table = [(129.9, Some(Advice::ComeCloser)), (130.0, None), (300.0, None), (300.1, Some(Advice::MoveBack))];
        let wrong: Vec<_> = table.into_iter().filter(|(height, advice)| away(*height, &rule) != *advice).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn every_advice_has_its_own_word() {
        let words: std::collections::BTreeSet<_> = Advice::ALL.map(Advice::code).into_iter().collect();
        assert_eq!(words.len(), Advice::ALL.len());
    }
}
