//! What a registry answers instead of what was asked for, as faults by name.

use serde::Deserialize;

use super::client::HttpResponse;
use super::fault::Fault;
use crate::bounds;

#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    code: String,
    #[serde(default)]
    message: String,
}

/// The fault of an answer that is none of those that were expected.
pub fn refused(answer: HttpResponse) -> Fault {
    let code = answer.status();
    let body = answer.bytes(bounds::ERROR_ANSWER).unwrap_or_default();
    by_code(code, &body)
}

fn by_code(status: u16, body: &[u8]) -> Fault {
    let told = serde_json::from_slice::<Envelope>(body).ok().and_then(|envelope| envelope.errors.into_iter().next());
    let words = |told: Option<&Told>| {
        let message = told.map(|told| told.message.clone()).filter(|message| !message.is_empty());
        message.unwrap_or_else(|| format!("status {status}"))
    };
    match (told.as_ref().map(|told| told.code.as_str()), status) {
        (Some("UNAUTHORIZED" | "DENIED"), _) | (_, 401 | 403 | 407) => Fault::Denied(words(told.as_ref())),
        (Some("BLOB_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN" | "MANIFEST_UNKNOWN" | "NAME_UNKNOWN" | "NOT_FOUND"), _)
        | (_, 404 | 410) => Fault::NotFound(words(told.as_ref())),
        (Some("TOOMANYREQUESTS"), _) => Fault::Status(429),
        (Some(code), 400..=499) if status != 408 && status != 425 => {
            Fault::BadAnswer(format!("{code}: {}", words(told.as_ref())))
        }
        _ => Fault::Status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_named_by_the_registrys_code_else_by_the_status() {
        let told = |code: &str| format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"no\"}}]}}");
        let rows = [
            (401, told("UNAUTHORIZED"), "denied: no"),
            (403, String::new(), "denied: status 403"),
            (404, told("MANIFEST_UNKNOWN"), "not-found: no"),
            (404, "<html>".into(), "not-found: status 404"),
            (400, told("DIGEST_INVALID"), "bad-answer: DIGEST_INVALID: no"),
            (429, told("TOOMANYREQUESTS"), "status: status 429"),
            (503, told("UNAVAILABLE"), "status: status 503"),
            (500, "{\"errors\":[]}".into(), "status: status 500"),
            (302, String::new(), "status: status 302"),
        ];
        let named = |status, body: &str| by_code(status, body.as_bytes()).to_string();
        let wrong: Vec<_> = rows.iter().filter(|(status, body, right)| named(*status, body) != *right).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
