//! Distances of embeddings, DeepFace's thresholds for Facenet512, and its confidence. All in f64.
//! Touches nothing.

/// A way to measure the distance of two embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// 1 - cosine of the angle.
    Cosine,
    /// Length of the difference.
    Euclidean,
    /// Length of the difference of the normalised embeddings.
    EuclideanL2,
    /// The angle, as a part of half a turn.
    Angular,
}

/// DeepFace's constants for a metric and Facenet512.
struct Table {
    threshold: f64,
    /// Slope, offset, and the divisor of the distance.
    logistic: [f64; 3],
    /// The greatest and the least confidence for the same person, then for different persons.
    seen: [f64; 4],
    /// The greatest confidence for different persons.
    other_most: f64,
}

const COSINE: Table = Table {
    threshold: 0.30,
    logistic: [-5.868251768046832, 0.8674084834913275, 1.384316],
    seen: [62.19495119465813, 40.700922463435305, 39.96947059787277, 0.6687247052303562],
    other_most: 39.0,
};
const EUCLIDEAN: Table = Table {
    threshold: 23.56,
    logistic: [-6.742961485008033, 2.61949356815704, 40.771751],
    seen: [75.20184708761875, 23.391566956420913, 20.317410180868695, 1.5930391784587872],
    other_most: 20.0,
};
const EUCLIDEAN_L2: Table = Table {
    threshold: 1.04,
    logistic: [-6.76040230078399, 3.0057651791652638, 1.663921],
    seen: [78.73795056941638, 23.492800781101295, 21.754795621979017, 2.287349921316484],
    other_most: 21.0,
};
const ANGULAR: Table = Table {
    threshold: 0.35,
    logistic: [-6.487840122876141, 0.9536496647058516, 0.625563],
    seen: [52.1215977454314, 21.72372703119752, 20.734638325222512, 4.290546073131373],
    other_most: 20.0,
};

impl Metric {
    /// All four, in DeepFace's words.
    pub const ALL: [(&'static str, Self); 4] = [
        ("cosine", Self::Cosine),
        ("euclidean", Self::Euclidean),
        ("euclidean_l2", Self::EuclideanL2),
        ("angular", Self::Angular),
    ];

    const fn table(self) -> &'static Table {
        match self {
            Self::Cosine => &COSINE,
            Self::Euclidean => &EUCLIDEAN,
            Self::EuclideanL2 => &EUCLIDEAN_L2,
            Self::Angular => &ANGULAR,
        }
    }

    /// The greatest distance that counts as the same person.
    #[must_use]
    pub const fn threshold(self) -> f64 {
        self.table().threshold
    }

    /// The distance of two embeddings of the same length, rounded to six decimals as DeepFace
    /// rounds. The result can be -0.0, or NaN (for the angle of an embedding with itself, by
    /// rounding).
    #[must_use]
    pub fn distance(self, a: &[f64], b: &[f64]) -> f64 {
        let distance = match self {
            Self::Cosine => 1.0 - cosine(a, b),
            Self::Euclidean => apart(a.iter().copied(), b.iter().copied()),
            Self::EuclideanL2 => {
                let (length_a, length_b) = (length(a) + 1e-10, length(b) + 1e-10);
                apart(a.iter().map(|v| v / length_a), b.iter().map(|v| v / length_b))
            }
            Self::Angular => cosine(a, b).acos() / std::f64::consts::PI,
        };
        rounded(distance, 1e6)
    }

    /// DeepFace's confidence in its result, 0 to 100, two decimals.
    #[must_use]
    pub fn confidence(self, distance: f64, verified: bool) -> f64 {
        if distance <= 0.0 {
            return if verified { 100.0 } else { 0.0 };
        }
        let table = self.table();
        let [slope, offset, divisor] = table.logistic;
        let distance = if divisor > 1.0 { distance / divisor } else { distance };
        let confidence = 100.0 / (1.0 + (-(slope * distance + offset)).exp());
        let [same_most, same_least, other_most, other_least] = table.seen;
        let mapped = if verified {
            let target = [51.0_f64.max(same_least), 100.0];
            onto(confidence, [same_least, same_most], target).max(51.0)
        } else {
            onto(confidence, [other_least, other_most], [0.0, table.other_most]).min(49.0)
        };
        rounded(mapped.clamp(0.0, 100.0), 1e2)
    }
}

fn onto(value: f64, [low, high]: [f64; 2], [to_low, to_high]: [f64; 2]) -> f64 {
    (value - low) / (high - low) * (to_high - to_low) + to_low
}

/// Rounds half to even, as Python does; `unit` is the reciprocal of the last decimal.
fn rounded(value: f64, unit: f64) -> f64 {
    (value * unit).round_ties_even() / unit
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (length(a) * length(b))
}

fn apart(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> f64 {
    a.zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_right_angles_and_opposites() {
        let (east, north, west) = ([2.0, 0.0], [0.0, 3.0], [-2.0, 0.0]);
        let table = [
            (Metric::Cosine, 1.0, 2.0),
            (Metric::Euclidean, 13.0_f64.sqrt(), 4.0),
            (Metric::EuclideanL2, 2.0_f64.sqrt(), 2.0),
            (Metric::Angular, 0.5, 1.0),
        ];
        for (metric, right_angle, opposite) in table {
            let far = |a: &[f64], b: &[f64], expected: f64| (metric.distance(a, b) - expected).abs() < 1e-6;
            assert!(far(&east, &north, right_angle) && far(&east, &west, opposite), "{metric:?}");
            assert!(far(&east, &east, 0.0), "{metric:?}");
        }
    }

    #[test]
    fn confidence_stays_on_its_side_of_fifty() {
        for (name, metric) in Metric::ALL {
            for step in 0..400 {
                let distance = f64::from(step) * metric.threshold() / 100.0;
                let (same, other) = (metric.confidence(distance, true), metric.confidence(distance, false));
                assert!((51.0..=100.0).contains(&same), "{name} {distance}: {same}");
                assert!((0.0..=49.0).contains(&other), "{name} {distance}: {other}");
            }
            assert_eq!((metric.confidence(-0.0, true), metric.confidence(0.0, false)), (100.0, 0.0));
        }
    }
}
