//! Reads multipart forms with photographs and texts, within limits.
//!
//! An unknown field is no error. Fields that callers of the replaced service send and that no route reads are
//! counted.

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Query, Request};
use axum::http::{StatusCode, Uri, header};
use bytes::Bytes;

use crate::app::App;
use crate::problem::{Code, Problem};

/// The longest text of a field, in bytes.
const LONGEST_TEXT: usize = 4096;

/// The largest number of fields of a form.
const MOST_FIELDS: usize = 32;

/// Fields of the replaced service's forms that no route reads.
const IGNORED: [&str; 5] =
    ["client_embedding", "client_embeddings", "client_model_version", "session_id", "device_platform"];

/// A form that was read completely.
pub struct Form {
    fields: Vec<(String, Bytes)>,
    limit: usize,
    /// The names in the address. A field of the form is not read from there.
    query: Vec<String>,
}

impl FromRequest<App> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let limit = app.settings.limits.file;
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !kind.to_ascii_lowercase().starts_with("multipart/form-data") {
            return Err(Problem::new(Code::UnsupportedMediaType, "expected multipart/form-data")
                .with("found", kind.chars().take(100).collect::<String>()));
        }
        let query = names(request.uri())?;
        let parts = Multipart::from_request(request, app).await;
        let mut parts = parts.map_err(|_| Problem::input("the multipart boundary can't be read"))?;
        let mut fields = Vec::new();
        while let Some(field) = parts.next_field().await.map_err(|why| unread(&why, limit))? {
            if fields.len() == MOST_FIELDS {
                return Err(Problem::input(format!("expected at most {MOST_FIELDS} fields")));
            }
            let Some(name) = field.name().map(str::to_owned) else { continue };
            if IGNORED.contains(&name.as_str()) {
                metrics::counter!("likeness_ignored_fields_total").increment(1);
            }
            fields.push((name, field.bytes().await.map_err(|why| unread(&why, limit))?));
        }
        Ok(Self { fields, limit, query })
    }
}

/// Returns the names of an address's query.
fn names(uri: &Uri) -> Result<Vec<String>, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(pairs) = pairs.map_err(|why| Problem::input(format!("the address: {}", why.body_text())))?;
    Ok(pairs.into_iter().map(|(name, _)| name).collect())
}

fn unread(why: &MultipartError, limit: usize) -> Problem {
    match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limit),
        _ => Problem::input("the multipart form is damaged or ends early"),
    }
}

impl Form {
    /// Creates a form from fields that another content type contained; `limit` is the largest size of a
    /// photograph.
    pub fn of(fields: Vec<(String, Bytes)>, limit: usize) -> Self {
        Self { fields, limit, query: Vec::new() }
    }

    /// Returns the largest size of a photograph, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the bytes of a field that may have only one value.
    ///
    /// # Errors
    /// `INVALID_INPUT` if the form contains the field twice, since the order must not decide, or if the address has it.
    pub fn bytes(&self, name: &str) -> Result<Option<&Bytes>, Problem> {
        self.not_in_query(name)?;
        self.once(name)
    }

    /// Refuses a field that the address has: it would be without effect.
    fn not_in_query(&self, name: &str) -> Result<(), Problem> {
        if self.query.iter().any(|found| found == name) {
            let what = format!("`{name}`: expected in the form, found in the address; send it in the form");
            return Err(Problem::input(what).with("field", name));
        }
        Ok(())
    }

