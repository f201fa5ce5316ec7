//! Turns error responses of a registry into faults.

use serde::Deserialize;

use super::client::HttpResponse;
use super::fault::Fault;
use crate::bounds;

#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Reported>,
}

#[derive(Deserialize)]
struct Reported {
    code: String,
    #[serde(default)]
    message: String,
}

/// The fault of a response with an unexpected status.
pub fn refused(answer: HttpResponse) -> Fault {
    let code = answer.status();
    let body = answer.bytes(bounds::ERROR_ANSWER).unwrap_or_default();
    by_code(code, &body)
}

fn by_code(status: u16, body: &[u8]) -> Fault {
    let reported =
        serde_json::from_slice::<Envelope>(body).ok().and_then(|envelope| envelope.errors.into_iter().next());
    let words = |reported: Option<&Reported>| {
        let message = reported.map(|reported| reported.message.clone()).filter(|message| !message.is_empty());
        message.unwrap_or_else(|| format!("status {status}"))
    };
    match (reported.as_ref().map(|reported| reported.code.as_str()), status) {
        (Some("UNAUTHORIZED" | "DENIED"), _) | (_, 401 | 403 | 407) => Fault::Denied(words(reported.as_ref())),
        (Some("BLOB_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN" | "MANIFEST_UNKNOWN" | "NAME_UNKNOWN" | "NOT_FOUND"), _)
        | (_, 404 | 410) => Fault::NotFound(words(reported.as_ref())),
        (Some("TOOMANYREQUESTS"), _) => Fault::Status(429),
        (Some(code), 400..=499) if status != 408 && status != 425 => {
            Fault::BadAnswer(format!("{code}: {}", words(reported.as_ref())))
        }
        _ => Fault::Status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_named_by_the_registrys_code_else_by_the_status() {
        let reported = |code: &str| format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"no\"}}]}}");
        let rows = [
            (401, reported("UNAUTHORIZED"), "denied: no"),
            (403, String::new(), "denied: status 403"),
            (404, reported("MANIFEST_UNKNOWN"), "not-found: no"),
            (404, "<html>".into(), "not-found: status 404"),
            (400, reported("DIGEST_INVALID"), "bad-answer: DIGEST_INVALID: no"),
            (429, reported("TOOMANYREQUESTS"), "status: status 429"),
            (503, reported("UNAVAILABLE"), "status: status 503"),
            (500, "{\"errors\":[]}".into(), "status: status 500"),
            (302, String::new(), "status: status 302"),
        ];
        let named = |status, body: &str| by_code(status, body.as_bytes()).to_string();
        let wrong: Vec<_> = rows.iter().filter(|(status, body, right)| named(*status, body) != *right).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
