//! What `oci-client` says, as faults by name.

use std::error::Error as _;
use std::io;

use ballast::digest::Digest;
use oci_client::errors::{DigestError, OciDistributionError as Error, OciErrorCode as Code};

use super::Fault;

/// An answer, or none.
pub fn fault(error: &Error) -> Fault {
    match error {
        Error::RequestError(error) => request_fault(error, 0, None),
        Error::ServerError { code, .. } => status(*code),
        Error::UnauthorizedError { .. } => Fault::Denied("status 401".into()),
        Error::AuthenticationFailure(_) => Fault::Denied("the token service refused".into()),
        Error::RegistryError { envelope, .. } => match envelope.errors.first() {
            Some(error) => coded(&error.code, &error.message),
            None => Fault::BadAnswer("an error without a code".into()),
        },
        Error::DigestError(DigestError::VerificationError { expected, actual }) => {
            match (Digest::parse(expected), Digest::parse(actual)) {
                (Ok(expected), Ok(found)) => Fault::WrongBlob { expected, found },
                _ => Fault::BadAnswer(error.to_string()),
            }
        }
        Error::ImageManifestNotFoundError(why) => Fault::NotFound(why.clone()),
        Error::IoError(error) => Fault::Unreadable(error.to_string()),
        other => Fault::BadAnswer(other.to_string()),
    }
}

fn coded(code: &Code, message: &str) -> Fault {
    match code {
        Code::Unauthorized | Code::Denied => Fault::Denied(message.to_owned()),
        Code::BlobUnknown | Code::ManifestBlobUnknown | Code::ManifestUnknown | Code::NameUnknown | Code::NotFound => {
            Fault::NotFound(message.to_owned())
        }
        Code::Toomanyrequests => Fault::Status(429),
        other => Fault::BadAnswer(format!("{other:?}: {message}")),
    }
}

fn status(code: u16) -> Fault {
    match code {
        404 | 410 => Fault::NotFound(format!("status {code}")),
        401 | 403 | 407 => Fault::Denied(format!("status {code}")),
        _ => Fault::Status(code),
    }
}

/// A body that broke off.
pub fn stream_fault(error: &io::Error, got: u64, of: u64) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>()) {
        Some(error) => request_fault(error, got, Some(of)),
        None => Fault::Cut { got, of: Some(of) },
    }
}

fn request_fault(error: &reqwest::Error, got: u64, of: Option<u64>) -> Fault {
    let causes = Causes::of(error);
    match error {
        error if error.status().is_some() => status(error.status().map_or(0, |code| code.as_u16())),
        _ if causes.words.contains("failed to lookup address") => Fault::NoHost,
        _ if causes.tls => Fault::Tls(causes.words),
        error if error.is_timeout() && error.is_connect() => Fault::Unreachable("no connection in time".into()),
        error if error.is_timeout() => Fault::Stalled { got, of },
        error if error.is_connect() => Fault::Unreachable(causes.words),
        error if error.is_redirect() => Fault::BadAnswer(causes.words),
        // What broke off on its way: headers or body.
        _ => Fault::Cut { got, of },
    }
}

/// What is behind an error, without the URL, whose query may hold a secret.
struct Causes {
    words: String,
    tls: bool,
}

impl Causes {
    fn of(error: &reqwest::Error) -> Self {
        let (mut words, mut tls) = (Vec::new(), false);
        let mut cause = error.source();
        while let Some(error) = cause {
            words.push(error.to_string());
            tls |= is_tls(error);
            cause = error.source();
        }
        words.dedup();
        Self { words: words.join(": "), tls }
    }
}

/// An input and output error holds its own where no chain leads, one within the other.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || held.is_some_and(|held| is_tls(held))
}
