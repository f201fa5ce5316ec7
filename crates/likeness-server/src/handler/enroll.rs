//! `POST /api/v1/enroll` enrols a person with one photograph. Only a live face is stored, whatever the settings are,
//! and the store has committed before the response.

use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use likeness::liveness::Liveness;
use likeness::policy::Threshold;
use likeness::space::SpaceId;
use likeness::verdict::Similarity;
use serde::Serialize;
use utoipa::ToSchema;

use super::captures::captured;
use super::liveness::message;
use super::person::{NotComparedResponse, Who, ask, closed, nothing_comparable, template};
use super::terms::terms;
use crate::admission::caller::{Caller, lacking};
use crate::app::{App, ModelResponse};
use crate::captures::CapturePurpose;
use crate::clock::{Stopwatch, now};
use crate::examiner::{Examined, reach, round};
use crate::form::{Form, Truth, wrong};
use crate::problem::{Code, Problem};
use crate::routes::{ENROLL, Scope};
use crate::store::{
    self, Answered, ComparedSubject, Enrollment, Idempotency, Mode, NotCompared, Outcome, Person, Store, Terms,
};
use crate::trail;

/// The most attempts of an enrolment while other requests change the same person.
const TRIES: usize = 8;

/// The message for a key that may not remove stored templates.
const FULL: &str = "this person has the most templates allowed: another one would replace a stored one, which needs the scope `replace`";

/// How long a repeated request waits for the response to the first one, and the pause between two questions.
const MEANWHILE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// The longest `Idempotency-Key`.
const LONGEST_KEY: usize = 255;

/// The result of an enrolment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrollResponse {
    /// Always true.
    success: bool,
    /// The person's name.
    user_id: String,
    /// The quality of the face, 0 to 100.
    quality_score: f64,
    /// The result as text for a person.
    message: String,
    /// The number of components of a template.
    embedding_dimension: usize,
    /// The live probability, 0 to 1.
    liveness_score: f64,
    /// The person's stored templates that could not be compared with the photograph, by reason.
    not_compared: NotComparedResponse,
    /// The weights that were used.
    model: ModelResponse,
    /// The capture that the request used; null if it named none.
    capture_id: Option<String>,
}

/// Enrols a person.
///
/// # Errors
/// The documented errors; after one, nothing was stored.
#[utoipa::path(post, path = "/api/v1/enroll", tag = "persons",
    params(("Idempotency-Key" = Option<String>, Header, description = "a repeated request with the same key gets the first response")),
    request_body(content = crate::openapi::Enrolment, content_type = "multipart/form-data"),
    responses((status = 200, description = "the person is enrolled", body = EnrollResponse)))]
pub async fn enroll(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let (request, bytes) = (Request::of(&app, &form, &caller, &headers, ENROLL.name)?, form.file("file")?);
    let (examiner, model) = (app.full_examiner()?, app.model());
    let capture = form.text("capture_id")?.map(str::as_bytes);
    let request = request.hashed([Some(bytes.as_ref()), capture].into_iter().flatten());
    if let Some(replayed) = request.answered(&app).await? {
        return Ok(replayed);
    }
    let core = app.work.core().await?;
    let capture =
        match captured(&app, (&form, &caller), CapturePurpose::Enroll, Some((&request.who, None)), &bytes).await {
            Err(problem) if problem.code() == Code::CaptureRefused => {
                drop(core);
                return request.answered_meanwhile(&app).await?.ok_or(problem);
            }
            capture => capture?,
        };
    let examined = core.run(move |scratch| {
        let (mut watch, rule) = (Stopwatch::start(), examiner.examiner.policy.enroll);
        let judged =
            examiner.judged(scratch, &bytes, &mut |stage| watch.lap(stage), |quality| reach(quality, &rule))?;
        let capture_id = capture.map(|capture| capture.counted(&judged.face().area)).transpose()?;
        must_be_live(judged.liveness())?;
        Ok((examiner.embedded(scratch, judged, &mut |stage| watch.lap(stage))?, capture_id))
    });
    let (examined, capture_id) = examined.await?;
    let answer = EnrollResponse {
        success: true,
        user_id: request.who.subject.as_str().to_owned(),
        quality_score: round(examined.quality().score(), 2),
        message: "enrolled".into(),
        embedding_dimension: examined.embedding().numbers().len(),
        liveness_score: round(examined.liveness().scores().live_probability(), 6),
        not_compared: NotComparedResponse::default(),
        model,
        capture_id,
    };
    request.store(&app, vec![examined], move |not_compared| EnrollResponse { not_compared, ..answer.clone() }).await
}

