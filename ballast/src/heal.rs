//! Heals one store: verify, and where something is wrong, lock, look again, place.
//!
//! Idempotent: a healthy store is only read. Correctness never rests on the lock; it only
//! saves replicas from doing the same work twice.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::aside;
use crate::disk::Disk;
use crate::place::{self, Origin, PlaceFault, Placed};
use crate::store::{self, Found, Strictness, Wanted};

/// How a heal is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Hashing threads at most.
    pub threads: NonZeroUsize,
    /// How long to wait for another replica's heal.
    pub lock_wait: Duration,
    /// How the volume's entries are judged, and made.
    pub strict: Strictness,
    /// Find and tell, change nothing.
    pub dry_run: bool,
}

/// What became of one weight.
#[derive(Debug)]
pub struct Outcome {
    /// What was under its name at first.
    pub found: Found,
    /// What was done about it.
    pub done: Done,
    /// Time spent on this weight's placing, or on the verification of all.
    pub took: Duration,
}

/// What was done about a weight.
#[derive(Debug)]
pub enum Done {
    /// Right already.
    Kept,
    /// Another replica mended it meanwhile.
    MendedByAnother,
    /// Copied from an origin.
    Copied,
    /// Made anew from its own good chunks and an origin's.
    Repaired(Placed),
    /// A dry run: this would be mended.
    WouldHeal,
    /// Still not right.
    Failed(PlaceFault),
}

impl Outcome {
    /// The outcome of a store that can't be opened.
    pub fn missing() -> Self {
        Self { found: Found::Missing, done: Done::Failed(PlaceFault::NoSource), took: Duration::ZERO }
    }

    /// Whether the weight's name now holds verified bytes.
    pub fn is_right(&self) -> bool {
        matches!(self.done, Done::Kept | Done::MendedByAnother | Done::Copied | Done::Repaired(_))
    }
}

/// Verifies a store without touching it.
pub fn verify<D: Disk>(disk: &D, wanted: &[Wanted], strict: Strictness, threads: NonZeroUsize) -> Vec<Outcome> {
    let start = Instant::now();
    let found = store::verify(disk, wanted, strict, threads);
    let took = start.elapsed();
    found.into_iter().map(|found| judged(found, took)).collect()
}

fn judged(found: Found, took: Duration) -> Outcome {
    let done = if right(&found) { Done::Kept } else { Done::Failed(PlaceFault::NoSource) };
    Outcome { found, done, took }
}

/// Makes every weight of a volume right, or says which call stood in the way.
pub fn heal<D: Disk, O: Disk>(disk: &D, wanted: &[Wanted], origins: &[Origin<O>], options: &Options) -> Vec<Outcome> {
    let mut outcomes = verify(disk, wanted, options.strict, options.threads);
    if outcomes.iter().all(Outcome::is_right) {
        return outcomes;
    }
    if options.dry_run {
        for outcome in outcomes.iter_mut().filter(|outcome| !outcome.is_right()) {
            outcome.done = Done::WouldHeal;
        }
        return outcomes;
    }
    let locked = disk.lock(options.lock_wait);
    for (outcome, wanted) in outcomes.iter_mut().zip(wanted) {
        if !outcome.is_right() {
            mend(disk, wanted, outcome, origins, options);
        }
    }
    if locked {
        disk.unlock();
    }
    outcomes
}

fn mend<D: Disk, O: Disk>(disk: &D, wanted: &Wanted, outcome: &mut Outcome, origins: &[Origin<O>], options: &Options) {
    let start = Instant::now();
    let now = look(disk, wanted, options);
    outcome.done = if right(&now) {
        Done::MendedByAnother
    } else {
        match place::place(disk, wanted, &now, origins, options.strict, options.threads) {
            Ok(placed) if placed.kept > 0 => Done::Repaired(placed),
            Ok(_) => Done::Copied,
            Err(fault) => give_up(disk, wanted, fault, options),
        }
    };
    outcome.took = start.elapsed();
}

/// Where locks mean nothing a replica may have mended it meanwhile; else a wrong entry loses its name.
fn give_up<D: Disk>(disk: &D, wanted: &Wanted, fault: PlaceFault, options: &Options) -> Done {
    let now = look(disk, wanted, options);
    if right(&now) {
        return Done::MendedByAnother;
    }
    aside::quarantine(disk, wanted, &now);
    Done::Failed(fault)
}

fn look<D: Disk>(disk: &D, wanted: &Wanted, options: &Options) -> Found {
    let found = store::verify(disk, std::slice::from_ref(wanted), options.strict, options.threads);
    found.into_iter().next().unwrap_or(Found::Missing)
}

fn right(found: &Found) -> bool {
    matches!(found, Found::Right | Found::Vouched)
}
