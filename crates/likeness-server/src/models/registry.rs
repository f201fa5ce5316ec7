//! The loaded models. The command line reads them once; the service also watches their files in the
//! background.
//!
//! Promises: every returned model has matched its pin and passed its self-test. A file that changes later
//! never changes a loaded model. The service's thread only reads weight files.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::{Duration, Instant};

use likeness::embed::{FaceEncoder, TrustedEmbedder, UnknownEmbedder};
use likeness::engine::KernelSet;
use likeness::examine::Options;
use likeness::find::Finder;
use likeness::models::{Model, Models, NoEncoder, Role};
use likeness::net::Digest;
use likeness::policy::Policy;
use likeness::space::{DetectionPolicy, OtherSpace, SpaceId};
use likeness::spoof::SpoofPair;
use serde::Serialize;

use super::roles::{accepted, kernels, lost, name};
use super::weights::{FaultKind, FileStamp, WeightFault, WeightStore};
use crate::args;
use crate::clock::now;
use crate::exit::{Exit, Failure};

/// The time between two checks of the files.
const PERIOD: Duration = Duration::from_millis(500);

/// The state of a loaded model's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDisk {
    /// The file is as it was read, or right again.
    Right,
    /// Other bytes: the service continues from verified memory.
    Changed,
    /// Missing: the service continues from verified memory.
    Missing,
}

/// The data about a loaded model that reports contain.
#[derive(Debug, Clone, Serialize)]
pub struct LoadedModel {
    /// The model's role.
    pub role: &'static str,
    /// The file that the model was read from.
    pub origin: PathBuf,
    /// The SHA-256 of the model's bytes.
    pub sha256: String,
    /// The result of the self-test.
    pub self_test: String,
    /// When the bytes had matched their pin, in seconds since 1970.
    #[serde(skip)]
    pub verified_at: i64,
    /// Whether the file still has these bytes.
    #[serde(skip)]
    pub on_disk: OnDisk,
    /// The time for reading, verifying, loading and testing, in milliseconds.
    #[serde(skip)]
    pub load_ms: f64,
}

/// The state of one role's model.
#[derive(Debug, Clone)]
pub enum State {
    /// The file was not read yet.
    Loading,
    /// The file is missing or wrong.
    Missing(WeightFault),
    /// The model is loaded.
    Loaded(LoadedModel),
}

/// The data about one role that reports contain.
#[derive(Debug, Clone)]
pub struct RoleState {
    /// The role.
    pub role: Role,
    /// The file's name in the lock file.
    pub file: String,
    /// The SHA-256 that the lock file pins.
    pub pin: String,
    /// The state of the model.
    pub state: State,
}

impl RoleState {
    /// Returns the model, if it is loaded.
    pub fn loaded(&self) -> Option<&LoadedModel> {
        match &self.state {
            State::Loaded(model) => Some(model),
            _ => None,
        }
    }
}

/// A snapshot of the loaded models, and of the state of models that are not loaded. A request keeps the snapshot that
/// it began with.
#[derive(Clone)]
pub struct LoadedModels {
    models: Models,
    /// All four roles.
    pub roles: [RoleState; 4],
    /// The embedder that the operator accepts.
    accepted: Option<Digest>,
}

/// The reason why a request can't be served.
#[derive(Debug, Clone)]
pub enum Unavailable {
    /// These roles are needed but not loaded.
    NotLoaded(Vec<RoleState>),
    /// The embedder is neither published nor accepted.
    UnknownEmbedder(UnknownEmbedder),
    /// The threshold was calibrated for another use.
    OtherCalibration(OtherCalibration),
}

