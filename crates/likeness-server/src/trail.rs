//! What a request leaves behind on its way: stage times, what was measured, what was decided. Its log line, the metrics
//! of scores and its record are made of it.
//!
//! A trail is the task's own: `outer` begins it, a piece of work takes it along to its thread. Where none was begun,
//! as in commands, what is noted is dropped. Touches nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use likeness::liveness::Liveness;
use likeness::policy::Threshold;
use likeness::quality::Quality;

tokio::task_local! {
    static TRAIL: Trail;
}

/// A photograph of the request.
#[derive(Debug, Clone, Default)]
pub struct PhotographSeen {
    /// What was measured of the face that counts.
    pub quality: Option<Quality>,
    /// What both spoof networks said.
    pub liveness: Option<Liveness>,
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
pub fn photograph() {
    note(|seen| seen.photographs.push(PhotographSeen::default()));
}

/// What was measured of the face that counts.
pub fn quality(quality: &Quality) {
    note(|seen| seen.last().quality = Some(*quality));
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
