//! A boot: facts, plan, apply, report. `heal` and `run` differ only in the steps after the boot.
//!
//! In mode `owned`, root makes one change in a volume: an `fchown` of its root, by the descriptor
//! that `permit` checked. The app does all other work.

pub mod apply;
pub mod plan;
pub mod protection;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ballast::digest::Digest;
use ballast::disk::{self, LinuxDisk};
use ballast::fault::InstallFault;
use ballast::heal::{self, Done, Outcome};
use ballast::install::Origin;
use ballast::lock::Need;
use ballast::receipt::Receipts;
use ballast::root_owned;
use ballast::store::{ExpectedWeight, Strictness};
use rustix::io::Errno;

use crate::args::{Healing, HoldArg};
use crate::deepface;
use crate::dirs::{self, RootStep};
use crate::dry_run;
use crate::exit::{Exit, Failure};
use crate::facts;
use crate::launch;
use crate::permit::RootPaths;
use crate::print;
use crate::report::{self, ObeyedLock, Report, Served, WeightLine, groups};
use crate::setting::Setting;
use crate::walk;
use crate::write_access::WriteAccess;
use plan::{App, CacheOwner, Caps, Facts, Ids, Plan, Refusal, Serve};
use protection::Protection;

/// The options of a boot.
pub struct Boot<'a> {
    /// The lock file, the index and the places.
    pub setting: Setting,
    /// The command line.
    pub healing: &'a Healing,
    /// The user that the command runs as.
    pub app: Option<App>,
    /// The user from whom weights are protected: the app's, or this process's own.
    pub guarded: Ids,
    /// That user's groups.
    pub groups: &'a [u32],
    /// Receipts that replace reading bytes.
    pub receipts: Option<&'a Receipts>,
    /// Whether to report without making changes.
    pub dry_run: bool,
    /// In a dry run: whether root would first give the cache to the app.
    pub would_hand_over: bool,
    /// When the boot began.
    pub start: Instant,
}

/// One attempt to serve, and its result.
pub struct Attempt {
    served: Served,
    outcomes: Vec<Outcome>,
}

