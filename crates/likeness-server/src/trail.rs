//! A trail collects notes on one request: stage times, measurements, decisions. The log line, the metrics of
//! scores and the decision record use these notes.
//!
//! A trail belongs to one task: `outer` creates the trail, and a piece of work takes it to its thread. Without a trail,
//! as in most commands, notes are dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use likeness::capture::outcome::HoldCount;
use likeness::detect::Area;
use likeness::examine::Examination;
use likeness::find::Mode;
use likeness::liveness::Liveness;
use likeness::policy::{Policy, Threshold};
use likeness::quality::Quality;
use likeness::verdict::{Decision, Reason};

use crate::pseudonym::Pseudonym;

tokio::task_local! {
    static TRAIL: Trail;
}

/// The notes on a photograph.
#[derive(Debug, Clone, Default)]
pub struct PhotographSeen {
    /// The BLAKE3 hash of the photograph's bytes.
    pub digest: [u8; 32],
    /// How the detector searches for faces.
    pub mode: Mode,
    /// The face that was judged.
    pub face: Option<FaceSeen>,
    /// The result of both spoof networks.
    pub liveness: Option<Liveness>,
}

/// The notes on a face.
#[derive(Debug, Clone)]
pub struct FaceSeen {
    /// How the face was found.
    pub detection: &'static str,
    /// Degrees clockwise by which the photograph was rotated before detection.
    pub rotated: u16,
    /// The area of the face in the photograph.
    pub area: Area,
    /// The detector's score.
    pub score: f32,
    /// The measurements of quality.
    pub quality: Quality,
}

/// The notes on a capture that ended or was used.
#[derive(Debug, Clone)]
pub struct CaptureSeen {
    /// The number of the capture.
    pub id: String,
    /// What the capture is for.
    pub purpose: &'static str,
    /// How many frames were taken.
    pub frames: u32,
    /// The BLAKE3 hash of the frame that counts.
    pub best: Option<[u8; 32]>,
    /// The rule that was failed.
    pub failed: Option<&'static str>,
    /// The liveness of each hold.
    pub holds: Vec<HoldLiveness>,
}

/// The notes on a hold of a capture.
#[derive(Debug, Clone, PartialEq)]
pub struct HoldLiveness {
    /// How many frames it has.
    pub frames: usize,
    /// The number of live frames.
    pub live: u32,
    /// The median of their live probabilities.
    pub median: Option<f64>,
}

impl HoldLiveness {
    /// Takes the notes from a session's hold.
    pub fn of(hold: &HoldCount) -> Self {
        Self { frames: hold.probabilities.len(), live: hold.live, median: hold.median() }
    }
}

/// The notes on the weights.
#[derive(Debug, Clone)]
pub struct ModelsSeen {
    /// The embedding space.
    pub contract_id: Option<String>,
    /// The embedder's trust: `published`, `accepted` or `unknown`.
    pub embedder: Option<&'static str>,
    /// The role, digest and self-test of each loaded model.
    pub loaded: Vec<(&'static str, String, String)>,
}

/// All notes of a trail.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Milliseconds of each stage.
    pub stages: BTreeMap<&'static str, f64>,
    /// Every photograph, in the order of examination.
    pub photographs: Vec<PhotographSeen>,
    /// Every distance that was compared with a threshold.
    pub distances: Vec<f64>,
    /// The threshold of this request, and its source.
    pub threshold: Option<(f64, &'static str)>,
    /// The verdict, in the route's words.
    pub verdict: Option<&'static str>,
    /// The reasons against acceptance.
    pub reasons: Vec<&'static str>,
    /// The capture that ended, or was used.
    pub capture: Option<CaptureSeen>,
    /// The policy that the request began with.
    pub policy: Option<Policy>,
    /// The weights that the request began with.
    pub models: Option<ModelsSeen>,
    /// The pseudonym of the person whom the request names.
    pub subject: Option<Pseudonym>,
    /// The id of the API key.
    pub key: String,
    /// The only tenant of that key.
    pub key_tenant: Option<String>,
}

/// The trail of one request.
#[derive(Debug, Clone, Default)]
pub struct Trail(Arc<Mutex<Seen>>);

impl Trail {
    /// Returns the trail of the running task, or a new trail that belongs to no request.
    pub fn current() -> Self {
        TRAIL.try_with(Self::clone).unwrap_or_default()
    }

