//! Signs records and keeps them: the newest in memory and, if there is a store, each in the store's journal.
//!
//! No response waits for the journal. A thread writes the waiting entries together, a few times a second. If
//! the store refuses them, the thread tries up to 100 times. Entries that are lost or find no room are
//! counted, and the journal gets their number.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use likeness::policy::Policy;
use metrics::counter;
use serde_json::{Value, json};

use super::document::{CaptureRecord, KIND, ModelsRecord, PhotographRecord, Program, Record, Rule, is_judging, rules};
use crate::clock::now;
use crate::hex::hex;
use crate::jws::Signer;
use crate::store::{NewEntry, Store, StoreError, random_key};
use crate::trail::Seen;

/// The largest number of records in memory.
const RECENT: usize = 1024;
/// The largest number of entries that wait for the store.
const WAITING: usize = 8192;
/// The largest number of entries that join the first one in a transaction.
const TOGETHER: usize = 512;
/// The time limits and the number of attempts of the journal's thread.
struct Patience {
    /// The time that the thread collects entries, and the time that it waits after the store refused.
    every: Duration,
    /// The number of attempts to append entries before they are lost.
    tries: u32,
}

const PATIENCE: Patience = Patience { every: Duration::from_millis(100), tries: 100 };

/// Signs records and keeps them.
pub struct Records {
    signer: Signer,
    hashes: [u8; 32],
    program: Program,
    recent: Mutex<VecDeque<(String, Option<String>, String)>>,
    journal: Option<Journal>,
}

struct Journal {
    entries: Mutex<Option<SyncSender<NewEntry>>>,
    lost: Arc<Lost>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// The number of entries that were lost and are not yet named in the journal.
#[derive(Default)]
struct Lost(AtomicU64);

impl Lost {
    /// Counts lost entries, also in the metrics.
    fn add(&self, entries: u64) {
        self.0.fetch_add(entries, Ordering::AcqRel);
        counter!("likeness_journal_total", "outcome" => "lost").increment(entries);
    }

    /// Takes the number for an entry of the journal that names it.
    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::AcqRel)
    }

    /// Puts back a number whose entry did not reach the journal.
    fn put_back(&self, entries: u64) {
        self.0.fetch_add(entries, Ordering::AcqRel);
    }
}

/// The facts about a response that its record contains.
pub struct AnsweredRequest<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// The route of the request.
    pub route: &'a str,
    /// The HTTP status of the response.
    pub status: u16,
    /// The error code of the response.
    pub error_code: Option<&'static str>,
}

impl Records {
    /// Uses the keys and the journal of this store; without a store, uses random keys for this process and no
    /// journal.
    ///
    /// # Errors
    /// The system returned no random numbers.
    pub fn new(program: Program, store: Option<Arc<Store>>) -> Result<Self, String> {
        let (seed, hashes) = match &store {
            Some(store) => store.record_keys(),
            None => (random_key().map_err(|why| why.what)?, random_key().map_err(|why| why.what)?),
        };
        let journal = store.map(|store| {
            let (entries, waiting) = sync_channel(WAITING);
            let lost = Arc::new(Lost::default());
            let counted = lost.clone();
            let append = move |entries: &[NewEntry]| store.append(entries);
            let writer = std::thread::spawn(move || write(append, &waiting, &counted, &PATIENCE));
            Journal { entries: Mutex::new(Some(entries)), lost, writer: Mutex::new(Some(writer)) }
        });
        let recent = Mutex::new(VecDeque::new());
        Ok(Self { signer: Signer::of(&seed)?, hashes: *hashes, program, recent, journal })
    }

    /// Returns the public key, in hexadecimal digits.
    pub fn public_key(&self) -> &str {
        &self.signer.public_key
    }

    /// Creates the record of a request that judged a face; returns its id and the signed record.
    pub fn record(&self, answered: &AnsweredRequest<'_>, seen: &Seen) -> Option<(String, String)> {
        if !is_judging(seen) {
            return None;
        }
        let id = uuid::Uuid::now_v7().to_string();
        let record = self.made(id.clone(), answered, seen);
        let text = serde_json::to_string(&record).expect("a record contains texts and numbers");
        let jws = self.signer.sign(KIND, &text);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back((id.clone(), record.key_tenant, jws.clone()));
        drop(recent);
        self.note("decision", Some(id.clone()), json!({ "jws": jws }));
        Some((id, jws))
    }

