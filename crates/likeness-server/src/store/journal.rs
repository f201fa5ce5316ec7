//! The journal: entries that each name the hash of the one before, sealed, counted in the store's own digest.
//!
//! Promises: an entry that is changed, removed or moved breaks the chain or its table's digest. The owner of the master
//! key can write another journal; heads that were signed and exported before show that.

use likeness::net::Digest;
use serde::{Deserialize, Serialize};

use super::digest::{Changes, Meta, Table, TableDigest};
use super::error::{Kind, Result, StoreError};
use super::handle::Store;
use super::seal::{Context, Key, open, seal};
use super::sql::Row;

/// Entries that are read at once.
const PAGE: i64 = 500;

/// What comes before the first entry.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An entry to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// Of a record.
    pub id: Option<String>,
    /// When, in seconds since 1970.
    pub at: i64,
    /// What it is about.
    pub kind: &'static str,
    /// What happened.
    pub body: serde_json::Value,
}

/// An entry as it is chained and exported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its number, from 1.
    pub seq: i64,
    /// The SHA-256 of the entry before.
    pub previous: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// What it is about.
    pub kind: String,
    /// What happened.
    pub body: serde_json::Value,
}

/// The hash by which the next entry names this one.
pub fn hash(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

impl Store {
    /// The seed of the key that signs, and the key of hashes.
    pub fn record_keys(&self) -> (Key, Key) {
        (self.secrets.signing.clone(), self.secrets.subjects.clone())
    }

    /// Adds entries, all or none.
    ///
    /// # Errors
    /// The database's refusal.
    pub fn append(&self, entries: &[NewEntry]) -> Result<()> {
        self.write(|changes| {
            let last = changes.rows().row("SELECT * FROM journal ORDER BY seq DESC LIMIT 1", &[])?;
            let last = last.map(|row| self.opened_entry(row)).transpose()?;
            let (mut seq, mut previous) = last.map_or((0, NOTHING.to_owned()), |(seq, text)| (seq, hash(&text)));
            for NewEntry { id, at, kind, body } in entries {
                seq += 1;
                let entry = JournalEntry { seq, previous, at: *at, kind: (*kind).to_owned(), body: body.clone() };
                let text = serde_json::to_string(&entry).map_err(|why| broken(seq, &why.to_string()))?;
                self.put_entry(changes, seq, id.as_deref().unwrap_or(""), &text)?;
                previous = hash(&text);
            }
            Ok(())
        })
    }

    fn put_entry(&self, changes: &mut Changes<'_>, seq: i64, id: &str, text: &str) -> Result<()> {
        let sealed = seal(&self.secrets.journal, &sealing(seq, id.as_bytes()), text.as_bytes())?;
        let values = [seq.into(), id.as_bytes().into(), sealed.into()];
        let put = "INSERT INTO journal (seq, id, data) VALUES (?1, ?2, ?3)";
        changes.change(Table::Journal, ("SELECT * FROM journal WHERE seq = ?1", 1), put, &values).map(|_| ())
    }

    /// Calls `each` with the text of every entry, in their order. Whether the table is what was written.
    ///
    /// # Errors
    /// The database's refusal; an entry is not what was sealed.
    pub fn journal(&self, mut each: impl FnMut(&str) -> Result<()>) -> Result<bool> {
        let mut digest = TableDigest::default();
        let mut last = 0;
        loop {
            let (rows, meta) = self.snapshot(|rows| {
                let meta = Meta::read(rows, &self.secrets.digests)?;
                let page = "SELECT * FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
                Ok((rows.rows(page, &[last.into(), PAGE.into()])?, meta))
            })?;
            // What is appended meanwhile is read as well, so that the last page decides.
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

    /// The text of a record's entry.
    ///
    /// # Errors
    /// The database's refusal; the entry is not what was sealed.
    pub fn journaled(&self, id: &str) -> Result<Option<String>> {
        let row = self.read(|rows| rows.row("SELECT * FROM journal WHERE id = ?1", &[id.as_bytes().into()]))?;
        Ok(row.map(|row| self.opened_entry(row)).transpose()?.map(|(_, text)| text))
    }

    pub(super) fn opened_entry(&self, mut row: Row) -> Result<(i64, String)> {
        let (seq, id, data) = (row.int()?, row.bytes()?, row.bytes()?);
        let plain = open(&self.secrets.journal, &sealing(seq, &id), &data);
        let text = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        text.map(|text| (seq, text)).ok_or_else(|| broken(seq, "not what was sealed"))
    }
}

fn sealing(seq: i64, id: &[u8]) -> Context {
    Context::new("journal").number(seq).field(id)
}

fn broken(seq: i64, why: &str) -> StoreError {
    StoreError::new(Kind::Corrupt, format!("journal, entry {seq}: {why}"))
        .hint("an exported journal has what was there")
}
