//! S6 for several weights at once, because each sync waits for the disk and not for a core.
//!
//! Promise: the result contains each weight, in order.

use std::thread::{Builder, ScopedJoinHandle};

use crate::disk::Disk;
use crate::fault::InstallFault;
use crate::install::Staged;
use crate::store::{ExpectedWeight, Strictness, WeightState};

/// Files synced at the same time.
const AT_ONCE: usize = 4;

/// A weight between its staging and its name.
pub(crate) struct Pending<'a, D: Disk> {
    pub(crate) at: usize,
    pub(crate) wanted: &'a ExpectedWeight<'a>,
    pub(crate) now: WeightState,
    pub(crate) staged: Staged<D>,
}

/// Syncs all pending weights. Write-back of every file begins before the first sync, so that few waits serve many small
/// files.
pub(crate) fn all<D: Disk>(disk: &D, pending: &[Pending<D>], strict: Strictness) -> Vec<Result<(), InstallFault>> {
    let sync = |one: &Pending<D>| one.staged.sync_file(disk, strict);
    for one in pending.iter().filter(|_| pending.len() > 1) {
        // Errors are ignored here, because the sync below reports them. Length 0 means up to the end.
        let _ = disk.push(&one.staged.file, 0, 0);
    }
    let mut synced = Vec::new();
    for few in pending.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let spawn = |one| helper().spawn_scoped(scope, move || sync(one));
            let helped: Vec<_> = few.iter().skip(1).map(|one| (one, spawn(one).ok())).collect();
            synced.extend(few.first().map(sync));
            // If a thread can't be started, this thread syncs.
            synced.extend(helped.into_iter().map(|(one, helper)| helper.map_or_else(|| sync(one), joined)));
        });
    }
    synced
}

fn helper() -> Builder {
    Builder::new().stack_size(64 << 10)
}

/// Returns a helper's result; if the helper panicked, the caller panics.
fn joined<T>(helper: ScopedJoinHandle<T>) -> T {
    helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
