//! [`Store`] contains the database and the keys; this file opens both. The other files of this folder add methods to
//! this type.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::counter;

use super::beside::alone;
use super::digest::{Changes, DigestKeys, Meta, Table, no_meta};
use super::error::{Kind, Result, StoreError};
use super::keys::{KeyUse, Keyring, MasterKey, taken};
use super::location::Location;
use super::person::{Subject, Tenant};
use super::record::{Opened, Stored};
use super::seal::{Context, Key, derive, name, open, random_key, seal};
use super::sql::{Database, Erasure, LAYOUT, Purpose, Row, Rows, TABLES};
use crate::hex::hex;

/// The time that the background thread waits between two attempts to finish pending erasures.
const AGAIN: Duration = Duration::from_secs(1);

/// An open store.
pub struct Store {
    pub(super) database: Box<dyn Database>,
    pub(super) keyring: Keyring,
    pub(super) secrets: Secrets,
    /// Whether deleted data may still be in the database's files.
    pub(super) unscrubbed: AtomicBool,
}

/// Keys derived from one random root that the master key wraps; each field's key serves the table or purpose
/// of that name.
pub(super) struct Secrets {
    pub(super) names: Key,
    pub(super) failures: Key,
    pub(super) failure_rows: Key,
    pub(super) answers: Key,
    pub(super) access: Key,
    pub(super) cursors: Key,
    pub(super) erasures: Key,
    pub(super) signing: Key,
    pub(super) journal: Key,
    pub(super) captures: Key,
    pub(super) capture_names: Key,
    pub(super) photographs: Key,
    pub(super) digests: DigestKeys,
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
            cursors: key("cursors"),
            erasures: key("erasures"),
            signing: key("signing"),
            journal: key("journal"),
            captures: key("captures"),
            capture_names: key("capture names"),
            photographs: key("photograph hashes"),
            digests: DigestKeys { rows: key("row digests"), seal: key("table digests") },
        }
    }
}

pub(super) fn rooted(master: &MasterKey) -> Context {
    Context::new("root").number(LAYOUT).field(&master.id())
}

impl Store {
    /// Creates a store and the key file that opens the store, or continues a creation that was interrupted.
    ///
    /// # Errors
    /// The store or the key file exists already or can't be created; the key file's path is refused beside
    /// the database.
    pub fn init(location: &Location, key_file: &Path) -> Result<Self> {
        location.refuse_beside(key_file)?;
        let _alone = alone(key_file)?;
        let place = location.place()?;
        let begun = Self::interrupted(location, key_file, &place)?;
        let database = location.open(Purpose::Create)?;
        let store = match (begun, has_store(&*database)?) {
            (Some(keyring), true) => Self::unlocked(database, keyring)?,
            (None, true) => return Err(location.taken()),
            (Some(keyring), false) => Self::fill(database, keyring)?,
            (None, false) => {
                let keyring = Keyring::create(key_file, KeyUse::UnfinishedStore, Some(&place))?;
                Self::fill(database, keyring).map_err(|error| other_was_first(location, key_file, error))?
            }
        };
        store.keyring.finish()?;
        Ok(store)
    }

    /// Returns the key of an interrupted creation at this place; `None` if there is no key file.
    fn interrupted(location: &Location, key_file: &Path, place: &str) -> Result<Option<Keyring>> {
        let Some(keyring) = Keyring::before(key_file)? else { return Ok(None) };
        let same = keyring.unfinished_place().map(|of| of == place);
        match same {
            Some(true) => Ok(Some(keyring)),
            Some(false) => Err(StoreError::new(
                Kind::KeyFile,
                format!("key file {}: is of a store elsewhere, whose creation was interrupted", key_file.display()),
            )
            .hint("repeat `likeness store init` for that store, or name another key file")),
            None if location.open(Purpose::Manage).and_then(|database| Self::unlocked(database, keyring)).is_ok() => {
                let what = format!("key file {}: is there already, and opens {location}", key_file.display());
                Err(StoreError::new(Kind::KeyFile, what).hint("the store is made: `likeness store check` examines it"))
            }
            None => Err(taken(key_file)),
        }
    }

    fn fill(database: Box<dyn Database>, keyring: Keyring) -> Result<Self> {
        let (root, master) = (random_key()?, keyring.newest());
        let secrets = Secrets::of(&root);
        let meta = Meta::new(&master.id(), seal(&master.key, &rooted(&master), &*root)?);
        database.write(&mut |rows| {
            TABLES.iter().try_for_each(|table| rows.run(table, &[]).map(|_| ()))?;
            let values = [&meta.values(&secrets.digests)?[..], &[LAYOUT.into()]].concat();
            let sql = "INSERT INTO meta (one, layout, master, root, revision, digests) VALUES (1, ?5, ?1, ?2, ?3, ?4)";
            rows.run(sql, &values).map(|_| ())
        })?;
        database.prepare()?;
        Ok(Self { database, keyring, secrets, unscrubbed: AtomicBool::new(true) })
    }

