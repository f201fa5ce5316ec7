//! Mode `sticky`: weights that the app can't change, in a volume where the app may act at any moment.
//!
//! Promise: each directory on a weight's path is root's, and the app can remove no entry of root's
//! from it (sticky, or closed). Each component is opened in its parent's descriptor and checked
//! there. The store's root is such a directory (`disk::make_root_owned`), so by induction no
//! accepted directory, and no file of root's in one, can leave its name. [`confirm`] proves at the
//! end that each name still leads to the inode whose bytes were verified.

use crate::disk::{Disk, Stat};
use crate::fault::InstallFault;
use crate::heal::{Done, Outcome};
use crate::open::Opener;
use crate::state::{ExpectedWeight, Strictness};

/// S9: the name of each right weight still leads to the verified inode: root-owned, not writable, with one link.
/// Otherwise the weight no longer counts as right.
pub fn confirm<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness, outcomes: &mut [Outcome]) {
    let mut opener = Opener::new(disk, strict);
    for (wanted, outcome) in wanted.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_right()) {
        let now = opener.open(wanted).map(|(_, stat)| stat);
        if !matches!((&now, &outcome.stat), (Ok(now), Some(verified)) if same(now, verified)) {
            outcome.done = Done::Failed(InstallFault::Unprotected("its name now leads to another file".into()));
        }
    }
}

fn same(now: &Stat, verified: &Stat) -> bool {
    (now.id, now.size, now.ctime_ns) == (verified.id, verified.size, verified.ctime_ns)
}
