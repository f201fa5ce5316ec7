//! The networks by role: which file each comes from, and what is lost without it.

use std::path::PathBuf;

use likeness::engine::KernelSet;
use likeness::find::Finder;
use likeness::net::{Detector, Digest, Embedder, Refusal, SpoofV1Se, SpoofV2, WeightFile};
use likeness::pipeline::Identity;
use likeness::selftest::SelfTest;
use likeness::spoof::SpoofPair;
use serde::Serialize;

use crate::args;
use crate::exit::{Exit, Failure};
use crate::weights::Custody;

/// What a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Finds faces.
    Detector,
    /// Tells live from spoof at scale 2.7.
    SpoofNear,
    /// Tells live from spoof at scale 4.0.
    SpoofFar,
    /// Embeds faces.
    Embedder,
}

/// All roles, in the order that they are loaded.
pub const ROLES: [Role; 4] = [Role::Detector, Role::SpoofNear, Role::SpoofFar, Role::Embedder];

impl Role {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::SpoofNear => "spoof 2.7",
            Self::SpoofFar => "spoof 4.0",
            Self::Embedder => "embedder",
        }
    }

    /// Its name in answers of the service. Nothing that tells of a missing network names a verdict.
    pub fn key(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::SpoofNear => "liveness_2_7",
            Self::SpoofFar => "liveness_4_0",
            Self::Embedder => "embedder",
        }
    }

    /// How its file's name begins.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Detector => "centerface",
            Self::SpoofNear => "2.7_80x80_MiniFASNetV2",
            Self::SpoofFar => "4_0_0_80x80_MiniFASNetV1SE",
            Self::Embedder => "facenet512",
        }
    }

    /// Its place in [`ROLES`].
    pub fn at(self) -> usize {
        self as usize
    }

    /// The commands that can't answer without it.
    fn lost(self) -> &'static str {
        match self {
            Self::Detector => "`detect`, `live`, `embed` and `compare`",
            Self::SpoofNear | Self::SpoofFar => "`live` and `compare`",
            Self::Embedder => "`embed` and `compare`",
        }
    }
}

/// A network that is held, for reports.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    /// Its role.
    pub role: &'static str,
    /// Where its bytes came from.
    pub origin: PathBuf,
    /// Their SHA-256.
    pub sha256: String,
    /// What the self-test found.
    pub self_test: String,
}

/// Loads networks, one file at a time, and remembers what it loaded.
pub struct Loader {
    custody: Custody,
    kernels: KernelSet,
    /// What is held so far.
    pub held: Vec<Held>,
}

impl Loader {
    /// Reads the lock file and chooses the kernels.
    ///
    /// # Errors
    /// [`Exit::BadLock`], or [`Exit::Usage`] for kernels that this machine has not.
    pub fn new(args: &args::Weights) -> Result<Self, Failure> {
        Ok(Self { custody: Custody::read(args)?, kernels: kernels(args.kernel.as_deref())?, held: Vec::new() })
    }

    /// The kernels in use.
    pub fn kernels(&self) -> KernelSet {
        self.kernels
    }

    /// The detector.
    ///
    /// # Errors
    /// [`Exit::WeightsMissing`] says which file, what is lost without it, and how to bring it.
    pub fn detector(&mut self) -> Result<Detector, Failure> {
        self.load(Role::Detector, Detector::load, Detector::tested)
    }

    /// The spoof network at scale 2.7.
    ///
    /// # Errors
    /// As [`Loader::detector`].
    pub fn near(&mut self) -> Result<SpoofV2, Failure> {
        self.load(Role::SpoofNear, SpoofV2::load, SpoofV2::tested)
    }

    /// The spoof network at scale 4.0.
    ///
    /// # Errors
    /// As [`Loader::detector`].
    pub fn far(&mut self) -> Result<SpoofV1Se, Failure> {
        self.load(Role::SpoofFar, SpoofV1Se::load, SpoofV1Se::tested)
    }

    /// The embedder.
    ///
    /// # Errors
    /// As [`Loader::detector`].
    pub fn embedder(&mut self) -> Result<Embedder, Failure> {
        self.load(Role::Embedder, Embedder::load, Embedder::tested)
    }

    /// The detector, ready to find faces.
    ///
    /// # Errors
    /// As [`Loader::detector`].
    pub fn finder(&mut self) -> Result<Finder, Failure> {
        Ok(Finder::new(self.detector()?))
    }

    /// Both spoof networks.
    ///
    /// # Errors
    /// As [`Loader::detector`].
    pub fn pair(&mut self) -> Result<SpoofPair, Failure> {
        let near = self.near()?;
        Ok(SpoofPair::new(near, self.far()?))
    }

    /// The embedder, for faces of this finder.
    ///
    /// # Errors
    /// As [`Loader::detector`].
    pub fn identity(&mut self, finder: &Finder) -> Result<Identity, Failure> {
        Ok(Identity::new(self.embedder()?, finder))
    }

    /// Loads one role only to tell of it.
    ///
    /// # Errors
    /// As [`Loader::detector`].
    pub fn probe(&mut self, role: Role) -> Result<(), Failure> {
        match role {
            Role::Detector => self.detector().map(drop),
            Role::SpoofNear => self.near().map(drop),
            Role::SpoofFar => self.far().map(drop),
            Role::Embedder => self.embedder().map(drop),
        }
    }

    fn load<N>(
        &mut self,
        role: Role,
        load: impl FnOnce(WeightFile, KernelSet) -> Result<N, Refusal>,
        tested: impl FnOnce(&N) -> &SelfTest,
    ) -> Result<N, Failure> {
        let weight = self.custody.weight(role.prefix())?;
        let missing = |why: String| missing(role, weight.path.as_str(), &why);
        let held = self.custody.take(weight).map_err(missing)?;
        let (origin, digest) = (held.origin, Digest(*held.verified.digest().as_bytes()));
        let file = WeightFile::verified(held.verified.into_bytes(), digest);
        let network = load(file, self.kernels).map_err(|why| missing(format!("{}: {why}", origin.display())))?;
        let self_test = tested(&network).to_string();
        self.held.push(Held { role: role.name(), origin, sha256: digest.to_string(), self_test });
        Ok(network)
    }
}

fn missing(role: Role, path: &str, why: &str) -> Failure {
    let what = format!("no {}: {path} is not held\n{why}\nwithout it {} can't answer", role.name(), role.lost());
    Failure::new(Exit::WeightsMissing, what)
        .hint("`ballast heal` or `ballast fetch` brings it; --weights DIR names a folder that has it")
}

/// The kernels of this name, or the fastest here.
///
/// # Errors
/// [`Exit::Usage`]
pub fn kernels(named: Option<&str>) -> Result<KernelSet, Failure> {
    let Some(name) = named.filter(|name| !name.is_empty()) else { return Ok(KernelSet::best()) };
    KernelSet::named(name).ok_or_else(|| {
        let have: Vec<_> = KernelSet::available().into_iter().map(KernelSet::name).collect();
        Failure::new(Exit::Usage, format!("kernels: expected one of {}, found {name:?}", have.join(", ")))
            .hint("--kernel NAME, or LIKENESS_KERNEL")
    })
}