impl Boot<'_> {
    /// Facts and plan.
    ///
    /// # Errors
    /// [`Exit::CannotDrop`], with the line to change.
    pub fn plan(&self) -> Result<(Facts, Plan), Failure> {
        let facts = self.setting.facts(self.app, self.groups);
        let hold = match self.healing.hold {
            HoldArg::Owned => CacheOwner::App,
            HoldArg::Sticky => CacheOwner::Root,
        };
        let plan = plan::plan(&facts, hold).map_err(|refusal| refused(refusal, facts.who.caps))?;
        Ok((facts, plan))
    }

    /// Gives the volume's root to the app. A refusal is reported, and the boot continues.
    pub fn hand_over(&self, plan: &Plan, refused: &mut Vec<String>) {
        let Some(to) = plan.hand_over.filter(|_| !self.dry_run) else {
            return;
        };
        let root = self.setting.store.display();
        let done = self.permitted_store().and_then(|dir| {
            let words = |error| format!("chown of {root} to {}:{}: {error} ({})", to.uid, to.gid, way_out(&error));
            disk::chown(&dir, to.uid, to.gid).map_err(words)
        });
        refused.extend(done.err());
    }

    /// The cache's root, on the descriptor that proves that root may change it.
    fn permitted_store(&self) -> Result<OwnedFd, String> {
        permitted_store(&self.setting, self.guarded, self.groups)
    }

    /// Gives the app the mounts of `[[dir]]` entries that it must be able to write, before root's drop.
    pub fn hand_over_dirs(&self, plan: &Plan, refused: &mut Vec<String>) -> Vec<RootStep> {
        let to = plan.drop_to.filter(|to| !self.dry_run && facts::ids().uid == 0 && to.uid != 0);
        let Some(to) = to else { return Vec::new() };
        for view in self.views() {
            if let RootStep::Refused(why) = dirs::root_step(&view, to, self.groups) {
                refused.push(why);
            }
        }
        dirs::as_root(&self.setting.lock.dirs, to, self.groups)
    }

    /// Places below the cache's root where other volumes may be mounted, which root may give to the app.
    fn views(&self) -> Vec<PathBuf> {
        let Setting { lock, store, .. } = &self.setting;
        let named_by_lock = self.healing.hold == HoldArg::Owned && store == lock.store.path.as_path();
        let all = lock.pointed(store).into_iter().filter(|(_, place)| named_by_lock && place != store);
        all.map(|(_, place)| place).collect()
    }

    /// Returns whether root, if it may, would give the cache to the app, or a volume in a cache that is already the
    /// app's.
    pub fn hands_over(&self, plan: &Plan) -> bool {
        match plan.hand_over {
            Some(_) => self.permitted_store().is_ok(),
            None => self.views().iter().any(|view| dirs::is_due(view, self.guarded, self.groups)),
        }
    }

    /// In mode sticky root takes ownership of the cache's root.
    pub fn take(&self, plan: &Plan) -> Option<Result<LinuxDisk, String>> {
        let root = &self.setting.store;
        let words = |error| format!("taking {} for root: {error} ({})", root.display(), way_out(&error));
        let take = || match self.dry_run {
            true => LinuxDisk::open(root).map_err(words),
            false => {
                self.permitted_store().and_then(|dir| disk::make_root_owned(&dir, self.guarded.gid).map_err(words))
            }
        };
        plan.serve.contains(&Serve::RootOwnedVolume).then(take)
    }

    /// Verifies and repairs the cache that root took, on the same descriptor, even if the path changes.
    pub fn keep(&self, taken: &LinuxDisk, look: &WriteAccess) -> Attempt {
        let mut attempt = self.on(taken, Serve::RootOwnedVolume, self.setting.store.clone(), look);
        self.confirm(taken, &mut attempt.outcomes);
        attempt
    }

    /// S9: a weight in mode sticky counts as right only if the app can change no name on its path, from `/` to the
    /// file.
    fn confirm(&self, taken: &LinuxDisk, outcomes: &mut [Outcome]) {
        let (strict, store) = (Strictness::RootOwned { gid: self.guarded.gid }, &self.setting.store);
        root_owned::confirm(taken, &self.setting.all_wanted(), strict, outcomes);
        let here = walk::walk(store).ok().and_then(|walked| Some(walked.last()?.stat.id));
        let elsewhere = here.is_none() || here != taken.stat_root().ok().map(|stat| stat.id);
        let custody = WriteAccess::new(self.guarded, self.groups);
        for (weight, outcome) in self.setting.lock.weights.iter().zip(outcomes).filter(|(_, one)| one.is_right()) {
            let why = match elsewhere {
                true => format!("{} now leads to another directory", store.display()),
                false if custody.is_firm(&store.join(weight.path.as_str())) => continue,
                false => format!("uid {} could change a directory above {}", self.guarded.uid, store.display()),
            };
            outcome.done = Done::Failed(InstallFault::Unprotected(why));
        }
    }

    /// The attempt if receipts cover every weight: no bytes are read, and no index is needed.
    pub fn vouched(&self, taken: &LinuxDisk, look: &WriteAccess) -> Option<Attempt> {
        let root = self.setting.store.clone();
        let strict = Strictness::RootOwned { gid: self.guarded.gid };
        let mut outcomes = heal::vouched(taken, &self.wanted(&root, look), strict)?;
        self.confirm(taken, &mut outcomes);
        // If `confirm` found a weight wrong, it must be repaired.
        outcomes.iter().all(Outcome::is_right).then_some(())?;
        Some(Attempt { served: Served { from: Serve::RootOwnedVolume, root }, outcomes })
    }

    /// Tries the plan's ways until every weight is right in one; otherwise takes the best way.
    pub fn serve(&self, plan: Plan, mut refused: Vec<String>, mut kept: Option<Result<Attempt, String>>) -> Report {
        let best = apply::in_order(&plan.serve, &mut refused, self, |way| match way {
            Serve::RootOwnedVolume => kept.take().unwrap_or_else(|| Err("root did not keep the cache".into())),
            _ => self.attempt(way),
        });
        self.report(plan, refused, best)
    }

    /// The verified weights that the app could not have changed: these may get a receipt.
    pub fn firm(&self, report: &Report) -> Vec<(Digest, PathBuf)> {
        let Some(served) = &report.served else { return Vec::new() };
        let firm = |line: &WeightLine| matches!(line.protection, Some(Protection::ImageLayer | Protection::Sticky));
        let lines = self.setting.lock.weights.iter().zip(&report.weights).filter(|(_, line)| line.right && firm(line));
        lines.map(|(weight, _)| (weight.sha256, served.root.join(weight.path.as_str()))).collect()
    }

    /// Verifies, and heals if the way includes that.
    fn attempt(&self, way: Serve) -> Result<Attempt, String> {
        let baked = self.setting.baked.as_deref();
        let root = match (way, baked) {
            (Serve::Baked, Some(baked)) => baked.to_owned(),
            _ => self.setting.store.clone(),
        };
        if way == Serve::HealVolume && !root.exists() {
            if self.dry_run {
                let mut outcomes = dry_run::absent(&self.wanted(&root, &WriteAccess::new(self.guarded, self.groups)));
                self.foresee(&mut outcomes);
                return Ok(Attempt { served: Served { from: way, root }, outcomes });
            }
            fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        }
        let disk = LinuxDisk::open(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        Ok(self.on(&disk, way, root, &WriteAccess::new(self.guarded, self.groups)))
    }

    fn on(&self, disk: &LinuxDisk, way: Serve, root: PathBuf, look: &WriteAccess) -> Attempt {
        let wanted = self.wanted(&root, look);
        let outcomes = match way {
            Serve::Baked => heal::verify(disk, &wanted, Strictness::Layer, facts::threads),
            Serve::VerifyVolume => heal::verify(disk, &wanted, Strictness::Volume, facts::threads),
            Serve::HealVolume => self.heal(disk, &wanted, Strictness::Volume),
            Serve::RootOwnedVolume => self.heal(disk, &wanted, Strictness::RootOwned { gid: self.guarded.gid }),
        };
        Attempt { served: Served { from: way, root }, outcomes }
    }

    /// The weights, with receipts if their place is protected well enough.
    fn wanted(&self, root: &Path, look: &WriteAccess) -> Vec<ExpectedWeight<'_>> {
        let firm = |wanted: &ExpectedWeight| look.is_firm(&root.join(wanted.weight.path.as_str()));
        let mut all = self.setting.all_wanted();
        if let Some(receipts) = self.receipts {
            for wanted in all.iter_mut().filter(|wanted| firm(wanted)) {
                wanted.receipt = receipts.of(&wanted.weight.sha256);
            }
        }
        all
    }

    fn heal(&self, disk: &LinuxDisk, wanted: &[ExpectedWeight], strict: Strictness) -> Vec<Outcome> {
        let disks = self.origins();
        let origins: Vec<_> =
            disks.iter().map(|(root, disk)| Origin { root, disk, strict: Strictness::Layer }).collect();
        let options = heal::Options {
            threads: facts::threads,
            lock_wait: Duration::from_secs(self.healing.lock_wait),
            strict,
            dry_run: self.dry_run,
        };
        let mut outcomes = heal::heal(disk, wanted, &origins, &options);
        if self.dry_run {
            self.foresee(&mut outcomes);
        }
        outcomes
    }

    fn origins(&self) -> Vec<(&Path, LinuxDisk)> {
        let roots = self.setting.baked.iter().chain(&self.healing.mirror);
        roots.filter_map(|root| Some((root.as_path(), LinuxDisk::open(root).ok()?))).collect()
    }

    /// In a dry run: predicts the result of a real heal.
    fn foresee(&self, outcomes: &mut [Outcome]) {
        let ours = self.would_hand_over;
        dry_run::foresee(outcomes, &self.setting.all_wanted(), &self.origins(), &self.setting.store, ours);
    }

    fn report(&self, plan: Plan, refused: Vec<String>, best: Option<Attempt>) -> Report {
        let custody = WriteAccess::new(self.guarded, self.groups);
        let weights = self.setting.lock.weights.iter().enumerate().map(|(at, weight)| match &best {
            Some(Attempt { served, outcomes }) => {
                let path = served.root.join(weight.path.as_str());
                let kept = outcomes[at].is_right().then(|| custody.protection(&path)).flatten();
                WeightLine::new(weight, &outcomes[at], kept)
            }
            None => WeightLine::new(weight, &Outcome::missing(), None),
        });
        let weights: Vec<_> = weights.collect();
        let groups = groups::lines(&self.setting.lock, &weights);
        let mut notes = self.setting.notes.clone();
        if self.healing.hold == HoldArg::Sticky && !plan.serve.contains(&Serve::RootOwnedVolume) {
            notes.push("--hold sticky has no effect: it needs a start as root and a writable volume that lasts".into());
        }
        let deepface = deepface::concerned(&self.setting.lock, &|name| std::env::var(name).ok());
        notes.extend(deepface.and_then(|found| found.words(&self.setting.lock)));
        Report {
            version: report::VERSION,
            boot: report::boot_id(),
            lock: ObeyedLock { sha256: self.setting.lock_sha256.to_string(), serial: self.setting.lock.serial },
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()),
            ready: weights.iter().all(|line| line.right || line.need != Need::Required),
            ids: facts::ids(),
            plan,
            refused,
            served: best.map(|attempt| attempt.served),
            weights,
            groups,
            dirs: Vec::new(),
            notes,
            ms: self.start.elapsed().as_secs_f64() * 1e3,
            peak_kib: facts::peak_kib(),
        }
    }
}

