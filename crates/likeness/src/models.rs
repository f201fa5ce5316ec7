//! The loaded models, at most one for each role, and the combinations that callers use.
//!
//! Command line, service and tests use this one set. A model that is not loaded is `None` or an
//! error, so that no caller can use a substitute. Touches nothing.

use std::sync::Arc;

use crate::embed::{FaceEncoder, TrustedEmbedder, UnknownEmbedder};
use crate::engine::{KernelSet, Network};
use crate::error::ErrorKind;
use crate::find::Finder;
use crate::net::{Detector, Digest, Embedder, Refusal, SpoofV1Se, SpoofV2, WeightFile};
use crate::policy::Policy;
use crate::selftest::SelfTest;
use crate::spoof::SpoofPair;

/// The purpose of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Finds faces.
    Detector,
    /// Distinguishes live from spoof at scale 2.7.
    SpoofNear,
    /// Distinguishes live from spoof at scale 4.0.
    SpoofFar,
    /// Embeds faces.
    Embedder,
}

impl Role {
    /// All roles, in the order in which their files are loaded.
    pub const ALL: [Self; 4] = [Self::Detector, Self::SpoofNear, Self::SpoofFar, Self::Embedder];

    /// Its place in [`Role::ALL`].
    #[must_use]
    pub fn at(self) -> usize {
        self as usize
    }
}

/// A loaded model, tested.
#[derive(Clone)]
pub enum Model {
    /// CenterFace.
    Detector(Arc<Detector>),
    /// MiniFASNetV2.
    SpoofNear(Arc<SpoofV2>),
    /// MiniFASNetV1SE.
    SpoofFar(Arc<SpoofV1Se>),
    /// Facenet512.
    Embedder(Arc<Embedder>),
}

impl Model {
    /// Loads the model of a role from its file's bytes, and tests it.
    ///
    /// # Errors
    /// [`Refusal`] names the tensor, or the wrong output of the self-test.
    pub fn load(role: Role, file: WeightFile, kernels: KernelSet) -> Result<Self, Refusal> {
        Ok(match role {
            Role::Detector => Self::Detector(Detector::load(file, kernels)?.into()),
            Role::SpoofNear => Self::SpoofNear(SpoofV2::load(file, kernels)?.into()),
            Role::SpoofFar => Self::SpoofFar(SpoofV1Se::load(file, kernels)?.into()),
            Role::Embedder => Self::Embedder(Embedder::load(file, kernels)?.into()),
        })
    }

    /// The result of its self-test.
    #[must_use]
    pub fn tested(&self) -> &SelfTest {
        match self {
            Self::Detector(model) => model.tested(),
            Self::SpoofNear(model) => model.tested(),
            Self::SpoofFar(model) => model.tested(),
            Self::Embedder(model) => model.tested(),
        }
    }

    /// The network's layers and number of multiplications.
    #[must_use]
    pub fn network(&self) -> &Network {
        match self {
            Self::Detector(model) => model.network(),
            Self::SpoofNear(model) => model.network(),
            Self::SpoofFar(model) => model.network(),
            Self::Embedder(model) => model.network(),
        }
    }
}

/// The models that are loaded, by role.
#[derive(Clone, Default)]
pub struct Models([Option<Model>; 4]);

/// The reason why no embedder may identify persons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEncoder {
    /// The embedder, or the detector whose faces it embeds, is not loaded.
    #[error("the embedder or the detector is not loaded")]
    NotLoaded,
    /// The loaded embedder is unknown.
    #[error(transparent)]
    Unknown(UnknownEmbedder),
}

impl NoEncoder {
    /// Always [`ErrorKind::Model`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Model
    }
}

impl Models {
    /// Adds a model, and replaces the earlier model of its role.
    pub fn insert(&mut self, model: Model) {
        let role = match &model {
            Model::Detector(_) => Role::Detector,
            Model::SpoofNear(_) => Role::SpoofNear,
            Model::SpoofFar(_) => Role::SpoofFar,
            Model::Embedder(_) => Role::Embedder,
        };
        self.0[role.at()] = Some(model);
    }

    /// The model of a role.
    #[must_use]
    pub fn model(&self, role: Role) -> Option<&Model> {
        self.0[role.at()].as_ref()
    }

    /// The digest of the file that a role was loaded from.
    #[must_use]
    pub fn digest(&self, role: Role) -> Option<Digest> {
        self.model(role).map(|model| model.tested().digest())
    }

    /// A finder of faces whose score is above the policy's; `None` if the detector is not loaded.
    #[must_use]
    pub fn finder(&self, policy: &Policy) -> Option<Finder> {
        let Model::Detector(detector) = self.model(Role::Detector)? else { return None };
        Some(Finder::with_threshold(detector.clone(), policy.face.score))
    }

    /// Both spoof networks.
    #[must_use]
    pub fn spoof(&self) -> Option<SpoofPair> {
        let (Model::SpoofNear(near), Model::SpoofFar(far)) =
            (self.model(Role::SpoofNear)?, self.model(Role::SpoofFar)?)
        else {
            return None;
        };
        Some(SpoofPair::new(near.clone(), far.clone()))
    }

    /// The embedder, if it is published or has this accepted digest.
    ///
    /// # Errors
    /// [`NoEncoder`]
    pub fn embedder(&self, accepted: Option<Digest>) -> Result<TrustedEmbedder, NoEncoder> {
        match self.model(Role::Embedder) {
            Some(Model::Embedder(model)) => TrustedEmbedder::of(model.clone(), accepted).map_err(NoEncoder::Unknown),
            _ => Err(NoEncoder::NotLoaded),
        }
    }

    /// The encoder for faces that the loaded detector finds.
    ///
    /// # Errors
    /// [`NoEncoder`]
    pub fn encoder(&self, accepted: Option<Digest>) -> Result<FaceEncoder, NoEncoder> {
        match self.model(Role::Detector) {
            Some(Model::Detector(detector)) => Ok(FaceEncoder::new(self.embedder(accepted)?, detector)),
            _ => Err(NoEncoder::NotLoaded),
        }
    }
}
