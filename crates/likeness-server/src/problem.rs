//! The errors that a caller can get, all in one JSON form: `{"error_code", "message", "request_id", …}`.
//!
//! A problem contains no path of a file, no traceback and no template. Admission writes the response's body
//! with the request's id, and converts rejections of the framework by their status.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use likeness::examine::NoAnswer;
use likeness::quality::Unfit;
use serde_json::{Map, Value, json};

use crate::models::{OtherCalibration, RoleState, State, Unavailable, key};

/// The codes of `docs/service.md`, each with its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// No face in the photograph.
    FaceNotDetected,
    /// Several faces, and none is clearly the main one.
    MultipleFaces,
    /// The face is too small, blurred, dark or cut off.
    PoorImageQuality,
    /// A field is missing or not valid.
    InvalidInput,
    /// The photograph is damaged or exceeds a limit.
    InvalidImage,
    /// Enrolment of a face that is not known to be live.
    LivenessFailed,
    /// The request has no key, or the key is not valid.
    Unauthorized,
    /// The key lacks the right, or the service accepts only this machine.
    Forbidden,
    /// Verification of a spoof.
    AntispoofBlocked,
    /// A capture does not count for the request.
    CaptureRefused,
    /// No such route.
    NotFound,
    /// No person of this name is enrolled.
    EmbeddingNotFound,
    /// The route does not have this method.
    MethodNotAllowed,
    /// The request took too long.
    RequestTimeout,
    /// Another person is enrolled under this name.
    EmbeddingAlreadyExists,
    /// The person's templates are of another embedding space.
    EmbeddingContractMismatch,
    /// The idempotency key was used for another request.
    IdempotencyConflict,
    /// A capture takes no frame.
    CaptureEnded,
    /// The photograph or the body is too long.
    FileTooLarge,
    /// The bytes are neither JPEG, PNG nor WebP, or the body has an unsupported type or encoding.
    UnsupportedMediaType,
    /// Too many requests.
    RateLimitExceeded,
    /// The queue, the memory for bodies or the places for connections are full.
    Overloaded,
    /// The store can't be used.
    StoreUnavailable,
    /// The index is not loaded yet.
    IndexLoading,
    /// A model that the route needs is not loaded.
    ModelUnavailable,
    /// The embedder is neither published nor accepted.
    EmbedderUnknown,
    /// The threshold was calibrated for other models than the loaded ones.
    CalibrationMismatch,
    /// An error of the service itself.
    InternalServerError,
}

