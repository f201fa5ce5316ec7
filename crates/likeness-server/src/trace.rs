//! Reads a request's ids: `X-Request-Id`, and `traceparent` of W3C Trace Context. An id of another form is
//! ignored; a request without a valid `X-Request-Id` gets a random UUID.

use axum::http::HeaderMap;

/// The longest `X-Request-Id` that is accepted.
const LONGEST: usize = 64;

/// The ids of a request, for its response and its log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// The caller's request id, or a random UUID.
    pub request: String,
    /// The id of the trace and of the caller's span.
    pub trace: Option<(String, String)>,
}

impl Ids {
    /// Reads the ids from a request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            let mut all = headers.get_all(name).iter();
            // If the header is repeated, it is ignored.
            all.next().filter(|_| all.next().is_none())?.to_str().ok()
        };
        let request = text("x-request-id").filter(|id| is_id(id)).map(str::to_owned);
        Self {
            request: request.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            trace: text("traceparent").and_then(parent),
        }
    }
}

/// Returns whether a text is short and contains no character that is special in a log, a header or a shell.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)
}

/// Parses trace and span of `VERSION-TRACE-SPAN-FLAGS`. A later version may have more fields.
fn parent(text: &str) -> Option<(String, String)> {
    let mut fields = text.trim().split('-');
    let [version, trace, span, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let hex = |field: &str, length: usize| {
        field.len() == length && field.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let named = |field: &str| field.bytes().any(|byte| byte != b'0');
    let right = hex(version, 2) && version != "ff" && (version != "00" || fields.next().is_none());
    let right = right && hex(trace, 32) && named(trace) && hex(span, 16) && named(span) && hex(flags, 2);
    right.then(|| (trace.to_owned(), span.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn ids(headers: &[(&'static str, &str)]) -> Ids {
        let named = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        let mut all = HeaderMap::new();
        for (name, value) in named {
            all.append(name, value);
        }
        Ids::of(&all)
    }

    #[test]
    fn an_id_is_taken_over_only_if_it_is_short_and_plain() {
        let (long, longest) = ("x".repeat(65), "x".repeat(64));
        let table = [
            ("0190-a.B_c", true),
            (longest.as_str(), true),
            (long.as_str(), false),
            ("", false),
            ("a b", false),
            ("a\tb", false),
            ("{\"a\":1}", false),
            ("gro\u{df}", false),
        ];
        let wrong: Vec<_> =
            table.into_iter().filter(|(id, kept)| (ids(&[("x-request-id", id)]).request == *id) != *kept).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let two = ids(&[("x-request-id", "a"), ("x-request-id", "b")]).request;
        assert!(two.len() == 36, "{two}");
    }

    #[test]
    fn a_traceparent_is_read_as_the_w3c_says() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let table = [
            (format!("00-{trace}-{span}-01"), true),
            (format!("01-{trace}-{span}-01-more"), true),
            (format!("00-{trace}-{span}-01-more"), false),
            (format!("ff-{trace}-{span}-01"), false),
            (format!("00-{}-{span}-01", trace.to_uppercase()), false),
            (format!("00-{}-{span}-01", "0".repeat(32)), false),
            (format!("00-{trace}-{}-01", "0".repeat(16)), false),
            (format!("00-{trace}-{span}"), false),
            (format!("00-{trace}0-{span}-01"), false),
            (String::new(), false),
        ];
        for (text, right) in table {
            let expected = right.then(|| (trace.to_owned(), span.to_owned()));
            assert_eq!(ids(&[("traceparent", &text)]).trace, expected, "{text:?}");
        }
    }
}
