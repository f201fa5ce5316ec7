//! The capability sets of this thread: read, emptied, and shown to be empty.
//!
//! Capabilities belong to a thread; exec ends every other thread, so what holds for the caller of
//! exec holds for the command. Changes only this thread's own capability sets.

use rustix::io::{self, Errno};
use rustix::thread as os;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// The capability sets, a bit for each capability by its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapSets {
    /// Capabilities that the thread may make effective.
    pub permitted: u64,
    /// Capabilities that the kernel checks now.
    pub effective: u64,
    /// The capabilities that a plain program keeps after an exec.
    pub ambient: u64,
    /// The capabilities that a program with file capabilities could keep after an exec.
    pub inheritable: u64,
}

impl CapSets {
    /// Change any file's owner.
    pub const CHOWN: u64 = CapabilitySet::CHOWN.bits();
    /// Pass over permission bits.
    pub const DAC_OVERRIDE: u64 = CapabilitySet::DAC_OVERRIDE.bits();
    /// Act as any file's owner.
    pub const FOWNER: u64 = CapabilitySet::FOWNER.bits();
    /// Change group ids and groups.
    pub const SETGID: u64 = CapabilitySet::SETGID.bits();
    /// Change user ids.
    pub const SETUID: u64 = CapabilitySet::SETUID.bits();
    /// Lower the bounding set.
    pub const SETPCAP: u64 = CapabilitySet::SETPCAP.bits();

    /// Returns whether every one of these bits is effective.
    pub fn has(&self, bits: u64) -> bool {
        self.effective & bits == bits
    }

    /// Returns whether the command would start without any capability, inheritable ones included.
    pub fn none(&self) -> bool {
        self.permitted | self.effective | self.inheritable | self.ambient == 0
    }

    /// Reads all sets but the bounding set, which does not matter for the proof.
    ///
    /// An ambient capability is permitted and inheritable too, by the kernel's rule. If no
    /// capability is both, the ambient set is empty.
    pub(super) fn read() -> io::Result<Self> {
        let sets = os::capabilities(None)?;
        let both = sets.permitted & sets.inheritable;
        Ok(Self {
            permitted: sets.permitted.bits(),
            effective: sets.effective.bits(),
            ambient: if both.is_empty() { 0 } else { collect(os::capability_is_in_ambient_set)? },
            inheritable: sets.inheritable.bits(),
        })
    }
}

/// The effective set alone: one call. Empty if the call fails, so that no privileged step is attempted.
pub fn capabilities() -> CapSets {
    let effective = os::capabilities(None).map_or(0, |sets| sets.effective.bits());
    CapSets { effective, ..CapSets::default() }
}

/// Queries each capability in turn until the kernel knows no further number.
fn collect(is_in: impl Fn(CapabilitySet) -> io::Result<bool>) -> io::Result<u64> {
    let mut found = 0;
    for one in (0..64).map(|number| 1 << number) {
        match is_in(CapabilitySet::from_bits_retain(one)) {
            Ok(true) => found |= one,
            Ok(false) => {}
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Empties the bounding set, until the kernel knows no further number. Needs SETPCAP.
pub(super) fn clear_bounding() -> io::Result<()> {
    for number in 0..64 {
        match os::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Empties the other four sets.
pub(super) fn clear() -> io::Result<()> {
    match os::clear_ambient_capability_set() {
        // A kernel without an ambient set has none to empty.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error),
    }
    let empty = CapabilitySet::empty();
    let sets = CapabilitySets { effective: empty, permitted: empty, inheritable: empty };
    os::set_capabilities(None, sets)
}
