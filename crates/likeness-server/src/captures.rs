//! Captures: sessions of the library, whose states are in the store, so that every replica continues them.
//!
//! Promises: each state takes one frame, on whatever replica; a second frame for it ends the session. Only the clock of
//! this machine counts: the time when a frame arrived, and the time when its response was ready. A caller learns that a
//! session is complete or ended; the trail gets the rule that it failed. A capture is used once, for what it is bound
//! to.

pub mod usage;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use likeness::capture::outcome::{Outcome, Rule};
use likeness::capture::session::{Session, Sighting};
use likeness::net::Digest;
use likeness::policy::Policy;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::clock::now;
use crate::form::Worded;
use crate::hex::hex;
use crate::problem::{Code, Problem};
use crate::pseudonym::Pseudonym;
use crate::series;
use crate::store::{
    self, CaptureId, CaptureLimit, CaptureRow, CapturesFull, Opening, Store, Subject, Tenant, random_key, unhex_capture,
};
use crate::trail::{self, CaptureSeen, HoldLiveness};

/// What a capture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CapturePurpose {
    /// To verify a person.
    Verify,
    /// To enrol a person.
    Enroll,
    /// To judge liveness.
    Liveness,
}

impl CapturePurpose {
    /// Every purpose with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("verify", Self::Verify), ("enroll", Self::Enroll), ("liveness", Self::Liveness)];

    /// Returns the purpose's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, purpose)| *purpose == self).map_or("unnamed", |(name, _)| name)
    }
}

impl std::str::FromStr for CapturePurpose {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, purpose)| *purpose).ok_or(())
    }
}

impl Worded for CapturePurpose {
    const EXPECTED: &'static str = "verify, enroll or liveness";
}

/// The states of a capture in responses.
pub const STATES: [&str; 3] = ["open", "complete", "ended"];

/// The person, purpose and tenant that a capture is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The purpose.
    pub purpose: CapturePurpose,
    /// The tenant.
    pub tenant: String,
    /// The person, if the purpose is about one.
    pub subject: Option<String>,
}

/// The state of a capture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Capture {
    /// The person, purpose and tenant that the capture is bound to.
    pub bound: Binding,
    /// The session.
    pub session: Session,
    /// The hash of the last answer, which the next frame must carry.
    pub answer: String,
    /// The person's pseudonym; `None` if the capture is about no person, or the person was not enrolled when it began.
    pub pseudonym: Option<Pseudonym>,
}

impl Capture {
    fn bytes(&self) -> Result<Vec<u8>, Problem> {
        serde_json::to_vec(self).map_err(|why| Problem::internal(&why))
    }

    fn read(row: &CaptureRow) -> Result<Self, Problem> {
        serde_json::from_slice(&row.content).map_err(|why| Problem::internal(&why))
    }

    /// Replaces the hash of the last answer by one over that hash, the frame, the state and random bytes.
    fn chain(&mut self, frame: &[u8; 32]) -> Result<(), Problem> {
        let random = random_key().map_err(Problem::from)?;
        let state = self.bytes()?;
        self.answer = Digest::of(&[&state, &frame[..], &random[..]].concat()).to_string();
        Ok(())
    }

    /// Notes a capture that ended, or was used, for the record and the metrics.
    fn note(&self, id: &CaptureId, failed: Option<Rule>) {
        let best = match self.session.outcome() {
            Some(Outcome::Completed { best, .. }) => Some(best.digest),
            _ => None,
        };
        trail::capture(CaptureSeen {
            id: hex(id),
            purpose: self.bound.purpose.name(),
            frames: self.session.frames(),
            best,
            failed: failed.map(Rule::code),
            holds: self.session.holds().iter().map(HoldLiveness::of).collect(),
        });
    }

