//! The index keeps one normalised mean per person in memory, by tenant. A search compares every mean; nothing
//! is approximate.
//!
//! A thread loads the index. Before each search and once a second, the index reads the database's revision
//! and applies the changes. Before a search names a person, it reads that person from the database, which is
//! the authority. The process keeps the decrypted means until the index is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use likeness::embed::Direction;
use likeness::policy::Threshold;
use likeness::verdict::Similarity;

use super::digest::Meta;
use super::enroll::FOLLOWED;
use super::error::{Kind, Result, StoreError};
use super::failures::{ComparedSubject, Source};
use super::handle::{Store, columns, stored};
use super::person::{NotCompared, Person, SpaceBytes, Tenant};
use super::record::Opened;
use super::uncompared::{Counts, Uncompared};
use super::vectors::FlatIndex;

/// The time between two reads of the database's revision by the thread.
const EVERY: Duration = Duration::from_secs(1);

/// The most persons that one read of the database returns.
const PAGE: i64 = 500;

/// A threshold that includes every cosine distance (at most 2).
const ANY: f64 = 3.0;

/// The index of one space.
pub struct Index {
    store: Arc<Store>,
    space: SpaceBytes,
    means: RwLock<FlatIndex>,
    /// Changed only under the lock of `follower`.
    uncompared: RwLock<Uncompared>,
    /// The revision that the means show; locked while the means change.
    follower: Mutex<Follower>,
    ready: AtomicBool,
    /// When the index last caught up with the database.
    followed: Mutex<Instant>,
}

#[derive(Default)]
struct Follower {
    revision: i64,
    /// Persons whose row could not be opened.
    unreadable: u64,
    /// The error of the last attempt to load or to follow the database.
    fault: Option<StoreError>,
}

/// The state of an index, for health checks and metrics.
#[derive(Debug, Clone)]
pub struct IndexState {
    /// Whether the index can be searched.
    pub ready: bool,
    /// The number of persons in the index.
    pub persons: usize,
    /// The number of persons left out because their row could not be decrypted.
    pub unreadable: u64,
    /// The error of the last attempt to load or to follow the database.
    pub fault: Option<StoreError>,
    /// The time since the index last caught up with the database, or since it was created.
    pub age: Duration,
}

/// The arguments of a search.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The tenant whose persons are searched.
    pub tenant: &'a Tenant,
    /// The direction of the embedding of the face to search for.
    pub probe: &'a Direction,
    /// The largest number of persons to return.
    pub most: usize,
    /// A person within this distance is a match.
    pub threshold: Threshold,
    /// The caller. Persons for whom this caller has spent the budget of failures are left out.
    pub source: Source<'a>,
    /// Seconds since 1970.
    pub now: i64,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResult {
    /// The persons within the threshold with their distances, nearest first.
    pub matches: Vec<(ComparedSubject, f64)>,
    /// The nearest person, if no person is within the threshold.
    pub nearest: Option<ComparedSubject>,
    /// The number of the tenant's persons in the index.
    pub searched: usize,
    /// The tenant's stored templates that could not be compared, by reason.
    pub not_compared: NotCompared,
    /// The number of the tenant's persons who are compared by a mean of several templates.
    pub averaged: usize,
}

impl Index {
    /// Creates an index, and a thread that loads and updates it until the index is dropped.
    pub fn start(store: Arc<Store>, space: SpaceBytes) -> Arc<Self> {
        let index = Arc::new(Self::empty(store, space));
        let weak = Arc::downgrade(&index);
        std::thread::spawn(move || {
            while let Some(index) = weak.upgrade() {
                if let Err(error) = index.follow() {
                    tracing::warn!(%error, "the index could not be updated; the service tries again");
                }
                drop(index);
                std::thread::sleep(EVERY);
            }
        });
        index
    }