/// The difference between a calibration and its use.
#[derive(Debug, Clone)]
pub enum OtherCalibration {
    /// The calibration is of another embedding space than that of the loaded models.
    Space(OtherSpace),
    /// The calibration searched photographs in another way: the name of each difference, its value there and here.
    Search(Vec<(&'static str, String, String)>),
}

impl LoadedModels {
    /// Returns all four roles, none of them loaded.
    fn waiting(store: &WeightStore, accepted: Option<Digest>) -> Result<Self, Failure> {
        let mut roles = Vec::new();
        for role in Role::ALL {
            let (file, pin) = store.pin(role)?;
            roles.push(RoleState { role, file, pin, state: State::Loading });
        }
        let Ok(roles) = roles.try_into() else { unreachable!("one state for each role") };
        Ok(Self { models: Models::default(), roles, accepted })
    }

    /// Loads these roles, one after the other.
    ///
    /// # Errors
    /// The lock file or an option is not valid. An error of a weight is no error here but its role's state.
    pub fn load(args: &args::Weights, roles: &[Role]) -> Result<Self, Failure> {
        let (kernels, accepted) = (kernels(args.kernel.as_deref())?, accepted(args.accept_embedder.as_deref())?);
        let store = WeightStore::open(args)?;
        let mut loaded = Self::waiting(&store, accepted)?;
        roles.iter().for_each(|role| loaded.place(*role, load(&store, kernels, *role)));
        Ok(loaded)
    }

    /// Stores a role's model, or the error that prevents it.
    fn place(&mut self, role: Role, result: Result<(Model, LoadedModel), WeightFault>) {
        self.roles[role.at()].state = match result {
            Ok((model, loaded)) => {
                self.models.insert(model);
                State::Loaded(loaded)
            }
            Err(fault) => State::Missing(fault),
        };
    }

    /// Returns the model of a role, if it is loaded.
    pub fn model(&self, role: Role) -> Option<&Model> {
        self.models.model(role)
    }

    /// Returns the loaded models, for reports.
    pub fn reports(&self) -> Vec<LoadedModel> {
        self.roles.iter().filter_map(RoleState::loaded).cloned().collect()
    }

    /// Returns the embedding space of faces found by this look policy; `None` until detector and embedder are
    /// loaded.
    pub fn space(&self, look: DetectionPolicy) -> Option<SpaceId> {
        let [detector, embedder] = [Role::Detector, Role::Embedder].map(|role| self.models.digest(role));
        Some(SpaceId::of(detector?, embedder?, look))
    }

    /// Returns the embedder's trust: `published`, `accepted` or `unknown`; `None` if no embedder is loaded.
    pub fn trust(&self) -> Option<&'static str> {
        match self.models.embedder(self.accepted) {
            Ok(embedder) => Some(embedder.trust().name()),
            Err(NoEncoder::Unknown(_)) => Some("unknown"),
            Err(NoEncoder::NotLoaded) => None,
        }
    }

    /// Returns the detector.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn finder(&self, policy: &Policy) -> Result<Finder, Unavailable> {
        self.models.finder(policy).ok_or_else(|| self.without(&[Role::Detector]))
    }

