//! The policy's settings, read once: by `likeness serve` with all others, by the commands alone.

use likeness::policy::{Aged, LivenessRule, Policy, QualityRule, Threshold};

use super::reader::SettingsReader;
use crate::exit::Failure;

/// The policy of this environment, for a command.
///
/// # Errors
/// [`crate::exit::Exit::BadSetting`] names each setting that is wrong.
pub fn of_environment() -> Result<Policy, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    let mut read = SettingsReader::new(&environment);
    let policy = policy(&mut read);
    read.end().map(|()| policy)
}

/// Reads what is set; the library has every default.
pub fn policy(read: &mut SettingsReader) -> Policy {
    let default = Policy::default();
    let set = read.optional("VERIFICATION_THRESHOLD", 0.0..=2.0).map(Threshold::set);
    let threshold = set.unwrap_or(default.threshold);
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
    }
}

/// The rule for aged templates: only where it is set.
fn aged(read: &mut SettingsReader, threshold: Threshold) -> Option<Aged> {
    let set = read.optional("VERIFICATION_THRESHOLD_AGED", 0.0..=2.0);
    let years = read.number("VERIFICATION_THRESHOLD_AGED_YEARS", Policy::AGED_YEARS, 0.0..=100.0);
    let distance = set?;
    if distance < threshold.distance() {
        let least = threshold.distance();
        read.refuse("VERIFICATION_THRESHOLD_AGED", &format!("at least the threshold of other templates, {least}"));
    }
    Some(Aged { threshold: Threshold::set(distance), years })
}

/// The replaced service wrote this threshold as 0 to 100; up to 1 it is a probability.
fn probability(live: f64) -> f64 {
    if live > 1.0 { live / 100.0 } else { live }
}
