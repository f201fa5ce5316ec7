//! Reads a request in DeepFace's form: JSON or a form, with photographs as files or in base64. A path or URL
//! of a photograph is refused: the service opens no file and fetches no URL for a request.

use std::fmt;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use likeness::distance::Metric;
use likeness::image::decode::sniff;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::app::App;
use crate::form::{Form, Truth, wrong};
use crate::problem::{Code, Problem};

/// The only embedder.
pub const MODEL: &str = "Facenet512";
/// The detectors; with `skip`, the whole photograph is the face.
pub const DETECTORS: [(&str, Backend); 2] = [("centerface", Backend::Centerface), ("skip", Backend::Skip)];
/// The largest number of faces that a request may require.
pub const MOST: usize = 50;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// CenterFace.
    Centerface,
    /// No detector: the whole photograph is the face.
    Skip,
}

impl Backend {
    /// Returns the detector's name in DeepFace.
    pub fn name(self) -> &'static str {
        DETECTORS[self as usize].0
    }
}

/// The options of a request.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The detector.
    pub backend: Backend,
    /// Whether faces are rotated upright.
    pub align: bool,
    /// Whether a photograph without a face is refused; otherwise the whole photograph is the face.
    pub enforce: bool,
    /// Whether a spoof is refused.
    pub anti_spoofing: bool,
}

/// The fields of a request, from JSON or a form.
pub struct DeepfaceRequest(Form);

impl FromRequest<App> for DeepfaceRequest {
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

async fn json(request: Request, app: &App) -> Result<DeepfaceRequest, Problem> {
    let limit = app.settings.limits.file;
    let body = Json::<Fields>::from_request(request, app).await;
    let Json(Fields(fields)) = body.map_err(|why| match why {
        JsonRejection::JsonDataError(_) => Problem::input("the body: expected an object in JSON"),
        why => unread(why.status(), limit),
    })?;
    let text = |(name, value): (String, Value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, Bytes::from(text))),
        other => Some((name, Bytes::from(other.to_string()))),
    };
    Ok(DeepfaceRequest(Form::of(fields.into_iter().filter_map(text).collect(), limit)))
}

/// The fields of a JSON object in order, including repeated fields; a map would silently keep only the last.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

async fn words(request: Request, app: &App) -> Result<DeepfaceRequest, Problem> {
    let limit = app.settings.limits.file;
    let fields = axum::Form::<Vec<(String, String)>>::from_request(request, app).await;
    let axum::Form(fields) = fields.map_err(|why| unread(why.into_response().status(), limit))?;
    let fields = fields.into_iter().map(|(name, text)| (name, Bytes::from(text)));
    Ok(DeepfaceRequest(Form::of(fields.collect(), limit)))
}

fn unread(status: StatusCode, limit: usize) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limit),
        _ => Problem::input("the body can't be read as what its content type says"),
    }
}

impl DeepfaceRequest {
    /// Reads the options.
    ///
    /// # Errors
    /// `INVALID_INPUT` names the possible values.
    pub fn options(&self) -> Result<Options, Problem> {
        one_of(&self.0, "model_name", &[(MODEL, ())], MODEL)?;
        Ok(Options {
            backend: one_of(&self.0, "detector_backend", &DETECTORS, DETECTORS[0].0)?,
            align: self.flag("align", true)?,
            enforce: self.flag("enforce_detection", true)?,
            anti_spoofing: self.flag("anti_spoofing", false)?,
        })
    }

    /// Reads the metric of distances; the default is cosine.
    ///
    /// # Errors
    /// `INVALID_INPUT` names all four metrics.
    pub fn metric(&self) -> Result<(&'static str, Metric), Problem> {
        let named = Metric::ALL.map(|(name, metric)| (name, (name, metric)));
        one_of(&self.0, "distance_metric", &named, "cosine")
    }

    /// Reads the largest number of faces; the default is [`MOST`].
    ///
    /// # Errors
    /// `INVALID_INPUT`
    pub fn max_faces(&self) -> Result<usize, Problem> {
        match self.0.value("max_faces")?.unwrap_or(MOST) {
            most @ 1..=MOST => Ok(most),
            found => Err(wrong("max_faces", format_args!("expected 1 to {MOST}, found {found}"))),
        }
    }

    fn flag(&self, name: &str, absent: bool) -> Result<bool, Problem> {
        Ok(self.0.value(name)?.map_or(absent, |Truth(found)| found))
    }

    /// Reads a photograph: a file, or base64 with or without the head of a data URI.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `FILE_TOO_LARGE`
    pub fn image(&self, name: &str) -> Result<Bytes, Problem> {
        // The limit applies to the decoded bytes; base64 is longer.
        let Some(bytes) = self.0.bytes(name)? else {
            let message = format!("expected a photograph in `{name}`, found none");
            return Err(Problem::input(message).with("field", name));
        };
        let image = match std::str::from_utf8(bytes) {
            Ok(text) if sniff(bytes).is_err() => decoded(name, text)?,
            _ => bytes.clone(),
        };
        if image.len() <= self.0.limit() { Ok(image) } else { Err(Problem::too_large(self.0.limit())) }
    }
}

/// Returns the value of a field that allows only these words.
fn one_of<T: Copy>(form: &Form, name: &str, known: &[(&str, T)], absent: &str) -> Result<T, Problem> {
    let found = form.text(name)?.unwrap_or(absent);
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let value = known.iter().find(|(name, _)| *name == found).map(|(_, value)| *value);
    value.ok_or_else(|| wrong(name, format_args!("available is {}", names().join(", "))).with("held", names()))
}