    pub(super) fn empty(store: Arc<Store>, space: SpaceBytes) -> Self {
        let (means, uncompared, follower) = (RwLock::default(), RwLock::default(), Mutex::default());
        Self {
            store,
            space,
            means,
            uncompared,
            follower,
            ready: AtomicBool::new(false),
            followed: Mutex::new(Instant::now()),
        }
    }

    /// Returns the state of the index.
    pub fn state(&self) -> IndexState {
        let persons = self.means.read().unwrap_or_else(PoisonError::into_inner).persons();
        let ready = self.ready.load(Ordering::Acquire);
        // While the index loads, the lock is taken; then no count and no fault is reported.
        let follower = self.follower.try_lock().ok();
        let (unreadable, fault) = follower.map_or((0, None), |f| (f.unreadable, f.fault.clone()));
        let age = self.followed.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        IndexState { ready, persons, unreadable, fault, age }
    }

    /// Returns what a search of this tenant would compare, without matches.
    ///
    /// # Errors
    /// The index is not loaded yet; the database refused.
    pub fn coverage(&self, tenant: &Tenant) -> Result<SearchResult> {
        if !self.ready.load(Ordering::Acquire) {
            return Err(StoreError::new(Kind::Loading, "the index is being loaded"));
        }
        self.follow()?;
        let searched = self.means.read().unwrap_or_else(PoisonError::into_inner).of(tenant);
        let Counts { not_compared, averaged } =
            self.uncompared.read().unwrap_or_else(PoisonError::into_inner).of(tenant);
        Ok(SearchResult { matches: Vec::new(), nearest: None, searched, not_compared, averaged })
    }

