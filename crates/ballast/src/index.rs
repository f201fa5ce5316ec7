//! The index: a BLAKE3 chunk tree for each weight, so that a boot can check every byte at
//! memory speed and name the chunk that is bad.
//!
//! SHA-256 stays the pin. An entry is made only from bytes that matched their pin, and is found by
//! that pin. The format is binary and bounded, and ends with a checksum: a damaged index is refused
//! whole. `docs/store.md` describes the layout. Touches nothing.

use std::fmt;

use blake3::Hasher;
use blake3::hazmat::HasherExt;

use crate::digest::Digest;
use crate::error::ErrorKind;

/// Bytes below one leaf of the tree. A power of two of BLAKE3's own 1 KiB chunks.
pub const CHUNK: u64 = 1 << 20;
const MAGIC: &[u8; 16] = b"ballast-index-1\n";

/// The leaves of one weight's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    leaves: Vec<[u8; 32]>,
}

impl Tree {
    /// Takes leaves in file order.
    ///
    /// # Errors
    /// [`BadIndex::Leaves`] when their number does not follow from the size.
    pub fn new(size: u64, leaves: Vec<[u8; 32]>) -> Result<Self, BadIndex> {
        if leaves.len() as u64 == chunks(size) { Ok(Self { size, leaves }) } else { Err(BadIndex::Leaves) }
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns whether this leaf is the digest of the file's chunk number `at`.
    #[must_use]
    pub fn holds(&self, at: u64, leaf: &[u8; 32]) -> bool {
        usize::try_from(at).ok().and_then(|at| self.leaves.get(at)) == Some(leaf)
    }
}

/// The number of chunks of a file.
#[must_use]
pub fn chunks(size: u64) -> u64 {
    size.div_ceil(CHUNK)
}

/// A hasher for one leaf: BLAKE3's chaining value of the subtree at that offset.
pub struct Leaf(Hasher);

impl Leaf {
    /// Starts the leaf of chunk number `at`.
    #[must_use]
    pub fn start(at: u64) -> Self {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(at * CHUNK);
        Self(hasher)
    }

    /// Adds bytes, at most [`CHUNK`] in all.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The leaf's value.
    #[must_use]
    pub fn finish(&self) -> [u8; 32] {
        self.0.finalize_non_root()
    }
}

/// The trees of all weights of a baked layer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    entries: Vec<(Digest, Tree)>,
}

impl Index {
    /// Returns the tree of the weight with this pin.
    #[must_use]
    pub fn tree(&self, pin: &Digest) -> Option<&Tree> {
        self.place(pin).ok().map(|at| &self.entries[at].1)
    }

    /// Adds the tree of bytes that matched this pin.
    pub fn add(&mut self, pin: Digest, tree: Tree) {
        match self.place(&pin) {
            Ok(at) => self.entries[at].1 = tree,
            Err(at) => self.entries.insert(at, (pin, tree)),
        }
    }

    /// Where this pin is, or belongs: the entries are in the order of their pins, each once.
    fn place(&self, pin: &Digest) -> Result<usize, usize> {
        self.entries.binary_search_by(|(known, _)| known.cmp(pin))
    }

    /// The file's bytes: the same entries give the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend((self.entries.len() as u64).to_le_bytes());
        for (pin, tree) in &self.entries {
            out.extend(pin.as_bytes());
            out.extend(tree.size.to_le_bytes());
            tree.leaves.iter().for_each(|leaf| out.extend(leaf));
        }
        let sum = blake3::hash(&out);
        out.extend(sum.as_bytes());
        out
    }

    /// Reads an index.
    ///
    /// # Errors
    /// [`BadIndex`], for anything that [`Index::to_bytes`] would not have written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadIndex> {
        let (body, sum) = bytes.split_last_chunk::<32>().ok_or(BadIndex::Short)?;
        let mut rest = body.strip_prefix(MAGIC).ok_or(BadIndex::Magic)?;
        if blake3::hash(body).as_bytes() != sum {
            return Err(BadIndex::Checksum);
        }
        let count = u64::from_le_bytes(take(&mut rest)?);
        let mut index = Self::default();
        for _ in 0..count {
            let pin = Digest::from_bytes(take(&mut rest)?);
            if index.entries.last().is_some_and(|(last, _)| *last >= pin) {
                return Err(BadIndex::Order);
            }
            let size = u64::from_le_bytes(take(&mut rest)?);
            let wanted = usize::try_from(chunks(size)).map_err(|_| BadIndex::Leaves)?;
            if wanted > rest.len() / 32 {
                return Err(BadIndex::Short);
            }
            let leaves = (0..wanted).map(|_| take(&mut rest)).collect::<Result<_, _>>()?;
            index.entries.push((pin, Tree::new(size, leaves)?));
        }
        if rest.is_empty() { Ok(index) } else { Err(BadIndex::Leaves) }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadIndex> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(BadIndex::Short)?;
    *rest = tail;
    Ok(*head)
}