    fn made(&self, id: String, answered: &AnsweredRequest<'_>, seen: &Seen) -> Record {
        let hash = |one: &crate::trail::PhotographSeen| self.hash(&one.digest);
        let policy = seen.policy.as_ref().map(rules).unwrap_or_default();
        Record {
            version: 1,
            id,
            at: now(),
            program: self.program.clone(),
            request_id: answered.request_id.into(),
            route: answered.route.into(),
            status: answered.status,
            error_code: answered.error_code.map(str::to_owned),
            key: seen.key.clone(),
            key_tenant: seen.key_tenant.clone(),
            subject: seen.subject.map(String::from),
            policy,
            models: seen.models.as_ref().map(ModelsRecord::from).unwrap_or_default(),
            photographs: seen.photographs.iter().map(|one| PhotographRecord::of(one, hash(one))).collect(),
            distances: seen.distances.iter().map(f64::to_string).collect(),
            threshold: seen.threshold.map(|(distance, source)| Rule {
                name: "threshold".into(),
                value: distance.to_string(),
                source: source.into(),
            }),
            verdict: seen.verdict.map(str::to_owned),
            reasons: seen.reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            capture: seen.capture.as_ref().map(|capture| CaptureRecord {
                id: capture.id.clone(),
                purpose: capture.purpose.into(),
                frames: capture.frames,
                best: capture.best.as_ref().map(|digest| self.hash(digest)),
                failed: capture.failed.map(str::to_owned),
                holds: capture.holds.iter().map(Into::into).collect(),
            }),
        }
    }

    /// Returns the keyed hash of a digest.
    pub fn hash(&self, digest: &[u8; 32]) -> String {
        hex(blake3::keyed_hash(&self.hashes, digest).as_bytes())
    }

    /// Sends an entry to the journal, without waiting.
    pub fn note(&self, kind: &'static str, id: Option<String>, body: Value) {
        let Some(journal) = &self.journal else { return };
        let entry = NewEntry { id, ..NewEntry::of(kind, now(), body) };
        let entries = journal.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = entries.as_ref().is_some_and(|entries| entries.try_send(entry).is_ok());
        if !sent {
            journal.lost.add(1);
        }
    }

    /// Sends the policy that is in force from now on to the journal.
    pub fn policy(&self, policy: &Policy) {
        self.note("policy", None, json!({ "rules": rules(policy) }));
    }

    /// Returns a record that is still in memory, with the tenant of the request's key.
    pub fn recent(&self, id: &str) -> Option<(Option<String>, String)> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, tenant, jws) = recent.iter().find(|(known, ..)| known == id)?;
        Some((tenant.clone(), jws.clone()))
    }

    /// Ends the journal's thread after it has handled the waiting entries.
    pub fn close(&self) {
        let Some(journal) = &self.journal else { return };
        journal.entries.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = journal.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = writer.map(JoinHandle::join);
    }
}

/// Appends waiting entries until the sender is dropped.
fn write(
    append: impl Fn(&[NewEntry]) -> Result<(), StoreError>,
    waiting: &Receiver<NewEntry>,
    lost: &Lost,
    patience: &Patience,
) {
    while let Ok(first) = waiting.recv() {
        std::thread::sleep(patience.every);
        let mut together = vec![first];
        together.extend(waiting.try_iter().take(TOGETHER));
        let entries = together.len() as u64;
        let missed = lost.take();
        if missed > 0 {
            together.push(NewEntry::of("lost", now(), json!({ "entries": missed })));
        }
        if !appended(&append, &together, patience) {
            lost.put_back(missed);
            lost.add(entries);
        }
    }
}

/// Returns whether the store took the entries at one of the attempts.
fn appended(
    append: &impl Fn(&[NewEntry]) -> Result<(), StoreError>,
    entries: &[NewEntry],
    patience: &Patience,
) -> bool {
    for _ in 0..patience.tries {
        match append(entries) {
            Ok(()) => return true,
            Err(error) => tracing::error!(kind = error.kind.name(), what = error.what, "the journal waits"),
        }
        std::thread::sleep(patience.every);
    }
    tracing::error!(entries = entries.len(), "the journal lost entries");
    false
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::store::Kind;

    #[test]
    fn every_entry_is_appended_or_the_journal_names_how_many_were_lost() {
        let (sender, waiting) = sync_channel(WAITING);
        let entry = |kind: &'static str| NewEntry { id: None, at: 0, kind, body: json!({}) };
        let patience = Patience { every: Duration::ZERO, tries: 3 };
        let (lost, calls, kept) = (Lost::default(), Cell::new(0), RefCell::new(Vec::new()));
        // Two entries found no room before.
        lost.add(2);
        sender.send(entry("first")).unwrap();
        let sender = RefCell::new(Some(sender));
        let append = |entries: &[NewEntry]| {
            calls.set(calls.get() + 1);
            if calls.get() > patience.tries {
                kept.borrow_mut().extend(entries.iter().map(|entry| (entry.kind, entry.body.clone())));
                return Ok(());
            }
            if let Some(sender) = sender.borrow_mut().take() {
                sender.send(entry("second")).unwrap();
            }
            Err(StoreError::new(Kind::Unavailable, "the database does not answer"))
        };
        write(append, &waiting, &lost, &patience);
        assert_eq!(kept.into_inner(), [("second", json!({})), ("lost", json!({ "entries": 3 }))]);
        assert_eq!(lost.take(), 0);
    }
}
