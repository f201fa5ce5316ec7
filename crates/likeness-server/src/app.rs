//! What every request shares.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use likeness::engine::KernelSet;
use likeness::image;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::Settings;
use crate::gate::Gate;
use crate::held::{Held, Networks, State};
use crate::look::Eye;
use crate::models::Role;
use crate::templates::Templates;
use crate::work::Work;

/// Shared by every request; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The parts.
pub struct Shared {
    /// What was set.
    pub settings: Settings,
    /// The networks.
    pub held: Held,
    /// The store of templates, where there is one.
    pub templates: Option<Arc<Templates>>,
    /// Who may ask.
    pub gate: Gate,
    /// The workers.
    pub work: Work,
    /// The kernels in use.
    pub kernels: KernelSet,
    /// Where metrics are read.
    pub metrics: PrometheusHandle,
    /// Whether it was told to end: not ready any more.
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

    /// How photographs are looked at.
    pub fn eye(&self) -> Eye {
        let limits = image::Limits { bytes: self.settings.limits.file, ..image::Limits::default() };
        Eye { limits, mode: self.settings.mode }
    }

    /// Which weights answer, for every answer that they gave.
    pub fn model(&self) -> ModelTold {
        ModelTold::of(&self.held.now())
    }
}

impl ModelTold {
    /// Which weights answer by these networks.
    pub fn of(networks: &Networks) -> Self {
        let digest = |role: Role| match &networks.roles[role.at()].state {
            State::Held { digest, .. } => Some((role.key(), digest.to_string())),
            _ => None,
        };
        Self {
            contract_id: networks.identity.as_ref().map(|identity| identity.contract().to_string()),
            sha256: crate::models::ROLES.into_iter().filter_map(digest).collect(),
            untrained: networks.embedder.as_ref().is_some_and(|embedder| embedder.untrained()),
        }
    }
}

/// Which weights answered.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct ModelTold {
    /// The contract of templates; null without an embedder.
    pub contract_id: Option<String>,
    /// SHA-256 by role, of those that are held.
    pub sha256: std::collections::BTreeMap<&'static str, String>,
    /// The embedder is the untrained one for tests: identity means nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untrained: bool,
}
