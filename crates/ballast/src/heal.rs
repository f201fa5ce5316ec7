//! Heals one store: verify it; if something is wrong, lock, verify again, install.
//!
//! Idempotent: a healthy store is only read. Correctness does not depend on the lock; it only saves replicas from
//! doing the same work twice.

use std::time::{Duration, Instant};

use crate::copy::ChunkCounts;
use crate::disk::{Disk, Stat};
use crate::fault::InstallFault;
use crate::install::{self, Named, Origin, Staged};
use crate::lock::RelPath;
use crate::open;
use crate::quarantine;
use crate::store::{self, Damage, Examined, ExpectedWeight, Extent, Strictness, Threads, WeightState};
use crate::sync::{self, Pending};
use crate::ways::Ways;

/// The options of a heal.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Hashing threads at most.
    pub threads: Threads,
    /// The longest time to wait for another replica's heal to end.
    pub lock_wait: Duration,
    /// How strictly entries of the volume are checked, and the modes of new ones.
    pub strict: Strictness,
    /// Report what is wrong, and change nothing.
    pub dry_run: bool,
}

/// The result for one weight.
#[derive(Debug)]
pub struct Outcome {
    /// The state of the weight's entry before the heal.
    pub found: WeightState,
    /// What was done.
    pub done: Done,
    /// Facts of the inode whose bytes were verified, if the weight is right.
    pub stat: Option<Stat>,
    /// The time that the installation of this weight took. For a weight that was only verified: the time that the
    /// verification of all weights took.
    pub took: Duration,
}

/// The action that the heal took for a weight.
#[derive(Debug)]
pub enum Done {
    /// The weight was right already.
    Kept,
    /// Another replica repaired it meanwhile.
    RepairedByAnother,
    /// Copied from an origin.
    Copied,
    /// Written again from the damaged file's good chunks and an origin's.
    Repaired(ChunkCounts),
    /// A dry run: this would be repaired.
    WouldHeal,
    /// Still not right.
    Failed(InstallFault),
}

impl Done {
    fn wants_room(&self) -> bool {
        matches!(self, Self::Failed(fault) if fault.is_full())
    }
}

impl Outcome {
    /// The outcome for each weight of a store that can't be opened.
    #[must_use]
    pub fn missing() -> Self {
        Self {
            found: WeightState::Missing,
            done: Done::Failed(InstallFault::NoSource),
            stat: None,
            took: Duration::ZERO,
        }
    }

    /// Returns whether the weight's name now leads to verified bytes.
    #[must_use]
    pub fn is_right(&self) -> bool {
        matches!(self.done, Done::Kept | Done::RepairedByAnother | Done::Copied | Done::Repaired(_))
    }

    fn give_up(&mut self, GivenUp { done, stat, wrong }: GivenUp) {
        if let Some(chunks) = wrong {
            self.found_wrong(chunks);
        }
        (self.done, self.stat) = (done, stat);
        // The first examination could not read the file, for example because too many files were open.
        if let (WeightState::Unreadable(_), Done::RepairedByAnother) = (&self.found, &self.done) {
            (self.found, self.done) = (WeightState::Right, Done::Kept);
        }
    }

    /// Reports all wrong chunks: the first examination ended at the first one.
    fn found_wrong(&mut self, chunks: Vec<u64>) {
        if let WeightState::Damaged(Damage::Bytes { bad, .. }) = &mut self.found
            && !bad.is_empty()
        {
            *bad = chunks;
        }
    }
}

/// Verifies a store without changing it.
pub fn verify<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness, threads: Threads) -> Vec<Outcome> {
    examine(disk, wanted, strict, threads, Extent::Whole)
}

fn examine<D: Disk>(
    disk: &D,
    wanted: &[ExpectedWeight],
    strict: Strictness,
    threads: Threads,
    extent: Extent,
) -> Vec<Outcome> {
    let start = Instant::now();
    let found = store::examine(disk, wanted, strict, threads, extent);
    let took = start.elapsed();
    found.into_iter().map(|examined| judged(examined, took)).collect()
}

