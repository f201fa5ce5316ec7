//! Reads the consent and the expiry from the form of an enrolment.

use crate::clock::{now, of_rfc3339};
use crate::form::{Form, missing, unlike, wrong};
use crate::problem::Problem;
use crate::store::{Consent, LONGEST, Terms};

/// A consent has three fields: `consent_reference` and `consent_version` need each other, and
/// `consent_given_at` needs both.
const REFERENCE: &str = "consent_reference";
const VERSION: &str = "consent_version";
const GIVEN_AT: &str = "consent_given_at";
const EXPIRES_AT: &str = "expires_at";

/// Reads the consent and the expiry.
///
/// # Errors
/// `INVALID_INPUT`. If a consent is `required` and missing, `reason` is `consent_required`.
pub fn terms(form: &Form, required: bool) -> Result<Terms, Problem> {
    let (reference, version) = (bounded(form, REFERENCE)?, bounded(form, VERSION)?);
    let (given_at, expires_at) = (moment(form, GIVEN_AT)?, moment(form, EXPIRES_AT)?);
    let consent = match (reference, version) {
        (Some(reference), Some(version)) => {
            let given_at = given_at.unwrap_or_else(now);
            if given_at > now() {
                return Err(wrong(GIVEN_AT, "expected a time in the past"));
            }
            Some(Consent { reference, version, given_at })
        }
        (None, None) if given_at.is_none() && required => {
            return Err(missing(REFERENCE).with("reason", "consent_required"));
        }
        (None, None) if given_at.is_none() => None,
        (None, _) => return Err(missing(REFERENCE)),
        (Some(_), None) => return Err(missing(VERSION)),
    };
    if expires_at.is_some_and(|end| end <= now()) {
        return Err(wrong(EXPIRES_AT, "expected a time in the future"));
    }
    Ok(Terms { consent, expires_at })
}

fn bounded(form: &Form, name: &str) -> Result<Option<String>, Problem> {
    match form.text(name)? {
        Some(text) if text.len() > LONGEST => {
            Err(wrong(name, format_args!("expected at most {LONGEST} bytes, found {}", text.len())))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

fn moment(form: &Form, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = form.text(name)? else { return Ok(None) };
    let moment = of_rfc3339(text).filter(|moment| *moment > 0);
    moment.map(Some).ok_or_else(|| unlike(name, "a time in RFC 3339, such as 2027-01-31T12:00:00Z", text))
}
