//! Decides which bytes of a weight come from the existing file, and which must be fetched.
//!
//! A chunk counts as right by the index's tree; the weight's pin still decides about the whole file.

use ballast::disk::{Disk, Kind, LinuxDisk, LinuxFile};
use ballast::index::{CHUNK, Leaf, Tree};
use ballast::lock::Weight;
use ballast::store::{Damage, WeightState};

/// The existing file, whose good chunks need not be fetched.
pub struct Own<'a> {
    disk: &'a LinuxDisk,
    file: LinuxFile,
    tree: &'a Tree,
}

impl<'a> Own<'a> {
    /// Opens the existing file, if some of its bytes may be right.
    pub fn open(disk: &'a LinuxDisk, weight: &Weight, found: &WeightState, tree: &'a Tree) -> Option<Self> {
        if !matches!(found, WeightState::Stale | WeightState::Damaged(Damage::Bytes { .. } | Damage::Size { .. })) {
            return None;
        }
        let dir = disk.open_dir(weight.path.parent()).ok()?;
        let (file, stat) = disk.open(&dir, weight.path.file_name()).ok()?;
        (stat.kind == Kind::File).then_some(Self { disk, file, tree })
    }

    /// A chunk's bytes, if they are right.
    fn chunk(&self, number: u64) -> Option<Vec<u8>> {
        let start = number * CHUNK;
        let len = usize::try_from(CHUNK.min(self.tree.size() - start)).ok()?;
        let (mut bytes, mut got) = (vec![0; len], 0);
        while got < len {
            match self.disk.read(&self.file, &mut bytes[got..], start + got as u64) {
                Ok(more) if !more.is_empty() => got += more.len(),
                _ => return None,
            }
        }
        let mut leaf = Leaf::start(number);
        leaf.update(&bytes);
        self.tree.holds(number, &leaf.finish()).then_some(bytes)
    }
}

/// A weight's next bytes: from the existing file, or to be fetched.
pub enum Piece {
    /// The bytes of a chunk that is right.
    Own(Vec<u8>),
    /// Request this range of the weight's bytes: from, to.
    Ask(u64, u64),
}

/// The pieces from an offset on. Neighbouring chunks to fetch are one piece.
pub fn pieces<'a>(from: u64, size: u64, own: Option<&'a Own<'a>>) -> impl Iterator<Item = Piece> + 'a {
    let (mut at, mut next) = (from, None);
    std::iter::from_fn(move || {
        if let Some(bytes) = next.take() {
            return Some(Piece::Own(bytes));
        }
        let Some(own) = own else {
            let rest = (at < size).then_some(Piece::Ask(at, size));
            at = size;
            return rest;
        };
        let start = at;
        while at < size {
            let number = at / CHUNK;
            // If the first offset lies within a chunk, the rest of that chunk is fetched, even if the local file has it
            // right.
            let good = if at % CHUNK == 0 { own.chunk(number) } else { None };
            let first = at;
            at = (at + 1).next_multiple_of(CHUNK).min(size);
            if let Some(bytes) = good {
                if first == start {
                    return Some(Piece::Own(bytes));
                }
                next = Some(bytes);
                return Some(Piece::Ask(start, first));
            }
        }
        (start < at).then_some(Piece::Ask(start, at))
    })
}
