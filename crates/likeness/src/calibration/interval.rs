//! Confidence intervals of error rates, by a bootstrap over persons. Touches nothing.

use super::random::Random;
use super::scores::{Score, Scores};
use crate::policy::Rate;

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;
/// The quantile of the standard normal distribution at `1 - (1 - CONFIDENCE) / 2`.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// Samples of the persons of a collection, with replacement: how often each sample contains each person.
pub struct Resamples(Vec<Vec<u16>>);

impl Resamples {
    /// Draws so many samples.
    #[must_use]
    pub fn new(persons: usize, count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut sample = || {
            let mut times = vec![0_u16; persons];
            for _ in 0..persons {
                let drawn = &mut times[random.below(persons as u64) as usize];
                *drawn = drawn.saturating_add(1);
            }
            times
        };
        Self((0..count).map(|_| sample()).collect())
    }
}

/// The error rates of scores, with their intervals.
pub struct Bootstrap<'a> {
    scores: &'a Scores,
    resamples: &'a Resamples,
    once: Vec<u16>,
    /// The weight of all comparisons, in the collection and in each sample.
    total: [f64; 2],
    totals: Vec<[f64; 2]>,
    /// Persons, and pairs of persons.
    units: [usize; 2],
}

impl<'a> Bootstrap<'a> {
    /// Prepares the intervals of these scores.
    #[must_use]
    pub fn new(scores: &'a Scores, resamples: &'a Resamples) -> Self {
        let once = vec![1; scores.persons()];
        let totals = resamples.0.iter().map(|times| scores.totals(times)).collect();
        Self { scores, resamples, total: scores.totals(&once), once, totals, units: scores.units() }
    }

    /// Returns the FMR at a threshold; `None` without an impostor comparison.
    #[must_use]
    pub fn fmr(&self, distance: f64) -> Option<Rate> {
        self.rate(self.units[1], |times, [_, impostor]| self.scores.fmr(times, impostor, distance))
    }

    /// Returns the FNMR at a threshold; `None` without a genuine comparison.
    #[must_use]
    pub fn fnmr(&self, distance: f64) -> Option<Rate> {
        self.rate(self.units[0], |times, [genuine, _]| self.scores.fnmr(times, genuine, distance))
    }

    /// Returns the rate at which FMR and FNMR are equal; `None` without comparisons of both kinds.
    #[must_use]
    pub fn eer(&self) -> Option<Rate> {
        self.rate(self.units[0].min(self.units[1]), |times, totals| self.scores.eer(times, totals))
    }

    /// Returns the greatest distance that occurs and at which the upper limit of the FMR is at most `claimed`.
    #[must_use]
    pub fn threshold(&self, claimed: f64) -> Option<f64> {
        let reached = |score: &Score| self.fmr(score.distance).is_some_and(|rate| rate.high <= claimed);
        // The upper limit is never below the rate itself, so more matches than these need no look.
        let most = (claimed * self.scores.impostor.len() as f64) as usize + 1;
        let least_beyond = self.scores.impostor.get(most).map_or(f64::INFINITY, |score| score.distance);
        let last = |scores: &[Score]| {
            let near = scores.partition_point(|score| score.distance <= least_beyond);
            let within = scores[..near].partition_point(reached);
            within.checked_sub(1).map(|at| scores[at].distance)
        };
        last(&self.scores.genuine).into_iter().chain(last(&self.scores.impostor)).reduce(f64::max)
    }

    /// Computes a rate in the collection and in each sample. The interval contains those of the bootstrap and of Wilson.
    fn rate(&self, units: usize, rate: impl Fn(&[u16], [f64; 2]) -> f64) -> Option<Rate> {
        let value = rate(&self.once, self.total);
        if value.is_nan() || units == 0 {
            return None;
        }
        let samples = self.resamples.0.iter().zip(&self.totals).map(|(times, totals)| rate(times, *totals));
        let mut sorted: Vec<f64> = samples.filter(|rate| !rate.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let tail = (1.0 - CONFIDENCE) / 2.0;
        let [mut low, mut high] = wilson(value, units as f64);
        if !sorted.is_empty() {
            (low, high) = (low.min(quantile(&sorted, tail)), high.max(quantile(&sorted, 1.0 - tail)));
        }
        Some(Rate { value, low, high })
    }
}

/// Returns Wilson's interval of a rate among so many independent trials.
pub(super) fn wilson(rate: f64, trials: f64) -> [f64; 2] {
    let square = NORMAL_QUANTILE * NORMAL_QUANTILE;
    let middle = (rate + square / (2.0 * trials)) / (1.0 + square / trials);
    let spread = rate * (1.0 - rate) / trials + square / (4.0 * trials * trials);
    let half = NORMAL_QUANTILE * spread.sqrt() / (1.0 + square / trials);
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// Returns a quantile of sorted numbers, by linear interpolation.
pub(super) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}