    /// Opens a store. If the master key is wrong, nothing is written.
    ///
    /// # Errors
    /// The error's kind names the reason: `KeyFile`, `Absent`, `Locked`, `WrongKey`, `Corrupt`,
    /// `Unavailable`, …
    pub fn open(location: &Location, key_file: &Path, purpose: Purpose) -> Result<Arc<Self>> {
        let keyring = Keyring::read(key_file, KeyUse::Store)?;
        let store = Arc::new(Self::unlocked(location.open(purpose)?, keyring)?);
        store.finish_key_file();
        if purpose == Purpose::Serve {
            store.keep_scrubbing();
        }
        Ok(store)
    }

    /// Ends the creation of a store that was interrupted after the store was whole. If the key file can't be written,
    /// a later start tries again.
    fn finish_key_file(&self) {
        if self.keyring.written_for() == Some(KeyUse::UnfinishedStore)
            && let Ok(_alone) = alone(self.keyring.path())
            && self.keyring.reread().is_ok()
            && let Err(error) = self.keyring.finish()
        {
            tracing::warn!(%error, "the key file still says that its store is not made; the next start tries again");
        }
    }

    fn unlocked(database: Box<dyn Database>, keyring: Keyring) -> Result<Self> {
        let mut opened = None;
        database.snapshot(&mut |rows| {
            let secrets = Secrets::of(&root(rows, &keyring)?);
            Meta::read(rows, &secrets.digests)?;
            opened = Some(secrets);
            Ok(())
        })?;
        let secrets = opened.ok_or_else(unworked)?;
        database.prepare()?;
        Ok(Self { database, keyring, secrets, unscrubbed: AtomicBool::new(true) })
    }

    /// Reads the file of the master keys again.
    ///
    /// # Errors
    /// The file is no longer a key file; the loaded keys stay in use.
    pub fn reread_keys(&self) -> Result<()> {
        self.keyring.reread()
    }

    /// Checks that the database can be read and that `meta` is what was written.
    ///
    /// # Errors
    /// The database can't be read, or another program changed `meta`.
    pub fn ping(&self) -> Result<()> {
        self.read(|rows| Meta::read(rows, &self.secrets.digests).map(|_| ()))
    }

    /// Starts a thread that calls [`Store::tidy`] each second until the store is dropped.
    fn keep_scrubbing(self: &Arc<Self>) {
        let store = Arc::downgrade(self);
        std::thread::spawn(move || {
            while let Some(store) = store.upgrade() {
                store.tidy(crate::clock::now());
                drop(store);
                std::thread::sleep(AGAIN);
            }
        });
    }

    /// Erases expired persons, captures and failures, and finishes pending erasures. The next turn tries again what failed.
    pub(super) fn tidy(&self, now: i64) {
        let swept = [self.sweep(now), self.sweep_captures(now), self.sweep_failures(now)];
        if self.unscrubbed.load(Ordering::Acquire) {
            self.scrub();
        }
        let finished = self.finish_erasures(now);
        for error in swept.into_iter().filter_map(Result::err).chain(finished.err()) {
            tracing::warn!(%error, "expired persons and erasures are not finished; the service tries again");
        }
    }

    /// Removes the remains of deleted rows from the files; if that fails, the next turn tries again.
    pub(super) fn scrub(&self) -> Erasure {
        // Cleared before the scrub: an erasure during the scrub sets the flag again.
        self.unscrubbed.store(false, Ordering::Release);
        let scrubbed = self.database.scrub().unwrap_or(Erasure::Pending);
        if scrubbed == Erasure::Pending {
            self.unscrubbed.store(true, Ordering::Release);
        }
        scrubbed
    }

    pub(super) fn read<T>(&self, mut work: impl FnMut(&mut dyn Rows) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.database.read(&mut |rows| work(rows).map(|value| done = Some(value)))?;
        done.ok_or_else(unworked)
    }

    pub(super) fn snapshot<T>(&self, mut work: impl FnMut(&mut dyn Rows) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.database.snapshot(&mut |rows| work(rows).map(|value| done = Some(value)))?;
        done.ok_or_else(unworked)
    }

