//! Captures under way: sealed rows, each with an end and with the number of its state.
//!
//! Promises: of several writers that saw the same state, one writes the next state. A capture is taken once. A key and
//! a person have only so many rows at a time. The row is deleted when it is taken, when its person is erased, or after
//! its end, some rows at a time.

use std::sync::atomic::Ordering;

use super::digest::{Changes, Table};
use super::erase::TURN;
use super::error::{Kind, Result, StoreError};
use super::handle::Store;
use super::person::{Subject, Tenant};
use super::record::{content, lay};
use super::seal::{Context, name, open, random, seal};
use super::sql::{Row, Rows, Value};
use crate::hex::hex;

/// The number of a capture. The id is random: a client that does not know it can't use the capture.
pub type CaptureId = [u8; 16];

/// Who begins a capture, and of whom.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The id of the API key; empty for a request without a key.
    pub key: &'a str,
    /// The tenant.
    pub tenant: &'a str,
    /// The person, if the purpose names one.
    pub subject: Option<&'a str>,
}

/// A limit on the captures that are in the store at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureLimit {
    /// Captures that one key began.
    Key,
    /// Captures of one person.
    Person,
}

impl CaptureLimit {
    /// Returns the limit's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "captures_key",
            Self::Person => "captures_person",
        }
    }

    /// Returns how many captures reach the limit.
    pub fn most(self) -> i64 {
        match self {
            Self::Key => 1000,
            Self::Person => 20,
        }
    }

    /// Counts the captures with a part of a name that have not ended, and returns the first end.
    fn counted(self) -> &'static str {
        match self {
            Self::Key => {
                "SELECT count(*), coalesce(min(ends_at), 0) FROM capture WHERE substr(name, 1, 16) = ?1 AND ends_at > ?2"
            }
            Self::Person => {
                "SELECT count(*), coalesce(min(ends_at), 0) FROM capture WHERE substr(name, 17) = ?1 AND ends_at > ?2"
            }
        }
    }
}

/// A limit of captures that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapturesFull {
    /// Which limit.
    pub limit: CaptureLimit,
    /// After how many seconds one of these captures ends.
    pub seconds: i64,
}

/// The state of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureRow {
    /// The keyed hash of the API key's id, then that of tenant and person, of 16 bytes each.
    pub name: [u8; 32],
    /// When the row is deleted, in seconds since 1970.
    pub ends_at: i64,
    /// The number of the state, from 0.
    pub turn: i64,
    /// The content of the state.
    pub content: Vec<u8>,
}

impl Store {
    /// Adds a capture, unless its key or its person has too many at this moment; returns its number.
    ///
    /// # Errors
    /// The database refused.
    pub fn begin_capture(
        &self,
        opening: &Opening<'_>,
        (now, ends_at): (i64, i64),
        content: &[u8],
    ) -> Result<std::result::Result<CaptureId, CapturesFull>> {
        let (id, key, person) =
            (random()?, self.opening_key(opening.key), self.captured(opening.tenant, opening.subject));
        let mut whole = [0; 32];
        whole[..16].copy_from_slice(&key);
        whole[16..].copy_from_slice(&person);
        let row = CaptureRow { name: whole, ends_at, turn: 0, content: content.to_vec() };
        let limits = [Some((CaptureLimit::Key, key)), opening.subject.map(|_| (CaptureLimit::Person, person))];
        self.write(|changes| {
            for (limit, part) in limits.iter().flatten() {
                if let Some(full) = full(changes.rows(), *limit, part, now)? {
                    return Ok(Err(full));
                }
            }
            self.put_capture(changes, &id, &row).map(|()| Ok(id))
        })
    }

    fn opening_key(&self, key: &str) -> [u8; 16] {
        half(name(&self.secrets.capture_names, &[b"key", key.as_bytes(), b""]))
    }

    fn captured(&self, tenant: &str, subject: Option<&str>) -> [u8; 16] {
        let fields: Vec<&[u8]> = [Some(tenant), subject].into_iter().flatten().map(str::as_bytes).collect();
        half(name(&self.secrets.capture_names, &fields))
    }

    /// Deletes the captures of an erased person, also damaged ones; returns their numbers and encrypted states.
    pub(super) fn erase_captures(
        &self,
        changes: &mut Changes<'_>,
        tenant: &Tenant,
        subject: &Subject,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let person = self.captured(tenant.as_str(), Some(subject.as_str()));
        let rows =
            changes.rows().rows("SELECT id, data FROM capture WHERE substr(name, 17) = ?1", &[(&person).into()])?;
        let mut erased = Vec::new();
        for mut row in rows {
            let (id, data) = (row.bytes()?, row.bytes()?);
            delete_capture(changes, id.as_slice().into())?;
            erased.push((id, content(&data).unwrap_or_default().to_vec()));
        }
        Ok(erased)
    }

    /// Returns the state of a capture; `None` if no capture has this number.
    ///
    /// # Errors
    /// The database refused, or another program changed the row.
    pub fn capture(&self, id: &CaptureId) -> Result<Option<CaptureRow>> {
        self.read(|rows| self.capture_in(rows, id))
    }

