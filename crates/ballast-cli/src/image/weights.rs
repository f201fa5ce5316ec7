//! Turns a lock file and folders of weights into layers: the layers that `packs` plans, and a small one for the lock
//! file, the index and the list of packs, laid out as `bake` does it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::boot::plan::Ids;
use ballast::digest::Digest;
use ballast::index::{CHUNK, Index, Leaf, Tree};
use ballast::lock::{Need, Weight};
use sha2::{Digest as _, Sha256};

use super::blob::{BALLAST, Measured};
use super::layer::Layer;
use super::layer::{Content, ROOT, open};
use super::packs::{self, Packed, Packs};
use crate::exit::{Exit, Failure};
use crate::setting::{INDEX, Setting};
use crate::{bounds, foreign, print};

/// The path of the lock file in an image of weights, beside the index.
pub const LOCK: &str = ".ballast/weights.lock";

/// The paths of the weights and the lock file in the image, and the owner of the weights.
pub struct Layout<'a> {
    /// The root of the weights: a path that ends with `/`, or nothing.
    pub root: &'a str,
    /// The owner of the weights; directories, index and lock file are root's.
    pub owner: Ids,
    /// Where the lock file goes.
    pub lock: &'a str,
}

/// A weight that is available.
struct AtHand<'a> {
    path: &'a str,
    file: PathBuf,
    measured: Measured,
}

/// The layers of every available weight, after the layer of lock file, index and list of packs.
///
/// # Errors
/// [`Exit::WeightsMissing`] when a required weight is in none of the folders.
pub fn layers(setting: &Setting, from: &[PathBuf], layout: &Layout) -> Result<Vec<Layer>, Failure> {
    let (mut index, mut weights) = (Index::default(), Vec::new());
    for weight in &setting.lock.weights {
        let Some((file, measured, tree)) = at_hand(weight, from) else {
            missing(weight)?;
            continue;
        };
        index.add(weight.sha256, tree);
        weights.push(AtHand { path: weight.path.as_str(), file, measured });
    }
    let sizes: Vec<_> = weights.iter().map(|weight| (weight.path, weight.measured.size)).collect();
    let (mut list, mut layers) = (Packs::default(), Vec::new());
    for (title, each) in packs::layers(&sizes) {
        let each: Vec<&AtHand> = each.into_iter().map(|at| &weights[at]).collect();
        let layer = layer(&title, &each, layout).map_err(usage)?;
        if each.iter().all(|weight| weight.path != title) {
            list_pack(&layer, layout, &mut list).map_err(|error| usage(error.to_string()))?;
        }
        layers.push(layer);
    }
    layers.insert(0, small(setting, layout, &index, &list)?);
    Ok(layers)
}

fn layer(title: &str, weights: &[&AtHand], layout: &Layout) -> Result<Layer, String> {
    let mut layer = Layer::new(title);
    for AtHand { path, file, measured } in weights {
        let content = Content::File(file.clone(), *measured);
        layer.add(&format!("{}{path}", layout.root), 0o444, layout.owner, content)?;
    }
    Ok(layer)
}

fn list_pack(layer: &Layer, layout: &Layout, list: &mut Packs) -> io::Result<()> {
    for (path, at, size) in layer.offsets()? {
        let path = path.strip_prefix(layout.root).unwrap_or(path);
        list.add(path, Packed { layer: layer.title.clone(), at, size });
    }
    Ok(())
}

/// The layer of lock file and index, with the list of packs if there is one.
fn small(setting: &Setting, layout: &Layout, index: &Index, list: &Packs) -> Result<Layer, Failure> {
    let lock = foreign::read(&setting.lock_path, bounds::LOCK)
        .map_err(|error| Failure::new(Exit::BadLock, format!("{}: {error}", setting.lock_path.display())))?;
    let mut small = Layer::new(BALLAST);
    let mut add = |path: &str, bytes| small.add(path, 0o444, ROOT, Content::Bytes(bytes)).map_err(usage);
    add(&format!("{}{INDEX}", layout.root), index.to_bytes())?;
    if !list.is_empty() {
        add(&format!("{}{}", layout.root, packs::LIST), list.to_text().into_bytes())?;
    }
    let beside = layout.lock.rsplit_once('/').map_or("", |(dir, _)| dir);
    for list in setting.lock.groups.iter().filter_map(|group| group.list.as_ref()) {
        let path = setting.lock_path.with_file_name(list.as_str());
        let bytes = foreign::read(&path, bounds::LIST)
            .map_err(|error| Failure::new(Exit::BadLock, format!("{}: {error}", path.display())))?;
        add(&format!("{beside}/{}", list.as_str()), bytes)?;
    }
    add(layout.lock, lock)?;
    Ok(small)
}

fn usage(why: String) -> Failure {
    Failure::new(Exit::Usage, why)
}

fn missing(weight: &Weight) -> Result<(), Failure> {
    if weight.need != Need::Required {
        print::remark(&format!("{}: left out, no folder has it", weight.path));
        return Ok(());
    }
    Err(Failure::new(Exit::WeightsMissing, format!("{}: no folder has it", weight.path)).hint(format!(
        "bring a file with this sha256 (`ballast fetch`) and name its folder with --from\n  {}",
        weight.sha256
    )))
}

/// The first file with the pin's bytes: by lock path, bare name, or digest.
fn at_hand(weight: &Weight, from: &[PathBuf]) -> Option<(PathBuf, Measured, Tree)> {
    let digest = weight.sha256.to_string();
    let forms = [weight.path.as_str(), weight.path.file_name(), &digest];
    let paths = from.iter().flat_map(|dir| forms.map(|form| dir.join(form)));
    paths.into_iter().find_map(|path| {
        let (measured, tree) = measure(&path, weight.size).ok()?;
        (measured.digest == weight.sha256).then_some((path, measured, tree))
    })
}

/// SHA-256, length and tree of a file, in one reading; of a file of another length than expected, nothing.
fn measure(path: &Path, expected: Option<u64>) -> io::Result<(Measured, Tree)> {
    let mut file = open(path)?;
    if expected.is_some_and(|expected| file.metadata().is_ok_and(|facts| facts.len() != expected)) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let (mut hasher, mut leaves, mut size) = (Sha256::new(), Vec::new(), 0);
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        let got = (&mut file).take(CHUNK).read_to_end(&mut chunk)? as u64;
        if got == 0 {
            break;
        }
        hasher.update(&chunk);
        let mut leaf = Leaf::start(size / CHUNK);
        leaf.update(&chunk);
        leaves.push(leaf.finish());
        size += got;
    }
    let tree = Tree::new(size, leaves).map_err(io::Error::other)?;
    Ok((Measured { digest: Digest::from_bytes(hasher.finalize().into()), size }, tree))
}
