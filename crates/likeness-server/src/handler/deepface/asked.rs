//! What a client of DeepFace asks: JSON or a form, words as it spells them, photographs as files or
//! as base64. Paths and URLs are refused: nothing is read from this machine or fetched from another.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use likeness::distance::Metric;
use likeness::image::decode::sniff;
use serde_json::Value;

use crate::app::App;
use crate::form::{Form, Truth};
use crate::problem::{Code, Problem};

/// The only embedder.
pub const MODEL: &str = "Facenet512";
/// The detectors; `skip` takes the whole photograph for the face.
pub const DETECTORS: [(&str, Backend); 2] = [("centerface", Backend::Centerface), ("skip", Backend::Skip)];
/// At most so many faces of a photograph may be asked for.
pub const MOST: usize = 50;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who finds the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// CenterFace.
    Centerface,
    /// Nobody: the whole photograph is the face.
    Skip,
}

impl Backend {
    /// Its name, as DeepFace has it.
    pub fn name(self) -> &'static str {
        DETECTORS[self as usize].0
    }
}

/// How faces are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Who finds them.
    pub backend: Backend,
    /// Whether they are turned upright.
    pub align: bool,
    /// Whether a photograph without a face is refused; otherwise it is the face.
    pub enforce: bool,
    /// Whether a face that is not real is refused.
    pub anti_spoofing: bool,
}

/// The fields, however they came.
pub struct Asked(Form);

impl FromRequest<App> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        match kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "application/json" => json(request, app).await,
            "application/x-www-form-urlencoded" => words(request, app).await,
            "multipart/form-data" => Form::from_request(request, app).await.map(Self),
            _ => Err(Problem::new(Code::UnsupportedMediaType, "expected application/json or multipart/form-data")),
        }
    }
}

async fn json(request: Request, app: &App) -> Result<Asked, Problem> {
    let limit = app.settings.limits.file;
    let body = Json::<Value>::from_request(request, app).await;
    let Json(Value::Object(fields)) = body.map_err(|why| unread(why.status(), limit))? else {
        return Err(Problem::input("the body: expected an object in JSON"));
    };
    let text = |(name, value): (String, Value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, Bytes::from(text))),
        other => Some((name, Bytes::from(other.to_string()))),
    };
    Ok(Asked(Form::of(fields.into_iter().filter_map(text).collect(), limit)))
}

async fn words(request: Request, app: &App) -> Result<Asked, Problem> {
    let limit = app.settings.limits.file;
    let fields = axum::Form::<Vec<(String, String)>>::from_request(request, app).await;
    let axum::Form(fields) = fields.map_err(|why| unread(why.into_response().status(), limit))?;
    let fields = fields.into_iter().map(|(name, text)| (name, Bytes::from(text)));
    Ok(Asked(Form::of(fields.collect(), limit)))
}

fn unread(status: StatusCode, limit: usize) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limit),
        _ => Problem::input("the body can't be read as what its content type says"),
    }
}

impl Asked {
    /// How faces are wanted.
    ///
    /// # Errors
    /// `INVALID_INPUT` names what is held.
    pub fn options(&self) -> Result<Options, Problem> {
        one_of(&self.0, "model_name", &[(MODEL, ())], MODEL)?;
        Ok(Options {
            backend: one_of(&self.0, "detector_backend", &DETECTORS, DETECTORS[0].0)?,
            align: self.flag("align", true)?,
            enforce: self.flag("enforce_detection", true)?,
            anti_spoofing: self.flag("anti_spoofing", false)?,
        })
    }

    /// How distances are measured; absent means cosine.
    ///
    /// # Errors
    /// `INVALID_INPUT` names all four.
    pub fn metric(&self) -> Result<(&'static str, Metric), Problem> {
        let named = Metric::ALL.map(|(name, metric)| (name, (name, metric)));
        one_of(&self.0, "distance_metric", &named, "cosine")
    }

    /// The most faces; absent means as many as there may be.
    ///
    /// # Errors
    /// `INVALID_INPUT`
    pub fn max_faces(&self) -> Result<usize, Problem> {
        match self.0.value("max_faces")?.unwrap_or(MOST) {
            most @ 1..=MOST => Ok(most),
            found => Err(Problem::input(format!("`max_faces`: expected 1 to {MOST}, found {found}"))),
        }
    }

    fn flag(&self, name: &str, absent: bool) -> Result<bool, Problem> {
        let Some(text) = self.0.text(name)? else { return Ok(absent) };
        let found = text.parse().map(|Truth(found)| found);
        found.map_err(|()| Problem::input(format!("`{name}`: expected true or false")))
    }

