//! Multipart forms: photographs and words, within limits.
//!
//! Unknown fields don't fail; fields that the original's callers send and nobody reads are counted.

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;

use crate::app::App;
use crate::problem::{Code, Problem};

/// The longest text of a field that is no photograph.
const LONGEST_TEXT: usize = 4096;

/// The most fields of a form.
const MOST_FIELDS: usize = 32;

/// Fields that the original's forms carry and that mean nothing here.
const IGNORED: [&str; 5] =
    ["client_embedding", "client_embeddings", "client_model_version", "session_id", "device_platform"];

/// A form, read whole.
pub struct Form {
    fields: Vec<(String, Bytes)>,
    limit: usize,
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
        Ok(Self { fields, limit })
    }
}

fn unread(why: &MultipartError, limit: usize) -> Problem {
    match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limit),
        _ => Problem::input("the multipart form is damaged or ends early"),
    }
}

impl Form {
    /// Fields that came in another way than in a multipart form, with the most bytes of a photograph.
    pub fn of(fields: Vec<(String, Bytes)>, limit: usize) -> Self {
        Self { fields, limit }
    }

    /// The most bytes of a photograph.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A field as it came.
    pub fn bytes(&self, name: &str) -> Option<&Bytes> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, bytes)| bytes)
    }

    /// A photograph that must be there.
    ///
    /// # Errors
    /// `INVALID_INPUT` or `FILE_TOO_LARGE`
    pub fn file(&self, name: &str) -> Result<Bytes, Problem> {
        self.file_if_any(name)?.ok_or_else(|| Problem::input(format!("expected a file in field `{name}`, found none")))
    }

    /// A photograph that may be there.
    ///
    /// # Errors
    /// `FILE_TOO_LARGE`
    pub fn file_if_any(&self, name: &str) -> Result<Option<Bytes>, Problem> {
        self.bytes(name).cloned().map(|bytes| self.within(bytes)).transpose()
    }

    /// All photographs under one name.
    ///
    /// # Errors
    /// `FILE_TOO_LARGE`
    pub fn files(&self, name: &str) -> Result<Vec<Bytes>, Problem> {
        let named = self.fields.iter().filter(|(field, _)| field == name);
        named.map(|(_, bytes)| self.within(bytes.clone())).collect()
    }

    fn within(&self, bytes: Bytes) -> Result<Bytes, Problem> {
        if bytes.len() <= self.limit { Ok(bytes) } else { Err(Problem::too_large(self.limit)) }
    }

    /// A word; empty counts as absent.
    ///
    /// # Errors
    /// `INVALID_INPUT`: too long, or no UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let Some(bytes) = self.bytes(name) else { return Ok(None) };
        if bytes.len() > LONGEST_TEXT {
            let found = bytes.len();
            return Err(Problem::input(format!("`{name}`: expected at most {LONGEST_TEXT} bytes, found {found}")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Problem::input(format!("`{name}`: expected UTF-8")))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }

    /// A value that a word stands for.
    ///
    /// # Errors
    /// `INVALID_INPUT`
    pub fn value<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name)?.map(|text| parse(name, text)).transpose()
    }
}

/// Reads a value out of a field or a query.
///
/// # Errors
/// `INVALID_INPUT`
pub fn parse<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Problem> {
    let kind = std::any::type_name::<T>();
    text.parse().map_err(|_| Problem::input(format!("`{name}`: expected a {kind}, found {:?}", shortened(text))))
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Truth as people write it in forms.
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
