//! A signed calibration: error rates that were measured on labelled photographs, and the threshold that was chosen
//! by them. `likeness calibrate` writes it; the settings of the policy read it.
//!
//! Promises: a threshold comes only from a file that the given key signed, whose bytes are unchanged, and whose
//! time is not over. The threshold applies in one embedding space, which [`likeness::verdict`] checks again. Reads
//! the file that a setting names.

use std::path::Path;

use ballast::foreign;
use likeness::examine::Options;
use likeness::policy::{Calibrated, FaceRule, FaceSearch, Policy, Rate, Threshold};
use likeness::space::SpaceId;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::clock::{of_rfc3339, rfc3339};
use crate::handler::response::ErrorRateResponse;
use crate::hex::unhex;
use crate::jws::verified;
use crate::record::{Program, mode};

/// The `typ` of a signed calibration.
pub const KIND: &str = "likeness-calibration+jws";
/// The version of the layout.
pub const VERSION: u32 = 2;
/// The largest size of the file, in bytes.
const LONGEST: u64 = 4 << 20;
/// The most seconds by which the clock of the machine that made the file may be ahead.
const CLOCK_AHEAD: i64 = 300;

/// The contents of a signed calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The version of this layout.
    pub version: u32,
    /// When the calibration was made (RFC 3339).
    pub made_at: String,
    /// The time from which on the calibration is no longer used.
    pub valid_until: String,
    /// The program that measured.
    pub program: Program,
    /// The measurement.
    #[serde(flatten)]
    pub measured: Measurement,
    /// The threshold.
    #[serde(flatten)]
    pub chosen: Chosen,
}

/// What was measured, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The embedding space of the distances.
    pub contract_id: String,
    /// How photographs were searched for faces.
    pub detection: CalibratedDetection,
    /// The number of persons with a photograph that was compared.
    pub persons: usize,
    /// The number of photographs that were compared.
    pub photographs: usize,
    /// The number of photographs that gave no embedding.
    pub left_out: usize,
    /// The BLAKE3 hash over each compared photograph's person and hash.
    pub collection: String,
    /// Comparisons of photographs of one person.
    pub genuine: ComparisonCount,
    /// Comparisons of photographs of different persons.
    pub impostor: ComparisonCount,
    /// The number of pairs of persons among the impostor comparisons.
    pub person_pairs: usize,
    /// The confidence of the intervals.
    pub confidence: f64,
    /// The number of samples of the bootstrap.
    pub replicates: usize,
    /// The seed of all samples.
    pub seed: u64,
    /// The rate at which FMR and FNMR are equal.
    pub eer: ErrorRateResponse,
}

/// How photographs were searched for faces, and which face counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratedDetection {
    /// `auto`, `exact`, or `fast` and the longer side.
    pub mode: String,
    /// Whether the largest of several faces counted, even beside a rival.
    pub largest: bool,
    /// The detector's score that a face needed.
    pub centerface_threshold: f32,
}

impl From<FaceSearch> for CalibratedDetection {
    fn from(search: FaceSearch) -> Self {
        Self { mode: search.mode(), largest: search.largest, centerface_threshold: search.score }
    }
}

impl CalibratedDetection {
    fn search(&self) -> Result<FaceSearch, String> {
        let mode = mode(&self.mode).ok_or_else(|| format!("no mode of detection: {:?}", self.mode))?;
        let rule = FaceRule { score: self.centerface_threshold, ..Policy::default().face };
        Ok(Options { mode, largest: self.largest, ..Options::default() }.search(&rule))
    }
}

/// A number of comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonCount {
    /// How many were made.
    pub compared: usize,
    /// How many there are.
    pub of: u64,
}

/// The threshold that was chosen, and its rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// The FMR that the threshold keeps: the upper limit of `fmr` is at most this.
    pub claimed_fmr: f64,
    /// The largest distance of a match.
    pub threshold: f64,
    /// The FMR at the threshold.
    pub fmr: ErrorRateResponse,
    /// The FNMR at the threshold.
    pub fnmr: ErrorRateResponse,
    /// The same within each group.
    pub groups: Vec<GroupRates>,
}

/// The rates among the persons of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRates {
    /// The group's name.
    pub group: String,
    /// The number of its persons.
    pub persons: usize,
    /// The FMR at the threshold; null if no two persons of the group were compared.
    pub fmr: Option<ErrorRateResponse>,
    /// The FNMR at the threshold; null if no person of the group has two photographs.
    pub fnmr: Option<ErrorRateResponse>,
}

/// Reads a signed calibration's file, and returns its threshold.
///
/// # Errors
/// Says what is wrong with the file, its signature, its contents or its age.
pub fn threshold(path: &Path, public_key: &str, now: i64) -> Result<Threshold, String> {
    let text = foreign::text_named(path, LONGEST).map_err(|why| why.to_string())?;
    read(&text, public_key, now)
}