    /// Notes a capture that a frame has ended or completed, for the record and the metrics.
    fn note_end(&self, id: &CaptureId) {
        let Some(outcome) = self.session.outcome() else { return };
        trail::subject(self.pseudonym);
        self.note(id, outcome.failed());
        series::capture(if matches!(outcome, Outcome::Completed { .. }) { "completed" } else { "ended" });
        series::capture_failed(outcome.failed().map(Rule::code));
    }
}

/// Examines frames: the networks do, and in tests a film.
pub trait FrameExaminer {
    /// The part of a frame's result that the response shows.
    type Shown;

    /// Examines a frame, with all networks if a hold is wanted and the face is well placed.
    fn look(
        &self,
        frame: Bytes,
        wants_hold: bool,
    ) -> impl Future<Output = Result<(Sighting, Self::Shown), Problem>> + Send;
}

/// A frame that arrived.
pub struct Arrival<'a> {
    /// The capture that it names.
    pub id: &'a str,
    /// The hash of the answer that it follows.
    pub previous: &'a str,
    /// The bytes of the photograph.
    pub bytes: Bytes,
    /// When it arrived, in milliseconds since 1970.
    pub at: i64,
}

/// The captures of a store.
pub struct Captures<E> {
    /// The store.
    pub store: Arc<Store>,
    /// The examiner of frames.
    pub examiner: E,
    /// The policy.
    pub policy: Policy,
    /// The clock, in milliseconds since 1970.
    pub clock: Clock,
}

/// Returns the moment.
pub type Clock = Box<dyn Fn() -> i64 + Send + Sync>;

/// Returns the problem that this caller has no such capture.
fn unknown() -> Problem {
    Problem::new(Code::NotFound, "no such capture: it is unknown, expired or used")
}

/// Returns the problem that a capture takes no frame.
fn ended() -> Problem {
    Problem::new(Code::CaptureEnded, "the capture accepts no frame: begin a new capture")
}

/// Returns the problem that a capture does not count.
pub fn refused() -> Problem {
    Problem::new(Code::CaptureRefused, "the capture is not valid for this request: begin a new capture")
}

/// Returns the problem that a key or a person has too many captures.
fn full(full: CapturesFull) -> Problem {
    let CapturesFull { limit, seconds } = full;
    let wait = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let whose = match limit {
        CaptureLimit::Key => "this key",
        CaptureLimit::Person => "this person",
    };
    let most = limit.most();
    Problem::too_many(limit.name(), wait).because(format!(
        "{whose} has {most} captures, and no more are kept: use up a complete one, or begin another in {seconds} s"
    ))
}

/// Calls the store on a thread for blocking work.
async fn away<T: Send + 'static>(
    store: &Arc<Store>,
    question: impl FnOnce(&Store) -> store::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let store = store.clone();
    let answer = tokio::task::spawn_blocking(move || question(&store)).await;
    answer.map_err(|why| Problem::internal(&why))?.map_err(Problem::from)
}

/// Returns the pseudonym of the person that a capture is bound to, if that person is enrolled.
async fn known(store: &Arc<Store>, bound: &Binding) -> Result<Option<Pseudonym>, Problem> {
    let named = (Tenant::new(&bound.tenant), bound.subject.as_deref().map(Subject::new));
    let (Ok(tenant), Some(Ok(subject))) = named else { return Ok(None) };
    away(store, move |store| store.pseudonym(&tenant, &subject, now())).await
}

/// Begins a capture with an API key of this id at a moment; returns its number and state.
///
/// # Errors
/// `RATE_LIMIT_EXCEEDED`, `STORE_UNAVAILABLE`
pub async fn begin(
    store: &Arc<Store>,
    (bound, key): (Binding, &str),
    policy: &Policy,
    at: i64,
) -> Result<(CaptureId, Capture), Problem> {
    let (Binding { tenant, subject, .. }, key) = (bound.clone(), key.to_owned());
    let pseudonym = known(store, &bound).await?;
    let mut capture = Capture { bound, session: Session::begin(at, &policy.capture), answer: String::new(), pseudonym };
    capture.chain(&[0; 32])?;
    let (ends_at, content) = (capture.session.ends_at(), capture.bytes()?);
    let begun = away(store, move |store| {
        let opening = Opening { key: &key, tenant: &tenant, subject: subject.as_deref() };
        store.begin_capture(&opening, (at.div_euclid(1000), ends_at), &content)
    });
    let id = begun.await?.map_err(full)?;
    series::capture("begun");
    Ok((id, capture))
}

