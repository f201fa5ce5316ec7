//! Reads the settings of the policy, for `likeness serve` and for the commands. A setting is in the
//! environment or in the file that `LIKENESS_POLICY_FILE` names; a reload reads both again.

use std::collections::BTreeMap;
use std::path::Path;

use ballast::foreign;
use likeness::policy::{Aged, CaptureRule, LivenessRule, NUMBERS, Policy, QualityRule, Threshold};

use super::reader::SettingsReader;
use crate::calibration;
use crate::clock::now;
use crate::exit::Failure;

/// Reads the policy from the environment, for a command.
///
/// # Errors
/// [`crate::exit::Exit::BadSetting`] names each setting that is wrong.
pub fn of_environment() -> Result<Policy, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    let mut read = SettingsReader::new(&environment);
    let policy = policy(&mut read);
    read.end().map(|()| policy)
}

/// Reads the same without the calibration, for the command that makes a new one.
///
/// # Errors
/// The errors of [`of_environment`].
pub fn without_calibration() -> Result<Policy, Failure> {
    let environment =
        |name: &str| (![CALIBRATION, CALIBRATION_KEY].contains(&name)).then(|| std::env::var(name).ok())?;
    let mut read = SettingsReader::new(&environment);
    let policy = policy(&mut read);
    read.end().map(|()| policy)
}

/// The variable that names the file of the calibration.
const CALIBRATION: &str = "LIKENESS_CALIBRATION_FILE";
/// The variable with the public key that must have signed it.
const CALIBRATION_KEY: &str = "LIKENESS_CALIBRATION_KEY";
/// The variable of the largest distance of a match.
const DISTANCE: &str = "VERIFICATION_THRESHOLD";

/// The variable that names the policy's file.
const FILE: &str = "LIKENESS_POLICY_FILE";
/// The largest size of that file, in bytes.
const LONGEST: u64 = 64 << 10;

/// Reads the settings of the policy; the library defines the defaults.
pub fn policy(read: &mut SettingsReader) -> Policy {
    let file = read.text(FILE).map_or(Ok(BTreeMap::new()), |path| {
        let text = foreign::text_named(Path::new(&path), LONGEST).map_err(|why| why.to_string());
        text.and_then(|text| lines(&text)).map_err(|why| format!("{FILE}: {path}: {why}"))
    });
    let file = file.unwrap_or_else(|why| {
        read.wrong(why);
        BTreeMap::new()
    });
    let twice: Vec<_> = file.keys().filter(|name| read.text(name).is_some()).collect();
    for name in twice {
        read.wrong(format!("{name}: expected in the environment or in {FILE}, found in both"));
    }
    let both = |name: &str| file.get(name).cloned().or_else(|| read.text(name));
    let mut reader = SettingsReader::new(&both);
    let policy = found(&mut reader);
    if let Err(failure) = reader.end() {
        read.wrong(failure.what);
    }
    policy
}

/// Parses lines of `NAME=VALUE`; a line with `#` at its start is a comment.
fn lines(text: &str) -> Result<BTreeMap<String, String>, String> {
    let known: Vec<&str> = NUMBERS.iter().filter_map(|number| number.setting).chain([AGED]).collect();
    let mut found = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = number + 1;
        let (name, value) = line.split_once('=').ok_or(format!("line {at}: expected NAME=VALUE, found {line:?}"))?;
        let name = name.trim();
        if !known.contains(&name) {
            return Err(format!("line {at}: expected one of {}, found {name:?}", known.join(", ")));
        }
        if found.insert(name.to_owned(), value.trim().to_owned()).is_some() {
            return Err(format!("line {at}: {name} is there twice"));
        }
    }
    Ok(found)
}