/// Refuses a face that is not live.
///
/// # Errors
/// `LIVENESS_FAILED`
pub fn must_be_live(judged: &Liveness) -> Result<(), Problem> {
    match judged {
        Liveness::Live(_) => Ok(()),
        _ => Err(Problem::new(Code::LivenessFailed, message(judged))
            .with("score", round(100.0 * judged.scores().live_probability(), 2))
            .with("verdict", judged.name())),
    }
}

/// An enrolment request.
pub struct Request {
    /// The person to enrol.
    pub who: Who,
    terms: Terms,
    replace: bool,
    caller: Caller,
    /// Whether the key may remove stored templates.
    displace: bool,
    idempotency: Option<Idempotency>,
}

impl Request {
    /// Reads the request from its form and headers.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `FORBIDDEN`
    pub fn of(app: &App, form: &Form, caller: &Caller, headers: &HeaderMap, route: &str) -> Result<Self, Problem> {
        let who = Who::of(form, caller)?;
        let terms = terms(form, app.settings.require_consent)?;
        let replace = form.value::<Truth>("replace")?.is_some_and(|truth| truth.0);
        let displace = caller.allow(Scope::Replace);
        if replace {
            displace.clone()?;
        }
        let key = headers.get("idempotency-key").map(key).transpose()?;
        let idempotency = key.map(|key| Idempotency { key, route: route.to_owned(), request: [0; 32] });
        let caller = caller.clone();
        Ok(Self { who, terms, replace, caller, displace: displace.is_ok(), idempotency })
    }

    /// Adds the digest of the whole request, with its photographs and its capture. The store writes only a keyed hash of it.
    pub fn hashed<'b>(mut self, parts: impl IntoIterator<Item = &'b [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(self.who.subject.as_str().as_bytes());
        part(&[u8::from(self.replace)]);
        part(&self.terms.bytes());
        parts.into_iter().for_each(part);
        if let Some(idempotency) = &mut self.idempotency {
            idempotency.request = *hasher.finalize().as_bytes();
        }
        self
    }

    /// Notes the person for the record, if the person is enrolled. Returns the remembered response to the same request,
    /// if there is one.
    ///
    /// # Errors
    /// `IDEMPOTENCY_CONFLICT`
    pub async fn answered(&self, app: &App) -> Result<Option<Response>, Problem> {
        let (Who { tenant, subject }, idempotency) = (self.who.clone(), self.idempotency.clone());
        let known = ask(app, move |store| {
            let answered = idempotency.map(|idempotency| store.answered(&tenant, &idempotency, now()));
            Ok((store.pseudonym(&tenant, &subject, now())?, answered.transpose()?.flatten()))
        });
        let (pseudonym, answered) = known.await?;
        trail::subject(pseudonym);
        match answered {
            None => Ok(None),
            Some(Answered::Before(answer)) => Ok(Some(replayed(answer))),
            Some(Answered::Otherwise) => Err(conflict()),
        }
    }

