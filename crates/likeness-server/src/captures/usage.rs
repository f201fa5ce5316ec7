//! The use of a capture: once, for what it is bound to, with the frame that counts, and for the face that followed the
//! prompts.
//!
//! Promises: a response gets a capture's number only from [`UsedCapture::counted`], after the judged face was compared
//! with the one of the capture.

use std::sync::Arc;

use likeness::capture::outcome::{Best, Outcome, Rule};
use likeness::detect::Area;
use likeness::policy::CaptureRule;

use super::{Binding, Capture, CapturePurpose, away, refused};
use crate::form::{Form, wrong};
use crate::hex::hex;
use crate::problem::Problem;
use crate::pseudonym::Pseudonym;
use crate::series;
use crate::store::{CaptureId, ComparedSubject, Source, Store, Subject, Tenant, unhex_capture};
use crate::trail::{self, CaptureSeen};

/// The field that names a capture.
pub const CAPTURE_ID: &str = "capture_id";

/// Refuses a form that names a capture.
///
/// # Errors
/// `INVALID_INPUT`
pub fn no_capture(form: &Form, expected: &str) -> Result<(), Problem> {
    if form.bytes(CAPTURE_ID)?.is_some() { Err(wrong(CAPTURE_ID, format_args!("expected {expected}"))) } else { Ok(()) }
}

/// Refuses a capture where a route takes none: its answer would look like one with a capture.
///
/// # Errors
/// `INVALID_INPUT`
pub fn takes_none(form: &Form) -> Result<(), Problem> {
    no_capture(form, "none, since only verify, enroll and liveness take a capture; the capture is not used up")
}

/// A capture that this request used up. It counts only for the face that followed the prompts.
#[must_use]
#[derive(Debug)]
pub struct UsedCapture {
    id: String,
    best: Best,
    rule: CaptureRule,
}

impl UsedCapture {
    /// Returns the capture's number, if the judged face has the place of the face that followed the prompts.
    ///
    /// # Errors
    /// `CAPTURE_REFUSED`; the trail gets the rule.
    pub fn counted(self, judged: &Area) -> Result<String, Problem> {
        if self.best.shows(judged, &self.rule) {
            return Ok(self.id);
        }
        trail::capture_failed(Rule::OtherFace.code());
        series::capture_failed(Some(Rule::OtherFace.code()));
        Err(refused())
    }
}

/// Uses up a capture for a request with this photograph; otherwise returns the rule that keeps it from counting, which
/// the caller of the service must not learn. If the purpose is to verify, and the capture shows no live person or another person,
/// this counts as a failed comparison of `person`, made by `source`.
///
/// # Errors
/// `STORE_UNAVAILABLE`
pub async fn use_up(
    store: &Arc<Store>,
    id: &str,
    (wanted, person, photograph): (&Binding, Option<Pseudonym>, &[u8]),
    source: Source<'_>,
    (at, rule): (i64, &CaptureRule),
) -> Result<Result<UsedCapture, Rule>, Problem> {
    let id = unhex_capture(id);
    let used = match taken(store, id, wanted).await? {
        Some((id, capture)) => {
            let counts = counts(&capture, (wanted, blake3::hash(photograph).as_bytes()), at, rule);
            capture.note(&id, counts.err());
            counts.map(|best| UsedCapture { id: hex(&id), best, rule: *rule })
        }
        None => {
            note_unknown(id, wanted);
            Err(Rule::Unknown)
        }
    };
    let failed = used.as_ref().err().copied();
    series::capture(if failed.is_none() { "used" } else { "refused" });
    series::capture_failed(failed.map(Rule::code));
    if failed.is_some_and(is_of_person) && wanted.purpose == CapturePurpose::Verify {
        note_failure(store, (wanted, person), source, at.div_euclid(1000)).await?;
    }
    Ok(used)
}

/// Counts a failed comparison of the person whom the capture was begun for.
async fn note_failure(
    store: &Arc<Store>,
    (wanted, person): (&Binding, Option<Pseudonym>),
    source: Source<'_>,
    now: i64,
) -> Result<(), Problem> {
    let named = (Tenant::new(&wanted.tenant), wanted.subject.as_deref().map(Subject::new));
    let (Ok(tenant), Some(Ok(subject))) = named else { return Ok(()) };
    let compared = ComparedSubject { subject, person };
    let (key, address) = (source.key.to_owned(), source.address);
    away(store, move |store| store.note_failures(&tenant, &[compared], Source { key: &key, address }, now)).await
}

/// Takes a capture of the wanted tenant from the store. A capture of another tenant stays as it is.
async fn taken(
    store: &Arc<Store>,
    id: Option<CaptureId>,
    wanted: &Binding,
) -> Result<Option<(CaptureId, Capture)>, Problem> {
    let Some(id) = id else { return Ok(None) };
    let Some(row) = away(store, move |store| store.capture(&id)).await? else { return Ok(None) };
    if Capture::read(&row)?.bound.tenant != wanted.tenant {
        return Ok(None);
    }
    let row = away(store, move |store| store.take_capture(&id)).await?;
    row.map(|row| Ok((id, Capture::read(&row)?))).transpose()
}

/// Records a use of a capture that is unknown, was used, or belongs to another tenant: the record can't distinguish
/// these.
fn note_unknown(id: Option<CaptureId>, wanted: &Binding) {
    trail::capture(CaptureSeen {
        id: id.map(|id| hex(&id)).unwrap_or_default(),
        purpose: wanted.purpose.name(),
        frames: 0,
        best: None,
        failed: Some(Rule::Unknown.code()),
        holds: Vec::new(),
    });
}

/// Returns whether a rule concerns the person in front of the camera, so that a refusal is a failed comparison.
fn is_of_person(rule: Rule) -> bool {
    matches!(rule, Rule::NotLive | Rule::OtherFace | Rule::OtherPhotograph)
}

/// Returns the frame that counts, or the first rule that keeps a capture from counting.
fn counts(
    capture: &Capture,
    (wanted, photograph): (&Binding, &[u8; 32]),
    at: i64,
    rule: &CaptureRule,
) -> Result<Best, Rule> {
    let Capture { bound, session, .. } = capture;
    if bound.purpose != wanted.purpose {
        return Err(Rule::OtherPurpose);
    }
    if bound.subject != wanted.subject {
        return Err(Rule::OtherSubject);
    }
    if let Some(untimely) = session.untimely(at, rule) {
        return Err(untimely);
    }
    match session.outcome() {
        None => Err(Rule::Unfinished),
        Some(Outcome::Completed { best, failed: None }) if best.digest == *photograph => Ok(*best),
        Some(Outcome::Completed { failed: None, .. }) => Err(Rule::OtherPhotograph),
        Some(Outcome::Completed { failed: Some(rule), .. } | Outcome::Failed(rule)) => Err(*rule),
    }
}
