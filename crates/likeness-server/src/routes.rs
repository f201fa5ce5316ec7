//! The table of routes: each route's name, networks, scope and largest body. Admission, health and
//! `--require` read this table.

use likeness::examine::Options;
use likeness::policy::Policy;

use crate::models::{LoadedModels, Role, Unavailable};
pub use crate::store::Scope;

/// The networks that a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// None.
    Nothing,
    /// The detector.
    Detector,
    /// The detector and both spoof networks.
    Liveness,
    /// The detector and the embedder.
    Embedding,
    /// All four.
    All,
}

impl Needs {
    /// Returns the roles of these networks.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Nothing => &[],
            Self::Detector => &[Role::Detector],
            Self::Liveness => &[Role::Detector, Role::SpoofNear, Role::SpoofFar],
            Self::Embedding => &[Role::Detector, Role::Embedder],
            Self::All => &Role::ALL,
        }
    }

    /// Checks that these networks are loaded and that the embedder, if needed, is trusted.
    ///
    /// # Errors
    /// Names a network that is not loaded, or the untrusted embedder.
    pub fn met(self, models: &LoadedModels) -> Result<(), Unavailable> {
        models.require(self.roles())
    }
}

/// A route of the HTTP service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The route's name in settings, metrics and logs.
    pub name: &'static str,
    /// The networks that the route needs.
    pub needs: Needs,
    /// Whether the route needs the store.
    pub store: bool,
    /// The scope that a key needs; `None` if the route needs no key.
    pub scope: Option<Scope>,
    /// The largest number of photographs in a request.
    pub images: usize,
}

impl Route {
    /// Returns whether the route compares faces with a threshold.
    pub fn judges(&self) -> bool {
        let compares = ![DEEPFACE_REPRESENT, CAPTURE_FRAMES].contains(self);
        self.images > 0 && self.needs.roles().contains(&Role::Embedder) && compares || *self == INSPECT
    }

    /// Returns whether the route compares faces with the threshold of the policy.
    pub fn uses_threshold(&self) -> bool {
        self.judges() && *self != DEEPFACE_VERIFY
    }

    /// Checks that the route can answer with these models, this policy and these options.
    ///
    /// # Errors
    /// Names what the route lacks.
    pub fn can_answer(&self, models: &LoadedModels, policy: &Policy, options: &Options) -> Result<(), Unavailable> {
        self.needs.met(models)?;
        // `/inspect` of one photograph needs no threshold.
        if self.uses_threshold() && *self != INSPECT { models.calibrated(policy, options) } else { Ok(()) }
    }

    /// Returns whether a response of this route and status is logged only at level debug, because it is frequent.
    pub fn is_quiet(name: &str, status: u16) -> bool {
        name == HEALTH.name
            || status < 400 && [METRICS, PAGE, FRAMES, CAPTURE_FRAMES].iter().any(|route| route.name == name)
    }

    /// Returns the largest body of this route, if each photograph has at most `file` bytes and may be in
    /// base64.
    pub fn body(&self, file: usize) -> usize {
        self.images * file / 3 * 4 + MARGIN
    }
}

/// The bytes of a body that are not photographs.
const MARGIN: usize = 64 << 10;

const fn route(name: &'static str, needs: Needs, store: bool, scope: Option<Scope>, images: usize) -> Route {
    Route { name, needs, store, scope, images }
}

