//! The networks that a running service holds: loaded and self-tested in the background, looked for
//! again where they are missing, kept where their files change.
//!
//! Promises: what is handed out has passed its self-test on bytes that matched their pin; a file
//! that changes later never changes what answers. One thread, which only reads weight files.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use likeness::detect;
use likeness::engine::KernelSet;
use likeness::find::{Finder, Mode};
use likeness::net::{Detector, Digest, Embedder, Refusal, SpoofV1Se, SpoofV2, WeightFile};
use likeness::pipeline::Identity;
use likeness::selftest::SelfTest;
use likeness::spoof::SpoofPair;

use crate::models::{ROLES, Role};
use crate::weights::{Custody, Signature};

/// How often files are looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// What the file of a held network looks like now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDisk {
    /// As it was read, or right again.
    Right,
    /// Other bytes: verified memory goes on answering.
    Changed,
    /// Gone: verified memory goes on answering.
    Missing,
}

/// What is known of one role.
#[derive(Debug, Clone)]
pub enum State {
    /// Not looked for yet.
    Loading,
    /// Not there, or not right: why.
    Missing(String),
    /// Held in memory.
    Held {
        /// The file that it was read from.
        origin: PathBuf,
        /// The SHA-256 of its bytes.
        digest: Digest,
        /// What the self-test found.
        tested: SelfTest,
        /// What the file looks like now.
        on_disk: OnDisk,
        /// Reading, verifying, loading and testing.
        load_ms: f64,
    },
}

/// One role, for reports.
#[derive(Debug, Clone)]
pub struct RoleState {
    /// Which.
    pub role: Role,
    /// The file's name in the lock file.
    pub file: String,
    /// The SHA-256 that the lock file pins.
    pub pin: String,
    /// What is known.
    pub state: State,
}

/// A snapshot of what is held. Requests keep the one that they began with.
#[derive(Clone)]
pub struct Networks {
    /// The detector.
    pub finder: Option<Arc<Finder>>,
    /// Both spoof networks.
    pub pair: Option<Arc<SpoofPair>>,
    /// The embedder, which needs no detector where the whole photograph is the face.
    pub embedder: Option<Arc<Embedder>>,
    /// The embedder, for faces of this finder.
    pub identity: Option<Arc<Identity>>,
    /// All four roles.
    pub roles: [RoleState; 4],
}

/// What every verdict needs. Only [`Networks::all`] makes one.
pub struct All {
    /// The detector.
    pub finder: Arc<Finder>,
    /// Both spoof networks.
    pub pair: Arc<SpoofPair>,
    /// The embedder.
    pub identity: Arc<Identity>,
}

/// The roles that a request needs and that are not held.
#[derive(Debug, Clone)]
pub struct Unavailable(pub Vec<RoleState>);

impl Networks {
    /// The detector.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn detector(&self) -> Result<Arc<Finder>, Unavailable> {
        self.finder.clone().ok_or_else(|| self.unavailable(&[Role::Detector]))
    }

    /// What tells live from spoof.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn liveness(&self) -> Result<(Arc<Finder>, Arc<SpoofPair>), Unavailable> {
        let needed = [Role::Detector, Role::SpoofNear, Role::SpoofFar];
        self.finder.clone().zip(self.pair.clone()).ok_or_else(|| self.unavailable(&needed))
    }

    /// What embeds.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn embedding(&self) -> Result<(Arc<Finder>, Arc<Identity>), Unavailable> {
        let needed = [Role::Detector, Role::Embedder];
        self.finder.clone().zip(self.identity.clone()).ok_or_else(|| self.unavailable(&needed))
    }

    /// What embeds a whole photograph.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn embedder(&self) -> Result<Arc<Embedder>, Unavailable> {
        self.embedder.clone().ok_or_else(|| self.unavailable(&[Role::Embedder]))
    }

    /// Both spoof networks, for a face that is known.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn pair(&self) -> Result<Arc<SpoofPair>, Unavailable> {
        self.pair.clone().ok_or_else(|| self.unavailable(&[Role::SpoofNear, Role::SpoofFar]))
    }

    /// All four.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn all(&self) -> Result<All, Unavailable> {
        match (self.finder.clone(), self.pair.clone(), self.identity.clone()) {
            (Some(finder), Some(pair), Some(identity)) => Ok(All { finder, pair, identity }),
            _ => Err(self.unavailable(&ROLES)),
        }
    }

    /// Those of these roles that are not held.
    fn unavailable(&self, needed: &[Role]) -> Unavailable {
        let missing = |state: &&RoleState| needed.contains(&state.role) && !state.held();
        Unavailable(self.roles.iter().filter(missing).cloned().collect())
    }
}

