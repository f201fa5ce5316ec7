//! The store of templates: who was enrolled, sealed in a database that holds ciphertext only.
//!
//! One interface, blocking, over two databases (`sqlite`, `postgres`); `docs/templates.md` has the
//! layout and what is guaranteed. Calls come from many threads. Touches the database, the key file,
//! and the system's randomness.

mod access;
mod check;
mod digest;
mod enroll;
mod error;
mod failures;
mod index;
mod keys;
mod location;
mod means;
mod person;
mod postgres;
mod record;
mod rotate;
mod seal;
mod sql;
mod sqlite;
mod tls;
mod uncompared;

pub use access::{ApiKey, Grant, Scope, Scopes};
pub use check::Checked;
pub use enroll::{Answered, Enrollment, Idempotency, Mode, Outcome};
pub use error::{Kind, Result, StoreError};
pub use failures::{Source, Spent};
pub use index::{Found, Index, IndexState, Query};
pub use location::Location;
#[cfg(test)]
use person::{Contract, DIMENSION};
pub use person::{Fresh, NotCompared, Person, Subject, Tenant};
pub use sql::Erasure;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use digest::{Changes, DigestKeys, Meta, no_meta};
use enroll::FOLLOWED;
use keys::{Keyring, MasterKey};
use record::{Opened, Stored};
use seal::{Context, Key, derive, name, open, random_key, seal};
use sql::{Database, Row, Rows, TABLES};

/// The layout of the tables, and of what templates are filed under. 1 was that of 0.1, whose ids of
/// embedding spaces no longer exist.
const LAYOUT: i64 = 2;

/// How often an erasure that could not be finished is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be made.
    Create,
    /// To answer requests: alone, where the database is a file.
    Serve,
    /// To manage it, beside whoever serves.
    Manage,
}

/// An open store.
pub struct Store {
    database: Box<dyn Database>,
    keyring: Keyring,
    secrets: Secrets,
    /// Something deleted may still lie in the database's files.
    unscrubbed: AtomicBool,
}

/// Keys for names and small things, of one random root that the master key wraps.
struct Secrets {
    names: Key,
    failures: Key,
    failure_rows: Key,
    answers: Key,
    access: Key,
    digests: DigestKeys,
}

impl Secrets {
    fn of(root: &Key) -> Self {
        let key = |purpose| derive(root, purpose);
        Self {
            names: key("names"),
            failures: key("failures"),
            failure_rows: key("failure rows"),
            answers: key("answers"),
            access: key("access"),
            digests: DigestKeys { rows: key("row digests"), seal: key("table digests") },
        }
    }
}

fn rooted(master: &MasterKey) -> Context {
    Context::new("root").number(LAYOUT).field(&master.id())
}

impl Store {
    /// Makes a store, and the key file that opens it.
    ///
    /// # Errors
    /// One of them is there already or can't be made; the key file would lie with the database.
    pub fn init(location: &Location, key_file: &Path) -> Result<Self> {
        location.refuse_beside(key_file)?;
        let keyring = Keyring::create(key_file)?;
        let made = Self::fill(location, keyring);
        if made.is_err() {
            // Nothing was sealed with it.
            let _ = std::fs::remove_file(key_file);
        }
        made
    }

    fn fill(location: &Location, keyring: Keyring) -> Result<Self> {
        let database = location.open(Purpose::Create)?;
        let (root, master) = (random_key()?, keyring.newest());
        let secrets = Secrets::of(&root);
        let meta = Meta::new(&master.id(), seal(&master.key, &rooted(&master), &*root)?);
        database.write(&mut |rows| {
            TABLES.iter().try_for_each(|table| rows.run(table, &[]).map(|_| ()))?;
            let values = [&meta.values(&secrets.digests)?[..], &[LAYOUT.into()]].concat();
            let sql = "INSERT INTO meta (one, layout, master, root, revision, digests) VALUES (1, ?5, ?1, ?2, ?3, ?4)";
            rows.run(sql, &values).map(|_| ())
        })?;
        database.settle()?;
        Ok(Self { database, keyring, secrets, unscrubbed: AtomicBool::new(true) })
    }

