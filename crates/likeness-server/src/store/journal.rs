//! The journal is a table of sealed entries. Each entry contains the hash of the previous entry, and the
//! store's digest covers the table.
//!
//! Promises: the entry of a change of the store is written in the change's transaction, so neither exists
//! without the other. if another program changes, removes or moves an entry, the chain or the table's digest no longer
//! matches. The owner of the master key can write another journal; a signed head exported earlier reveals
//! that.

use super::digest::{Changes, Meta, Table, TableDigest};
use super::entry::{JournalEntry, NOTHING, NewEntry, hash};
use super::error::{Kind, Result, StoreError};
use super::handle::Store;
use super::seal::{Context, Key, open, seal};
use super::sql::{Row, Rows};

/// The most entries that one read returns.
const PAGE: i64 = 500;

impl Store {
    /// Returns the seed of the signing key, and the key of the hashes of photographs in decision records.
    pub fn record_keys(&self) -> (Key, Key) {
        (self.secrets.signing.clone(), self.secrets.photographs.clone())
    }

    /// Appends all of these entries, or none.
    ///
    /// # Errors
    /// The database refused.
    pub fn append(&self, entries: &[NewEntry]) -> Result<()> {
        self.write(|changes| {
            changes.entries.extend_from_slice(entries);
            Ok(())
        })
    }

    /// Appends the entries that the transaction has collected, and returns how many.
    pub(super) fn append_collected(&self, changes: &mut Changes<'_>) -> Result<u64> {
        let entries = std::mem::take(&mut changes.entries);
        if entries.is_empty() {
            return Ok(0);
        }
        let (mut seq, mut previous) = self.last_entry(changes.rows())?;
        for NewEntry { id, at, kind, body } in &entries {
            seq += 1;
            let entry = JournalEntry { seq, previous, at: *at, kind: (*kind).to_owned(), body: body.clone() };
            let text = serde_json::to_string(&entry).map_err(|why| broken(seq, &why.to_string()))?;
            self.put_entry(changes, seq, id.as_deref().unwrap_or(""), &text)?;
            previous = hash(&text);
        }
        Ok(entries.len() as u64)
    }

    /// Returns the number and the hash of the last entry. They stand for the store's whole history.
    pub(super) fn last_entry(&self, rows: &mut dyn Rows) -> Result<(i64, String)> {
        let last = rows.row("SELECT * FROM journal ORDER BY seq DESC LIMIT 1", &[])?;
        let last = last.map(|row| self.opened_entry(row)).transpose()?;
        Ok(last.map_or((0, NOTHING.to_owned()), |(seq, text)| (seq, hash(&text))))
    }

    /// Returns whether the entry of this number has this hash.
    pub(super) fn has_entry(&self, rows: &mut dyn Rows, seq: i64, sha256: &str) -> Result<bool> {
        let row = rows.row("SELECT * FROM journal WHERE seq = ?1", &[seq.into()])?;
        let found = row.map(|row| self.opened_entry(row)).transpose()?;
        Ok(found.map_or(seq == 0 && sha256 == NOTHING, |(_, text)| hash(&text) == sha256))
    }

    fn put_entry(&self, changes: &mut Changes<'_>, seq: i64, id: &str, text: &str) -> Result<()> {
        let sealed = seal(&self.secrets.journal, &sealing(seq, id.as_bytes()), text.as_bytes())?;
        let values = [seq.into(), id.as_bytes().into(), sealed.into()];
        let put = "INSERT INTO journal (seq, id, data) VALUES (?1, ?2, ?3)";
        changes.change(Table::Journal, ("SELECT * FROM journal WHERE seq = ?1", 1), put, &values).map(|_| ())
    }

    /// Calls `each` with the text of every entry, in order. Returns whether the table matches its digest.
    ///
    /// # Errors
    /// The database refused, an entry can't be decrypted, or `each` failed.
    pub fn journal(&self, mut each: impl FnMut(&str) -> Result<()>) -> Result<bool> {
        let mut digest = TableDigest::default();
        let mut last = 0;
        loop {
            let (rows, meta) = self.snapshot(|rows| {
                let meta = Meta::read(rows, &self.secrets.digests)?;
                let page = "SELECT * FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
                Ok((rows.rows(page, &[last.into(), PAGE.into()])?, meta))
            })?;
            // Entries appended during this loop are read too, so the digest is compared after the last page.
            if rows.is_empty() {
                return Ok(digest == *meta.table(Table::Journal));
            }
            for row in rows {
                digest.add(&self.secrets.digests.row(Table::Journal, row.columns()));
                let (seq, text) = self.opened_entry(row)?;
                last = seq;
                each(&text)?;
            }
        }
    }

    /// Returns the text of a decision record's entry.
    ///
    /// # Errors
    /// The database refused, or the entry can't be decrypted.
    pub fn journaled(&self, id: &str) -> Result<Option<String>> {
        let row = self.read(|rows| rows.row("SELECT * FROM journal WHERE id = ?1", &[id.as_bytes().into()]))?;
        Ok(row.map(|row| self.opened_entry(row)).transpose()?.map(|(_, text)| text))
    }

    pub(super) fn opened_entry(&self, mut row: Row) -> Result<(i64, String)> {
        let (seq, id, data) = (row.int()?, row.bytes()?, row.bytes()?);
        let plain = open(&self.secrets.journal, &sealing(seq, &id), &data);
        let text = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        text.map(|text| (seq, text)).ok_or_else(|| broken(seq, "changed or damaged"))
    }
}

fn sealing(seq: i64, id: &[u8]) -> Context {
    Context::new("journal").number(seq).field(id)
}

fn broken(seq: i64, why: &str) -> StoreError {
    StoreError::new(Kind::Corrupt, format!("journal, entry {seq}: {why}")).hint("compare it with an exported journal")
}