impl Code {
    /// Every code.
    pub const ALL: [(Self, &'static str, u16); 28] = [
        (Self::FaceNotDetected, "FACE_NOT_DETECTED", 400),
        (Self::MultipleFaces, "MULTIPLE_FACES", 400),
        (Self::PoorImageQuality, "POOR_IMAGE_QUALITY", 400),
        (Self::InvalidInput, "INVALID_INPUT", 400),
        (Self::InvalidImage, "INVALID_IMAGE", 400),
        (Self::LivenessFailed, "LIVENESS_FAILED", 400),
        (Self::Unauthorized, "UNAUTHORIZED", 401),
        (Self::Forbidden, "FORBIDDEN", 403),
        (Self::AntispoofBlocked, "ANTISPOOF_BLOCKED", 403),
        (Self::CaptureRefused, "CAPTURE_REFUSED", 403),
        (Self::NotFound, "NOT_FOUND", 404),
        (Self::EmbeddingNotFound, "EMBEDDING_NOT_FOUND", 404),
        (Self::MethodNotAllowed, "METHOD_NOT_ALLOWED", 405),
        (Self::RequestTimeout, "REQUEST_TIMEOUT", 408),
        (Self::EmbeddingAlreadyExists, "EMBEDDING_ALREADY_EXISTS", 409),
        (Self::EmbeddingContractMismatch, "EMBEDDING_CONTRACT_MISMATCH", 409),
        (Self::IdempotencyConflict, "IDEMPOTENCY_CONFLICT", 409),
        (Self::CaptureEnded, "CAPTURE_ENDED", 409),
        (Self::FileTooLarge, "FILE_TOO_LARGE", 413),
        (Self::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", 415),
        (Self::RateLimitExceeded, "RATE_LIMIT_EXCEEDED", 429),
        (Self::Overloaded, "OVERLOADED", 503),
        (Self::StoreUnavailable, "STORE_UNAVAILABLE", 503),
        (Self::IndexLoading, "INDEX_LOADING", 503),
        (Self::ModelUnavailable, "MODEL_UNAVAILABLE", 503),
        (Self::EmbedderUnknown, "EMBEDDER_UNKNOWN", 503),
        (Self::CalibrationMismatch, "CALIBRATION_MISMATCH", 503),
        (Self::InternalServerError, "INTERNAL_SERVER_ERROR", 500),
    ];

    fn row(self) -> (&'static str, StatusCode) {
        let (_, name, status) = Self::ALL[self as usize];
        (name, StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Returns the code's name in responses.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns the code's HTTP status.
    pub fn status(self) -> StatusCode {
        self.row().1
    }

    /// Returns the address of the code's page (RFC 9457, `type`), relative to the path of the request,
    /// because a proxy may add a prefix.
    pub fn page(self, path: &str) -> String {
        let up = path.matches('/').count().saturating_sub(1);
        format!("{}docs/problems/{}", "../".repeat(up), self.name())
    }

    /// Returns after how many seconds a retry makes sense, for a temporary error.
    pub fn retry_after(self) -> Option<u64> {
        match self {
            Self::Overloaded => Some(1),
            Self::IndexLoading | Self::ModelUnavailable => Some(2),
            Self::StoreUnavailable => Some(5),
            _ => None,
        }
    }
}

/// A problem, as a response.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    message: String,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let headers = code.retry_after().map(|seconds| (header::RETRY_AFTER, seconds.into()));
        Self { code, message: message.into(), more: Map::new(), headers: headers.into_iter().collect() }
    }

    /// A field is missing or not valid.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    /// Creates an error of the service itself. The log gets the cause, the caller does not.
    pub fn internal(what: &dyn std::fmt::Display) -> Self {
        tracing::error!(%what, "internal error");
        Self::new(Code::InternalServerError, "an internal error; the service's log has it under this request id")
    }

    /// Adds a detail.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Creates a refusal by a limit; the next request may follow after `wait`.
    pub fn too_many(scope: &'static str, wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
        Self::new(Code::RateLimitExceeded, format!("too many requests; the next in {seconds} s"))
            .with("retry_after_seconds", seconds)
            .with("scope", scope)
            .header(header::RETRY_AFTER, seconds.into())
    }

    /// Replaces the message.
    pub fn because(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Returns the problem's code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the message for a person.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the detail `reason`, if it is the name of a store error's kind.
    pub fn reason(&self) -> Option<&'static str> {
        let reason = self.more.get("reason")?.as_str()?;
        crate::store::Kind::ALL.into_iter().map(crate::store::Kind::name).find(|name| *name == reason)
    }

    /// Returns the limit that was reached, if this is a refusal by a limit.
    pub fn limited_by(&self) -> Option<String> {
        let scope = self.more.get("scope")?.as_str()?;
        (self.code == Code::RateLimitExceeded).then(|| scope.to_owned())
    }

    /// Returns the body of the response.
    pub fn body(&self, request_id: &str) -> Value {
        let mut body = self.more.clone();
        if matches!(self.code, Code::LivenessFailed | Code::AntispoofBlocked) {
            // The replaced service had the details here.
            let mut detail = self.more.clone();
            detail.insert("error_code".into(), self.code.name().into());
            detail.insert("message".into(), self.message.clone().into());
            body.insert("detail".into(), detail.into());
        }
        body.insert("error_code".into(), self.code.name().into());
        body.insert("message".into(), self.message.clone().into());
        body.insert("request_id".into(), request_id.into());
        body.into()
    }

    /// Converts a rejection of the framework, by its status.
    pub fn of_status(status: StatusCode, limit: usize) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(Code::NotFound, "no such route; /docs lists all routes"),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(Code::MethodNotAllowed, "the route has another method; the header `allow` says which")
            }
            StatusCode::REQUEST_TIMEOUT => Self::new(Code::RequestTimeout, "the request took too long"),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(limit),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::new(Code::UnsupportedMediaType, "expected multipart/form-data or JSON, as the route says")
            }
            status if status.is_server_error() => Self::internal(&status),
            _ => Self::input("the request can't be read"),
        }
    }

    /// Creates the problem for a photograph or a body over the limit.
    pub fn too_large(limit: usize) -> Self {
        Self::new(Code::FileTooLarge, format!("expected at most {limit} bytes a photograph"))
            .with("max_size_bytes", limit)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<NoAnswer> for Problem {
    fn from(why: NoAnswer) -> Self {
        use likeness::image::DecodeError as D;
        let code = match &why {
            NoAnswer::Decode(D::UnknownFormat { .. }) => Code::UnsupportedMediaType,
            NoAnswer::Decode(D::TooManyBytes { limit, .. }) => return Self::too_large(*limit),
            NoAnswer::Decode(_) | NoAnswer::Find(likeness::find::FindError::TooLargeForExact { .. }) => {
                Code::InvalidImage
            }
            NoAnswer::Unfit(unfit) => return (*unfit).into(),
            NoAnswer::Find(_) | NoAnswer::Run(_) | NoAnswer::NoDirection | NoAnswer::OtherSpace(_) => {
                return Self::internal(&why);
            }
        };
        Self::new(code, why.to_string()).with("reason", why.code())
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::NoFace => Self::new(Code::FaceNotDetected, unfit.to_string()),
            Unfit::SeveralFaces { found } => {
                Self::new(Code::MultipleFaces, unfit.to_string()).with("face_count", found)
            }
            _ => Self::new(Code::PoorImageQuality, unfit.to_string()).with("issues", json!([unfit.code()])),
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::NotLoaded(roles) => {
                let files: Vec<_> = roles.iter().map(|role| role.file.as_str()).collect();
                let message = format!("can't answer without {}", files.join(", "));
                let models: Vec<Value> = roles.iter().map(|role| json!(ModelFault::of(role))).collect();
                Self::new(Code::ModelUnavailable, message).with("models", models)
            }
            Unavailable::OtherCalibration(OtherCalibration::Search(differences)) => {
                let names: Vec<_> = differences.iter().map(|(name, ..)| *name).collect();
                let message = format!(
                    "the threshold was calibrated with another search for faces: another {}; the operator may \
                     calibrate again, with `likeness calibrate`",
                    names.join(", ")
                );
                Self::new(Code::CalibrationMismatch, message)
            }
            Unavailable::OtherCalibration(OtherCalibration::Space(_)) => {
                let message = "the threshold was calibrated for other models than the loaded ones; the operator \
                    may calibrate again, with `likeness calibrate`";
                Self::new(Code::CalibrationMismatch, message)
            }
            Unavailable::UnknownEmbedder(why) => {
                let message = "the embedder is unknown, so its distances can't be used for a verdict; the operator may \
                    accept it by its digest, with --accept-embedder or LIKENESS_ACCEPT_EMBEDDER";
                Self::new(Code::EmbedderUnknown, message)
                    .with("embedder", "unknown")
                    .with("sha256", why.found.to_string())
            }
        }
    }
}

