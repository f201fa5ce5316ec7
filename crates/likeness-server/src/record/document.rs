//! The contents of a record, and the conversion of a policy to and from the numbers in a record.

use std::fmt::Display;

use likeness::find::Mode;
use likeness::policy::{Calibrated, CaptureRule, FaceRule, LivenessRule, Policy, QualityRule, Rate};
use serde::{Deserialize, Serialize};

use crate::hex::hex;
use crate::trail::{HoldLiveness, ModelsSeen, PhotographSeen, Seen};

/// The `typ` of a signed record.
pub const KIND: &str = "likeness-record+jws";

/// The contents of a decision record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this layout.
    pub version: u32,
    /// The record's id, a UUID of version 7.
    pub id: String,
    /// When the record was created, in seconds since 1970.
    pub at: i64,
    /// The program that made the judgement.
    pub program: Program,
    /// The id of the request.
    pub request_id: String,
    /// The route of the request.
    pub route: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// The error code of the response.
    pub error_code: Option<String>,
    /// The API key's id; empty for a request without a key.
    pub key: String,
    /// The only tenant of that key.
    pub key_tenant: Option<String>,
    /// The pseudonym of the person whom the request named; null if no such person was enrolled.
    pub subject: Option<String>,
    /// Every number that turned measurements into the outcome.
    pub policy: Vec<Rule>,
    /// The weights that were loaded.
    pub models: ModelsRecord,
    /// Every photograph, in the order of examination.
    pub photographs: Vec<PhotographRecord>,
    /// Every distance that was compared with the threshold.
    pub distances: Vec<String>,
    /// The threshold that they were compared with.
    pub threshold: Option<Rule>,
    /// The verdict, in the route's words.
    pub verdict: Option<String>,
    /// The reasons against acceptance.
    pub reasons: Vec<String>,
    /// The capture that ended with this request, or was used by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureRecord>,
}

/// A capture that ended or was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptureRecord {
    /// The number of the capture.
    pub id: String,
    /// What the capture is for.
    pub purpose: String,
    /// How many frames were taken.
    pub frames: u32,
    /// The keyed hash of the frame that counts.
    pub best: Option<String>,
    /// The rule that was failed; null if the capture counts.
    pub failed: Option<String>,
    /// The liveness of each hold.
    #[serde(default)]
    pub holds: Vec<HoldRecord>,
}

/// The liveness of a hold of a capture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldRecord {
    /// How many frames it has.
    pub frames: usize,
    /// The number of live frames.
    pub live: u32,
    /// The median of their live probabilities.
    pub median: Option<String>,
}

impl From<&HoldLiveness> for HoldRecord {
    fn from(hold: &HoldLiveness) -> Self {
        Self { frames: hold.frames, live: hold.live, median: hold.median.map(|median| median.to_string()) }
    }
}

/// A version of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The version number.
    pub version: String,
    /// The commit that the program was built from.
    pub commit: String,
    /// The kernels in use. Results of other kernels may differ in the last digits.
    pub kernels: String,
}

impl Program {
    /// Returns this program, with these kernels.
    pub fn of(kernels: &str) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: ballast::version::COMMIT.into(),
            kernels: kernels.into(),
        }
    }
}

/// One number of the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The number's name.
    pub name: String,
    /// The number's value.
    pub value: String,
    /// `default`, `deepface`, `set`, `calibrated` or `request`.
    pub source: String,
}

/// The weights that were loaded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelsRecord {
    /// The embedding space.
    pub contract_id: Option<String>,
    /// `published`, `accepted` or `unknown`.
    pub embedder: Option<String>,
    /// Each loaded model.
    pub loaded: Vec<ModelRecord>,
}

/// A loaded model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The model's role.
    pub role: String,
    /// The SHA-256 of the model's file.
    pub sha256: String,
    /// The result of the model's self-test.
    pub self_test: String,
}

/// An examined photograph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhotographRecord {
    /// The keyed hash of the photograph's bytes.
    pub hash: String,
    /// How the detector searched for faces: `auto`, `all`, `exact`, or `fast` with the image's longer side in pixels.
    pub mode: String,
    /// The face that was judged.
    pub face: Option<FaceRecord>,
    /// The results of both spoof networks.
    pub liveness: Option<SpoofRecord>,
}