    /// Opens a store. Where the master key is wrong, nothing was written.
    ///
    /// # Errors
    /// Its kind says which: `KeyFile`, `Absent`, `Locked`, `WrongKey`, `Corrupt`, `Unavailable`, …
    pub fn open(location: &Location, key_file: &Path, purpose: Purpose) -> Result<Arc<Self>> {
        let keyring = Keyring::read(key_file)?;
        let database = location.open(purpose)?;
        let mut opened = None;
        database.snapshot(&mut |rows| {
            let secrets = Secrets::of(&root(rows, &keyring)?);
            Meta::read(rows, &secrets.digests)?;
            opened = Some(secrets);
            Ok(())
        })?;
        let secrets = opened.ok_or_else(unworked)?;
        database.settle()?;
        let store = Arc::new(Self { database, keyring, secrets, unscrubbed: AtomicBool::new(true) });
        if purpose == Purpose::Serve {
            store.keep_scrubbing();
        }
        Ok(store)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub fn ping(&self) -> Result<()> {
        self.read(|rows| Meta::read(rows, &self.secrets.digests).map(|_| ()))
    }

    /// A thread that finishes what erasures left, until the store is dropped.
    fn keep_scrubbing(self: &Arc<Self>) {
        let store = Arc::downgrade(self);
        std::thread::spawn(move || {
            while let Some(store) = store.upgrade() {
                if store.unscrubbed.load(Ordering::Acquire) {
                    store.scrub();
                }
                drop(store);
                std::thread::sleep(AGAIN);
            }
        });
    }

    /// Removes what deleted rows left in the files; what can't be done now is tried again.
    fn scrub(&self) -> Erasure {
        // Before, not after: who erases meanwhile sets it again.
        self.unscrubbed.store(false, Ordering::Release);
        let scrubbed = self.database.scrub().unwrap_or(Erasure::Pending);
        if scrubbed == Erasure::Pending {
            self.unscrubbed.store(true, Ordering::Release);
        }
        scrubbed
    }

    fn read<T>(&self, mut work: impl FnMut(&mut dyn Rows) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.database.read(&mut |rows| work(rows).map(|value| done = Some(value)))?;
        done.ok_or_else(unworked)
    }

    fn snapshot<T>(&self, mut work: impl FnMut(&mut dyn Rows) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.database.snapshot(&mut |rows| work(rows).map(|value| done = Some(value)))?;
        done.ok_or_else(unworked)
    }

    fn write<T>(&self, mut work: impl FnMut(&mut Changes<'_>) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.database.write(&mut |rows| {
            let mut changes = Changes::begin(rows, &self.secrets.digests)?;
            done = Some(work(&mut changes)?);
            changes.end()
        })?;
        done.ok_or_else(unworked)
    }

    fn name(&self, tenant: &Tenant, subject: &Subject) -> [u8; 32] {
        name(&self.secrets.names, &[tenant.as_str().as_bytes(), subject.as_str().as_bytes()])
    }

    /// The master key of this id.
    fn master(&self, id: &[u8]) -> Result<MasterKey> {
        self.keyring.find(id).ok_or_else(|| {
            let what = format!("the key file has no master key {}, which wrapped some of this store", keys::hex(id));
            StoreError::new(Kind::WrongKey, what).hint("a rotation needs the same key file in every place")
        })
    }

    /// Opens a row of `columns!`.
    fn opened(&self, row: Row) -> Result<Opened> {
        let (stored, master) = stored(row)?;
        Opened::open(&stored, &self.master(&master)?)
    }
}

fn other_layout(found: i64) -> StoreError {
    let what =
        format!("layout of the store: expected {LAYOUT}, found {found}; its templates can't be compared any more");
    StoreError::new(Kind::Layout, what).hint(
        "the version of `likeness` that made this store opens it; `likeness store init` makes a new one, \
             into which persons are enrolled again",
    )
}

fn unworked() -> StoreError {
    StoreError::new(Kind::Unavailable, "the database did not do its work")
}

/// The columns that `stored` takes.
macro_rules! columns {
    () => {
        "id, name, version, master, data"
    };
}
use columns;

/// A person's row, and the id of the master key that wrapped it.
fn stored(mut row: Row) -> Result<(Stored, Vec<u8>)> {
    let (id, name, version, master, data) = (row.int()?, row.bytes()?, row.int()?, row.bytes()?, row.bytes()?);
    let name =
        name.try_into().map_err(|_| StoreError::new(Kind::Corrupt, format!("person {id}: a name of odd length")))?;
    Ok((Stored { id, version, name, data }, master))
}

/// The root that everything small is sealed by, unwrapped.
fn root(rows: &mut dyn Rows, keyring: &Keyring) -> Result<Key> {
    let layout = rows.row("SELECT layout FROM meta", &[])?.ok_or_else(no_meta)?.int()?;
    if layout != LAYOUT {
        return Err(other_layout(layout));
    }
    let mut meta = rows.row("SELECT master, root FROM meta", &[])?.ok_or_else(no_meta)?;
    let (id, wrapped) = (meta.bytes()?, meta.bytes()?);
    let wrong = || {
        let what = format!(
            "key file {}: expected master key {}, found {}",
            keyring.path().display(),
            keys::hex(&id),
            keys::hex(&keyring.newest().id())
        );
        StoreError::new(Kind::WrongKey, what).hint("--key-file FILE, or LIKENESS_KEY_FILE")
    };
    let master = keyring.find(&id).ok_or_else(wrong)?;
    let root = open(&master.key, &rooted(&master), &wrapped).ok_or_else(|| {
        StoreError::new(Kind::Corrupt, "the store's root is not what was sealed").hint("a backup has what was there")
    })?;
    root.as_slice()
        .try_into()
        .map(Key::new)
        .map_err(|_| StoreError::new(Kind::Corrupt, "the store's root has no 32 bytes"))
}

#[cfg(test)]
mod bench;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod postgres_tests;
#[cfg(test)]
mod sqlite_tests;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod suite_index;
#[cfg(test)]
mod tamper_tests;
