//! Captures under way: sealed rows, each with an end and with the number of its state.
//!
//! Promises: of several writers that saw the same state, one writes the next state. A capture is taken once. The
//! row is deleted when it is taken, or after its end, some rows at a time.

use std::sync::atomic::Ordering;

use super::digest::{Changes, Table};
use super::erase::TURN;
use super::error::{Kind, Result, StoreError};
use super::handle::Store;
use super::seal::{Context, open, random, seal};
use super::sql::{Row, Rows, Value};
use crate::hex::hex;

/// The number of a capture. It is random: who does not know it can't use the capture.
pub type CaptureId = [u8; 16];

/// The state of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureRow {
    /// When the row is deleted, in seconds since 1970.
    pub ends_at: i64,
    /// The number of the state, from 0.
    pub turn: i64,
    /// The content of the state.
    pub content: Vec<u8>,
}

impl Store {
    /// Adds a capture and returns its number.
    ///
    /// # Errors
    /// The database refused.
    pub fn begin_capture(&self, ends_at: i64, content: &[u8]) -> Result<CaptureId> {
        let id = random()?;
        self.write(|changes| {
            self.put_capture(changes, &id, &CaptureRow { ends_at, turn: 0, content: content.to_vec() })
        })?;
        Ok(id)
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
        let CaptureRow { ends_at, turn, content } = row;
        let data = seal(&self.secrets.captures, &sealing(id, *ends_at, *turn), content)?;
        let put = "INSERT INTO capture (id, ends_at, turn, data) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (id) DO UPDATE SET turn = excluded.turn, data = excluded.data";
        let values = [id.into(), (*ends_at).into(), (*turn).into(), data.into()];
        changes.change(Table::Capture, ("SELECT * FROM capture WHERE id = ?1", 1), put, &values).map(|_| ())
    }

    fn capture_in(&self, rows: &mut dyn Rows, id: &CaptureId) -> Result<Option<CaptureRow>> {
        let row = rows.row("SELECT id, ends_at, turn, data FROM capture WHERE id = ?1", &[id.into()])?;
        row.map(|row| self.opened_capture(row)).transpose()
    }

    /// Decrypts a row, whose columns are id, end, number and data.
    pub(super) fn opened_capture(&self, mut row: Row) -> Result<CaptureRow> {
        let (id, ends_at, turn, data) = (row.bytes()?, row.int()?, row.int()?, row.bytes()?);
        let opened = open(&self.secrets.captures, &sealing(&id, ends_at, turn), &data);
        let content = opened.map(|plain| plain.to_vec());
        let what = "a row of the table capture is not what was written";
        let content = content.ok_or_else(|| StoreError::new(Kind::Corrupt, what))?;
        Ok(CaptureRow { ends_at, turn, content })
    }
}

fn delete_capture(changes: &mut Changes<'_>, id: Value) -> Result<u64> {
    let row = ("SELECT * FROM capture WHERE id = ?1", 1);
    changes.change(Table::Capture, row, "DELETE FROM capture WHERE id = ?1", &[id])
}

fn sealing(id: &[u8], ends_at: i64, turn: i64) -> Context {
    Context::new("capture").field(id).number(ends_at).number(turn)
}

/// Parses the number of a capture: 32 lower-case hexadecimal digits.
pub fn unhex_capture(text: &str) -> Option<CaptureId> {
    let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
    let id = number.to_be_bytes();
    (hex(&id) == text).then_some(id)
}
