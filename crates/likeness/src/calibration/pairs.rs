//! Chooses the pairs of photographs to compare: every pair, or a random sample of them. Touches nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use super::random::Random;

/// The pairs of one kind, as indices of photographs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs {
    /// The pairs that are compared, each once.
    pub chosen: Vec<[usize; 2]>,
    /// How many pairs there are.
    pub of: u64,
}

/// Returns the genuine and the impostor pairs of photographs; `persons` has the person of each photograph, in ascending
/// order. If there are more than `most` pairs of one kind, so many are drawn, each with the same chance.
#[must_use]
pub fn pairs(persons: &[u32], most: u64, seed: u64) -> [Pairs; 2] {
    let end = |person: u32| persons.partition_point(|other| *other <= person);
    let all = persons.len();
    let genuine: Vec<_> = persons.iter().enumerate().map(|(at, person)| at + 1..end(*person)).collect();
    let impostor: Vec<_> = persons.iter().map(|person| end(*person)..all).collect();
    let mut random = Random::new(seed);
    [genuine, impostor].map(|partners| choose(&partners, most, &mut random))
}

/// Chooses among the pairs of each photograph with its partners.
fn choose(partners: &[Range<usize>], most: u64, random: &mut Random) -> Pairs {
    // The number of pairs of the photographs before this one.
    let mut before = Vec::with_capacity(partners.len());
    let mut of = 0;
    for range in partners {
        before.push(of);
        of += range.len() as u64;
    }
    let pair = |number: u64| {
        let first = before.partition_point(|before| *before <= number) - 1;
        [first, partners[first].start + (number - before[first]) as usize]
    };
    let chosen = if of <= most { (0..of).map(pair).collect() } else { sample(of, most, random).map(pair).collect() };
    Pairs { chosen, of }
}

/// Draws `count` different numbers below `of` (Floyd's algorithm), in ascending order.
fn sample(of: u64, count: u64, random: &mut Random) -> impl Iterator<Item = u64> {
    let mut drawn = BTreeSet::new();
    for last in of - count..of {
        let number = random.below(last + 1);
        if !drawn.insert(number) {
            drawn.insert(last);
        }
    }
    drawn.into_iter()
}
