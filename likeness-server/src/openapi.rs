//! The description of the interface, made from the code, and what its parts share.

use utoipa::{IntoResponses, OpenApi, ToSchema};

/// The document's head.
#[derive(OpenApi)]
#[openapi(info(title = "Likeness", description = "Face verification that never takes a missing model for a verdict.",))]
pub struct Document;

/// A form with one photograph.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct OneFile {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A form with two photographs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct TwoFiles {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file1: Vec<u8>,
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file2: Vec<u8>,
}

/// A problem, as it is written.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct ProblemBody {
    /// A stable word.
    error_code: String,
    /// For a person.
    message: String,
    /// In the log too.
    request_id: String,
}

/// What any route may answer instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub enum Problems {
    /// The request or its photograph.
    #[response(status = 400)]
    Bad(ProblemBody),
    /// No key, or none that is known.
    #[response(status = 401)]
    Unauthorized(ProblemBody),
    /// The key may not do this.
    #[response(status = 403)]
    Forbidden(ProblemBody),
    /// It took too long.
    #[response(status = 408)]
    Late(ProblemBody),
    /// A photograph or body that is too long.
    #[response(status = 413)]
    TooLarge(ProblemBody),
    /// Neither JPEG, PNG nor WebP.
    #[response(status = 415)]
    OtherFormat(ProblemBody),
    /// Too many requests.
    #[response(status = 429)]
    TooMany(ProblemBody),
    /// A network, the store or a free core is lacking.
    #[response(status = 503)]
    Unavailable(ProblemBody),
}