    fn once(&self, name: &str) -> Result<Option<&Bytes>, Problem> {
        let mut named = self.fields.iter().filter(|(field, _)| field == name).map(|(_, bytes)| bytes);
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(repeated(name)),
            (one, None) => Ok(one),
        }
    }

    /// Returns a required photograph.
    ///
    /// # Errors
    /// `INVALID_INPUT` or `FILE_TOO_LARGE`
    pub fn file(&self, name: &str) -> Result<Bytes, Problem> {
        let none = || Problem::input(format!("expected a file in field `{name}`, found none")).with("field", name);
        self.file_if_any(name)?.ok_or_else(none)
    }

    /// Returns an optional photograph.
    ///
    /// # Errors
    /// `FILE_TOO_LARGE`, or `INVALID_INPUT` if the form contains two.
    pub fn file_if_any(&self, name: &str) -> Result<Option<Bytes>, Problem> {
        self.bytes(name)?.cloned().map(|bytes| self.within(bytes)).transpose()
    }

    /// Returns all photographs in fields of one name.
    ///
    /// # Errors
    /// `FILE_TOO_LARGE`, or `INVALID_INPUT` if the address has the field.
    pub fn files(&self, name: &str) -> Result<Vec<Bytes>, Problem> {
        self.not_in_query(name)?;
        let named = self.fields.iter().filter(|(field, _)| field == name);
        named.map(|(_, bytes)| self.within(bytes.clone())).collect()
    }

    fn within(&self, bytes: Bytes) -> Result<Bytes, Problem> {
        if bytes.len() <= self.limit { Ok(bytes) } else { Err(Problem::too_large(self.limit)) }
    }

    /// Returns the text of a field; an empty text counts as absent.
    ///
    /// # Errors
    /// `INVALID_INPUT` if the text is too long or not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        self.not_in_query(name)?;
        self.own_text(name)
    }

    fn own_text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let Some(bytes) = self.once(name)? else { return Ok(None) };
        if bytes.len() > LONGEST_TEXT {
            let found = bytes.len();
            return Err(wrong(name, format_args!("expected at most {LONGEST_TEXT} bytes, found {found}")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(name, "expected UTF-8"))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }

    /// Returns the text of a required field.
    ///
    /// # Errors
    /// `INVALID_INPUT`
    pub fn required(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// Parses the text of a field.
    ///
    /// # Errors
    /// `INVALID_INPUT`
    pub fn value<T: Worded>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name)?.map(|text| parse(name, text)).transpose()
    }
}

/// Parses a value from a field or a query.
///
/// # Errors
/// `INVALID_INPUT`
pub fn parse<T: Worded>(name: &str, text: &str) -> Result<T, Problem> {
    let expected = T::EXPECTED;
    text.parse().map_err(|_| unlike(name, expected, text))
}

/// A type that can be parsed from a field's text.
pub trait Worded: std::str::FromStr {
    /// The expected kind of value, for the error message.
    const EXPECTED: &'static str;
}

impl Worded for usize {
    const EXPECTED: &'static str = "a whole number of 0 or more";
}

impl Worded for i64 {
    const EXPECTED: &'static str = "a whole number";
}

impl Worded for f64 {
    const EXPECTED: &'static str = "a number";
}

impl Worded for bool {
    const EXPECTED: &'static str = "true or false";
}

impl Worded for Truth {
    const EXPECTED: &'static str = bool::EXPECTED;
}

/// Returns the problem that a required field is missing.
pub fn missing(name: &str) -> Problem {
    Problem::input(format!("expected `{name}`, found none")).with("field", name)
}

/// Returns the problem of a field's value.
pub fn wrong(name: &str, what: impl std::fmt::Display) -> Problem {
    Problem::input(format!("`{name}`: {what}")).with("field", name)
}

/// Returns the problem that a field has another text than the `expected` one.
pub fn unlike(name: &str, expected: impl std::fmt::Display, found: &str) -> Problem {
    wrong(name, format_args!("expected {expected}, found {:?}", shortened(found)))
}

/// Returns the problem that a field with one value was repeated.
pub fn repeated(name: &str) -> Problem {
    wrong(&shortened(name), "expected once, found more than once; send it once")
}

/// Returns the value of a field that may be in the query or in the form.
///
/// # Errors
/// `INVALID_INPUT` if both contain the field.
pub fn either<'t>(name: &str, query: Option<&'t str>, form: &'t Form) -> Result<Option<&'t str>, Problem> {
    let form = form.own_text(name)?;
    if query.is_some() && form.is_some() { Err(repeated(name)) } else { Ok(query.or(form)) }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A truth value in a form of the replaced service or of DeepFace, such as `true`, `1` or `no`. Forms of new routes
/// accept only `true` and `false`, as their description says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth(pub bool);

impl std::str::FromStr for Truth {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Self(true)),
            "false" | "0" | "no" | "off" => Ok(Self(false)),
            _ => Err(()),
        }
    }
}
