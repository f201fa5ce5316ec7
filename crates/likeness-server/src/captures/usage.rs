//! The use of a capture: once, for what it is bound to, with the frame that counts.

use std::sync::Arc;

use likeness::capture::outcome::{Outcome, Rule};
use likeness::policy::CaptureRule;

use super::{Binding, Capture, CapturePurpose, away};
use crate::hex::hex;
use crate::problem::Problem;
use crate::series;
use crate::store::{CaptureId, Source, Store, Subject, Tenant, unhex_capture};
use crate::trail::{self, CaptureSeen};

/// Uses up a capture for a request with this photograph; returns the rule that keeps it from counting, which the caller
/// of the service must not learn. If the purpose is to verify, and the capture shows no live person or another person,
/// this counts as a failed comparison of the person, made by `source`.
///
/// # Errors
/// `STORE_UNAVAILABLE`
pub async fn use_up(
    store: &Arc<Store>,
    id: &str,
    (wanted, photograph): (&Binding, &[u8]),
    source: Source<'_>,
    (at, rule): (i64, &CaptureRule),
) -> Result<Option<Rule>, Problem> {
    let id = unhex_capture(id);
    let failed = match taken(store, id, wanted).await? {
        Some((id, capture)) => {
            let failed = broken(&capture, (wanted, blake3::hash(photograph).as_bytes()), at, rule);
            capture.note(&id, failed);
            failed
        }
        None => {
            note_unknown(id, wanted);
            Some(Rule::Unknown)
        }
    };
    series::capture(if failed.is_none() { "used" } else { "refused" });
    series::capture_failed(failed.map(Rule::code));
    if failed.is_some_and(is_of_person) && wanted.purpose == CapturePurpose::Verify {
        note_failure(store, wanted, source, at.div_euclid(1000)).await?;
    }
    Ok(failed)
}

/// Counts a failed comparison of the person whom the capture was begun for.
async fn note_failure(store: &Arc<Store>, wanted: &Binding, source: Source<'_>, now: i64) -> Result<(), Problem> {
    let named = (Tenant::new(&wanted.tenant), wanted.subject.as_deref().map(Subject::new));
    let (Ok(tenant), Some(Ok(subject))) = named else { return Ok(()) };
    let (key, address) = (source.key.to_owned(), source.address);
    away(store, move |store| store.note_failures(&tenant, &[subject], Source { key: &key, address }, now)).await
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

/// Returns the first rule that keeps a capture from counting.
fn broken(capture: &Capture, (wanted, photograph): (&Binding, &[u8; 32]), at: i64, rule: &CaptureRule) -> Option<Rule> {
    let Capture { bound, session, .. } = capture;
    if bound.purpose != wanted.purpose {
        return Some(Rule::OtherPurpose);
    }
    if bound.subject != wanted.subject {
        return Some(Rule::OtherSubject);
    }
    session.untimely(at, rule).or_else(|| match session.outcome() {
        None => Some(Rule::Unfinished),
        Some(Outcome::Completed { best, failed: None }) => {
            (best.digest != *photograph).then_some(Rule::OtherPhotograph)
        }
        Some(outcome) => outcome.failed(),
    })
}