impl<E: FrameExaminer> Captures<E> {
    /// Takes a frame; returns the next state and what the frame shows. `sees` tests whether the caller may see a
    /// tenant.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CAPTURE_ENDED`, `STORE_UNAVAILABLE`, or the frame's own; then the frame was not taken.
    pub async fn frame(
        &self,
        arrival: Arrival<'_>,
        sees: impl Fn(&str) -> bool,
    ) -> Result<(Capture, E::Shown), Problem> {
        let id = unhex_capture(arrival.id).ok_or_else(unknown)?;
        let row = away(&self.store, move |store| store.capture(&id)).await?.ok_or_else(unknown)?;
        let mut capture = Capture::read(&row)?;
        if !sees(&capture.bound.tenant) || capture.session.is_over(arrival.at) {
            return Err(unknown());
        }
        if capture.session.outcome().is_some() {
            return Err(ended());
        }
        if !bool::from(capture.answer.as_bytes().ct_eq(arrival.previous.as_bytes())) {
            return Err(self.break_off(id).await?);
        }
        let digest = *blake3::hash(&arrival.bytes).as_bytes();
        let seen = self.examiner.look(arrival.bytes, capture.session.wants_hold()).await;
        let (sighting, shown) = match seen {
            Err(problem) if problem.code() == Code::Overloaded => {
                self.excuse((id, row.turn), capture, arrival.at).await?;
                return Err(problem);
            }
            seen => seen?,
        };
        let random = random_key().map_err(Problem::from)?;
        let random = random.first_chunk().copied().map_or(0, u64::from_le_bytes);
        capture.session.take(&sighting, arrival.at, random, &self.policy);
        capture.session.answered((self.clock)(), &self.policy.capture);
        capture.chain(&digest)?;
        let content = capture.bytes()?;
        if !away(&self.store, move |store| store.advance_capture(&id, row.turn, &content)).await? {
            return Err(self.break_off(id).await?);
        }
        capture.note_end(&id);
        Ok((capture, shown))
    }

    /// Notes in a state that there was no core for its frame, which the caller sends again.
    async fn excuse(&self, (id, turn): (CaptureId, i64), mut capture: Capture, arrived: i64) -> Result<(), Problem> {
        let pause = Code::Overloaded.retry_after().map_or(0, |seconds| seconds.cast_signed() * 1000);
        if capture.session.refused(arrived, (self.clock)(), pause, &self.policy.capture) {
            let content = capture.bytes()?;
            away(&self.store, move |store| store.advance_capture(&id, turn, &content)).await?;
        }
        Ok(())
    }

    /// Ends a capture to which a frame came out of order; returns the problem.
    async fn break_off(&self, id: CaptureId) -> Result<Problem, Problem> {
        // A frame on another replica may write a state in between.
        loop {
            let Some(row) = away(&self.store, move |store| store.capture(&id)).await? else { return Ok(unknown()) };
            let mut capture = Capture::read(&row)?;
            if capture.session.outcome().is_some_and(|outcome| matches!(outcome, Outcome::Failed(_))) {
                return Ok(ended());
            }
            capture.session.end(Rule::OutOfOrder);
            let content = capture.bytes()?;
            if away(&self.store, move |store| store.advance_capture(&id, row.turn, &content)).await? {
                capture.note_end(&id);
                return Ok(ended());
            }
        }
    }
}

#[cfg(test)]
#[path = "captures_tests.rs"]
pub(crate) mod tests;