/// A face with its measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaceRecord {
    /// How the face was found.
    pub detection: String,
    /// Degrees clockwise by which the photograph was rotated before detection.
    pub rotated: u16,
    /// The left and the top edge, the width and the height of the face, in pixels.
    pub area: [i64; 4],
    /// The detector's score.
    pub score: String,
    /// Every measurement, by name.
    pub quality: Vec<(String, String)>,
}

/// The results of both spoof networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpoofRecord {
    /// `live`, `spoof` or `indeterminate`.
    pub verdict: String,
    /// The reason why the verdict is `indeterminate`.
    pub doubt: Option<String>,
    /// The probabilities of the three classes, by each network.
    pub probabilities: [[String; 3]; 2],
}

fn exact(number: impl Display) -> String {
    number.to_string()
}

/// Returns every number of a policy with its source.
pub fn rules(policy: &Policy) -> Vec<Rule> {
    let default = values(&Policy::default());
    let rule = |(name, value): (&'static str, String)| {
        let same = default.iter().any(|(other, default)| *other == name && *default == value);
        let calibrated = name.starts_with("threshold") && policy.threshold.calibration().is_some();
        let source = if calibrated {
            "calibrated"
        } else if same {
            "default"
        } else {
            "set"
        };
        Rule { name: name.into(), value, source: source.into() }
    };
    values(policy).into_iter().map(rule).collect()
}

fn values(policy: &Policy) -> Vec<(&'static str, String)> {
    // This pattern has no `..`: a new number of the policy does not compile until it is recorded.
    let Policy { threshold, aged, liveness, face, enroll, verify, capture } = policy;
    let LivenessRule { live, spoof, each, colour, context, inside } = liveness;
    let FaceRule { score, rival, side, sharpness } = face;
    let mut values = vec![
        ("threshold", exact(threshold.distance())),
        ("liveness.live", exact(live)),
        ("liveness.spoof", exact(spoof)),
        ("liveness.each", exact(each)),
        ("liveness.colour", exact(colour)),
        ("liveness.context", exact(context)),
        ("liveness.inside", exact(inside)),
        ("face.score", exact(score)),
        ("face.rival", exact(rival)),
        ("face.side", exact(side)),
        ("face.sharpness", exact(sharpness)),
    ];
    for (names, QualityRule { score, blur, side }) in [
        (["enroll.score", "enroll.blur", "enroll.side"], enroll),
        (["verify.score", "verify.blur", "verify.side"], verify),
    ] {
        values.extend(names.into_iter().zip([exact(score), exact(blur), exact(side)]));
    }
    values.extend(capture_values(capture));
    if let Some(Calibrated { fmr: Rate { value, low, high }, space: _, search: _, id }) = threshold.calibration() {
        values.push(("threshold.calibration", hex(&id)));
        let fmr = ["threshold.fmr", "threshold.fmr.low", "threshold.fmr.high"];
        values.extend(fmr.into_iter().zip([value, low, high].map(exact)));
    }
    if let Some(aged) = aged {
        values.extend([("aged.threshold", exact(aged.threshold.distance())), ("aged.years", exact(aged.years))]);
    }
    values
}