    /// Returns both spoof networks.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn spoof(&self) -> Result<SpoofPair, Unavailable> {
        self.models.spoof().ok_or_else(|| self.without(&[Role::SpoofNear, Role::SpoofFar]))
    }

    /// Returns the embedder for faces that the detector found.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn encoder(&self) -> Result<FaceEncoder, Unavailable> {
        self.models.encoder(self.accepted).map_err(|why| self.no_encoder(why, &[Role::Detector, Role::Embedder]))
    }

    /// Returns the embedder for any pixels.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn embedder(&self) -> Result<TrustedEmbedder, Unavailable> {
        self.models.embedder(self.accepted).map_err(|why| self.no_encoder(why, &[Role::Embedder]))
    }

    fn no_encoder(&self, why: NoEncoder, needed: &[Role]) -> Unavailable {
        match why {
            NoEncoder::NotLoaded => self.without(needed),
            NoEncoder::Unknown(why) => Unavailable::UnknownEmbedder(why),
        }
    }

    /// Checks that these roles are loaded and that the embedder, if needed, is trusted.
    ///
    /// # Errors
    /// [`Unavailable`] names every model that is not loaded.
    pub fn require(&self, roles: &[Role]) -> Result<(), Unavailable> {
        match self.without(roles) {
            Unavailable::NotLoaded(missing) if missing.is_empty() => {}
            unavailable => return Err(unavailable),
        }
        if roles.contains(&Role::Embedder) { self.embedder().map(drop) } else { Ok(()) }
    }

    /// Checks that a calibrated threshold is of the space of the loaded models, and of this search for faces.
    ///
    /// # Errors
    /// [`Unavailable::OtherCalibration`]
    pub fn calibrated(&self, policy: &Policy, options: &Options) -> Result<(), Unavailable> {
        let Some(by) = policy.threshold.calibration() else { return Ok(()) };
        if let Some(found) = self.space(DetectionPolicy::Native).filter(|found| *found != by.space) {
            let other = OtherSpace { expected: by.space, found };
            return Err(Unavailable::OtherCalibration(OtherCalibration::Space(other)));
        }
        let differences = by.search.differences(options.search(&policy.face));
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Unavailable::OtherCalibration(OtherCalibration::Search(differences))),
        }
    }

    /// Returns the error that names which of these roles are not loaded.
    fn without(&self, needed: &[Role]) -> Unavailable {
        let missing = |state: &&RoleState| needed.contains(&state.role) && state.loaded().is_none();
        Unavailable::NotLoaded(self.roles.iter().filter(missing).cloned().collect())
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::UnknownEmbedder(why) => Self::new(Exit::UnknownEmbedder, why.to_string())
                .hint(format!("--accept-embedder {}, if you know what its distances mean", why.found)),
            Unavailable::OtherCalibration(OtherCalibration::Search(differences)) => {
                let line =
                    |(name, there, here): &(_, _, _)| format!("\n  {name}: calibrated with {there}, found {here}");
                let lines: String = differences.iter().map(line).collect();
                let what = format!("the calibration was made with another search for faces{lines}");
                Self::new(Exit::BadSetting, what)
                    .hint("the options of the calibration, or `likeness calibrate` with these")
            }
            Unavailable::OtherCalibration(OtherCalibration::Space(OtherSpace { expected, found })) => {
                let what = format!(
                    "the calibration has another contract id than the loaded models\n  expected {found}\n  found    {expected}"
                );
                Self::new(Exit::BadSetting, what).hint("`likeness calibrate` with these models")
            }
            Unavailable::NotLoaded(roles) => {
                let lines: Vec<_> = roles.iter().filter_map(RoleState::failure).collect();
                Self::new(Exit::WeightsMissing, lines.join("\n")).hint(RoleState::hint(&roles).unwrap_or_default())
            }
        }
    }
}

impl RoleState {
    fn fault(&self) -> Option<&WeightFault> {
        match &self.state {
            State::Missing(fault) => Some(fault),
            _ => None,
        }
    }

    /// Returns what the operator can do about the first fault.
    pub fn hint(roles: &[Self]) -> Option<&'static str> {
        roles.iter().find_map(Self::fault).map(|fault| fault.kind.hint())
    }

    /// Describes the fault in lines for a person.
    pub fn failure(&self) -> Option<String> {
        let WeightFault { kind, what } = self.fault()?;
        let (name, file, lost) = (name(self.role), &self.file, lost(self.role));
        Some(format!("cannot load the {name} model: {file} {}\n{what}\nwithout it {lost} can't work", kind.predicate()))
    }
}

/// Provides a service with the loaded models.
#[derive(Clone)]
pub struct ModelRegistry(Arc<RwLock<Arc<LoadedModels>>>);

impl ModelRegistry {
    /// Starts a thread that loads and watches all four models, until the last clone of the registry is
    /// dropped.
    ///
    /// # Errors
    /// The lock file or an option is not valid.
    pub fn begin(args: &args::Weights) -> Result<Self, Failure> {
        let (kernels, accepted) = (kernels(args.kernel.as_deref())?, accepted(args.accept_embedder.as_deref())?);
        let store = WeightStore::open(args)?;
        let registry = Self(Arc::new(RwLock::new(Arc::new(LoadedModels::waiting(&store, accepted)?))));
        let watcher = FileWatcher { store, kernels, registry: registry.clone(), stamps: Default::default() };
        std::thread::Builder::new()
            .name("weights".into())
            .spawn(move || watcher.run())
            .map_err(|error| Failure::new(Exit::FileFailed, format!("a thread: {error}")))?;
        Ok(registry)
    }

