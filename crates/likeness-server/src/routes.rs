//! The table of routes: its name, which networks it needs, which scope a key needs, how large a body may be.
//! Admission, health and `--require` all read it here.

use crate::models::{LoadedModels, Role, Unavailable};
pub use crate::store::Scope;

/// Which networks a route can't answer without.
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
    /// The roles.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Nothing => &[],
            Self::Detector => &[Role::Detector],
            Self::Liveness => &[Role::Detector, Role::SpoofNear, Role::SpoofFar],
            Self::Embedding => &[Role::Detector, Role::Embedder],
            Self::All => &Role::ALL,
        }
    }

    /// Whether they are loaded, and the embedder among them is trusted.
    ///
    /// # Errors
    /// Which are not.
    pub fn met(self, models: &LoadedModels) -> Result<(), Unavailable> {
        models.require(self.roles())
    }
}

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its name in settings, metrics and logs.
    pub name: &'static str,
    /// Its networks.
    pub needs: Needs,
    /// Whether it needs the store.
    pub store: bool,
    /// What a key must be allowed; `None` needs no key.
    pub scope: Option<Scope>,
    /// How many photographs may be sent.
    pub images: usize,
}

impl Route {
    /// Whether it compares faces with a threshold.
    pub fn judges(&self) -> bool {
        self.images > 0 && self.needs.roles().contains(&Role::Embedder) && *self != DEEPFACE_REPRESENT
            || *self == INSPECT
    }

    /// Whether such an answer is given too often for a line of the log each time.
    pub fn is_quiet(name: &str, status: u16) -> bool {
        name == HEALTH.name || status < 400 && [METRICS, PAGE].iter().any(|route| route.name == name)
    }

    /// The longest body, with photographs of this many bytes, each perhaps in base64.
    pub fn body(&self, file: usize) -> usize {
        self.images * file / 3 * 4 + MARGIN
    }
}

/// What a body has beside its photographs.
const MARGIN: usize = 64 << 10;

const fn route(name: &'static str, needs: Needs, store: bool, scope: Option<Scope>, images: usize) -> Route {
    Route { name, needs, store, scope, images }
}

/// Health, live, ready, detailed: never limited, never queued.
pub const HEALTH: Route = route("health", Needs::Nothing, false, None, 0);
/// Is it this person?
pub const VERIFY: Route = route("verify", Needs::All, true, Some(Scope::Verify), 1);
/// Enrol a person.
pub const ENROLL: Route = route("enroll", Needs::All, true, Some(Scope::Enroll), 1);
/// Enrol a person by several photographs.
pub const ENROLL_MULTI: Route = route("enroll/multi", Needs::All, true, Some(Scope::Enroll), 5);
/// Delete a person.
pub const DELETE: Route = route("delete", Needs::Nothing, true, Some(Scope::Delete), 0);
/// Who is enrolled, page by page.
pub const PERSONS: Route = route("persons", Needs::Nothing, true, Some(Scope::Persons), 0);
/// One person.
pub const PERSON: Route = route("persons/one", Needs::Nothing, true, Some(Scope::Persons), 0);
/// Everything that is stored about a person.
pub const PERSON_EXPORT: Route = route("persons/export", Needs::Nothing, true, Some(Scope::Export), 0);
/// Erase a person, for a receipt.
pub const PERSON_ERASE: Route = route("persons/erase", Needs::Nothing, true, Some(Scope::Delete), 0);
/// How an erasure stands.
pub const ERASURE: Route = route("erasures", Needs::Nothing, true, Some(Scope::Delete), 0);
/// Tenants, counted.
pub const TENANTS: Route = route("tenants", Needs::Nothing, true, Some(Scope::Persons), 0);
/// Live or spoof?
pub const LIVENESS: Route = route("liveness", Needs::Liveness, false, Some(Scope::Verify), 1);
/// Who is it?
pub const SEARCH: Route = route("search", Needs::All, true, Some(Scope::Verify), 1);
/// Are two photographs of one person?
pub const COMPARE: Route = route("compare", Needs::Embedding, false, Some(Scope::Verify), 2);
/// All faces of a photograph.
pub const DETECT: Route = route("faces/detect-all", Needs::Detector, false, Some(Scope::Verify), 1);
/// What the networks saw.
pub const INSPECT: Route = route("inspect", Needs::Detector, false, Some(Scope::Inspect), 2);
/// Whole decision records.
pub const RECORDS: Route = route("records", Needs::Nothing, false, Some(Scope::Audit), 0);
/// Metrics.
pub const METRICS: Route = route("metrics", Needs::Nothing, false, Some(Scope::Metrics), 0);
/// DeepFace's verify.
pub const DEEPFACE_VERIFY: Route = route("deepface/verify", Needs::Embedding, false, Some(Scope::Verify), 2);
/// DeepFace's represent.
pub const DEEPFACE_REPRESENT: Route = route("deepface/represent", Needs::Embedding, false, Some(Scope::Represent), 1);
/// The page, and the interface's description.
pub const PAGE: Route = route("page", Needs::Nothing, false, None, 0);

/// The routes that `--require` may name and that health reports.
pub const ANSWERING: [Route; 8] = [VERIFY, ENROLL, ENROLL_MULTI, LIVENESS, SEARCH, COMPARE, DETECT, INSPECT];

/// Every route.
pub const EVERY: [Route; 21] = [
    HEALTH,
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
    INSPECT,
    RECORDS,
    METRICS,
    DEEPFACE_VERIFY,
    DEEPFACE_REPRESENT,
    PAGE,
];
