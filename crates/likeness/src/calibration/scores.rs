//! Scores of comparisons, and the error rates at a threshold. Touches nothing.

/// The distance of two photographs, and their persons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The person of each photograph, as a number from 0.
    pub persons: [u32; 2],
    /// The distance.
    pub distance: f64,
}

impl Score {
    /// Returns the weight of a comparison if each person is drawn so many times.
    fn weight(&self, times: &[u16]) -> f64 {
        let [a, b] = self.persons.map(|person| f64::from(times[person as usize]));
        if self.persons[0] == self.persons[1] { a } else { a * b }
    }
}

/// Returns the weight of scores. The sum of no numbers would be -0, so this one starts at 0.
fn weight(scores: &[Score], times: &[u16]) -> f64 {
    scores.iter().fold(0.0, |sum, score| sum + score.weight(times))
}

/// Both error rates at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The threshold.
    pub distance: f64,
    /// The part of impostor comparisons that match.
    pub fmr: f64,
    /// The part of genuine comparisons that do not match.
    pub fnmr: f64,
}

/// The scores of a collection, each kind in the order of distance.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    pub(super) genuine: Vec<Score>,
    pub(super) impostor: Vec<Score>,
}

impl Scores {
    /// Sorts scores by kind and distance. A distance that is not a number never matches, as an infinite one.
    #[must_use]
    pub fn new(mut scores: Vec<Score>) -> Self {
        for score in scores.iter_mut().filter(|score| score.distance.is_nan()) {
            score.distance = f64::INFINITY;
        }
        let (mut genuine, mut impostor): (Vec<_>, Vec<_>) =
            scores.into_iter().partition(|score| score.persons[0] == score.persons[1]);
        for kind in [&mut genuine, &mut impostor] {
            kind.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        }
        Self { genuine, impostor }
    }

    /// Returns the comparisons among some of the persons.
    #[must_use]
    pub fn among(&self, included: impl Fn(u32) -> bool) -> Self {
        let keep = |scores: &[Score]| {
            scores.iter().filter(|score| score.persons.iter().all(|person| included(*person))).copied().collect()
        };
        Self { genuine: keep(&self.genuine), impostor: keep(&self.impostor) }
    }

    /// Returns the number of genuine and of impostor comparisons.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        [self.genuine.len(), self.impostor.len()]
    }

    /// Returns the number of persons with a genuine comparison, and the number of pairs of persons with an impostor
    /// comparison.
    #[must_use]
    pub fn units(&self) -> [usize; 2] {
        let distinct = |scores: &[Score]| {
            let mut persons: Vec<_> = scores.iter().map(|score| score.persons).collect();
            persons.sort_unstable();
            persons.dedup();
            persons.len()
        };
        [distinct(&self.genuine), distinct(&self.impostor)]
    }

    /// Returns the weight of all genuine and of all impostor comparisons.
    pub(super) fn totals(&self, times: &[u16]) -> [f64; 2] {
        [&self.genuine, &self.impostor].map(|scores| weight(scores, times))
    }

    /// Returns the FMR at a threshold; `total` is the weight of all impostor comparisons.
    pub(super) fn fmr(&self, times: &[u16], total: f64, distance: f64) -> f64 {
        let matched = self.impostor.partition_point(|score| score.distance <= distance);
        weight(&self.impostor[..matched], times) / total
    }

    /// Returns the FNMR at a threshold; `total` is the weight of all genuine comparisons.
    pub(super) fn fnmr(&self, times: &[u16], total: f64, distance: f64) -> f64 {
        let matched = self.genuine.partition_point(|score| score.distance <= distance);
        weight(&self.genuine[matched..], times) / total
    }

    /// Returns both error rates at every distance that occurs.
    #[must_use]
    pub fn curve(&self) -> Vec<Point> {
        let times = vec![1; self.persons()];
        let mut points = Vec::new();
        self.walk(&times, self.totals(&times), |point| {
            points.push(point);
            true
        });
        points
    }

    /// Returns the rate at which FMR and FNMR are equal, by linear interpolation between two distances that occur.
    pub(super) fn eer(&self, times: &[u16], totals: [f64; 2]) -> f64 {
        let (mut before, mut equal) = (Point { distance: f64::NEG_INFINITY, fmr: 0.0, fnmr: 1.0 }, f64::NAN);
        self.walk(times, totals, |point| {
            let crossed = point.fmr >= point.fnmr;
            if crossed {
                let (above, below) = (before.fnmr - before.fmr, point.fmr - point.fnmr);
                equal = before.fmr + above / (above + below) * (point.fmr - before.fmr);
            }
            before = point;
            !crossed
        });
        equal
    }

    /// Returns one more than the highest number of a person.
    pub(super) fn persons(&self) -> usize {
        let all = self.genuine.iter().chain(&self.impostor).flat_map(|score| score.persons);
        all.max().map_or(0, |last| last as usize + 1)
    }

    /// Visits the error rates at every distance in ascending order, while `visit` returns true.
    fn walk(&self, times: &[u16], totals: [f64; 2], mut visit: impl FnMut(Point) -> bool) {
        let ([mut genuine, mut impostor], [all_genuine, all_impostor]) = ([0.0; 2], totals);
        let mut rest = [self.genuine.as_slice(), self.impostor.as_slice()];
        while let Some(distance) = rest.iter().filter_map(|scores| Some(scores.first()?.distance)).reduce(f64::min) {
            for (scores, sum) in rest.iter_mut().zip([&mut genuine, &mut impostor]) {
                while let Some((first, others)) = scores.split_first().filter(|(first, _)| first.distance <= distance) {
                    *sum += first.weight(times);
                    *scores = others;
                }
            }
            if !visit(Point { distance, fmr: impostor / all_impostor, fnmr: 1.0 - genuine / all_genuine }) {
                return;
            }
        }
    }
}