fn read(jws: &str, public_key: &str, now: i64) -> Result<Threshold, String> {
    let signed = verified(jws, Some(public_key)).map_err(|why| format!("the signature is wrong: {why}"))?;
    if signed.kind != KIND {
        return Err(format!("expected a calibration, found {:?}", signed.kind));
    }
    let calibration: Calibration =
        serde_json::from_str(&signed.text).map_err(|why| format!("not a calibration of version {VERSION}: {why}"))?;
    let Calibration { version, made_at, valid_until, measured, chosen, .. } = calibration;
    if version != VERSION {
        return Err(format!("expected a calibration of version {VERSION}, found {version}"));
    }
    let moment = |text: &str| of_rfc3339(text).ok_or_else(|| format!("no moment: {text:?}"));
    if moment(&made_at)? > now + CLOCK_AHEAD {
        return Err(format!(
            "the calibration has a time in the future, {made_at}; the clock of this machine says {}",
            rfc3339(now)
        ));
    }
    if moment(&valid_until)? <= now {
        return Err(format!("the calibration is stale: it was valid until {valid_until}"));
    }
    let mut space = [0; 32];
    unhex(&measured.contract_id, &mut space).ok_or("its contract id is not 64 hexadecimal digits")?;
    let ErrorRateResponse { value, low, high } = chosen.fmr;
    let ordered = 0.0 <= low && low <= value && value <= high && high <= 1.0;
    if !ordered || !(-1.0..=2.0).contains(&chosen.threshold) {
        return Err(format!("no threshold and rate: {}, {low} to {value} to {high}", chosen.threshold));
    }
    let (space, search) = (SpaceId::from_bytes(space), measured.detection.search()?);
    let by = Calibrated { fmr: Rate { value, low, high }, space, search, id: id(jws) };
    Ok(Threshold::calibrated(chosen.threshold, by))
}

/// Returns the id of a calibration: the SHA-256 of its file.
pub fn id(file: &str) -> [u8; 32] {
    let mut id = [0; 32];
    id.copy_from_slice(digest(&SHA256, file.as_bytes()).as_ref());
    id
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jws::Signer;

    const NOW: i64 = 1_800_000_000;

    fn calibration() -> Calibration {
        let rate = |value| ErrorRateResponse { value, low: value / 2.0, high: value * 2.0 };
        let count = |compared| ComparisonCount { compared, of: compared as u64 };
        Calibration {
            version: VERSION,
            made_at: rfc3339(NOW - 86_400),
            valid_until: rfc3339(NOW + 86_400),
            program: Program { version: "1".into(), commit: "c".into(), kernels: "portable".into() },
            measured: Measurement {
                contract_id: "01".repeat(32),
                detection: CalibratedDetection { mode: "fast 512".into(), largest: true, centerface_threshold: 0.4 },
                persons: 300,
                photographs: 900,
                left_out: 1,
                collection: "02".repeat(32),
                genuine: count(900),
                impostor: count(40_000),
                person_pairs: 40_000,
                confidence: 0.95,
                replicates: 1000,
                seed: 1,
                eer: rate(0.02),
            },
            chosen: Chosen {
                claimed_fmr: 0.001,
                threshold: 0.271_828,
                fmr: rate(0.0005),
                fnmr: rate(0.03),
                groups: Vec::new(),
            },
        }
    }

    fn changed(change: impl FnOnce(&mut Value)) -> String {
        let mut value = json!(calibration());
        change(&mut value);
        value.to_string()
    }

    #[test]
    fn a_calibration_gives_its_threshold_with_its_rate() {
        let signer = Signer::of(&[7; 32]).unwrap();
        let jws = signer.sign(KIND, &changed(|_| ()));
        let file = format!("{jws}\n");
        let threshold = read(&file, &signer.public_key, NOW).unwrap();
        assert_eq!((threshold.distance(), threshold.source().name()), (0.271_828, "calibrated"));
        let search = FaceSearch { exact: false, side: Some(512), largest: true, score: 0.4 };
        assert_eq!(threshold.calibration().map(|by| by.search), Some(search));
        assert_eq!(threshold.fmr(), Some(Rate { value: 0.0005, low: 0.00025, high: 0.001 }));
        let by = threshold.calibration().unwrap();
        assert_eq!((by.space, by.id), (SpaceId::from_bytes([1; 32]), id(&file)));
    }

    #[test]
    fn every_wrong_calibration_is_refused_by_name() {
        let (signer, other) = (Signer::of(&[7; 32]).unwrap(), Signer::of(&[8; 32]).unwrap());
        let good = signer.sign(KIND, &changed(|_| ()));
        let with = |field: &str, value: Value| {
            let text = changed(|all| *all.pointer_mut(field).unwrap() = value);
            signer.sign(KIND, &text)
        };
        let (head, rest) = good.split_once('.').unwrap();
        let (_, proof) = rest.split_once('.').unwrap();
        let elsewhere = with("/threshold", json!(0.9));
        let table: [(&str, String, &str); 15] = [
            ("another key", other.sign(KIND, &changed(|_| ())), "expected the key"),
            (
                "another text",
                format!("{head}.{}.{proof}", elsewhere.split('.').nth(1).unwrap()),
                "does not match this text",
            ),
            ("cut", good[..good.len() - 9].to_owned(), "the signature is wrong"),
            ("empty", String::new(), "the signature is wrong"),
            ("a record", signer.sign("likeness-record+jws", &changed(|_| ())), "expected a calibration, found"),
            ("no JSON", signer.sign(KIND, "threshold=0.3"), "not a calibration of version 2"),
            ("a later version", with("/version", json!(3)), "expected a calibration of version 2, found 3"),
            ("stale", with("/valid_until", json!(rfc3339(NOW))), "is stale"),
            ("of the future", with("/made_at", json!(rfc3339(NOW + 301))), "in the future"),
            ("no moment", with("/valid_until", json!("soon")), "no moment"),
            ("no contract", with("/contract_id", json!("01")), "contract id"),
            ("a rate above 1", with("/fmr/high", json!(1.5)), "no threshold and rate"),
            ("limits the wrong way", with("/fmr/low", json!(0.9)), "no threshold and rate"),
            ("no distance", with("/threshold", json!(3.0)), "no threshold and rate"),
            ("no number", with("/threshold", Value::Null), "not a calibration of version 2"),
        ];
        let read = |jws: &str| read(jws, &signer.public_key, NOW);
        let wrong: Vec<_> = table
            .iter()
            .map(|(name, jws, expected)| (name, read(jws), expected))
            .filter(|(_, found, expected)| !found.as_ref().is_err_and(|why| why.contains(**expected)))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