/// Base64 to bytes. Bare words that are no photograph are taken for a path, which is never opened.
fn decoded(name: &str, text: &str) -> Result<Bytes, Problem> {
    let refused = |what: &str| wrong(name, what);
    let (declared, base64) = match text.split_once(',') {
        Some((head, rest)) if head.starts_with("data:") && head.ends_with(";base64") => (true, rest),
        _ => (false, text),
    };
    if let Some(what) = other_base64(base64) {
        return Err(refused(what));
    }
    let joined: String = base64.split_ascii_whitespace().collect();
    let bytes = BASE64.decode(joined).map_err(|_| refused(if declared { BROKEN } else { NO_PHOTOGRAPH }))?;
    match sniff(&bytes) {
        Err(_) if !declared => Err(refused(NO_PHOTOGRAPH)),
        _ => Ok(bytes.into()),
    }
}

const NO_PHOTOGRAPH: &str = "expected a file, or base64 of a JPEG, PNG or WebP; paths and URLs are not read";
const BROKEN: &str = "expected base64 behind the head of the data URI, found other characters or a part of it";

/// Base64 of a photograph that was changed on its way: in what way, and what to send.
fn other_base64(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let all = |more: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
    let photograph =
        ["/9j/", "_9j_", "%2F9j", "%2f9j", "iVBORw0KGgo", "UklGR"].iter().any(|start| text.starts_with(start));
    if !photograph {
        return None;
    }
    match () {
        () if text.contains(['-', '_']) && all(b"-_=\r\n") => Some(
            "found base64 of the URL-safe alphabet, which has `-` and `_`; send the standard alphabet, which has `+` and `/`",
        ),
        () if within_a_line(text) && all(b"+/= \r\n\t") => Some(
            "found spaces in the base64, where each `+` became a space in a form; send `+` as %2B, or a multipart form or JSON",
        ),
        () if text.contains('%') && all(b"+/=%\r\n") => {
            Some("found percent-encoded base64; decode the percent signs first")
        }
        () => None,
    }
}

/// A space between two characters of a line; a folded line may begin with one.
fn within_a_line(text: &str) -> bool {
    text.lines().any(|line| line.trim().contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(fields: &[(&str, &str)]) -> DeepfaceRequest {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Bytes::from(text.to_string())));
        DeepfaceRequest(Form::of(fields.collect(), 100))
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
            // Text of no known format: the decoder reports it.
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
                let found = parsed(&[("img", &text)]).image("img").err().map(|problem| problem.code());
                (found != expected).then(|| format!("{text}: {found:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn words_are_read_and_unavailable_ones_are_refused() {
        let options = parsed(&[("align", "False"), ("anti_spoofing", "1"), ("detector_backend", "skip")]).options();
        let options = options.unwrap();
        assert_eq!((options.align, options.enforce, options.anti_spoofing), (false, true, true));
        assert_eq!(options.backend, Backend::Skip);
        for (name, text) in [
            ("align", "abc"),
            ("model_name", "VGG-Face"),
            ("detector_backend", "retinaface"),
            ("align", "perhaps"),
            ("anti_spoofing", "2"),
        ] {
            assert_eq!(parsed(&[(name, text)]).options().unwrap_err().code(), Code::InvalidInput, "{name}");
        }
        for text in ["0", "51", "-1", "x"] {
            assert_eq!(parsed(&[("max_faces", text)]).max_faces().unwrap_err().code(), Code::InvalidInput, "{text}");
        }
        assert_eq!(parsed(&[("distance_metric", "angular")]).metric().unwrap().0, "angular");
        assert!(parsed(&[("distance_metric", "cos")]).metric().is_err());
    }

    #[test]
    fn base64_that_was_changed_on_its_way_is_named_with_the_way_out() {
        let bytes = [&[0xff, 0xd8, 0xff, 0xe0][..], &[0xfb, 0xef, 0xbe, 0xff, 0xff].repeat(20)].concat();
        let plain = BASE64.encode(&bytes);
        assert!(plain.contains('+') && plain.contains('/'));
        let safe = plain.replace('+', "-").replace('/', "_");
        let folded = plain.as_bytes().chunks(40).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>();
        // (text, words of the refusal; empty if the text is accepted)
        let table = [
            (plain.clone(), ""),
            (folded.join("\r\n"), ""),
            (folded.join("\r\n "), ""),
            (safe.clone(), "URL-safe"),
            (format!("data:image/jpeg;base64,{safe}"), "URL-safe"),
            (safe.trim_end_matches('=').to_owned(), "URL-safe"),
            (plain.replace('+', " "), "became a space"),
            (format!("data:image/jpeg;base64,{}", plain.replace('+', " ")), "became a space"),
            (plain.replace('+', "%2B"), "percent"),
            (format!("data:image/jpeg;base64,{plain}!"), "behind the head"),
        ];
        let mut wrong = Vec::new();
        for (text, expected) in table {
            let found = parsed(&[("img", &text)]).image("img");
            let said = found.err().map_or_else(String::new, |why| why.body("id")["message"].to_string());
            // The limit of this test's form is shorter than the photograph.
            let read = said.is_empty() || said.contains("bytes a photograph");
            if read != expected.is_empty() || !said.contains(expected) {
                wrong.push(format!("{text}: {said}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_field_that_came_twice_is_refused_whichever_it_is() {
        let twice =
            parsed(&[("align", "true"), ("max_faces", "1"), ("align", "true"), ("img", "/9j/"), ("img", "/9j/")]);
        assert!(twice.options().is_err() && twice.image("img").is_err() && twice.max_faces().is_ok());
        let Fields(fields) = serde_json::from_str(r#"{"a": 1, "b": null, "a": 2}"#).unwrap();
        assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b", "a"]);
        assert!(serde_json::from_str::<Fields>("[1]").is_err());
    }
}
