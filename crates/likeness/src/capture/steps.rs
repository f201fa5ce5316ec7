//! The sequence of steps that a person follows. Touches nothing.

use serde::{Deserialize, Serialize};

/// A side of the person: the person's own left or right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The left.
    Left,
    /// The right.
    Right,
}

impl Side {
    /// The sign of a residual when the head is turned to this side.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Left => 1.0,
            Self::Right => -1.0,
        }
    }
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Look into the camera for so many frames.
    Hold {
        /// How many.
        frames: u32,
    },
    /// Turn the head.
    Turn(Side),
    /// Come closer.
    Closer,
    /// Move back.
    Back,
}

impl Step {
    /// The possible values of [`Self::prompt`].
    pub const PROMPTS: [&str; 5] = ["look_straight", "turn_left", "turn_right", "come_closer", "move_back"];

    /// The prompt for the person.
    #[must_use]
    pub fn prompt(self) -> &'static str {
        Self::PROMPTS[match self {
            Self::Hold { .. } => 0,
            Self::Turn(Side::Left) => 1,
            Self::Turn(Side::Right) => 2,
            Self::Closer => 3,
            Self::Back => 4,
        }]
    }
}

/// How many turns a sequence has.
const TURNS: usize = 3;

/// Draws a sequence from random bits: a hold, then three turns with a hold after each. At least one turn is to each side.
/// After one hold, or none, the person comes closer or moves back, and holds again. A hold has `frames` frames or up to
/// three more. `near` says whether the face is already large.
#[must_use]
pub fn draw(mut random: u64, frames: u32, near: bool) -> Vec<Step> {
    let mut next = |limit: u64| {
        let drawn = random % limit;
        random /= limit;
        drawn
    };
    // The six of eight patterns in which not all turns are to one side.
    let pattern = 1 + next((1 << TURNS) - 2);
    let approach = next(TURNS as u64 + 1);
    let mut hold = || Step::Hold { frames: frames + u32::try_from(next(4)).unwrap_or(0) };
    let mut steps = vec![hold()];
    for turn in 0..TURNS {
        if approach == turn as u64 {
            steps.extend([if near { Step::Back } else { Step::Closer }, hold()]);
        }
        let side = if pattern >> turn & 1 == 1 { Side::Left } else { Side::Right };
        steps.extend([Step::Turn(side), hold()]);
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_sequence_has_both_turns_and_a_hold_around_each_step() {
        let mut seen = BTreeSet::new();
        for random in 0..20_000_u64 {
            let steps = draw(random / 2, 3, random % 2 == 0);
            let has = |step: Step| steps.contains(&step);
            assert!(has(Step::Turn(Side::Left)) && has(Step::Turn(Side::Right)), "{random}: {steps:?}");
            let holds: Vec<bool> = steps.iter().map(|step| matches!(step, Step::Hold { .. })).collect();
            let alternate = holds.iter().enumerate().all(|(at, hold)| *hold == (at % 2 == 0));
            assert!(alternate && holds.last() == Some(&true), "{random}: {steps:?}");
            seen.insert(steps.iter().map(|step| step.prompt()).collect::<Vec<_>>());
        }
        // Six patterns of turns, with no approach, or a step closer or back after one of three holds.
        assert_eq!(seen.len(), 6 * (1 + 2 * 3));
    }
}
