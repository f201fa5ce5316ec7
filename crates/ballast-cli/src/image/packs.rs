//! Decides which weights share a layer of an image, and the place of each weight in its layer. Pure.
//!
//! Up to [`LAYERS`] weights each have a layer of their own. Above that number, an image still has at most that many
//! layers of weights: large files have their own layers while there are enough, the others share packs. The pack of a
//! file follows from the SHA-256 of its path, so a changed file changes one layer.
//!
//! The layer of lock file and index lists what the packs contain, one line for each weight: `TITLE AT SIZE PATH`,
//! separated by tabs. `AT` is the offset of the first byte in the layer. The list only gives positions: the weight's
//! pin decides whether the bytes are right.

use std::collections::{BTreeMap, BTreeSet};

use ballast::bounds::LISTED;
use sha2::{Digest as _, Sha256};

/// Layers of weights in one image, at most.
pub const LAYERS: usize = 32;
/// A file of this many bytes gets its own layer, as long as layers are left.
pub const LARGE: u64 = 64 << 20;
/// The list's name beside the index.
pub const LIST: &str = ".ballast/packs";

/// The layers of an image: each with a title, and the numbers of the weights in it.
///
/// The weights are given by path and size.
pub fn layers(weights: &[(&str, u64)]) -> Vec<(String, Vec<usize>)> {
    let alone = |at: usize| (weights[at].0.to_owned(), vec![at]);
    if weights.len() <= LAYERS {
        return (0..weights.len()).map(alone).collect();
    }
    let mut large: Vec<usize> = (0..weights.len()).filter(|at| weights[*at].1 >= LARGE).collect();
    large.sort_by_key(|at| (std::cmp::Reverse(weights[*at].1), weights[*at].0));
    // Leaves at least one layer for packs.
    large.truncate(LAYERS - 1);
    // The number is a power of two: with half as many packs, each two packs become one and no other file moves.
    let packs = 1 << (LAYERS - large.len()).ilog2();
    let taken: BTreeSet<usize> = large.iter().copied().collect();
    let mut packed = BTreeMap::<usize, Vec<usize>>::new();
    for at in (0..weights.len()).filter(|at| !taken.contains(at)) {
        packed.entry(pack_of(weights[at].0, packs)).or_default().push(at);
    }
    let titled = packed.into_iter().map(|(pack, each)| (format!(".ballast/pack-{pack:02}"), each));
    large.into_iter().map(alone).chain(titled).collect()
}

/// The pack of a path: the first bits of its SHA-256.
fn pack_of(path: &str, packs: usize) -> usize {
    usize::from(Sha256::digest(path.as_bytes())[0]) * packs / 256
}

/// The place of a weight in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The title of the layer.
    pub layer: String,
    /// The offset of its first byte in the layer.
    pub at: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// The weights in packs, by their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Packs(BTreeMap<String, Packed>);

impl Packs {
    /// Adds a weight.
    pub fn add(&mut self, path: &str, packed: Packed) {
        self.0.insert(path.to_owned(), packed);
    }

    /// Returns the place of a weight, if it is in a pack.
    pub fn get(&self, path: &str) -> Option<&Packed> {
        self.0.get(path)
    }

    /// Returns whether no weight is in a pack.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the list as text, in the order of the paths.
    pub fn to_text(&self) -> String {
        let line = |(path, Packed { layer, at, size }): (&String, &Packed)| format!("{layer}\t{at}\t{size}\t{path}\n");
        self.0.iter().map(line).collect()
    }

    /// Reads a list.
    ///
    /// # Errors
    /// In words: a line that is not `TITLE AT SIZE PATH`, a path that occurs twice, or more lines than a lock file has
    /// weights.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut packs = Self::default();
        for (number, line) in text.lines().enumerate() {
            let wrong = || format!("{LIST}, line {}: expected TITLE AT SIZE PATH, separated by tabs", number + 1);
            if number == LISTED {
                return Err(format!("{LIST}: expected at most {LISTED} lines"));
            }
            let fields: Vec<&str> = line.splitn(4, '\t').collect();
            let [layer, at, size, path] = fields[..] else { return Err(wrong()) };
            let (Ok(at), Ok(size)) = (at.parse(), size.parse()) else { return Err(wrong()) };
            if packs.0.insert(path.to_owned(), Packed { layer: layer.to_owned(), at, size }).is_some() {
                return Err(format!("{LIST}, line {}: {path:?} is there twice", number + 1));
            }
        }
        Ok(packs)
    }
}

#[cfg(test)]
#[path = "packs_tests.rs"]
mod tests;