/// The reason why an index is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadIndex {
    /// It ends too early.
    Short,
    /// The file does not start with the magic number of an index.
    Magic,
    /// The checksum differs, so the index is damaged.
    Checksum,
    /// The number of leaves does not follow from the sizes.
    Leaves,
    /// The entries are not in the order of their pins, each once.
    Order,
}

impl BadIndex {
    /// Always [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for BadIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "it ends too early",
            Self::Magic => "it does not start with `ballast-index-1`",
            Self::Checksum => "its checksum differs",
            Self::Leaves => "its leaves do not follow from its sizes",
            Self::Order => "its entries are not in the order of their pins, each once",
        })
    }
}

impl std::error::Error for BadIndex {}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_of(bytes: &[u8]) -> Tree {
        let leaves = bytes
            .chunks(CHUNK as usize)
            .enumerate()
            .map(|(at, chunk)| {
                let mut leaf = Leaf::start(at as u64);
                leaf.update(chunk);
                leaf.finish()
            })
            .collect();
        Tree::new(bytes.len() as u64, leaves).expect("leaves")
    }

    fn sample() -> Index {
        let mut index = Index::default();
        for (seed, size) in [(1u8, 0usize), (2, 1), (3, 1024), (4, 1 << 20), (5, (1 << 20) + 1), (6, (5 << 20) + 77)] {
            index.add(Digest::from_bytes([seed; 32]), tree_of(&vec![seed; size]));
        }
        index
    }

    #[test]
    fn an_index_reads_back_as_written() {
        assert_eq!(Index::from_bytes(&sample().to_bytes()), Ok(sample()));
    }

    #[test]
    fn a_leaf_is_the_chaining_value_that_merges_to_the_files_own_blake3() {
        let bytes: Vec<u8> = (0..2 << 20).map(|i: u32| (i * 7 % 251) as u8).collect();
        let tree = tree_of(&bytes);
        let root = blake3::hazmat::merge_subtrees_root(&tree.leaves[0], &tree.leaves[1], blake3::hazmat::Mode::Hash);
        assert_eq!(root, blake3::hash(&bytes));
    }

    #[test]
    fn swapped_chunks_do_not_hold() {
        let mut bytes = vec![1u8; 2 << 20];
        bytes[1 << 20..].fill(2);
        let tree = tree_of(&bytes);
        let (a, b) = (tree.leaves[0], tree.leaves[1]);
        assert!(
            tree.holds(0, &a) && tree.holds(1, &b) && !tree.holds(0, &b) && !tree.holds(1, &a) && !tree.holds(2, &a)
        );
    }

    #[test]
    fn a_cut_or_flipped_index_is_refused_whole() {
        let good = sample().to_bytes();
        let mut believed: Vec<_> = (0..good.len())
            .filter(|len| Index::from_bytes(&good[..*len]).is_ok())
            .map(|len| format!("cut at {len}"))
            .collect();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            if Index::from_bytes(&bad).is_ok() {
                believed.push(format!("bit flipped at {at}"));
            }
        }
        assert!(believed.is_empty(), "{believed:?}");
    }

    #[test]
    fn a_count_or_size_that_promises_too_much_is_refused_without_allocating() {
        for tail in [
            u64::MAX.to_le_bytes().to_vec(),
            [1u64.to_le_bytes().as_slice(), &[7; 32], &u64::MAX.to_le_bytes()].concat(),
        ] {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(tail);
            let sum = blake3::hash(&bytes);
            bytes.extend(sum.as_bytes());
            assert!(matches!(Index::from_bytes(&bytes), Err(BadIndex::Short | BadIndex::Leaves)));
        }
    }
    #[test]
    fn entries_out_of_order_or_twice_are_refused() {
        let entry = |seed: u8| [&[seed; 32][..], &0u64.to_le_bytes()].concat();
        for (seeds, expected) in
            [(vec![1, 2], None), (vec![2, 1], Some(BadIndex::Order)), (vec![1, 1], Some(BadIndex::Order))]
        {
            let mut bytes = [&MAGIC[..], &(seeds.len() as u64).to_le_bytes()].concat();
            seeds.iter().for_each(|seed| bytes.extend(entry(*seed)));
            let sum = blake3::hash(&bytes);
            bytes.extend(sum.as_bytes());
            assert_eq!(Index::from_bytes(&bytes).err(), expected, "{seeds:?}");
        }
    }
}
