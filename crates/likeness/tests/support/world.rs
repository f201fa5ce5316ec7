//! Loads the four networks once for a test program, with their photographs: the generated ones, which always
//! exist, or the published ones beside the clone.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use likeness::embed::{FaceEncoder, TrustedEmbedder};
use likeness::engine::KernelSet;
use likeness::find::Finder;
use likeness::net::{Detector, Embedder, SpoofV1Se, SpoofV2, WeightFile};
use likeness::spoof::SpoofPair;
use testkit::data::{EMBEDDER, own_data, photographs};

use super::{CENTERFACE, FACENET512, SPOOF_V1SE, SPOOF_V2, deepface, testdata, weights};

/// The models of every role, and the test data.
pub struct World {
    pub folder: PathBuf,
    /// The names of the photographs.
    pub photographs: Vec<String>,
    pub finder: Finder,
    pub pair: SpoofPair,
    pub encoder: FaceEncoder,
}

/// Returns the published networks; `None` and a recorded skip if they are missing.
pub fn world(test: &str) -> Option<&'static World> {
    static WORLD: OnceLock<World> = OnceLock::new();
    let folder = testdata(test)?;
    let photographs = || deepface::answers(&folder).images.into_keys().collect();
    Some(WORLD.get_or_init(|| load(&folder, FACENET512, photographs())))
}

/// The generated networks.
pub fn own() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    let photographs = || photographs::all().into_iter().map(|(name, _)| name).collect();
    WORLD.get_or_init(|| load(own_data().root(), EMBEDDER, photographs()))
}

/// Loads the networks of a folder, in the forms that DeepFace 0.0.103 opens.
pub fn exported(folder: &Path, embedder: &str) -> World {
    let kernels = KernelSet::best();
    let [v2, v1se, embedder] = super::exported::weights(&folder.join("weights"), embedder).map(|(_, file)| file);
    let v2 = SpoofV2::load(WeightFile::new(v2), kernels).unwrap();
    let v1se = SpoofV1Se::load(WeightFile::new(v1se), kernels).unwrap();
    of(folder, WeightFile::new(embedder), SpoofPair::new(v2, v1se), Vec::new())
}

fn load(folder: &Path, embedder: &str, photographs: Vec<String>) -> World {
    of(folder, weights(folder, embedder), pair(folder), photographs)
}

fn of(folder: &Path, embedder: WeightFile, pair: SpoofPair, photographs: Vec<String>) -> World {
    let kernels = KernelSet::best();
    let finder = Finder::new(Detector::load(weights(folder, CENTERFACE), kernels).unwrap());
    let embedder = Embedder::load(embedder, kernels).unwrap();
    let digest = embedder.tested().digest();
    let trusted = TrustedEmbedder::of(embedder.into(), Some(digest)).unwrap();
    let encoder = FaceEncoder::new(trusted, finder.detector());
    World { folder: folder.to_owned(), photographs, finder, pair, encoder }
}

/// Both spoof networks, by value.
pub fn pair(folder: &Path) -> SpoofPair {
    let kernels = KernelSet::best();
    SpoofPair::new(
        SpoofV2::load(weights(folder, SPOOF_V2), kernels).unwrap(),
        SpoofV1Se::load(weights(folder, SPOOF_V1SE), kernels).unwrap(),
    )
}
