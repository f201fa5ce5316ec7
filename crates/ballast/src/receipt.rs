//! Receipts: records that let a boot skip reading a file that was verified before.
//!
//! A receipt vouches for one inode, by device, number, size, mtime and ctime in nanoseconds, and for one pin. A receipt
//! counts only if the app could never open the file for writing and can't write the receipt; the caller decides that. A
//! write through an old shared mapping changes neither time, so receipts are off by default. Pure.

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::disk::Stat;

/// A file younger than this may still change within the clock's grain.
pub const STABLE_NS: i128 = 2_000_000_000;
/// Receipts of another layout, or another program version, vouch for nothing.
pub const VERSION: &str = concat!("ballast-receipts-1/", env!("CARGO_PKG_VERSION"));

/// All receipts of one file of receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipts {
    version: String,
    /// Sorted by pin.
    #[serde(deserialize_with = "in_order")]
    entries: Vec<Receipt>,
}

fn in_order<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Receipt>, D::Error> {
    let mut entries = Vec::<Receipt>::deserialize(from)?;
    by_pin(&mut entries);
    Ok(entries)
}

/// Keeps one receipt for each pin: the first.
fn by_pin(entries: &mut Vec<Receipt>) {
    entries.sort_by(|one, other| one.pin.cmp(&other.pin));
    entries.dedup_by(|one, other| one.pin == other.pin);
}

/// The record that one inode was verified against one pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pin: String,
    device: u64,
    inode: u64,
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl Default for Receipts {
    fn default() -> Self {
        Self { version: VERSION.into(), entries: Vec::new() }
    }
}

impl Receipts {
    /// Returns whether this version of the program wrote these receipts.
    #[must_use]
    pub fn current(&self) -> bool {
        self.version == VERSION
    }

    /// The receipt of a pin.
    #[must_use]
    pub fn of(&self, pin: &Digest) -> Option<&Receipt> {
        let pin = pin.to_string();
        let at = self.entries.binary_search_by(|receipt| receipt.pin.as_str().cmp(&pin)).ok()?;
        self.entries.get(at).filter(|_| self.current())
    }

    /// Records files whose every byte matched the pin, but no file that is too young. `now` is the
    /// wall clock in nanoseconds; a file from the future is not recorded either.
    pub fn note(&mut self, files: &[(Digest, Stat)], now: i128) {
        let is_young = |stat: &Stat| now - i128::from(stat.ctime_ns) < STABLE_NS;
        // A young file's receipt replaces the former one, and is then removed.
        let note = |(pin, stat): &(Digest, Stat)| match Receipt::new(pin, stat) {
            receipt if is_young(stat) => Receipt { ctime_ns: i64::MIN, ..receipt },
            receipt => receipt,
        };
        let mut entries: Vec<_> = files.iter().rev().map(note).collect();
        entries.append(&mut self.entries);
        by_pin(&mut entries);
        entries.retain(|receipt| receipt.ctime_ns != i64::MIN);
        self.entries = entries;
    }
}

impl Receipt {
    fn new(pin: &Digest, stat: &Stat) -> Self {
        Self {
            pin: pin.to_string(),
            device: stat.id.0,
            inode: stat.id.1,
            size: stat.size,
            mtime_ns: stat.mtime_ns,
            ctime_ns: stat.ctime_ns,
        }
    }

    /// Returns whether this receipt is about exactly this pin and this unchanged inode.
    #[must_use]
    pub fn vouches(&self, pin: &Digest, stat: &Stat) -> bool {
        *self == Self::new(pin, stat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Kind;

    const PIN: Digest = Digest::from_bytes([7; 32]);

    fn stat() -> Stat {
        Stat { kind: Kind::File, size: 9, uid: 0, gid: 0, mode: 0o444, links: 1, id: (1, 2), mtime_ns: 3, ctime_ns: 4 }
    }

    #[test]
    fn a_receipt_vouches_for_one_unchanged_inode_and_one_pin() {
        let mut receipts = Receipts::default();
        receipts.note(&[(PIN, stat())], 10_000_000_000);
        let receipt = receipts.of(&PIN).expect("noted");
        assert!(receipt.vouches(&PIN, &stat()));
        let changed = [
            Stat { size: 8, ..stat() },
            Stat { id: (9, 2), ..stat() },
            Stat { id: (1, 9), ..stat() },
            Stat { mtime_ns: 0, ..stat() },
            Stat { ctime_ns: 0, ..stat() },
        ];
        let wrong: Vec<_> = changed.iter().filter(|stat| receipt.vouches(&PIN, stat)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(!receipt.vouches(&Digest::from_bytes([8; 32]), &stat()));
        assert!(receipts.of(&Digest::from_bytes([8; 32])).is_none());
    }

    #[test]
    fn a_young_file_and_one_from_the_future_get_no_receipt_and_lose_an_old_one() {
        for now in [1_000_000_000, -5_000_000_000] {
            let mut receipts = Receipts::default();
            receipts.note(&[(PIN, stat())], 10_000_000_000);
            receipts.note(&[(PIN, stat())], now);
            assert!(receipts.of(&PIN).is_none(), "{now}");
        }
    }

    #[test]
    fn receipts_of_another_version_vouch_for_nothing() {
        let mut receipts = Receipts::default();
        receipts.note(&[(PIN, stat())], 10_000_000_000);
        receipts.version = "ballast-receipts-0/9".into();
        assert!(receipts.of(&PIN).is_none());
    }
}