/// The outcomes if receipts cover every weight; `None` if bytes must be read.
pub fn vouched<D: Disk>(disk: &D, wanted: &[ExpectedWeight], strict: Strictness) -> Option<Vec<Outcome>> {
    let start = Instant::now();
    let all = open::vouched(disk, wanted, strict);
    let took = start.elapsed();
    let judged = |stat| judged(Examined { found: WeightState::Vouched, stat: Some(stat) }, took);
    all.map(|stats| stats.into_iter().map(judged).collect())
}

fn judged(examined: Examined, took: Duration) -> Outcome {
    let Examined { found, stat } = examined;
    let done = if right(&found) { Done::Kept } else { Done::Failed(InstallFault::NoSource) };
    Outcome { found, done, stat, took }
}

/// Repairs every wrong weight of a volume, or reports the call that failed.
pub fn heal<D: Disk, O: Disk>(
    disk: &D,
    wanted: &[ExpectedWeight],
    origins: &[Origin<O>],
    options: &Options,
) -> Vec<Outcome> {
    let repairs = !options.dry_run && !origins.is_empty();
    let extent = if repairs { Extent::UntilWrong } else { Extent::Whole };
    let mut outcomes = examine(disk, wanted, options.strict, options.threads, extent);
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
    repair_all(disk, wanted, &mut outcomes, origins, options);
    if locked {
        disk.unlock();
    }
    outcomes
}

/// Stages as many as may be open at once, then syncs and publishes them together: the disk then has one long queue
/// to write and few moments to wait for.
fn repair_all<D: Disk, O: Disk>(
    disk: &D,
    wanted: &[ExpectedWeight],
    outcomes: &mut [Outcome],
    origins: &[Origin<O>],
    options: &Options,
) {
    let (right, wrong): (Vec<usize>, Vec<usize>) = (0..wanted.len()).partition(|at| outcomes[*at].is_right());
    let right: Vec<&RelPath> = right.into_iter().map(|at| &wanted[at].weight.path).collect();
    // A wrong entry may supply its own right bytes, also if its directory is quarantined.
    let mut ways = Ways::new(|way| right.iter().any(|path| path.as_str().starts_with(way)));
    // A weight needs two open descriptors: its file and its directory.
    for some in wrong.chunks(disk.files_at_once().div_ceil(2)) {
        repair_at_once(disk, wanted, some, &mut ways, outcomes, origins, options);
    }
}

fn repair_at_once<D: Disk, O: Disk>(
    disk: &D,
    wanted: &[ExpectedWeight],
    some: &[usize],
    ways: &mut Ways,
    outcomes: &mut [Outcome],
    origins: &[Origin<O>],
    options: &Options,
) {
    let mut pending = Vec::new();
    // These files are opened first, because a directory that contains them may be moved.
    let reach = |at: &usize| open::reached(disk, &wanted[*at], &outcomes[*at].found, options.strict, ways);
    let reached: Vec<_> = some.iter().map(reach).collect();
    for (&at, reached) in some.iter().zip(reached) {
        let (start, wanted) = (Instant::now(), &wanted[at]);
        let seen = Examined { found: outcomes[at].found.clone(), stat: outcomes[at].stat };
        let mut begun = begin(disk, wanted, seen.clone(), reached, ways, origins, options);
        if !pending.is_empty() && begun.as_ref().is_err_and(|given_up| given_up.done.wants_room()) {
            // Publishing may free the space of replaced files.
            finish(disk, std::mem::take(&mut pending), outcomes, options);
            let again = open::reached(disk, wanted, &outcomes[at].found, options.strict, ways);
            begun = begin(disk, wanted, seen, again, ways, origins, options);
        }
        let no_room = begun.as_ref().is_err_and(|given_up| given_up.done.wants_room());
        if no_room
            && outcomes[at].found != WeightState::Missing
            && install::has_whole_origin(wanted, origins, options.threads)
        {
            // The wrong file is already in quarantine; staging removes it if the disk has no room for both.
            let gone = Examined { found: WeightState::Missing, stat: None };
            begun = begin(disk, wanted, gone, None, ways, origins, options);
        }
        match begun {
            Ok((now, staged)) => pending.push(Pending { at, wanted, now, staged }),
            Err(given_up) => outcomes[at].give_up(given_up),
        }
        outcomes[at].took = start.elapsed();
    }
    finish(disk, pending, outcomes, options);
}

