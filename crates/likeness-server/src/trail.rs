//! What a request leaves behind on its way: stage times, what was measured, what was decided. Its log line, the metrics
//! of scores and its record are made of it.
//!
//! A trail is the task's own: `outer` begins it, a piece of work takes it along to its thread. Where none was begun,
//! as in commands, what is noted is dropped. Touches nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use likeness::detect::Area;
use likeness::examine::Examination;
use likeness::find::Mode;
use likeness::liveness::Liveness;
use likeness::policy::{Policy, Threshold};
use likeness::quality::Quality;
use likeness::verdict::{Decision, Reason};

tokio::task_local! {
    static TRAIL: Trail;
}

/// A photograph of the request.
#[derive(Debug, Clone, Default)]
pub struct PhotographSeen {
    /// The digest of its bytes.
    pub digest: [u8; 32],
    /// How faces are looked for.
    pub mode: Mode,
    /// The face that counts.
    pub face: Option<FaceSeen>,
    /// What both spoof networks said.
    pub liveness: Option<Liveness>,
}

/// A face: how it was found, and what was measured of it.
#[derive(Debug, Clone)]
pub struct FaceSeen {
    /// How it was found.
    pub detection: &'static str,
    /// Degrees by which the photograph was turned first.
    pub rotated: u16,
    /// Where.
    pub area: Area,
    /// The detector's score.
    pub score: f32,
    /// What was measured.
    pub quality: Quality,
}

/// The weights that answer.
#[derive(Debug, Clone)]
pub struct ModelsSeen {
    /// The embedding space.
    pub contract_id: Option<String>,
    /// How far the embedder is trusted.
    pub embedder: Option<&'static str>,
    /// Role, digest and self-test of each.
    pub loaded: Vec<(&'static str, String, String)>,
}

/// All that was noted.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Milliseconds by stage.
    pub stages: BTreeMap<&'static str, f64>,
    /// Every photograph, in the order of their examination.
    pub photographs: Vec<PhotographSeen>,
    /// Every distance that was compared with a threshold.
    pub distances: Vec<f64>,
    /// The threshold of this request, and where it comes from.
    pub threshold: Option<(f64, &'static str)>,
    /// What was decided, in the route's word.
    pub verdict: Option<&'static str>,
    /// Why it was not accepted.
    pub reasons: Vec<&'static str>,
    /// The policy that the request began with.
    pub policy: Option<Policy>,
    /// The weights that it began with.
    pub models: Option<ModelsSeen>,
    /// The digest of tenant and subject.
    pub subject: Option<[u8; 32]>,
    /// The id of the API key.
    pub key: String,
    /// The only tenant of that key.
    pub key_tenant: Option<String>,
}

/// The trail of one request.
#[derive(Debug, Clone, Default)]
pub struct Trail(Arc<Mutex<Seen>>);

impl Trail {
    /// That of the running task, or one that is dropped.
    pub fn current() -> Self {
        TRAIL.try_with(Self::clone).unwrap_or_default()
    }

    /// Adds what a part of the request noted on a trail of its own.
    pub fn absorb(&self, part: &Self) {
        let part = part.seen();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        part.stages.into_iter().for_each(|(name, ms)| *seen.stages.entry(name).or_default() += ms);
        seen.photographs.extend(part.photographs);
        seen.distances.extend(part.distances);
        seen.threshold = seen.threshold.or(part.threshold);
        seen.verdict = seen.verdict.or(part.verdict);
    }

    /// Runs a future on this trail.
    pub async fn along<F: Future>(self, future: F) -> F::Output {
        TRAIL.scope(self, future).await
    }

    /// Runs a piece of work on this trail, in another thread.
    pub fn within<T>(self, piece: impl FnOnce() -> T) -> T {
        TRAIL.sync_scope(self, piece)
    }

    /// What was noted so far.
    pub fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn note(change: impl FnOnce(&mut Seen)) {
    let _ = TRAIL.try_with(|trail| change(&mut trail.0.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// A stage took so many milliseconds more.
pub fn stage(name: &'static str, ms: f64) {
    note(|seen| *seen.stages.entry(name).or_default() += ms);
}

/// A photograph's examination begins.
pub fn photograph(bytes: &[u8], mode: Mode) {
    let seen = || PhotographSeen { digest: *blake3::hash(bytes).as_bytes(), mode, ..PhotographSeen::default() };
    note(|all| all.photographs.push(seen()));
}

/// The face that counts, and what was measured of it.
pub fn face<L, E>(examined: &Examination<L, E>) {
    let (plan, face) = (examined.plan(), examined.face());
    let (detection, rotated, quality) = (plan.name(), plan.rotated, *examined.quality());
    note(|seen| seen.last().face = Some(FaceSeen { detection, rotated, area: face.area, score: face.score, quality }));
}

/// The policy and the weights that the request begins with.
pub fn models(policy: Policy, models: impl FnOnce() -> ModelsSeen) {
    note(|seen| {
        seen.models = Some(models());
        seen.policy = Some(policy);
    });
}

/// Who sends the request.
pub fn caller(key: &str, tenant: Option<&str>) {
    note(|seen| (seen.key, seen.key_tenant) = (key.to_owned(), tenant.map(str::to_owned)));
}

/// Whom it is about.
pub fn subject(tenant: &str, subject: &str) {
    note(|seen| seen.subject = Some(subject_digest(tenant, subject)));
}

/// The digest of a tenant and a subject, which records key before they show it.
pub fn subject_digest(tenant: &str, subject: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in [tenant, subject] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// What both spoof networks said of the last photograph.
pub fn liveness(liveness: &Liveness) {
    note(|seen| seen.last().liveness = Some(*liveness));
}

/// The threshold that the request uses.
pub fn threshold(threshold: Threshold) {
    note(|seen| seen.threshold = Some((threshold.distance(), threshold.source().name())));
}

/// A distance that was compared with the threshold.
pub fn distance(distance: f64) {
    note(|seen| seen.distances.push(distance));
}

/// What was decided, on which distance and why.
pub fn decision(decision: &Decision) {
    distance(decision.similarity().distance());
    verdict(decision.verdict().name());
    note(|seen| seen.reasons.extend(decision.verdict().reasons().iter().map(Reason::code)));
}

/// What was decided.
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