    /// Returns the response to the same request, sent at the same time, which may have used the capture. It waits for
    /// at most [`MEANWHILE`]; without an `Idempotency-Key` not at all.
    ///
    /// # Errors
    /// `IDEMPOTENCY_CONFLICT`
    async fn answered_meanwhile(&self, app: &App) -> Result<Option<Response>, Problem> {
        let begin = Instant::now();
        while self.idempotency.is_some() && begin.elapsed() < MEANWHILE {
            if let Some(replayed) = self.answered(app).await? {
                trail::no_capture();
                return Ok(Some(replayed));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }

    /// Stores the faces after checking that they are the person's own, and returns the response.
    ///
    /// # Errors
    /// `EMBEDDING_ALREADY_EXISTS`, `EMBEDDING_CONTRACT_MISMATCH`, `IDEMPOTENCY_CONFLICT`, `FORBIDDEN`,
    /// `RATE_LIMIT_EXCEEDED`
    pub async fn store<A: Serialize>(
        self,
        app: &App,
        faces: Vec<Examined>,
        answer: impl Fn(NotComparedResponse) -> A + Send + 'static,
    ) -> Result<Response, Problem> {
        let threshold = app.policy().threshold;
        let stored = ask(app, move |store| {
            for _ in 0..TRIES {
                let person = store.load(&self.who.tenant, &self.who.subject, now())?;
                let seen = person.as_ref().map(|person| person.version);
                let not_compared = match (&person, self.replace) {
                    (Some(person), false) => match self.own(store, person, &faces, threshold)? {
                        Ok(not_compared) => not_compared,
                        Err(problem) => return Ok(Err(problem)),
                    },
                    _ => NotCompared::default(),
                };
                let answer = match serde_json::to_vec(&answer(not_compared.into())) {
                    Ok(answer) => answer,
                    Err(why) => return Ok(Err(Problem::internal(&why))),
                };
                let outcome = store.enroll(&Enrollment {
                    tenant: &self.who.tenant,
                    subject: &self.who.subject,
                    templates: faces.iter().map(|face| template(face.embedding(), face.quality().score())).collect(),
                    mode: if self.replace { Mode::Replace } else { Mode::Add { seen, displace: self.displace } },
                    terms: self.terms.clone(),
                    remember: self.idempotency.as_ref().map(|idempotency| (idempotency, answer.as_slice())),
                    now: now(),
                })?;
                if outcome != Outcome::Moved {
                    return Ok(Ok((outcome, answer)));
                }
            }
            Ok(Ok((Outcome::Moved, Vec::new())))
        });
        let (outcome, answer) = stored.await??;
        match outcome {
            Outcome::Stored { pseudonym, .. } => {
                trail::subject(Some(pseudonym));
                Ok(json(answer))
            }
            Outcome::Replayed(before) => Ok(replayed(before)),
            Outcome::Conflict => Err(conflict()),
            Outcome::Moved => {
                Err(Problem::new(Code::StoreUnavailable, "other requests keep changing this person; try again"))
            }
            Outcome::Full => Err(lacking(Scope::Replace, FULL)),
        }
    }
}

impl Request {
    /// Checks that new photographs show the enrolled person, unless the caller has failed too often for this
    /// person.
    fn own(
        &self,
        store: &Store,
        person: &Person,
        faces: &[Examined],
        threshold: Threshold,
    ) -> store::Result<Result<NotCompared, Problem>> {
        let (Who { tenant, subject }, source) = (&self.who, self.caller.source());
        if let Some(spent) = store.spent(tenant, subject, source, now())? {
            return Ok(Err(closed(spent)));
        }
        let own = own(&self.who, person, faces, threshold);
        if own.as_ref().is_err_and(|problem| problem.code() == Code::EmbeddingAlreadyExists) {
            let compared = ComparedSubject { subject: subject.clone(), person: Some(person.pseudonym) };
            store.note_failures(tenant, &[compared], source, now())?;
        }
        Ok(own)
    }
}

/// Checks that each new photograph resembles the enrolled person.
fn own(who: &Who, person: &Person, faces: &[Examined], threshold: Threshold) -> Result<NotCompared, Problem> {
    let Some(space) = faces.first().map(|face| face.embedding().direction().space()) else {
        return Ok(NotCompared::default());
    };
    let (template, not_compared) = person.template(SpaceId::as_bytes(&space));
    let user = who.subject.as_str();
    let template = template.ok_or_else(|| nothing_comparable(not_compared).with("user_id", user))?;
    for face in faces {
        let similarity = Similarity::of(face.embedding().direction(), template.direction(), threshold)
            .map_err(|why| Problem::internal(&why))?;
        if !similarity.matched() {
            let message = "this photograph does not resemble the person who is enrolled under this name";
            return Err(Problem::new(Code::EmbeddingAlreadyExists, message).with("user_id", user));
        }
    }
    Ok(not_compared)
}

fn key(value: &HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().ok().filter(|text| (1..=LONGEST_KEY).contains(&text.len()));
    text.map(str::to_owned)
        .ok_or_else(|| wrong("Idempotency-Key", format_args!("expected 1 to {LONGEST_KEY} printable characters")))
}

fn conflict() -> Problem {
    Problem::new(Code::IdempotencyConflict, "this Idempotency-Key was used for another request")
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn replayed(answer: Vec<u8>) -> Response {
    let mut response = json(answer);
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}