fn found(read: &mut SettingsReader) -> Policy {
    let default = Policy::default();
    let (set, calibrated) = (read.optional(DISTANCE, 0.0..=2.0).map(Threshold::set), calibrated(read));
    if set.is_some() && calibrated.is_some() {
        read.refuse(DISTANCE, &format!("a distance or {CALIBRATION}, not both"));
    }
    let threshold = calibrated.or(set).unwrap_or(default.threshold);
    let side = |value: i64| value as f64;
    Policy {
        threshold,
        aged: aged(read, threshold),
        liveness: LivenessRule {
            live: probability(read.number("LIVENESS_THRESHOLD", default.liveness.live, 0.0..=100.0)),
            ..default.liveness
        },
        face: likeness::policy::FaceRule {
            score: read.number("CENTERFACE_THRESHOLD", f64::from(default.face.score), 0.0..=1.0) as f32,
            ..default.face
        },
        enroll: QualityRule {
            score: read.number("QUALITY_THRESHOLD", default.enroll.score, 0.0..=100.0),
            blur: read.number("BLUR_THRESHOLD", default.enroll.blur, 0.0..=1e6),
            side: read.number("MIN_FACE_SIZE", side(default.enroll.side), 1.0..=10_000.0) as i64,
        },
        verify: default.verify,
        capture: CaptureRule {
            seconds: read.number("CAPTURE_SECONDS", default.capture.seconds, 10.0..=600.0),
            ..default.capture
        },
    }
}

/// Reads the threshold of a signed calibration; `None` if no file is named.
fn calibrated(read: &mut SettingsReader) -> Option<Threshold> {
    let (path, key) = (read.text(CALIBRATION), read.text(CALIBRATION_KEY));
    let (path, key) = match (path, key) {
        (Some(path), Some(key)) => (path, key),
        (None, None) => return None,
        (path, _) => {
            let missing = if path.is_some() { CALIBRATION_KEY } else { CALIBRATION };
            read.refuse(missing, &format!("both {CALIBRATION} and {CALIBRATION_KEY} (`likeness key public`)"));
            return None;
        }
    };
    match calibration::threshold(Path::new(&path), &key, now()) {
        Ok(threshold) => Some(threshold),
        Err(why) => {
            read.wrong(format!("{CALIBRATION}: {path}: {why}"));
            None
        }
    }
}

/// The variable of the largest distance to an aged template.
const AGED: &str = "VERIFICATION_THRESHOLD_AGED";

/// Reads the rule for aged templates; `None` if it is not set.
fn aged(read: &mut SettingsReader, threshold: Threshold) -> Option<Aged> {
    let set = read.optional(AGED, 0.0..=2.0);
    let years = read.number("VERIFICATION_THRESHOLD_AGED_YEARS", Policy::AGED_YEARS, 0.0..=100.0);
    let distance = set?;
    if distance < threshold.distance() {
        let least = threshold.distance();
        read.refuse(AGED, &format!("at least the threshold of other templates, {least}"));
    }
    Some(Aged { threshold: Threshold::set(distance), years })
}

/// Converts a threshold above 1 from percent, as the replaced service wrote it; a value up to 1 is a
/// probability.
fn probability(live: f64) -> f64 {
    if live > 1.0 { live / 100.0 } else { live }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_file_has_names_of_the_policy_once_each() {
        let table = [
            ("# a comment\n\n VERIFICATION_THRESHOLD = 0.25 \nLIVENESS_THRESHOLD=0.8\n", None),
            ("VERIFICATION_THRESHOLD_AGED=0.5", None),
            ("VERIFICATION_THRESHOLD 0.25", Some("line 1: expected NAME=VALUE")),
            ("QUALITY_THRESHOLD=60\nAPI_KEY_SECRET=x", Some("line 2: expected one of")),
            ("QUALITY_THRESHOLD=60\nQUALITY_THRESHOLD=70", Some("line 2: QUALITY_THRESHOLD is there twice")),
        ];
        for (text, expected) in table {
            let found = lines(text).err();
            let same = match (&found, expected) {
                (Some(found), Some(expected)) => found.starts_with(expected),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(same, "{text:?}: {found:?}");
        }
    }
}
