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

/// The act that one step requires of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
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

impl Prompt {
    /// The possible values of [`Self::word`].
    pub const WORDS: [&str; 5] = ["look_straight", "turn_left", "turn_right", "come_closer", "move_back"];

    /// The word for a page.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS[match self {
            Self::Hold { .. } => 0,
            Self::Turn(Side::Left) => 1,
            Self::Turn(Side::Right) => 2,
            Self::Closer => 3,
            Self::Back => 4,
        }]
    }
}

/// The number of turns in a sequence.
const TURNS: usize = 3;

/// Draws a sequence from random bits: a hold, then three turns with a hold after each. At least one turn is to each
/// side. After one hold, or none, the person comes closer, and holds again. A hold has `frames` frames or up to three
/// more.
#[must_use]
pub fn draw(mut random: u64, frames: u32) -> Vec<Prompt> {
    let mut next = |limit: u64| {
        let drawn = random % limit;
        random /= limit;
        drawn
    };
    // The six of eight patterns in which not all turns are to one side.
    let pattern = 1 + next((1 << TURNS) - 2);
    let approach = next(TURNS as u64 + 1);
    let mut hold = || Prompt::Hold { frames: frames + u32::try_from(next(4)).unwrap_or(0) };
    let mut steps = vec![hold()];
    for turn in 0..TURNS {
        if approach == turn as u64 {
            steps.extend([Prompt::Closer, hold()]);
        }
        let side = if pattern >> turn & 1 == 1 { Side::Left } else { Side::Right };
        steps.extend([Prompt::Turn(side), hold()]);
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
            let steps = draw(random, 3);
            let has = |step: Prompt| steps.contains(&step);
            assert!(has(Prompt::Turn(Side::Left)) && has(Prompt::Turn(Side::Right)), "{random}: {steps:?}");
            let holds: Vec<bool> = steps.iter().map(|step| matches!(step, Prompt::Hold { .. })).collect();
            let alternate = holds.iter().enumerate().all(|(at, hold)| *hold == (at % 2 == 0));
            assert!(alternate && holds.last() == Some(&true), "{random}: {steps:?}");
            seen.insert(steps.iter().map(|step| step.word()).collect::<Vec<_>>());
        }
        // Six patterns of turns, with no approach, or one after one of three holds.
        assert_eq!(seen.len(), 6 * (1 + 3));
    }
}