impl apply::Judge<Attempt> for Boot<'_> {
    fn whole(&self, attempt: &Attempt) -> bool {
        attempt.outcomes.iter().all(dry_run::is_right)
    }

    /// Each required weight comes first, then all others.
    fn rank(&self, attempt: &Attempt) -> (usize, usize) {
        let right =
            attempt.outcomes.iter().zip(&self.setting.lock.weights).filter(|(outcome, _)| dry_run::is_right(outcome));
        let required = right.clone().filter(|(_, weight)| weight.need == Need::Required).count();
        (required, right.count())
    }

    fn complaints(&self, attempt: &Attempt) -> Vec<String> {
        let root = attempt.served.root.display();
        let wrong =
            attempt.outcomes.iter().zip(&self.setting.lock.weights).filter(|(outcome, _)| !dry_run::is_right(outcome));
        let lines = wrong.map(|(outcome, weight)| {
            let (found, done) = (outcome.found.to_string(), report::done_words(&outcome.done));
            format!("{root}: {}: {found}, {done}", weight.path)
        });
        let mut lines: Vec<_> = lines.collect();
        let more = lines.len().saturating_sub(print::EACH);
        if more > 0 {
            lines.truncate(print::EACH);
            lines.push(format!("{root}: and {more} more weights"));
        }
        lines
    }
}

