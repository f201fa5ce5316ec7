//! The report of `likeness calibrate`, as JSON or as text. Touches nothing.

use likeness::calibration::person_pairs_needed;
use serde::Serialize;

use crate::calibration::{Chosen, GroupRates, Measurement};
use crate::handler::response::{ErrorRateResponse, brief};
use crate::report::RefusedPhotograph;

/// The requirements of a rate, and its threshold.
#[derive(Debug, Serialize)]
pub struct Claim {
    /// The rate.
    pub fmr: f64,
    /// The number of persons that the claim of this rate needs, if each pair of them is compared.
    pub persons_needed: u64,
    /// The threshold; null if the collection is too small for the rate, or no distance keeps it.
    pub threshold: Option<f64>,
    /// The FNMR at this threshold.
    pub fnmr: Option<ErrorRateResponse>,
}

/// The signed file that was written.
#[derive(Debug, Serialize)]
pub struct Written {
    /// The file.
    pub file: String,
    /// The SHA-256 of the file.
    pub sha256: String,
    /// The key that signed, in hexadecimal digits.
    pub public_key: String,
    /// The time from which on the calibration is no longer used.
    pub valid_until: String,
}

/// A measurement, and the threshold that was chosen.
#[derive(Debug, Serialize)]
pub struct CalibrateReport {
    /// The measurement.
    #[serde(flatten)]
    pub measured: Measurement,
    /// The requirements and thresholds of usual rates.
    pub claims: Vec<Claim>,
    /// The threshold for the claimed rate; null if the collection is too small, or no distance keeps the rate.
    pub chosen: Option<Chosen>,
    /// The photographs that gave no embedding.
    pub refused: Vec<RefusedPhotograph>,
    /// Threshold, FMR and FNMR along the curve.
    pub det: Vec<[f64; 3]>,
    /// The curve as text.
    #[serde(skip)]
    pub plot: String,
    /// The signed file, if one was written.
    pub written: Option<Written>,
}

impl CalibrateReport {
    /// Returns the report as text.
    pub fn lines(&self) -> String {
        let Measurement { persons, photographs, left_out, genuine, impostor, person_pairs, confidence, eer, .. } =
            &self.measured;
        let mut text: String = self.refused.iter().map(|refused| format!("left out: {}\n", refused.message)).collect();
        text += &format!("{photographs} photographs of {persons} persons, {left_out} left out\n");
        for (name, count) in [("genuine", genuine), ("impostor", impostor)] {
            let of = if count.of > count.compared as u64 { format!(" of {}", count.of) } else { String::new() };
            text += &format!("  {name} comparisons: {}{of}\n", count.compared);
        }
        text += &format!("  pairs of persons: {person_pairs}\n");
        text += &format!("equal error rate {}; intervals have {} % confidence\n", eer.line(), confidence * 100.0);
        text += &self.plot;
        text += "claimed FMR  persons needed  threshold  FNMR\n";
        for Claim { fmr, persons_needed, threshold, fnmr } in &self.claims {
            let enough = *person_pairs as u64 >= person_pairs_needed(*fmr);
            let lacking = if enough { "none" } else { "too few" };
            let threshold = threshold.map_or(lacking.into(), |threshold| threshold.to_string());
            let fnmr = fnmr.map(|rate| rate.line()).unwrap_or_default();
            let line = format!("{:11}  {persons_needed:14}  {threshold:9}  {fnmr}", brief(*fmr));
            text += &format!("{}\n", line.trim_end());
            if lacking == "none" && threshold == lacking {
                text += &format!("  {}\n", no_distance(*fmr));
            }
        }
        text += &self.chosen.as_ref().map(chosen).unwrap_or_default();
        text + &self.written.as_ref().map(written).unwrap_or_default()
    }
}

/// Says that the persons suffice, but that the upper limit of the FMR is above this rate at each distance.
pub fn no_distance(rate: f64) -> String {
    format!("no distance keeps a false match rate of at most {}, although the persons suffice", brief(rate))
}

fn chosen(Chosen { claimed_fmr, threshold, fmr, fnmr, groups }: &Chosen) -> String {
    let mut text = format!("threshold {threshold}, for a false match rate of at most {}\n", brief(*claimed_fmr));
    text += &format!("  FMR   {}\n  FNMR  {}\n", fmr.line(), fnmr.line());
    for GroupRates { group, persons, fmr, fnmr } in groups {
        let line = |rate: &Option<ErrorRateResponse>| rate.map_or("not measured".into(), |rate| rate.line());
        let above = fmr.is_some_and(|fmr| fmr.low > *claimed_fmr);
        let above = if above { "  above the claimed rate" } else { "" };
        text += &format!("  {group}, {persons} persons: FMR {}, FNMR {}{above}\n", line(fmr), line(fnmr));
    }
    text
}

fn written(Written { file, sha256, public_key, valid_until }: &Written) -> String {
    format!(
        "{file}: signed, valid until {valid_until}\n  sha256\n  {sha256}\n\
         LIKENESS_CALIBRATION_FILE={file}\nLIKENESS_CALIBRATION_KEY={public_key}\n"
    )
}
