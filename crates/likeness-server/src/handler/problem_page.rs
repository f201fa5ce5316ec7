//! `GET /docs/problems/{code}` returns the page that a problem's `type` links to (RFC 9457). The page
//! explains the error and what a caller can do.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::page::html;
use crate::problem::{Code, Problem};

/// Explains an error, and what a caller can do.
fn explained(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::FaceNotDetected => ("The photograph shows no face.", "Send another photograph."),
        Code::MultipleFaces => ("No face of several stands out.", "Send a photograph of one person."),
        Code::PoorImageQuality => {
            ("The face is too small, blurred, dark, bright or cut; issues names which.", "Send another photograph.")
        }
        Code::InvalidInput => ("A field is missing or invalid; field names it.", "Correct the request."),
        Code::InvalidImage => ("The photograph is damaged or beyond a limit.", "Send another file."),
        Code::LivenessFailed => ("The face is not known to be live.", "Take another photograph of the person."),
        Code::Unauthorized => ("The request has no valid key.", "Send a key that was made for this service."),
        Code::Forbidden => {
            ("The key may not do this, or the request comes from elsewhere.", "Use a key with the scope.")
        }
        Code::AntispoofBlocked => {
            ("The face is a spoof. Nothing was compared.", "Do not ask again with this photograph.")
        }
        Code::NotFound => ("The route or the object does not exist.", "The API's page lists every route."),
        Code::EmbeddingNotFound => ("No person is enrolled under this name.", "Enrol the person, or correct the name."),
        Code::MethodNotAllowed => {
            ("The route does not allow this method.", "The header allow lists the allowed methods.")
        }
        Code::RequestTimeout => ("The request took too long.", "Send it again, on a faster connection."),
        Code::EmbeddingAlreadyExists => {
            ("Another person is enrolled under this name.", "Use another name, or replace the person.")
        }
        Code::EmbeddingContractMismatch => {
            ("Every stored template is of other models.", "Enrol the person again, with replace=true.")
        }
        Code::IdempotencyConflict => {
            ("The Idempotency-Key was used for another request.", "Use a new key for each request.")
        }
        Code::CaptureEnded => {
            ("The capture accepts no frame: it ended, or the frame came out of order.", "Begin another capture.")
        }
        Code::CaptureRefused => {
            ("The capture is not valid for this request. The record names the rule.", "Begin another capture.")
        }
        Code::FileTooLarge => ("A photograph or body is too long.", "Send a smaller file."),
        Code::UnsupportedMediaType => {
            ("The body or photograph is of another kind.", "Send JPEG, PNG or WebP in a form.")
        }
        Code::RateLimitExceeded => ("Too many requests, or too many failures.", "Wait for retry_after_seconds."),
        Code::Overloaded => ("Every core is busy.", "Send the same request after Retry-After."),
        Code::StoreUnavailable => {
            ("The store does not answer; reason says why.", "Send the same request after Retry-After.")
        }
        Code::IndexLoading => ("Templates are still being read.", "Send the same request after Retry-After."),
        Code::ModelUnavailable => ("A model is not loaded; models names it.", "The operator restores its file."),
        Code::EmbedderUnknown => {
            ("The embedder is neither published nor accepted.", "The operator accepts it by its digest.")
        }
        Code::CalibrationMismatch => {
            ("The threshold was calibrated for other models.", "The operator calibrates again, or restores the models.")
        }
        Code::InternalServerError => ("A fault of the service.", "The log has it under request_id."),
    }
}

/// Returns the page of a problem.
pub async fn problem(Path(name): Path<String>) -> Response {
    let Some((code, name, status)) = Code::ALL.into_iter().find(|(_, known, _)| *known == name) else {
        return Problem::of_status(StatusCode::NOT_FOUND, 0).into_response();
    };
    let (means, then) = explained(code);
    html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}</title>\n\
         <link rel=\"stylesheet\" href=\"../../page/style.css\">\n</head>\n<body>\n<main>\n\
         <h1>{name}</h1>\n<p>Status {status}.</p>\n<p>{means}</p>\n<p>{then}</p>\n\
         <p><a href=\"../\">The API</a></p>\n</main>\n</body>\n</html>\n"
    ))
}