/// The result for a weight that was not installed.
struct GivenUp {
    done: Done,
    /// The right inode, if another replica repaired it.
    stat: Option<Stat>,
    /// All wrong chunks, if the whole file was read.
    wrong: Option<Vec<u64>>,
}

/// Verifies a weight again under the lock, and stages it if it is still wrong. An unchanged inode
/// is not read again; copying hashes each chunk anyway.
fn begin<D: Disk, O: Disk>(
    disk: &D,
    wanted: &ExpectedWeight,
    seen: Examined,
    reached: Option<(D::File, Stat)>,
    ways: &mut Ways,
    origins: &[Origin<O>],
    options: &Options,
) -> Result<(WeightState, Staged<D>), GivenUp> {
    let Examined { found: now, stat } =
        if open::unchanged(disk, wanted, &seen, options.strict) { seen } else { look(disk, wanted, options) };
    if right(&now) {
        return Err(GivenUp { done: Done::RepairedByAnother, stat, wrong: None });
    }
    match install::stage(disk, wanted, &now, reached, ways, origins, (options.strict, options.threads)) {
        Ok(staged) => Ok((now, staged)),
        Err(fault) => Err(give_up(disk, wanted, fault, options)),
    }
}

fn finish<D: Disk>(disk: &D, pending: Vec<Pending<D>>, outcomes: &mut [Outcome], options: &Options) {
    let start = Instant::now();
    let synced = sync::all(disk, &pending, options.strict);
    let mut named: Vec<(usize, Named<D>)> = Vec::new();
    for (one, synced) in pending.into_iter().zip(synced) {
        let published = match synced {
            Ok(()) => one.staged.publish(disk, &one.wanted.weight.path, &one.now),
            Err(fault) => {
                one.staged.abandon(disk);
                Err(fault)
            }
        };
        match published {
            Ok(name) => named.push((one.at, name)),
            Err(fault) => outcomes[one.at].give_up(give_up(disk, one.wanted, fault, options)),
        }
    }
    let mut synced: Option<&Named<D>> = None;
    for (at, name) in &named {
        let durable = match synced {
            Some(last) if last.beside(name, disk) => Ok(()),
            _ => name.sync(disk),
        };
        outcomes[*at].done = match durable {
            Ok(()) if name.placed.kept > 0 => Done::Repaired(name.placed),
            Ok(()) => Done::Copied,
            Err(fault) => Done::Failed(fault),
        };
        if name.placed.kept > 0 {
            outcomes[*at].found_wrong(name.replaced.clone());
        }
        outcomes[*at].stat = Some(name.stat);
        synced = outcomes[*at].is_right().then_some(name);
        outcomes[*at].took += start.elapsed();
    }
}

/// Checks once more, because without working locks a replica may have repaired the weight;
/// otherwise removes a wrong entry's name.
fn give_up<D: Disk>(disk: &D, wanted: &ExpectedWeight, fault: InstallFault, options: &Options) -> GivenUp {
    let Examined { found: now, stat } = look(disk, wanted, options);
    if right(&now) {
        return GivenUp { done: Done::RepairedByAnother, stat, wrong: None };
    }
    quarantine::withdraw(disk, wanted, &now, options.strict);
    let wrong = match now {
        WeightState::Damaged(Damage::Bytes { bad, .. }) => Some(bad),
        _ => None,
    };
    GivenUp { done: Done::Failed(fault), stat: None, wrong }
}

fn look<D: Disk>(disk: &D, wanted: &ExpectedWeight, options: &Options) -> Examined {
    let examined = store::verify(disk, std::slice::from_ref(wanted), options.strict, options.threads);
    examined.into_iter().next().unwrap_or(Examined { found: WeightState::Missing, stat: None })
}

fn right(found: &WeightState) -> bool {
    matches!(found, WeightState::Right | WeightState::Vouched)
}
