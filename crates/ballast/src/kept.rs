//! Weights that root keeps from the app, in a volume where the app may act at any moment.
//!
//! Promise: a directory on the way to a kept weight is root's, and the app can remove no entry of root's
//! from it (sticky, or closed). Each component is opened in its parent's descriptor and judged there. The
//! store's root is such a directory (`disk::take`), so by induction no accepted directory, and no file of
//! root's in one, can leave its name. [`confirm`] proves at the end that each name still leads to the inode
//! whose bytes were verified.

use std::io;

use crate::disk::{Disk, Stat};
use crate::fault::PlaceFault;
use crate::heal::{Done, Outcome};
use crate::store::{self, Damage, ExpectedWeight, Strictness, WeightState};

/// Opens the directory of a weight below a store's root, as strictly as its entries are judged.
pub(crate) fn descend<D: Disk>(disk: &D, parent: &str, strict: Strictness) -> Result<D::Dir, WeightState> {
    let Strictness::Kept { .. } = strict else {
        return disk.open_dir(parent).map_err(|error| store::unopened(&error));
    };
    let unopened = |error: io::Error| store::unopened(&error);
    let mut here = disk.open_dir("").map_err(unopened)?;
    for name in parent.split('/').filter(|name| !name.is_empty()) {
        here = disk.open_below(&here, name).map_err(unopened)?;
        let stat = disk.stat_dir(&here).map_err(unopened)?;
        if !strict.accepts_dir(&stat, true) {
            return Err(WeightState::Damaged(Damage::Owner(stat.uid)));
        }
    }
    Ok(here)
}

/// S9: each weight that was called right is, by its name, still the inode that was verified: of root's,
/// unwritable, with one link. What is not so is no longer called right.
pub fn confirm<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness, outcomes: &mut [Outcome]) {
    for (wanted, outcome) in wanted.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_right()) {
        let now = store::open(disk, wanted, strict).map(|(_, stat)| stat);
        if !matches!((&now, &outcome.stat), (Ok(now), Some(verified)) if same(now, verified)) {
            outcome.done = Done::Failed(PlaceFault::Unkept("another file has its name by now".into()));
        }
    }
}

fn same(now: &Stat, verified: &Stat) -> bool {
    (now.id, now.size, now.ctime_ns) == (verified.id, verified.size, verified.ctime_ns)
}