/// The cache's root, on the descriptor that proves that root may change it for this app.
///
/// # Errors
/// The reason why root leaves the root unchanged.
pub fn permitted_store(setting: &Setting, app: Ids, groups: &[u32]) -> Result<OwnedFd, String> {
    let named_by_lock = setting.store == setting.lock.store.path.as_path();
    let root_paths = if named_by_lock { RootPaths::Allowed } else { RootPaths::Refused };
    walk::permitted(&setting.store, root_paths, app, groups).map(|(walked, _)| walked.dir)
}

/// The variables that lead the app to the served root and to places below it, with their values.
pub fn pointed(report: &Report, setting: &Setting) -> Vec<(String, PathBuf)> {
    report.served.as_ref().map(|served| setting.lock.pointed(&served.root)).unwrap_or_default()
}

fn way_out(error: &std::io::Error) -> &'static str {
    let may_chown = launch::capabilities().has(launch::CapSets::CHOWN);
    match rustix::io::Errno::from_io_error(error) {
        Some(Errno::ROFS) => "it is mounted read-only",
        Some(Errno::PERM) if may_chown => "its owner is outside this user namespace, or its file system has no owners",
        _ => "add CHOWN to cap_add",
    }
}

/// The failure if no correct start exists: the reason, and the line to change.
pub fn refused(refusal: Refusal, caps: Caps) -> Failure {
    let has = |present: bool| if present { "with" } else { "without" };
    let capabilities = format!("{} SETUID, {} SETGID", has(caps.setuid), has(caps.setgid));
    let (who, to) = match refusal {
        Refusal::CannotDrop { to } => ("root", to),
        Refusal::CannotBecome { to } => ("a plain user", to),
        Refusal::NotMapped { to } => return not_mapped(to),
    };
    let (uid, gid) = (to.uid, to.gid);
    Failure::new(Exit::CannotDrop, format!("can't become {uid}:{gid}: started as {who} {capabilities}"))
        .hint(format!("either `user: \"{uid}:{gid}\"`, or `cap_add: [CHOWN, SETUID, SETGID]` beside `cap_drop: [ALL]`"))
}

fn not_mapped(to: Ids) -> Failure {
    let (uid, gid) = (to.uid, to.gid);
    Failure::new(Exit::CannotDrop, format!("can't become {uid}:{gid}: this user namespace does not have them"))
        .hint("give the namespace more ids (/etc/subuid and /etc/subgid, podman --uidmap), or start as the user itself")
}
