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

/// A form with a person and a photograph.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct OnePerson {
    /// Who: 1 to 255 of a-z, A-Z, 0-9, _ and -.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// Whose person; `default` unless the key says otherwise.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    tenant_id: Option<String>,
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A form that enrols.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct Enrolment {
    /// Who.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// Whose person.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    tenant_id: Option<String>,
    /// Replace whoever is enrolled under this name (scope `admin`).
    replace: Option<bool>,
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A form that enrols by several photographs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct SeveralFiles {
    /// Who.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    user_id: String,
    /// Whose person.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    tenant_id: Option<String>,
    /// Replace whoever is enrolled under this name (scope `admin`).
    replace: Option<bool>,
    /// Two to five photographs.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 2, max_items = 5)]
    files: Vec<Vec<u8>>,
}

/// A form that searches.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct Search {
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// At most so many are named; 5 unless told, 50 at most.
    #[schema(minimum = 1)]
    max_results: Option<u32>,
    /// Who is nearer than this is named; at most 0.8.
    #[schema(minimum = 0, maximum = 2)]
    threshold: Option<f64>,
    /// Whose persons.
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,255}$")]
    tenant_id: Option<String>,
}

/// Nobody of this name.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub enum Unknown {
    /// Nobody of this name is enrolled.
    #[response(status = 404)]
    Unknown(ProblemBody),
}

/// What is there already is otherwise.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub enum Conflicts {
    /// Somebody else, other networks, or another request.
    #[response(status = 409)]
    Conflict(ProblemBody),
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
