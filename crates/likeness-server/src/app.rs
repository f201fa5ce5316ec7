//! The state that all requests share.

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

/// A handle of the shared state; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The shared state.
pub struct Shared {
    /// The settings.
    pub settings: Settings,
    /// The current policy; a reload replaces it.
    pub policy: RwLock<Policy>,
    /// The loaded models.
    pub models: ModelRegistry,
    /// The store of templates, if one is set.
    pub templates: Option<Arc<Templates>>,
    /// The state of admission.
    pub admission: Admission,
    /// The queue and the threads for examinations.
    pub work: Work,
    /// The kernels in use.
    pub kernels: KernelSet,
    /// The decision records.
    pub records: Records,
    /// The handle that renders the metrics.
    pub metrics: PrometheusHandle,
    /// Whether the service received a signal to end; it then reports that it is not ready.
    pub ending: AtomicBool,
    /// When the service started.
    pub started: Instant,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Creates the handle of this state.
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Returns the current policy. A request reads the policy once.
    pub fn policy(&self) -> Policy {
        *self.policy.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how photographs are decoded and searched.
    pub fn options(&self) -> Options {
        let image = image::Limits { bytes: self.settings.limits.file, ..image::Limits::default() };
        Options { image, mode: self.settings.mode, largest: false }
    }

    /// Creates an examiner that finds faces, and notes policy and weights in the trail.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn examiner(&self, models: &LoadedModels) -> Result<Examiner, Unavailable> {
        let policy = self.policy();
        trail::models(policy, || seen(models));
        Examiner::new(models, policy, self.options())
    }

    /// Creates the examiner that verdicts need, and notes policy and weights in the trail.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn full_examiner(&self) -> Result<FullExaminer, Unavailable> {
        let (models, policy) = (self.models.now(), self.policy());
        trail::models(policy, || seen(&models));
        FullExaminer::new(&models, policy, self.options())
    }

    /// Describes the loaded weights, for a response.
    pub fn model(&self) -> ModelResponse {
        ModelResponse::of(&self.models.now(), DetectionPolicy::Native)
    }
}

/// Describes the loaded weights, for a record.
pub fn seen(models: &LoadedModels) -> ModelsSeen {
    let loaded = models.roles.iter().filter_map(|role| {
        role.loaded().map(|model| (models::key(role.role), model.sha256.clone(), model.self_test.clone()))
    });
    let contract_id = models.space(DetectionPolicy::Native).map(|space| space.to_string());
    ModelsSeen { contract_id, embedder: models.trust(), loaded: loaded.collect() }
}

impl ModelResponse {
    /// Describes the loaded weights, for faces found by this look policy.
    pub fn of(models: &LoadedModels, look: DetectionPolicy) -> Self {
        let digest = |role: Role| Some((models::key(role), models.roles[role.at()].loaded()?.sha256.clone()));
        Self {
            contract_id: models.space(look).map(|space| space.to_string()),
            sha256: Role::ALL.into_iter().filter_map(digest).collect(),
            embedder: models.trust(),
        }
    }
}

/// The weights that were used.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct ModelResponse {
    /// The embedding space. Embeddings of two spaces can't be compared. Null if the detector or the embedder
    /// is not loaded.
    pub contract_id: Option<String>,
    /// The SHA-256 of each loaded model, by role.
    pub sha256: std::collections::BTreeMap<&'static str, String>,
    /// The embedder's trust: `published`, `accepted` (by the operator, by its digest), or `unknown`; null if
    /// none is loaded.
    pub embedder: Option<&'static str>,
}