fn capture_values(rule: &CaptureRule) -> [(&'static str, String); 15] {
    let CaptureRule {
        height: [least, most],
        turn,
        straight,
        turn_frames,
        hold_frames,
        seconds,
        step,
        reaction,
        gap,
        back,
        overlap,
        same,
        second,
        refused,
    } = rule;
    [
        ("capture.height_least", exact(least)),
        ("capture.height_most", exact(most)),
        ("capture.turn", exact(turn)),
        ("capture.straight", exact(straight)),
        ("capture.turn_frames", exact(turn_frames)),
        ("capture.hold_frames", exact(hold_frames)),
        ("capture.seconds", exact(seconds)),
        ("capture.step", exact(step)),
        ("capture.reaction", exact(reaction)),
        ("capture.gap", exact(gap)),
        ("capture.back", exact(back)),
        ("capture.overlap", exact(overlap)),
        ("capture.same", exact(same)),
        ("capture.second", exact(second)),
        ("capture.refused", exact(refused)),
    ]
}

/// Rebuilds from a record the policy's numbers for liveness and faces; other numbers keep their defaults.
///
/// # Errors
/// One of these rules is missing, or its value is not a number.
pub fn policy(rules: &[Rule]) -> Result<Policy, String> {
    fn number<T: std::str::FromStr>(rules: &[Rule], name: &str) -> Result<T, String> {
        let rule = rules.iter().find(|rule| rule.name == name).ok_or(format!("no rule {name}"))?;
        rule.value.parse().map_err(|_| format!("{name}: {:?} is no number", rule.value))
    }
    let mut policy = Policy::default();
    policy.liveness.live = number(rules, "liveness.live")?;
    policy.liveness.spoof = number(rules, "liveness.spoof")?;
    policy.liveness.each = number(rules, "liveness.each")?;
    policy.liveness.colour = number(rules, "liveness.colour")?;
    policy.liveness.context = number(rules, "liveness.context")?;
    policy.liveness.inside = number(rules, "liveness.inside")?;
    policy.face.score = number(rules, "face.score")?;
    policy.face.rival = number(rules, "face.rival")?;
    policy.face.side = number(rules, "face.side")?;
    policy.face.sharpness = number(rules, "face.sharpness")?;
    Ok(policy)
}

impl From<&ModelsSeen> for ModelsRecord {
    fn from(seen: &ModelsSeen) -> Self {
        let loaded = |(role, sha256, self_test): &(&'static str, String, String)| ModelRecord {
            role: (*role).into(),
            sha256: sha256.clone(),
            self_test: self_test.clone(),
        };
        Self {
            contract_id: seen.contract_id.clone(),
            embedder: seen.embedder.map(str::to_owned),
            loaded: seen.loaded.iter().map(loaded).collect(),
        }
    }
}

impl PhotographRecord {
    /// Converts the notes on a photograph; `hash` is the keyed hash of its bytes.
    pub fn of(seen: &PhotographSeen, hash: String) -> Self {
        let face = seen.face.as_ref().map(|face| FaceRecord {
            detection: face.detection.into(),
            rotated: face.rotated,
            area: [face.area.x, face.area.y, face.area.w, face.area.h],
            score: exact(face.score),
            quality: {
                let quality = &face.quality;
                let named = [
                    ("score", exact(quality.score())),
                    ("blur", exact(quality.blur)),
                    ("light", exact(quality.light)),
                    ("side", exact(quality.side)),
                    ("inside", exact(quality.inside)),
                    ("colour", exact(quality.colour)),
                    ("turned", exact(quality.turned)),
                ];
                named.map(|(name, value)| (name.to_owned(), value)).into()
            },
        });
        let liveness = seen.liveness.as_ref().map(|judged| SpoofRecord {
            verdict: judged.name().into(),
            doubt: judged.doubt().map(|doubt| doubt.code().to_owned()),
            probabilities: judged.scores().softmax().map(|network| network.map(exact)),
        });
        Self { hash, mode: mode_name(seen.mode), face, liveness }
    }
}

fn mode_name(mode: Mode) -> String {
    match mode {
        Mode::Auto => "auto".into(),
        Mode::All => "all".into(),
        Mode::Exact => "exact".into(),
        Mode::Fast { side } => format!("fast {side}"),
    }
}

/// Parses the detection mode that a record contains.
pub fn mode(name: &str) -> Option<Mode> {
    match name {
        "auto" => Some(Mode::Auto),
        "all" => Some(Mode::All),
        "exact" => Some(Mode::Exact),
        name => name.strip_prefix("fast ")?.parse().ok().map(|side| Mode::Fast { side }),
    }
}

/// Returns whether a request judged a face, and so gets a record.
pub fn is_judging(seen: &Seen) -> bool {
    seen.verdict.is_some()
        || seen.capture.is_some()
        || !seen.distances.is_empty()
        || seen.photographs.iter().any(|one| one.liveness.is_some())
}
