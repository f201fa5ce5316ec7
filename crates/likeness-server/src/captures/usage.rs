//! The use of a capture: once, for what it is bound to, with the frame that counts.

use std::sync::Arc;

use likeness::capture::outcome::{Outcome, Rule};
use likeness::policy::CaptureRule;

use super::{Binding, Capture, away, refused};
use crate::problem::Problem;
use crate::series;
use crate::store::{Store, unhex_capture};

/// Uses up a capture for a request with this photograph.
///
/// # Errors
/// `CAPTURE_REFUSED`, `STORE_UNAVAILABLE`
pub async fn use_up(
    store: &Arc<Store>,
    id: &str,
    (wanted, photograph): (&Binding, &[u8]),
    (at, rule): (i64, &CaptureRule),
) -> Result<(), Problem> {
    let id = unhex_capture(id).ok_or_else(refused)?;
    // A capture of another tenant stays as it is.
    let row = away(store, move |store| store.capture(&id)).await?.ok_or_else(refused)?;
    if Capture::read(&row)?.bound.tenant != wanted.tenant {
        return Err(refused());
    }
    let row = away(store, move |store| store.take_capture(&id)).await?.ok_or_else(refused)?;
    let capture = Capture::read(&row)?;
    let failed = broken(&capture, (wanted, blake3::hash(photograph).as_bytes()), at, rule);
    capture.note(&id, failed);
    series::capture(if failed.is_none() { "used" } else { "refused" });
    series::capture_failed(failed.map(Rule::code));
    if failed.is_some() { Err(refused()) } else { Ok(()) }
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
