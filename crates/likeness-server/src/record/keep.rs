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

use super::document::{KIND, ModelsRecord, PhotographRecord, Program, Record, Rule, is_judging, rules};
use crate::clock::now;
use crate::hex::hex;
use crate::jws::Signer;
use crate::store::{NewEntry, Store, random_key};
use crate::trail::Seen;

/// The largest number of records in memory.
const RECENT: usize = 1024;
/// The largest number of entries that wait for the store.
const WAITING: usize = 8192;
/// The largest number of entries that join the first one in a transaction.
const TOGETHER: usize = 512;
/// How long the thread collects entries, and how long it waits after the store refused.
const EVERY: Duration = Duration::from_millis(100);

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
    lost: Arc<AtomicU64>,
    writer: Mutex<Option<JoinHandle<()>>>,
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
            let lost = Arc::new(AtomicU64::new(0));
            let counted = lost.clone();
            let writer = std::thread::spawn(move || write(&store, &waiting, &counted));
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
        let text = serde_json::to_string(&record).ok()?;
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
            subject: seen.subject.as_ref().map(|subject| self.hash(subject)),
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
        }
    }

    /// Returns the keyed hash of a digest.
    pub fn hash(&self, digest: &[u8; 32]) -> String {
        hex(blake3::keyed_hash(&self.hashes, digest).as_bytes())
    }

    /// Sends an entry to the journal, without waiting.
    pub fn note(&self, kind: &'static str, id: Option<String>, body: Value) {
        let Some(journal) = &self.journal else { return };
        let entry = NewEntry { id, at: now(), kind, body };
        let entries = journal.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = entries.as_ref().is_some_and(|entries| entries.try_send(entry).is_ok());
        if !sent {
            journal.lost.fetch_add(1, Ordering::AcqRel);
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

/// Writes waiting entries until the sender is dropped.
fn write(store: &Store, waiting: &Receiver<NewEntry>, lost: &AtomicU64) {
    while let Ok(first) = waiting.recv() {
        std::thread::sleep(EVERY);
        let mut together = vec![first];
        together.extend(waiting.try_iter().take(TOGETHER));
        let missed = lost.swap(0, Ordering::AcqRel);
        if missed > 0 {
            together.push(NewEntry { id: None, at: now(), kind: "lost", body: json!({ "entries": missed }) });
        }
        let mut tries = 0;
        while let Err(error) = store.append(&together) {
            tries += 1;
            tracing::error!(kind = error.kind.name(), what = error.what, "the journal waits; tried again");
            if tries == 100 {
                lost.fetch_add(together.len() as u64, Ordering::AcqRel);
                counter!("likeness_journal_total", "outcome" => "lost").increment(together.len() as u64);
                break;
            }
            std::thread::sleep(EVERY);
        }
        if tries < 100 {
            counter!("likeness_journal_total", "outcome" => "kept").increment(together.len() as u64);
        }
    }
}
