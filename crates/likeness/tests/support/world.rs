//! The four networks, loaded once for a test program, and what they say about each photograph.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use likeness::embed::{FaceEncoder, TrustedEmbedder};
use likeness::engine::KernelSet;
use likeness::find::Finder;
use likeness::net::{Detector, Embedder, SpoofV1Se, SpoofV2};
use likeness::spoof::SpoofPair;

use super::{CENTERFACE, FACENET512, SPOOF_V1SE, SPOOF_V2, testdata, weights};

/// The models of every role, and the test data.
pub struct World {
    pub folder: PathBuf,
    pub finder: Finder,
    pub pair: SpoofPair,
    pub encoder: FaceEncoder,
}

/// The parts, or a counted SKIP.
pub fn world(test: &str) -> Option<&'static World> {
    static WORLD: OnceLock<World> = OnceLock::new();
    let folder = testdata(test)?;
    Some(WORLD.get_or_init(|| load(&folder)))
}

fn load(folder: &Path) -> World {
    let kernels = KernelSet::best();
    let finder = Finder::new(Detector::load(weights(folder, CENTERFACE), kernels).unwrap());
    let embedder = Embedder::load(weights(folder, FACENET512), kernels).unwrap();
    let digest = embedder.tested().digest();
    let trusted = TrustedEmbedder::of(embedder.into(), Some(digest)).unwrap();
    let encoder = FaceEncoder::new(trusted, finder.detector());
    World { folder: folder.to_owned(), finder, pair: pair(folder), encoder }
}

/// Both spoof networks, by value.
pub fn pair(folder: &Path) -> SpoofPair {
    let kernels = KernelSet::best();
    SpoofPair::new(
        SpoofV2::load(weights(folder, SPOOF_V2), kernels).unwrap(),
        SpoofV1Se::load(weights(folder, SPOOF_V1SE), kernels).unwrap(),
    )
}