    /// Finds the tenant's persons within the threshold of a face.
    ///
    /// # Errors
    /// The index is not loaded yet; the database refused.
    pub fn search(&self, query: &Query<'_>) -> Result<SearchResult> {
        let coverage = self.coverage(query.tenant)?;
        let mut wanted = query.most.saturating_add(4);
        loop {
            let candidates = {
                let means = self.means.read().unwrap_or_else(PoisonError::into_inner);
                means.nearest(query.tenant, query.probe.numbers(), wanted, ANY)
            };
            let mut near = self.checked(query, &candidates)?;
            let matches = near.iter().take_while(|(_, distance)| query.threshold.includes(*distance)).count();
            // The search stops if it has enough matches or no more candidates. Otherwise some candidates were erased or
            // left out, and the search takes twice as many.
            if near.len() > matches || matches >= query.most || candidates.len() < wanted {
                let nearest = near.first().filter(|_| matches == 0).map(|(compared, _)| compared.clone());
                near.truncate(matches.min(query.most));
                return Ok(SearchResult { matches: near, nearest, ..coverage });
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    /// Keeps the candidates that the database still contains and whose budget this source has not spent.
    /// Sorts them by their distance to the template in the database, nearest first.
    pub(super) fn checked(&self, query: &Query<'_>, candidates: &[(i64, f32)]) -> Result<Vec<(ComparedSubject, f64)>> {
        let mut near = Vec::new();
        for (id, _) in candidates {
            let Some(person) = self.store.person(*id, query.now)? else { continue };
            let (Some(template), _) = person.template(&self.space) else { continue };
            let Ok(similarity) = Similarity::of(query.probe, template.direction(), query.threshold) else { continue };
            let own = person.tenant == *query.tenant;
            if own && self.store.spent(query.tenant, &person.subject, query.source, query.now)?.is_none() {
                let compared = ComparedSubject { subject: person.subject, person: Some(person.pseudonym) };
                near.push((compared, similarity.distance()));
            }
        }
        near.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        Ok(near)
    }

    /// Loads the index, or applies the changes since the last call.
    ///
    /// # Errors
    /// The database refused.
    pub(super) fn follow(&self) -> Result<()> {
        let ready = self.ready.load(Ordering::Acquire);
        let revision = self.store.revision();
        if ready && revision.as_ref().is_ok_and(|now| *now == self.follower().revision) {
            self.has_followed();
            return Ok(());
        }
        let mut follower = self.follower();
        let outcome = revision.and_then(|_| self.catch_up(&mut follower));
        follower.fault = outcome.as_ref().err().cloned();
        if outcome.is_ok() {
            self.has_followed();
        }
        outcome
    }

    fn has_followed(&self) {
        *self.followed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn follower(&self) -> std::sync::MutexGuard<'_, Follower> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn catch_up(&self, follower: &mut Follower) -> Result<()> {
        let (revision, since) = (self.store.revision()?, follower.revision);
        let whole = !self.ready.load(Ordering::Acquire) || revision < since || revision - since > FOLLOWED;
        if whole {
            self.ready.store(false, Ordering::Release);
            *self.means.write().unwrap_or_else(PoisonError::into_inner) = FlatIndex::default();
            *self.uncompared.write().unwrap_or_else(PoisonError::into_inner) = Uncompared::default();
            *follower = Follower::default();
        }
        let mut last = if whole { 0 } else { since };
        loop {
            let page = self.store.changed(last)?;
            let Some((_, version)) = page.last() else { break };
            last = *version;
            self.take(page, follower);
        }
        if !whole {
            let gone = self.store.gone(since)?;
            let mut means = self.means.write().unwrap_or_else(PoisonError::into_inner);
            let mut uncompared = self.uncompared.write().unwrap_or_else(PoisonError::into_inner);
            for person in gone {
                means.remove(person);
                uncompared.remove(person);
            }
        }
        // A change written during this read has a later revision; the next call applies it.
        follower.revision = revision;
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    fn take(&self, page: Vec<(Result<Person>, i64)>, follower: &mut Follower) {
        let mut taken = Vec::with_capacity(page.len());
        for (person, _) in page {
            match person {
                Ok(person) => taken.push((person.mean(&self.space), person)),
                Err(error) => {
                    follower.unreadable += 1;
                    tracing::error!(%error, "left out of the index");
                }
            }
        }
        let mut means = self.means.write().unwrap_or_else(PoisonError::into_inner);
        let mut uncompared = self.uncompared.write().unwrap_or_else(PoisonError::into_inner);
        for (mean, person) in taken {
            means.put(&person.tenant, person.id, mean.as_deref());
            let (not_compared, averaged) = (person.template(&self.space).1, person.is_averaged(&self.space));
            uncompared.put(&person.tenant, person.id, Counts { not_compared, averaged: averaged.into() });
        }
    }
}

impl Store {
    fn revision(&self) -> Result<i64> {
        self.read(|rows| Meta::read(rows, &self.secrets.digests)).map(|meta| meta.revision)
    }

    /// Loads a person by number, unless the person has expired.
    fn person(&self, id: i64, now: i64) -> Result<Option<Person>> {
        let sql = concat!("SELECT ", columns!(), " FROM person WHERE id = ?1");
        let row = self.read(|rows| rows.row(sql, &[id.into()]))?;
        let person = row.map(|row| self.opened(row).map(|opened| opened.person)).transpose()?;
        Ok(person.filter(|person| !person.terms.expired(now)))
    }

    /// Returns the next page of persons that changed after this version, each with its version.
    fn changed(&self, after: i64) -> Result<Vec<(Result<Person>, i64)>> {
        let sql = concat!("SELECT ", columns!(), " FROM person WHERE version > ?1 ORDER BY version LIMIT ?2");
        let rows = self.read(|rows| rows.rows(sql, &[after.into(), PAGE.into()]))?;
        let open = |row| {
            let (stored, master) = stored(row)?;
            let version = stored.version;
            let opened = Opened::open(&stored, &self.master(&master)?);
            Ok((opened.map(|opened| opened.person), version))
        };
        rows.into_iter().map(open).collect()
    }

    /// Returns the numbers of the persons who were erased after this revision.
    fn gone(&self, after: i64) -> Result<Vec<i64>> {
        let rows = self.read(|rows| rows.rows("SELECT person FROM gone WHERE revision > ?1", &[after.into()]))?;
        rows.into_iter().map(|mut row| row.int()).collect()
    }
}
