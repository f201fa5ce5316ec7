//! Replaces the master key while a server runs: wraps every data key again and does not change the templates'
//! bytes.
//!
//! R1 adds a new key to the key file, before the old key. R2 wraps the root by the new key; from then on
//! every writer uses it. R3 wraps each person's data key by the new key, at most [`BATCH`] persons in a
//! transaction. R4 scrubs the old wraps from the files. R5 removes the old key from the key file. If the
//! process is killed, the next call continues: two keys in the file show a rotation in progress.

use std::path::Path;

use serde_json::json;

use super::beside::alone;
use super::digest::{Changes, Table};
use super::entry::NewEntry;
use super::error::Result;
use super::handle::{Store, columns, root, rooted, stored};
use super::keys::MasterKey;
use super::record::rewrap;
use super::seal::seal;
use super::sql::Erasure;
use crate::clock::now;
use crate::hex::hex;

/// The largest number of persons in a transaction.
const BATCH: i64 = 100;

/// The result of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The number of persons whose data key this call wrapped.
    pub persons: u64,
    /// The id of the key that wraps everything now.
    pub key: String,
    /// `Done`: the database has removed what the old key wrapped, as far as a client can. `Pending`: a transaction still
    /// reads it.
    pub erasure: Erasure,
}

impl Store {
    /// Does R1 only, so that the key file can be copied to every replica before the new key wraps anything.
    ///
    /// # Errors
    /// The key file can't be replaced; another rotation runs.
    pub fn prepare_rotation(&self, key_file: &Path) -> Result<()> {
        let _alone = alone(key_file)?;
        self.begun()
    }

    /// Does R1 to R5.
    ///
    /// # Errors
    /// The key file can't be replaced, another rotation runs, or the database refused. Finished steps are
    /// kept.
    pub fn rotate(&self, key_file: &Path) -> Result<Rotated> {
        let _alone = alone(key_file)?;
        self.begun()?;
        let newest = self.keyring.newest();
        self.write(|changes| self.rewrap_root(changes, &newest))?;
        let mut persons = 0;
        loop {
            let done = self.rewrap_all(&newest)?;
            persons += done;
            // A writer whose transaction began before R2 may have added a person under the old key.
            if done == 0 {
                break;
            }
        }
        let erasure = self.scrub();
        self.keyring.forget_former()?;
        Ok(Rotated { persons, key: hex(&newest.id()), erasure })
    }

    fn begun(&self) -> Result<()> {
        self.keyring.reread()?;
        match self.keyring.count() {
            1 => self.keyring.add(),
            _ => Ok(()),
        }
    }

    fn rewrap_root(&self, changes: &mut Changes<'_>, newest: &MasterKey) -> Result<()> {
        if changes.meta.master == newest.id() {
            return Ok(());
        }
        let root = root(changes.rows(), &self.keyring)?;
        changes.meta.root = seal(&newest.key, &rooted(newest), &*root)?;
        changes.meta.master = newest.id().to_vec();
        let body = json!({ "key": hex(&newest.id()) });
        changes.entries.push(NewEntry::of("master_key_changed", now(), body));
        Ok(())
    }

    fn rewrap_all(&self, newest: &MasterKey) -> Result<u64> {
        let (mut last, mut persons) = (0, 0);
        loop {
            let (to, done) = self.write(|changes| self.rewrap_some(changes, newest, last))?;
            if done == 0 {
                return Ok(persons);
            }
            (last, persons) = (to, persons + done);
        }
    }

    /// Wraps the next persons after `last`; returns the last number and the count.
    fn rewrap_some(&self, changes: &mut Changes<'_>, newest: &MasterKey, last: i64) -> Result<(i64, u64)> {
        let sql = concat!("SELECT ", columns!(), " FROM person WHERE id > ?1 AND master <> ?2 ORDER BY id LIMIT ?3");
        let found = changes.rows().rows(sql, &[last.into(), (&newest.id()).into(), BATCH.into()])?;
        let (mut to, mut done) = (last, 0);
        for row in found {
            let (stored, master) = stored(row)?;
            let data = rewrap(&stored, &self.master(&master)?, newest)?;
            let values = [stored.id.into(), (&newest.id()).into(), data.into()];
            let row = ("SELECT * FROM person WHERE id = ?1", 1);
            changes.change(Table::Person, row, "UPDATE person SET master = ?2, data = ?3 WHERE id = ?1", &values)?;
            (to, done) = (stored.id, done + 1);
        }
        Ok((to, done))
    }
}