impl RoleState {
    /// Whether it is held.
    pub fn held(&self) -> bool {
        matches!(self.state, State::Held { .. })
    }
}

/// How networks are made ready.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// The kernels.
    pub kernels: KernelSet,
    /// The only way in which faces are looked for.
    pub mode: Mode,
    /// A face's score must be above this.
    pub threshold: f32,
}

impl Default for How {
    fn default() -> Self {
        Self { kernels: KernelSet::best(), mode: Mode::Auto, threshold: detect::THRESHOLD }
    }
}

/// Hands out what is held.
#[derive(Clone)]
pub struct Held(Arc<RwLock<Arc<Networks>>>);

impl Held {
    /// Begins to look for all four, in a thread of its own that lives as long as somebody asks.
    ///
    /// # Errors
    /// The lock file pins one of them not.
    pub fn begin(custody: Custody, how: How) -> Result<Self, crate::exit::Failure> {
        let mut roles = Vec::new();
        for role in ROLES {
            let weight = custody.weight(role.prefix())?;
            let (file, pin) = (weight.path.file_name().to_owned(), weight.sha256.to_string());
            roles.push(RoleState { role, file, pin, state: State::Loading });
        }
        let Ok(roles) = roles.try_into() else { unreachable!("one state for each role") };
        let networks = Networks { finder: None, pair: None, embedder: None, identity: None, roles };
        let held = Self(Arc::new(RwLock::new(Arc::new(networks))));
        let keeper = Keeper { custody, how, held: held.clone(), waiting: Waiting::default(), seen: Default::default() };
        std::thread::Builder::new()
            .name("weights".into())
            .spawn(move || keeper.run())
            .map_err(|error| crate::exit::Failure::new(crate::exit::Exit::FileFailed, format!("a thread: {error}")))?;
        Ok(held)
    }

    /// What is held now.
    pub fn now(&self) -> Arc<Networks> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set(&self, change: impl FnOnce(&mut Networks)) {
        let mut guard = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(Arc::make_mut(&mut guard));
    }
}

/// Networks that wait for another one to be of use.
#[derive(Default)]
struct Waiting {
    near: Option<SpoofV2>,
    far: Option<SpoofV1Se>,
}

/// A network that was just loaded.
enum Loaded {
    Detector(Detector),
    Near(SpoofV2),
    Far(SpoofV1Se),
    Embedder(Embedder),
}

type Seen = Vec<(PathBuf, Option<Signature>)>;

/// The thread that looks after files.
struct Keeper {
    custody: Custody,
    how: How,
    held: Held,
    waiting: Waiting,
    seen: [Seen; 4],
}

impl Keeper {
    fn run(mut self) {
        loop {
            self.look();
            // The last one who could ask is gone.
            if Arc::strong_count(&self.held.0) == 1 {
                return;
            }
            std::thread::sleep(PERIOD);
        }
    }

    /// Looks at every file whose signature is another than before.
    fn look(&mut self) {
        let now = ROLES.map(|role| self.signatures(role));
        let changed: Vec<Role> = ROLES.into_iter().filter(|role| now[role.at()] != self.seen[role.at()]).collect();
        self.seen = now;
        let networks = self.held.now();
        let (held, missing): (Vec<Role>, Vec<Role>) =
            changed.into_iter().partition(|role| networks.roles[role.at()].held());
        held.into_iter().for_each(|role| self.look_again(role, &networks));
        self.load(&missing);
    }

    fn signatures(&self, role: Role) -> Seen {
        self.custody.weight(role.prefix()).map(|weight| self.custody.signatures(weight)).unwrap_or_default()
    }