    /// Writes the next state, if the state is still the one of this number; returns whether it was.
    ///
    /// # Errors
    /// The database refused, or another program changed the row.
    pub fn advance_capture(&self, id: &CaptureId, turn: i64, content: &[u8]) -> Result<bool> {
        self.write(|changes| {
            let found = self.capture_in(changes.rows(), id)?;
            let Some(row) = found.filter(|row| row.turn == turn) else { return Ok(false) };
            let next = CaptureRow { turn: turn + 1, content: content.to_vec(), ..row };
            self.put_capture(changes, id, &next).map(|()| true)
        })
    }

    /// Deletes a capture and returns its last state; `None` if no capture has this number.
    ///
    /// # Errors
    /// The database refused, or another program changed the row.
    pub fn take_capture(&self, id: &CaptureId) -> Result<Option<CaptureRow>> {
        let taken = self.write(|changes| {
            let found = self.capture_in(changes.rows(), id)?;
            delete_capture(changes, id.into())?;
            Ok(found)
        })?;
        // The next turn removes what is left of the state in the files.
        self.unscrubbed.store(true, Ordering::Release);
        Ok(taken)
    }

    /// Deletes up to [`TURN`] captures that have ended, and returns how many.
    ///
    /// # Errors
    /// The database refused.
    pub fn sweep_captures(&self, now: i64) -> Result<u64> {
        let due = "SELECT id FROM capture WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2";
        let values: [Value; 2] = [now.into(), TURN.into()];
        if self.read(|rows| rows.row(due, &values))?.is_none() {
            return Ok(0);
        }
        let deleted = self.write(|changes| {
            let due = changes.rows().rows(due, &values)?;
            due.into_iter().map(|mut row| delete_capture(changes, row.bytes()?.into())).sum()
        })?;
        self.scrub();
        Ok(deleted)
    }

    fn put_capture(&self, changes: &mut Changes<'_>, id: &CaptureId, row: &CaptureRow) -> Result<()> {
        let CaptureRow { name, ends_at, turn, content } = row;
        let data = seal(&self.secrets.captures, &sealing(id, name, *ends_at, *turn), content)?;
        let put = "INSERT INTO capture (id, name, ends_at, turn, data) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (id) DO UPDATE SET turn = excluded.turn, data = excluded.data";
        let values = [id.into(), name.into(), (*ends_at).into(), (*turn).into(), lay(&data).into()];
        changes.change(Table::Capture, ("SELECT * FROM capture WHERE id = ?1", 1), put, &values).map(|_| ())
    }

    fn capture_in(&self, rows: &mut dyn Rows, id: &CaptureId) -> Result<Option<CaptureRow>> {
        let row = rows.row("SELECT id, name, ends_at, turn, data FROM capture WHERE id = ?1", &[id.into()])?;
        row.map(|row| self.opened_capture(row)).transpose()
    }

    /// Decrypts a row, whose columns are id, name, end, number and data.
    pub(super) fn opened_capture(&self, mut row: Row) -> Result<CaptureRow> {
        let (id, name, ends_at, turn, data) = (row.bytes()?, row.bytes()?, row.int()?, row.int()?, row.bytes()?);
        let context = sealing(&id, &name, ends_at, turn);
        let opened = content(&data).and_then(|sealed| open(&self.secrets.captures, &context, sealed));
        let read = opened.map(|plain| plain.to_vec()).zip(name.try_into().ok());
        let what = "a row of the table capture was changed or damaged";
        let (content, name) = read.ok_or_else(|| StoreError::new(Kind::Corrupt, what))?;
        Ok(CaptureRow { name, ends_at, turn, content })
    }
}

fn half(hash: [u8; 32]) -> [u8; 16] {
    hash.first_chunk().copied().unwrap_or_default()
}

/// Returns the limit, if the captures with this part of a name reach it; those whose time is over do not count.
fn full(rows: &mut dyn Rows, limit: CaptureLimit, part: &[u8; 16], now: i64) -> Result<Option<CapturesFull>> {
    let Some(mut row) = rows.row(limit.counted(), &[part.into(), now.into()])? else { return Ok(None) };
    if row.int()? < limit.most() {
        return Ok(None);
    }
    Ok(Some(CapturesFull { limit, seconds: row.int()? - now }))
}

fn delete_capture(changes: &mut Changes<'_>, id: Value) -> Result<u64> {
    let row = ("SELECT * FROM capture WHERE id = ?1", 1);
    changes.change(Table::Capture, row, "DELETE FROM capture WHERE id = ?1", &[id])
}

fn sealing(id: &[u8], name: &[u8], ends_at: i64, turn: i64) -> Context {
    Context::new("capture").field(id).field(name).number(ends_at).number(turn)
}

/// Parses the number of a capture: 32 lower-case hexadecimal digits.
pub fn unhex_capture(text: &str) -> Option<CaptureId> {
    let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
    let id = number.to_be_bytes();
    (hex(&id) == text).then_some(id)
}