    /// A photograph: a file, or base64 with or without a data URI's head.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `FILE_TOO_LARGE`
    pub fn image(&self, name: &str) -> Result<Bytes, Problem> {
        // In base64 it is longer than it is.
        let Some(bytes) = self.0.bytes(name) else {
            return Err(Problem::input(format!("expected a photograph in `{name}`, found none")));
        };
        let image = match std::str::from_utf8(bytes) {
            Ok(text) if sniff(bytes).is_err() => decoded(name, text)?,
            _ => bytes.clone(),
        };
        if image.len() <= self.0.limit() { Ok(image) } else { Err(Problem::too_large(self.0.limit())) }
    }
}

/// What one of these words stands for.
fn one_of<T: Copy>(form: &Form, name: &str, held: &[(&str, T)], absent: &str) -> Result<T, Problem> {
    let found = form.text(name)?.unwrap_or(absent);
    let names = || held.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let value = held.iter().find(|(name, _)| *name == found).map(|(_, value)| *value);
    value.ok_or_else(|| Problem::input(format!("`{name}`: held here is {}", names().join(", "))).with("held", names()))
}

/// Base64 to bytes. Bare words that are no photograph are taken for a path, which nobody opens.
fn decoded(name: &str, text: &str) -> Result<Bytes, Problem> {
    let refused = || {
        Problem::input(format!(
            "`{name}`: expected a file, or base64 of a JPEG, PNG or WebP; paths and URLs are not read"
        ))
    };
    let (told, base64) = match text.split_once(',') {
        Some((head, rest)) if head.starts_with("data:") && head.ends_with(";base64") => (true, rest),
        _ => (false, text),
    };
    let base64: String = base64.split_ascii_whitespace().collect();
    let bytes = BASE64.decode(base64).map_err(|_| refused())?;
    if told || sniff(&bytes).is_ok() { Ok(bytes.into()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&str, &str)]) -> Asked {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Bytes::from(text.to_string())));
        Asked(Form::of(fields.collect(), 100))
    }

    #[test]
    fn detectors_stand_at_their_own_rows() {
        for (name, backend) in DETECTORS {
            assert_eq!(backend.name(), name);
        }
    }

    #[test]
    fn a_photograph_is_a_file_or_base64_and_never_a_path_or_a_url() {
        let jpeg = "/9j/2wBDAAEB";
        let long = BASE64.encode([&[0xff, 0xd8, 0xff][..], &[0; 100]].concat());
        let table = [
            (jpeg.to_owned(), None),
            (format!("data:image/jpeg;base64,{jpeg}"), None),
            (format!("data:image/jpeg;base64,{}\n{}=", &jpeg[..8], &jpeg[8..11]), None),
            // Of no known format, which decoding says.
            ("data:image/gif;base64,R0lGODlh".into(), None),
            ("R0lGODlh".into(), Some(Code::InvalidInput)),
            ("/etc/passwd".into(), Some(Code::InvalidInput)),
            ("/etc/passwd1".into(), Some(Code::InvalidInput)),
            ("../img1.jpg".into(), Some(Code::InvalidInput)),
            ("http://169.254.169.254/latest".into(), Some(Code::InvalidInput)),
            ("file:///etc/passwd".into(), Some(Code::InvalidInput)),
            ("data:image/jpeg,/9j/".into(), Some(Code::InvalidInput)),
            ("[0.1, 0.2]".into(), Some(Code::InvalidInput)),
            (String::new(), Some(Code::InvalidInput)),
            (long, Some(Code::FileTooLarge)),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .filter_map(|(text, expected)| {
                let found = asked(&[("img", &text)]).image("img").err().map(|problem| problem.code());
                (found != expected).then(|| format!("{text}: {found:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn words_are_read_and_what_is_not_held_is_refused() {
        let options = asked(&[("align", "False"), ("anti_spoofing", "1"), ("detector_backend", "skip")]).options();
        let options = options.unwrap();
        assert_eq!((options.align, options.enforce, options.anti_spoofing), (false, true, true));
        assert_eq!(options.backend, Backend::Skip);
        for (name, text) in [
            ("model_name", "VGG-Face"),
            ("detector_backend", "retinaface"),
            ("align", "perhaps"),
            ("anti_spoofing", "2"),
        ] {
            assert_eq!(asked(&[(name, text)]).options().unwrap_err().code(), Code::InvalidInput, "{name}");
        }
        for text in ["0", "51", "-1", "x"] {
            assert_eq!(asked(&[("max_faces", text)]).max_faces().unwrap_err().code(), Code::InvalidInput, "{text}");
        }
        assert_eq!(asked(&[("distance_metric", "angular")]).metric().unwrap().0, "angular");
        assert!(asked(&[("distance_metric", "cos")]).metric().is_err());
    }
}