    pub(super) fn write<T>(&self, mut work: impl FnMut(&mut Changes<'_>) -> Result<T>) -> Result<T> {
        let (mut done, mut entries) = (None, 0);
        self.database.write(&mut |rows| {
            let mut changes = Changes::begin(rows, &self.secrets.digests)?;
            done = Some(work(&mut changes)?);
            entries = self.append_collected(&mut changes)?;
            changes.end()
        })?;
        counter!("likeness_journal_total", "outcome" => "kept").increment(entries);
        done.ok_or_else(unworked)
    }

    pub(super) fn name(&self, tenant: &Tenant, subject: &Subject) -> [u8; 32] {
        name(&self.secrets.names, &[tenant.as_str().as_bytes(), subject.as_str().as_bytes()])
    }

    /// Returns the keyed hash of a tenant; the listing of persons selects rows by this hash.
    pub(super) fn tenant_name(&self, tenant: &Tenant) -> [u8; 16] {
        let hash = name(&self.secrets.names, &[b"tenant", tenant.as_str().as_bytes()]);
        hash.first_chunk().copied().unwrap_or_default()
    }

    /// Returns the master key with this id.
    pub(super) fn master(&self, id: &[u8]) -> Result<MasterKey> {
        self.keyring.find(id).ok_or_else(|| {
            let what = format!("the key file has no master key {}, which wrapped some of this store", hex(id));
            StoreError::new(Kind::WrongKey, what).hint("a rotation needs the same key file in every place")
        })
    }

    /// Decrypts a row that a query selected by `columns!`.
    pub(super) fn opened(&self, row: Row) -> Result<Opened> {
        let (stored, master) = stored(row)?;
        Opened::open(&stored, &self.master(&master)?)
    }
}

/// Returns whether the database contains a store, of whatever layout.
fn has_store(database: &dyn Database) -> Result<bool> {
    let has = |sql: &'static str| match database.snapshot(&mut |rows| rows.row(sql, &[]).map(|_| ())) {
        Err(error) if error.kind == Kind::Absent => Ok(false),
        found => found.map(|()| true),
    };
    if has("SELECT layout FROM meta")? {
        return Ok(true);
    }
    for table in Table::ALL {
        if has(table.pages().1)? {
            let what = format!("the database: expected no table `{}`, found one of another program", table.name());
            return Err(StoreError::new(Kind::BadSetting, what).hint("name another database"));
        }
    }
    Ok(false)
}

/// If another `store init` was first, the key file of this one is removed: nothing needs its key.
fn other_was_first(location: &Location, key_file: &Path, error: StoreError) -> StoreError {
    let database = location.open(Purpose::Manage);
    let keyring = Keyring::read(key_file, KeyUse::Store);
    let other = database.and_then(|database| {
        database.snapshot(&mut |rows| root(rows, keyring.as_ref().map_err(Clone::clone)?).map(|_| ()))
    });
    if other.is_err_and(|error| error.kind == Kind::WrongKey) {
        let _ = std::fs::remove_file(key_file);
        return location.taken();
    }
    error
}

fn other_layout(found: i64) -> StoreError {
    let what = format!("layout of the store: expected {LAYOUT}, found {found}, which this version does not read");
    StoreError::new(Kind::Layout, what).hint(
        "the version that made this store opens it; if it has `likeness store export`, import its archive into a new \
             store (`likeness store init`), otherwise enrol the persons again there",
    )
}

fn unworked() -> StoreError {
    StoreError::new(Kind::Unavailable, "the database did not do its work")
}

/// The columns of a person's row, in the order in which [`stored`] reads them.
macro_rules! columns {
    () => {
        "id, tenant, name, version, expires_at, master, data"
    };
}
pub(super) use columns;

/// Splits a person's row into its parts and the id of the master key that wrapped it.
pub(super) fn stored(mut row: Row) -> Result<(Stored, Vec<u8>)> {
    let (id, tenant, name) = (row.int()?, row.bytes()?, row.bytes()?);
    let (version, expires_at, master, data) = (row.int()?, row.int()?, row.bytes()?, row.bytes()?);
    let odd = |_| StoreError::new(Kind::Corrupt, format!("person {id}: a name of odd length"));
    let (tenant, name) = (tenant.try_into().map_err(odd)?, name.try_into().map_err(odd)?);
    Ok((Stored { id, version, tenant, name, expires_at, data }, master))
}

/// Unwraps the root, from which [`Secrets`] are derived.
pub(super) fn root(rows: &mut dyn Rows, keyring: &Keyring) -> Result<Key> {
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
            hex(&id),
            hex(&keyring.newest().id())
        );
        StoreError::new(Kind::WrongKey, what).hint("--key-file FILE, or LIKENESS_KEY_FILE")
    };
    let master = keyring.find(&id).ok_or_else(wrong)?;
    let root = open(&master.key, &rooted(&master), &wrapped).ok_or_else(|| {
        StoreError::new(Kind::Corrupt, "the store's root key was changed or damaged").hint("restore a backup")
    })?;
    root.as_slice()
        .try_into()
        .map(Key::new)
        .map_err(|_| StoreError::new(Kind::Corrupt, "the store's root has no 32 bytes"))
}