    /// Loads several at once, each in a thread; each serves as soon as it is ready.
    fn load(&mut self, roles: &[Role]) {
        let (done, ready) = std::sync::mpsc::channel();
        let (custody, how) = (&self.custody, self.how);
        let (held, waiting) = (&self.held, &mut self.waiting);
        std::thread::scope(|scope| {
            for role in roles.iter().copied() {
                let done = done.clone();
                scope.spawn(move || drop(done.send((role, load(custody, how.kernels, role)))));
            }
            drop(done);
            for (role, result) in ready {
                held.set(|networks| place(networks, waiting, how, role, result));
            }
        });
    }

    /// The file of a held network changed: is it still right?
    fn look_again(&self, role: Role, networks: &Networks) {
        let State::Held { origin, .. } = &networks.roles[role.at()].state else { return };
        let right = self.custody.weight(role.prefix()).is_ok_and(|weight| self.custody.again(weight, origin).is_ok());
        let now = match (right, origin.exists()) {
            (true, _) => OnDisk::Right,
            (false, true) => OnDisk::Changed,
            (false, false) => OnDisk::Missing,
        };
        tracing::warn!(role = role.name(), on_disk = ?now, "a weight file changed; verified memory goes on answering");
        self.held.set(|networks| {
            if let State::Held { on_disk, .. } = &mut networks.roles[role.at()].state {
                *on_disk = now;
            }
        });
    }
}

/// Puts a network, or the reason why there is none, where requests find it.
fn place(
    networks: &mut Networks,
    waiting: &mut Waiting,
    how: How,
    role: Role,
    result: Result<(Loaded, State), String>,
) {
    let (loaded, state) = match result {
        Ok((loaded, state)) => (Some(loaded), state),
        Err(why) => (None, State::Missing(why)),
    };
    tell(role, &state);
    networks.roles[role.at()].state = state;
    match loaded {
        Some(Loaded::Detector(detector)) => {
            networks.finder = Some(Arc::new(Finder::with_threshold(detector, how.threshold)));
        }
        Some(Loaded::Near(near)) => waiting.near = Some(near),
        Some(Loaded::Far(far)) => waiting.far = Some(far),
        Some(Loaded::Embedder(embedder)) => networks.embedder = Some(Arc::new(embedder)),
        None => {}
    }
    match (waiting.near.take(), waiting.far.take()) {
        (Some(near), Some(far)) => networks.pair = Some(Arc::new(SpoofPair::new(near, far))),
        // One alone waits for the other.
        (near, far) => (waiting.near, waiting.far) = (near, far),
    }
    if let (Some(finder), Some(embedder), None) = (&networks.finder, &networks.embedder, &networks.identity) {
        networks.identity = Some(Arc::new(Identity::new(embedder.clone(), finder).within(how.mode)));
    }
}

fn tell(role: Role, state: &State) {
    match state {
        State::Loading => {}
        State::Missing(why) => tracing::error!(role = role.name(), why, "a network is not held"),
        State::Held { digest, tested, load_ms, .. } => {
            tracing::info!(role = role.name(), %digest, %tested, load_ms, "a network is held");
        }
    }
}

fn load(custody: &Custody, kernels: KernelSet, role: Role) -> Result<(Loaded, State), String> {
    let start = Instant::now();
    let weight = custody.weight(role.prefix()).map_err(|failure| failure.what)?;
    let held = custody.take(weight)?;
    let digest = Digest(*held.verified.digest().as_bytes());
    let file = WeightFile::verified(held.verified.into_bytes(), digest);
    let refused = |why: Refusal| format!("{}: {why}", held.origin.display());
    let (loaded, tested) = match role {
        Role::Detector => {
            let network = Detector::load(file, kernels).map_err(refused)?;
            let tested = *network.tested();
            (Loaded::Detector(network), tested)
        }
        Role::SpoofNear => {
            let network = SpoofV2::load(file, kernels).map_err(refused)?;
            let tested = *network.tested();
            (Loaded::Near(network), tested)
        }
        Role::SpoofFar => {
            let network = SpoofV1Se::load(file, kernels).map_err(refused)?;
            let tested = *network.tested();
            (Loaded::Far(network), tested)
        }
        Role::Embedder => {
            let network = Embedder::load(file, kernels).map_err(refused)?;
            let tested = *network.tested();
            (Loaded::Embedder(network), tested)
        }
    };
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    Ok((loaded, State::Held { origin: held.origin, digest, tested, on_disk: OnDisk::Right, load_ms }))
}