    /// Returns the current snapshot.
    pub fn now(&self) -> Arc<LoadedModels> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut LoadedModels)) {
        change(Arc::make_mut(&mut self.0.write().unwrap_or_else(PoisonError::into_inner)));
    }
}

type Stamps = Vec<(PathBuf, Option<FileStamp>)>;

/// The state of the thread that watches the files.
struct FileWatcher {
    store: WeightStore,
    kernels: KernelSet,
    registry: ModelRegistry,
    stamps: [Stamps; 4],
}

impl FileWatcher {
    fn run(mut self) {
        loop {
            self.look();
            // No other clone of the registry is left.
            if Arc::strong_count(&self.registry.0) == 1 {
                return;
            }
            std::thread::sleep(PERIOD);
        }
    }

    /// Reads every file whose stamp has changed.
    fn look(&mut self) {
        let now = Role::ALL.map(|role| self.store.stamps(role));
        let changed = Role::ALL.into_iter().filter(|role| now[role.at()] != self.stamps[role.at()]);
        let snapshot = self.registry.now();
        let (loaded, missing): (Vec<Role>, Vec<Role>) =
            changed.partition(|role| snapshot.roles[role.at()].loaded().is_some());
        self.stamps = now;
        loaded.into_iter().for_each(|role| self.look_again(role, &snapshot));
        self.load(&missing);
    }

    /// Loads several models at once, each in its own thread; requests can use each as soon as it is ready.
    fn load(&self, roles: &[Role]) {
        let (done, ready) = mpsc::channel();
        std::thread::scope(|scope| {
            for role in roles.iter().copied() {
                let done = done.clone();
                scope.spawn(move || drop(done.send((role, load(&self.store, self.kernels, role)))));
            }
            drop(done);
            for (role, result) in ready {
                log(role, &result);
                self.registry.change(|models| models.place(role, result));
            }
        });
        let now = self.registry.now();
        match now.embedder() {
            Err(Unavailable::UnknownEmbedder(why)) if roles.contains(&Role::Embedder) => {
                tracing::error!(found = %why.found, "unknown embedder: identity routes answer 503");
            }
            _ => {}
        }
    }

    /// Checks the file of a loaded model after a change.
    fn look_again(&self, role: Role, snapshot: &LoadedModels) {
        let Some(LoadedModel { origin, .. }) = snapshot.roles[role.at()].loaded() else { return };
        let now = match (self.store.is_right(role, origin), origin.exists()) {
            (true, _) => OnDisk::Right,
            (false, true) => OnDisk::Changed,
            (false, false) => OnDisk::Missing,
        };
        tracing::warn!(role = name(role), on_disk = ?now, "a weight file changed on disk; the verified copy in memory stays in use");
        self.registry.change(|models| {
            if let State::Loaded(model) = &mut models.roles[role.at()].state {
                model.on_disk = now;
            }
        });
    }
}

fn log(role: Role, result: &Result<(Model, LoadedModel), WeightFault>) {
    match result {
        Err(WeightFault { kind, what }) => {
            tracing::error!(role = name(role), kind = kind.name(), what, "a model is not loaded");
        }
        Ok((_, LoadedModel { sha256, self_test, load_ms, .. })) => {
            tracing::info!(role = name(role), sha256, self_test, load_ms, "a model is loaded");
        }
    }
}

/// Reads, verifies, loads and self-tests a role's model.
fn load(store: &WeightStore, kernels: KernelSet, role: Role) -> Result<(Model, LoadedModel), WeightFault> {
    let start = Instant::now();
    let weight = store.read(role)?;
    let (origin, verified_at) = (weight.origin, now());
    let refused = |why| WeightFault { kind: FaultKind::RefusedFormat, what: format!("{}: {why}", origin.display()) };
    let model = Model::load(role, weight.file, kernels).map_err(refused)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let (sha256, self_test) = (model.tested().digest().to_string(), model.tested().to_string());
    let on_disk = OnDisk::Right;
    let loaded = LoadedModel { role: name(role), origin, sha256, self_test, verified_at, on_disk, load_ms };
    Ok((model, loaded))
}
