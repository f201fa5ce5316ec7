//! What enrolling, verifying and searching share: ids out of a form, one look at a photograph by all
//! four networks, and the store asked away from the event loop.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use likeness::embed::Embedding;
use likeness::engine::Scratch;
use likeness::liveness::Liveness;
use likeness::pipeline::{Identity, Options, embedding, liveness};

use crate::app::App;
use crate::form::Form;
use crate::gate::Caller;
use crate::held::All;
use crate::look::{Eye, Seen, Watch};
use crate::problem::{Code, Problem};
use crate::store::{self, Contract, Fresh, Kind, Spent, Store, StoreError, Subject, Tenant};
use crate::templates::Templates;

/// Who is meant.
#[derive(Debug, Clone)]
pub struct Who {
    /// Whose person.
    pub tenant: Tenant,
    /// The person.
    pub subject: Subject,
}

impl Who {
    /// From the fields `user_id` and `tenant_id`.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `FORBIDDEN`
    pub fn of(form: &Form, caller: &Caller) -> Result<Self, Problem> {
        let user = form.text("user_id")?.ok_or_else(|| Problem::input("expected `user_id`, found none"))?;
        Self::named(user, caller.tenant(form.text("tenant_id")?)?)
    }

    /// From a name.
    ///
    /// # Errors
    /// `INVALID_INPUT`
    pub fn named(user: &str, tenant: Tenant) -> Result<Self, Problem> {
        let subject = Subject::new(user).map_err(|why| Problem::input(format!("`user_id`: {why}")))?;
        Ok(Self { tenant, subject })
    }

    /// Nobody of this name is enrolled.
    pub fn unknown(&self) -> Problem {
        Problem::new(Code::EmbeddingNotFound, "nobody is enrolled under this name")
            .with("user_id", self.subject.as_str())
    }
}

/// Refuses a caller who has failed too often for this person.
///
/// # Errors
/// `RATE_LIMIT_EXCEEDED`
pub async fn within_budget(app: &App, who: &Who, caller: &Caller) -> Result<(), Problem> {
    let (who, caller) = (who.clone(), caller.clone());
    let spent = ask(app, move |store| store.spent(&who.tenant, &who.subject, caller.source(), now()));
    spent.await?.map_or(Ok(()), |spent| Err(closed(spent)))
}

/// A budget is spent.
pub fn closed(spent: Spent) -> Problem {
    let seconds = u64::try_from(spent.seconds).unwrap_or(0);
    Problem::too_many(spent.limit.name(), Duration::from_secs(seconds))
}

/// Counts an answer that was none about the right person, for each of these subjects.
///
/// # Errors
/// `STORE_UNAVAILABLE`
pub async fn note_failures(app: &App, tenant: &Tenant, subjects: Vec<Subject>, caller: &Caller) -> Result<(), Problem> {
    if subjects.is_empty() {
        return Ok(());
    }
    let (tenant, caller) = (tenant.clone(), caller.clone());
    ask(app, move |store| store.note_failures(&tenant, &subjects, caller.source(), now())).await
}

/// Asks the store, away from the event loop.
///
/// # Errors
/// `STORE_UNAVAILABLE`, `INDEX_LOADING`, or `NOT_FOUND` where the service has no store.
pub async fn ask<T: Send + 'static>(
    app: &App,
    question: impl FnOnce(&Store) -> store::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let templates = templates(app)?.clone();
    let asked = tokio::task::spawn_blocking(move || question(&templates.store));
    asked.await.map_err(|why| Problem::internal(&why))?.map_err(Problem::from)
}

/// The templates.
///
/// # Errors
/// `NOT_FOUND`: the service was started without a store.
pub fn templates(app: &App) -> Result<&Arc<Templates>, Problem> {
    let none = || Problem::new(Code::NotFound, "this service holds no templates: it was started without a store");
    app.templates.as_ref().ok_or_else(none)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.kind == Kind::Loading {
            return Self::new(Code::IndexLoading, "templates are still being read; ask again");
        }
        tracing::error!(kind = error.kind.name(), what = error.what, "the store refused");
        Self::new(Code::StoreUnavailable, "the store of templates does not answer as it should")
            .with("reason", error.kind.name())
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// What all four networks saw in a photograph.
pub struct Examined {
    /// The photograph's face and its quality.
    pub seen: Seen,
    /// Live, spoof or neither.
    pub liveness: Liveness,
}

/// How a photograph is examined.
#[derive(Clone)]
pub struct Examiner {
    /// The networks.
    pub all: Arc<All>,
    /// How it is looked at.
    pub eye: Eye,
    /// The lines between live and spoof.
    pub options: Options,
}

impl Examiner {
    /// With what is held now.
    ///
    /// # Errors
    /// `MODEL_UNAVAILABLE`
    pub fn of(app: &App) -> Result<Self, Problem> {
        let all = Arc::new(app.held.now().all()?);
        Ok(Self { all, eye: app.eye(), options: super::liveness::options(app) })
    }

    /// The contract of its embeddings.
    pub fn contract(&self) -> Contract {
        *self.all.identity.contract().as_bytes()
    }

    /// Detects once; whether the quality is enough is asked before a network judges.
    ///
    /// # Errors
    /// The photograph's own, and what `fit` refuses.
    pub fn look(
        &self,
        scratch: &mut Scratch,
        bytes: &[u8],
        watch: &mut Watch,
        fit: impl FnOnce(&Seen) -> Result<(), Problem>,
    ) -> Result<Examined, Problem> {
        let seen = self.eye.subject(&self.all.finder, scratch, bytes, watch)?;
        fit(&seen)?;
        let liveness = liveness(&self.all.pair, scratch, &seen.subject, &self.options, &mut |stage| watch.lap(stage))?;
        metrics::counter!("likeness_liveness_total", "verdict" => liveness.name()).increment(1);
        Ok(Examined { seen, liveness })
    }

    /// Embeds what was examined; numbers of length one.
    ///
    /// # Errors
    /// The photograph's own.
    pub fn embed(&self, scratch: &mut Scratch, examined: &Examined, watch: &mut Watch) -> Result<Embedding, Problem> {
        let subject = &examined.seen.subject;
        let embedding = embedding(&self.all.identity, scratch, subject, &mut |stage| watch.lap(stage))?;
        unit(&self.all.identity, &embedding)
    }
}

/// The same direction at length one.
fn unit(identity: &Identity, embedding: &Embedding) -> Result<Embedding, Problem> {
    let length = embedding.numbers().iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    if !(length.is_finite() && length > 1e-6) {
        return Err(Problem::internal(&"an embedding without direction"));
    }
    let numbers = embedding.numbers().iter().map(|v| (f64::from(*v) / length) as f32).collect();
    Ok(Embedding::new(identity.contract(), numbers))
}

/// A template of what was examined.
pub fn template(embedding: &Embedding, quality: f64) -> Fresh {
    Fresh {
        contract: *embedding.contract().as_bytes(),
        made_at: now(),
        quality,
        embedding: embedding.numbers().to_vec(),
    }
}