/// The reason of a model that is still being loaded; other reasons are the kinds of a fault.
pub const LOADING: &str = "loading";

/// A model that is not loaded. The response contains no path of this machine.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ModelFault {
    /// `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    pub role: &'static str,
    /// The model's weight file.
    pub file: String,
    /// The pinned SHA-256.
    pub sha256: String,
    /// `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`.
    pub reason: &'static str,
    /// What the operator can do.
    pub hint: &'static str,
}

impl ModelFault {
    /// Returns why a role's model is not loaded.
    pub fn of(role: &RoleState) -> Self {
        let (reason, hint) = match &role.state {
            State::Missing(fault) => (fault.kind.name(), fault.kind.hint()),
            State::Loading | State::Loaded(_) => (LOADING, "try again"),
        };
        Self { role: key(role.role), file: role.file.clone(), sha256: role.pin.clone(), reason, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_at_its_own_row_and_under_its_own_name() {
        let misplaced: Vec<_> = Code::ALL.iter().enumerate().filter(|(at, row)| row.0 as usize != *at).collect();
        assert!(misplaced.is_empty(), "{misplaced:?}");
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|row| row.1).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn the_type_of_a_problem_leads_to_the_root_from_every_depth() {
        let table = [("/verify", ""), ("/api/v1/verify", "../../"), ("/deepface/", "../"), ("/", ""), ("", "")];
        let leads = |(path, up): &&(&str, &str)| Code::NotFound.page(path) == format!("{up}docs/problems/NOT_FOUND");
        let wrong: Vec<_> = table.iter().filter(|row| !leads(row)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn the_original_s_place_for_details_is_kept_where_its_callers_look() {
        let blocked = Problem::new(Code::AntispoofBlocked, "no").with("reason", "spoof").body("r1");
        assert_eq!(blocked["detail"], json!({"error_code": "ANTISPOOF_BLOCKED", "message": "no", "reason": "spoof"}));
        assert_eq!((&blocked["request_id"], &blocked["reason"]), (&json!("r1"), &json!("spoof")));
        assert_eq!(Problem::input("x").body("r")["detail"], Value::Null);
    }

    #[test]
    fn what_passes_by_itself_says_when_to_ask_again() {
        for (code, _, status) in Code::ALL {
            let response = Problem::new(code, "x").into_response();
            let has_delay = response.headers().contains_key(header::RETRY_AFTER);
            // An unknown embedder, or a calibration of other models, stays until the operator acts.
            let lasting = matches!(code, Code::EmbedderUnknown | Code::CalibrationMismatch);
            assert_eq!(has_delay, status == 503 && !lasting, "{code:?}");
        }
    }
}
