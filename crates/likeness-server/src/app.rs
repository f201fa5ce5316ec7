//! What every request shares.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use likeness::engine::KernelSet;
use likeness::examine::Options;
use likeness::image;
use likeness::models::Role;
use likeness::policy::Policy;
use likeness::space::DetectionPolicy;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::admission::state::Admission;
use crate::config::Settings;
use crate::examiner::{Examiner, FullExaminer};
use crate::models::{self, LoadedModels, ModelRegistry, Unavailable};
use crate::record::Records;
use crate::templates::Templates;
use crate::trail::{self, ModelsSeen};
use crate::work::Work;

/// Shared by every request; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The parts.
pub struct Shared {
    /// What was set.
    pub settings: Settings,
    /// Every number that turns measurements into an outcome, until a reload.
    pub policy: RwLock<Policy>,
    /// The models.
    pub models: ModelRegistry,
    /// The store of templates, where there is one.
    pub templates: Option<Arc<Templates>>,
    /// Who may send requests, and how many.
    pub admission: Admission,
    /// The workers.
    pub work: Work,
    /// The kernels in use.
    pub kernels: KernelSet,
    /// Records of what was decided.
    pub records: Records,
    /// Where metrics are read.
    pub metrics: PrometheusHandle,
    /// Whether it received the signal to end: it is not ready any more.
    pub ending: AtomicBool,
    /// When it began.
    pub started: Instant,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The policy, as it is now: a request takes it once.
    pub fn policy(&self) -> Policy {
        *self.policy.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How photographs are decoded and searched.
    pub fn options(&self) -> Options {
        let image = image::Limits { bytes: self.settings.limits.file, ..image::Limits::default() };
        Options { image, mode: self.settings.mode, largest: false }
    }

    /// What finds faces.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn examiner(&self, models: &LoadedModels) -> Result<Examiner, Unavailable> {
        let policy = self.policy();
        trail::models(policy, || seen(models));
        Examiner::new(models, policy, self.options())
    }

    /// What every verdict needs.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn full_examiner(&self) -> Result<FullExaminer, Unavailable> {
        let (models, policy) = (self.models.now(), self.policy());
        trail::models(policy, || seen(&models));
        FullExaminer::new(&models, policy, self.options())
    }

    /// Which weights answer, for every answer that they gave.
    pub fn model(&self) -> ModelResponse {
        ModelResponse::of(&self.models.now(), DetectionPolicy::Native)
    }
}

/// The weights of a request, for its record.
pub fn seen(models: &LoadedModels) -> ModelsSeen {
    let loaded = models.roles.iter().filter_map(|role| {
        role.loaded().map(|model| (models::key(role.role), model.sha256.clone(), model.self_test.clone()))
    });
    let contract_id = models.space(DetectionPolicy::Native).map(|space| space.to_string());
    ModelsSeen { contract_id, embedder: models.trust(), loaded: loaded.collect() }
}

impl ModelResponse {
    /// Which weights answer, about faces that were found by this look policy.
    pub fn of(models: &LoadedModels, look: DetectionPolicy) -> Self {
        let digest = |role: Role| Some((models::key(role), models.roles[role.at()].loaded()?.sha256.clone()));
        Self {
            contract_id: models.space(look).map(|space| space.to_string()),
            sha256: Role::ALL.into_iter().filter_map(digest).collect(),
            embedder: models.trust(),
        }
    }
}

/// Which weights answered.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct ModelResponse {
    /// The embedding space: embeddings of two spaces can't be compared. Null without detector or embedder.
    pub contract_id: Option<String>,
    /// SHA-256 by role, of those that are loaded.
    pub sha256: std::collections::BTreeMap<&'static str, String>,
    /// `published`, `accepted` (by the operator, by its digest), or `unknown`; null where none is loaded.
    pub embedder: Option<&'static str>,
}