    /// Adds the notes of another trail, on which a part of the request was done.
    pub fn absorb(&self, part: &Self) {
        let Seen {
            stages,
            photographs,
            distances,
            threshold,
            verdict,
            reasons,
            capture,
            // The whole request's trail has these from its beginning.
            policy: _,
            models: _,
            subject: _,
            key: _,
            key_tenant: _,
        } = part.seen();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stages.into_iter().for_each(|(name, ms)| *seen.stages.entry(name).or_default() += ms);
        seen.photographs.extend(photographs);
        seen.distances.extend(distances);
        seen.reasons.extend(reasons);
        seen.threshold = seen.threshold.or(threshold);
        seen.verdict = seen.verdict.or(verdict);
        seen.capture = seen.capture.take().or(capture);
    }

    /// Runs a future whose notes go to this trail.
    pub async fn along<F: Future>(self, future: F) -> F::Output {
        TRAIL.scope(self, future).await
    }

    /// Runs a function of this thread whose notes go to this trail.
    pub fn within<T>(self, piece: impl FnOnce() -> T) -> T {
        TRAIL.sync_scope(self, piece)
    }

    /// Returns the notes so far.
    pub fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn note(change: impl FnOnce(&mut Seen)) {
    let _ = TRAIL.try_with(|trail| change(&mut trail.0.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// Adds milliseconds to a stage.
pub fn stage(name: &'static str, ms: f64) {
    note(|seen| *seen.stages.entry(name).or_default() += ms);
}

/// Notes that the examination of a photograph begins.
pub fn photograph(bytes: &[u8], mode: Mode) {
    let seen = || PhotographSeen { digest: *blake3::hash(bytes).as_bytes(), mode, ..PhotographSeen::default() };
    note(|all| all.photographs.push(seen()));
}

/// Notes the judged face of the last photograph, with its measurements.
pub fn face<L, E>(examined: &Examination<L, E>) {
    let (plan, face) = (examined.plan(), examined.face());
    let (detection, rotated, quality) = (plan.name(), plan.rotated, *examined.quality());
    note(|seen| seen.last().face = Some(FaceSeen { detection, rotated, area: face.area, score: face.score, quality }));
}

/// Notes the policy and the weights that the request begins with.
pub fn models(policy: Policy, models: impl FnOnce() -> ModelsSeen) {
    note(|seen| {
        seen.models = Some(models());
        seen.policy = Some(policy);
    });
}

/// Notes the id and the tenant of the request's key.
pub fn caller(key: &str, tenant: Option<&str>) {
    note(|seen| (seen.key, seen.key_tenant) = (key.to_owned(), tenant.map(str::to_owned)));
}

/// Notes a capture that ended or was used.
pub fn capture(capture: CaptureSeen) {
    note(|seen| seen.capture = Some(capture));
}

/// Notes the rule that a used capture failed afterwards.
pub fn capture_failed(rule: &'static str) {
    note(|seen| seen.capture.iter_mut().for_each(|capture| capture.failed = Some(rule)));
}

/// Removes the note on a capture: an earlier request used it, and this one gets its response.
pub fn no_capture() {
    note(|seen| seen.capture = None);
}

/// Notes the person whom the request names, by their pseudonym; an unknown person has none.
pub fn subject(pseudonym: Option<Pseudonym>) {
    note(|seen| seen.subject = pseudonym);
}

/// Notes the result of both spoof networks on the last photograph.
pub fn liveness(liveness: &Liveness) {
    note(|seen| seen.last().liveness = Some(*liveness));
}

/// Notes the threshold that the request uses.
pub fn threshold(threshold: Threshold) {
    note(|seen| seen.threshold = Some((threshold.distance(), threshold.source().name())));
}

/// Notes a distance that was compared with the threshold.
pub fn distance(distance: f64) {
    note(|seen| seen.distances.push(distance));
}

/// Notes a decision: its distance, verdict and reasons.
pub fn decision(decision: &Decision) {
    distance(decision.similarity().distance());
    verdict(decision.verdict().name());
    note(|seen| seen.reasons.extend(decision.verdict().reasons().iter().map(Reason::code)));
}

/// Notes a verdict.
pub fn verdict(verdict: &'static str) {
    note(|seen| seen.verdict = Some(verdict));
}

impl Seen {
    fn last(&mut self) -> &mut PhotographSeen {
        if self.photographs.is_empty() {
            self.photographs.push(PhotographSeen::default());
        }
        let last = self.photographs.len() - 1;
        &mut self.photographs[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn notes_of_a_piece_of_work_reach_the_request_and_no_other() {
        let (one, other) = (Trail::default(), Trail::default());
        let work = |trail: Trail, name: &'static str| {
            trail.along(async move {
                let trail = Trail::current();
                tokio::task::spawn_blocking(move || trail.within(|| verdict(name))).await.unwrap();
            })
        };
        tokio::join!(work(one.clone(), "accept"), work(other.clone(), "reject"));
        verdict("of no request");
        assert_eq!((one.seen().verdict, other.seen().verdict), (Some("accept"), Some("reject")));
    }
}