/// The routes of health, which are never limited and never queued.
pub const HEALTH: Route = route("health", Needs::Nothing, false, None, 0);
/// States which models are loaded.
pub const MODELS_STATEMENT: Route = route("models/statement", Needs::Nothing, false, None, 0);
/// Verifies whether a photograph shows the named person.
pub const VERIFY: Route = route("verify", Needs::All, true, Some(Scope::Verify), 1);
/// Enrols a person.
pub const ENROLL: Route = route("enroll", Needs::All, true, Some(Scope::Enroll), 1);
/// Enrols a person from several photographs.
pub const ENROLL_MULTI: Route = route("enroll/multi", Needs::All, true, Some(Scope::Enroll), 5);
/// Deletes a person.
pub const DELETE: Route = route("delete", Needs::Nothing, true, Some(Scope::Delete), 0);
/// Lists the enrolled persons by page.
pub const PERSONS: Route = route("persons", Needs::Nothing, true, Some(Scope::Persons), 0);
/// Returns one person.
pub const PERSON: Route = route("persons/one", Needs::Nothing, true, Some(Scope::Persons), 0);
/// Returns all data that is stored about a person.
pub const PERSON_EXPORT: Route = route("persons/export", Needs::Nothing, true, Some(Scope::Export), 0);
/// Erases a person and returns a receipt.
pub const PERSON_ERASE: Route = route("persons/erase", Needs::Nothing, true, Some(Scope::Delete), 0);
/// Returns the state of an erasure.
pub const ERASURE: Route = route("erasures", Needs::Nothing, true, Some(Scope::Delete), 0);
/// Lists the tenants with their numbers of persons.
pub const TENANTS: Route = route("tenants", Needs::Nothing, true, Some(Scope::Persons), 0);
/// Judges whether a face is live or a spoof.
pub const LIVENESS: Route = route("liveness", Needs::Liveness, false, Some(Scope::Verify), 1);
/// Searches for the person in a photograph.
pub const SEARCH: Route = route("search", Needs::All, true, Some(Scope::Verify), 1);
/// Compares two photographs.
pub const COMPARE: Route = route("compare", Needs::Embedding, false, Some(Scope::Verify), 2);
/// Returns all faces of a photograph.
pub const DETECT: Route = route("faces/detect-all", Needs::Detector, false, Some(Scope::Verify), 1);
/// Guides the person in front of a camera, frame by frame.
pub const FRAMES: Route = route("frames", Needs::Detector, false, Some(Scope::Verify), 1);
/// Begins a capture.
pub const CAPTURES: Route = route("captures", Needs::All, true, Some(Scope::Capture), 0);
/// Takes a frame of a capture.
pub const CAPTURE_FRAMES: Route = route("captures/frames", Needs::All, true, Some(Scope::Capture), 1);
/// Returns the intermediate results of the networks.
pub const INSPECT: Route = route("inspect", Needs::Detector, false, Some(Scope::Inspect), 2);
/// Returns decision records.
pub const RECORDS: Route = route("records", Needs::Nothing, false, Some(Scope::Audit), 0);
/// Returns the metrics.
pub const METRICS: Route = route("metrics", Needs::Nothing, false, Some(Scope::Metrics), 0);
/// Compares two photographs as DeepFace's `verify` does.
pub const DEEPFACE_VERIFY: Route = route("deepface/verify", Needs::Embedding, false, Some(Scope::Verify), 2);
/// Returns embeddings as DeepFace's `represent` does.
pub const DEEPFACE_REPRESENT: Route = route("deepface/represent", Needs::Embedding, false, Some(Scope::Represent), 1);
/// Returns the page's files and the OpenAPI description.
pub const PAGE: Route = route("page", Needs::Nothing, false, None, 0);

/// The routes that `--require` may name and that health reports.
pub const ANSWERING: [Route; 9] = [VERIFY, ENROLL, ENROLL_MULTI, LIVENESS, SEARCH, COMPARE, DETECT, FRAMES, INSPECT];

/// Every route.
pub const EVERY: [Route; 25] = [
    HEALTH,
    MODELS_STATEMENT,
    VERIFY,
    ENROLL,
    ENROLL_MULTI,
    DELETE,
    PERSONS,
    PERSON,
    PERSON_EXPORT,
    PERSON_ERASE,
    ERASURE,
    TENANTS,
    LIVENESS,
    SEARCH,
    COMPARE,
    DETECT,
    FRAMES,
    CAPTURES,
    CAPTURE_FRAMES,
    INSPECT,
    RECORDS,
    METRICS,
    DEEPFACE_VERIFY,
    DEEPFACE_REPRESENT,
    PAGE,
];
