//! Erases persons, by request or because they expired, and makes a receipt for an erasure by request.
//!
//! The transaction that erases also deletes the person's open captures, and writes a note and the journal's entry.
//! Afterwards the store searches the tables and files that contained the person; the erasure is pending until that
//! search finds nothing. The note of a pending
//! erasure contains, sealed, what to search for. The receipt then replaces the note and does not name the
//! person: its commitment is keyed by a salt that only the caller gets.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::digest::{Changes, Table};
use super::enroll::FOLLOWED;
use super::entry::NewEntry;
use super::error::{Kind, Result, StoreError};
use super::handle::{Store, columns, stored};
use super::person::{Subject, Tenant};
use super::receipt::{Finding, Receipt, commitment};
use super::record::{Opened, Stored, content, lay, sealed};
use super::seal::{Context, open, random, seal};
use super::sql::{Erasure, Row, Rows, Value};
use crate::hex::hex;

/// Files up to this length are searched before the request is answered; longer ones in the background.
const AT_ONCE: u64 = 256 << 20;

/// The most persons, captures or erasures that one turn handles.
pub(super) const TURN: i64 = 100;

/// Some bytes of a sealed part, which the search looks for in the database's files.
pub type Piece = [u8; 16];

/// The number of an erasure. The id is random and reveals nothing about the person.
pub type ErasureId = [u8; 16];

/// The result of an erasure by request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The erasure's number.
    pub id: ErasureId,
    /// The key of the receipt's commitment. The store does not keep it.
    pub salt: [u8; 32],
    /// The receipt, if the search found nothing of the person.
    pub receipt: Option<Receipt>,
}

impl Erased {
    /// Returns `Pending` until a receipt exists: some data may be left.
    pub fn erasure(&self) -> Erasure {
        if self.receipt.is_some() { Erasure::Done } else { Erasure::Pending }
    }
}

/// The state of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureState {
    /// The tenant of the erased person.
    pub tenant: Tenant,
    /// When the person was erased.
    pub erased_at: i64,
    /// The receipt, if the erasure is no longer pending.
    pub receipt: Option<Receipt>,
}

/// The rows and pieces that the search of a pending erasure looks for.
#[derive(Serialize, Deserialize)]
struct Sought {
    tenant: String,
    commitment: String,
    person: i64,
    name: [u8; 32],
    failing: [u8; 32],
    captures: Vec<Vec<u8>>,
    pieces: Vec<Piece>,
}

/// The content of an erasure's note.
#[derive(Serialize, Deserialize)]
enum Note {
    Pending(Sought),
    Done { tenant: String, receipt: Receipt },
}

impl Store {
    /// Erases a person, their captures and the remembered responses to their enrolments; returns `None` if there was no
    /// such person, but erases the captures all the same. `key` is the id of the caller's API key.
    ///
    /// # Errors
    /// The database refused; then nothing was erased.
    pub fn erase_for(&self, key: &str, tenant: &Tenant, subject: &Subject, now: i64) -> Result<Option<Erased>> {
        let (id, salt) = (random()?, random()?);
        let erased = self.write(|changes| {
            // Captures exist before an enrolment too.
            let captures = self.erase_captures(changes, tenant, subject)?;
            let Some(found) = self.row_named(changes.rows(), &self.name(tenant, subject))? else { return Ok(false) };
            let states = captures.iter().flat_map(|(_, state)| pieces_of(state));
            let sought = Sought {
                tenant: tenant.as_str().to_owned(),
                commitment: commitment(&salt, tenant, subject),
                person: found.id,
                name: found.name,
                failing: self.failing(tenant, subject),
                pieces: pieces(&found.data).into_iter().chain(states).collect(),
                captures: captures.into_iter().map(|(id, _)| id).collect(),
            };
            self.erase_rows(changes, found.id)?;
            self.forget(changes, &sought.failing)?;
            self.note_erasure(changes, &id, now, false, &Note::Pending(sought))?;
            // The entry has no pseudonym: the receipt's salt would connect it with the names.
            changes.entries.push(NewEntry::of("erased", now, json!({ "erasure": hex(&id), "key": key })));
            // An expired person counts as absent, as in a read, but the rows are erased.
            Ok(found.expires_at == 0 || found.expires_at > now)
        })?;
        // The person is erased already: if the search fails, the erasure stays pending.
        let receipt = erased.then(|| self.finish_erasure(&id, now, AT_ONCE).unwrap_or(None));
        Ok(receipt.map(|receipt| Erased { id, salt, receipt }))
    }

    /// Returns the state of an erasure; `None` if no erasure has this number.
    ///
    /// # Errors
    /// The database refused, or another program changed the note.
    pub fn erasure(&self, id: &ErasureId) -> Result<Option<ErasureState>> {
        let Some((erased_at, note)) = self.read(|rows| self.noted(rows, id))? else { return Ok(None) };
        let (tenant, receipt) = match note {
            Note::Pending(Sought { tenant, .. }) => (tenant, None),
            Note::Done { tenant, receipt } => (tenant, Some(receipt)),
        };
        let tenant = Tenant::new(&tenant).map_err(|_| changed())?;
        Ok(Some(ErasureState { tenant, erased_at, receipt }))
    }

    /// Erases up to [`TURN`] expired persons and returns how many.
    ///
    /// # Errors
    /// The database refused.
    pub fn sweep(&self, now: i64) -> Result<u64> {
        let due = "SELECT id FROM person WHERE expires_at > 0 AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
        let values = [now.into(), TURN.into()];
        if self.read(|rows| rows.row(due, &values))?.is_none() {
            return Ok(0);
        }
        let ended = self.write(|changes| {
            let due = changes.rows().rows(due, &values)?;
            let count = due.len() as u64;
            for mut row in due {
                self.end(changes, row.int()?, now)?;
            }
            Ok(count)
        })?;
        self.scrub();
        Ok(ended)
    }

    /// Erases an expired person's rows; erases the person's failed verifications too, if the row can be
    /// decrypted. Otherwise the journal's entry has no subject.
    pub(super) fn end(&self, changes: &mut Changes<'_>, person: i64, now: i64) -> Result<()> {
        let sql = concat!("SELECT ", columns!(), " FROM person WHERE id = ?1");
        let row = changes.rows().row(sql, &[person.into()])?;
        let mut pseudonym = None;
        if let Some(Opened { person, .. }) = row.and_then(|row| self.opened(row).ok()) {
            self.forget(changes, &self.failing(&person.tenant, &person.subject))?;
            self.erase_captures(changes, &person.tenant, &person.subject)?;
            pseudonym = Some(person.pseudonym);
        }
        changes.entries.push(NewEntry::of("expired", now, json!({ "subject": pseudonym })));
        self.erase_rows(changes, person)
    }

    /// Tries to finish up to [`TURN`] pending erasures.
    ///
    /// # Errors
    /// The database refused.
    pub(super) fn finish_erasures(&self, now: i64) -> Result<()> {
        let pending = "SELECT id FROM erasure WHERE done = 0 LIMIT ?1";
        for mut row in self.read(|rows| rows.rows(pending, &[TURN.into()]))? {
            let id = row.bytes()?.try_into().map_err(|_| changed())?;
            self.finish_erasure(&id, now, u64::MAX)?;
        }
        Ok(())
    }

    /// Searches for the erased data; if nothing is found, a receipt replaces the note.
    fn finish_erasure(&self, id: &ErasureId, now: i64, longest: u64) -> Result<Option<Receipt>> {
        if self.scrub() == Erasure::Pending {
            return Ok(None);
        }
        let Some((erased_at, note)) = self.read(|rows| self.noted(rows, id))? else { return Ok(None) };
        let sought = match note {
            Note::Done { receipt, .. } => return Ok(Some(receipt)),
            Note::Pending(sought) => sought,
        };
        let Some(looked) = self.look(&sought, erased_at, longest)? else { return Ok(None) };
        if looked.iter().any(|finding| finding.found > 0) {
            tracing::error!(?looked, "an erasure is not complete; the service tries again");
            return Ok(None);
        }
        let receipt =
            Receipt::signed(&self.secrets.signing, (id, &sought.tenant, &sought.commitment), (erased_at, now), looked)?;
        let made = Note::Done { tenant: sought.tenant, receipt };
        let receipt = self.write(|changes| match self.noted(changes.rows(), id)? {
            // Meanwhile another replica made the receipt.
            Some((_, Note::Done { receipt, .. })) => Ok(Some(receipt)),
            Some((at, Note::Pending(_))) => {
                let Note::Done { receipt, .. } = &made else { return Ok(None) };
                self.note_erasure(changes, id, at, true, &made)?;
                Ok(Some(receipt.clone()))
            }
            None => Ok(None),
        })?;
        // The replaced note must be scrubbed from the files too.
        self.unscrubbed.store(true, std::sync::atomic::Ordering::Release);
        Ok(receipt)
    }

    /// Searches each place for a person; returns `None` if the files are too long to be searched now.
    fn look(&self, sought: &Sought, erased_at: i64, longest: u64) -> Result<Option<Vec<Finding>>> {
        let name = Value::from(&sought.name);
        let person = Value::Int(sought.person);
        // A person enrolled again under the same name has a later number and later failures.
        let tables: [(&'static str, &'static str, Vec<Value>); 3] = [
            (
                "person",
                "SELECT count(*) FROM person WHERE id = ?1 OR (name = ?2 AND id < ?1)",
                vec![person.clone(), name],
            ),
            ("answer", "SELECT count(*) FROM answer WHERE person = ?1", vec![person]),
            (
                "failure",
                "SELECT count(*) FROM failure WHERE name = ?1 AND last < ?2",
                vec![(&sought.failing).into(), erased_at.into()],
            ),
        ];
        let mut looked = self.snapshot(|rows| {
            let count = |(place, sql, values): &(&'static str, &'static str, Vec<Value>)| {
                let found = rows.row(sql, values)?.map_or(Ok(0), |mut row| row.int())?;
                Ok(Finding { place: format!("table {place}"), sought: 1, found: found.unsigned_abs() })
            };
            let mut looked = tables.iter().map(count).collect::<Result<Vec<_>>>()?;
            looked.extend(captures_left(rows, &sought.captures)?);
            Ok(looked)
        })?;
        match self.database.residue(&sought.pieces, longest)? {
            None => return Ok(None),
            Some(files) => looked.extend(files.into_iter().map(|(place, found)| Finding {
                place: place.to_owned(),
                sought: sought.pieces.len() as u64,
                found,
            })),
        }
        Ok(Some(looked))
    }

    pub(super) fn row_named(&self, rows: &mut dyn Rows, name: &[u8; 32]) -> Result<Option<Stored>> {
        let sql = concat!("SELECT ", columns!(), " FROM person WHERE name = ?1");
        rows.row(sql, &[name.into()])?.map(|row| stored(row).map(|(stored, _)| stored)).transpose()
    }

    pub(super) fn erase_rows(&self, changes: &mut Changes<'_>, person: i64) -> Result<()> {
        let (revision, id) = (changes.next_revision(), [Value::Int(person)]);
        let row = ("SELECT * FROM person WHERE id = ?1", 1);
        changes.change(Table::Person, row, "DELETE FROM person WHERE id = ?1", &id)?;
        let answers = ("SELECT * FROM answer WHERE person = ?1", 1);
        changes.change(Table::Answer, answers, "DELETE FROM answer WHERE person = ?1", &id)?;
        let gone = ("SELECT * FROM gone WHERE revision = ?1", 1);
        let note = "INSERT INTO gone (revision, person) VALUES (?1, ?2)";
        changes.change(Table::Gone, gone, note, &[revision.into(), person.into()])?;
        let old = ("SELECT * FROM gone WHERE revision <= ?1", 1);
        changes.change(Table::Gone, old, "DELETE FROM gone WHERE revision <= ?1", &[(revision - FOLLOWED).into()])?;
        Ok(())
    }

    fn noted(&self, rows: &mut dyn Rows, id: &ErasureId) -> Result<Option<(i64, Note)>> {
        let sql = "SELECT id, made_at, done, data FROM erasure WHERE id = ?1";
        rows.row(sql, &[id.into()])?.map(|row| self.opened_note(row).ok_or_else(changed)).transpose()
    }

    fn opened_note(&self, mut row: Row) -> Option<(i64, Note)> {
        let (id, at, done, data) = (row.bytes().ok()?, row.int().ok()?, row.int().ok()?, row.bytes().ok()?);
        let plain = open(&self.secrets.erasures, &noting(&id, at, done), content(&data)?)?;
        serde_json::from_slice(&plain).ok().map(|note| (at, note))
    }

    /// Returns whether a note can be decrypted. The row's columns are number, time, state, data.
    pub(super) fn erasure_opens(&self, row: Row) -> bool {
        self.opened_note(row).is_some()
    }

    fn note_erasure(&self, changes: &mut Changes<'_>, id: &ErasureId, at: i64, done: bool, note: &Note) -> Result<()> {
        let plain = serde_json::to_vec(note).map_err(|why| StoreError::new(Kind::Unavailable, why.to_string()))?;
        let done = i64::from(done);
        let data = lay(&seal(&self.secrets.erasures, &noting(id, at, done), &zeroize::Zeroizing::new(plain))?);
        let row = ("SELECT * FROM erasure WHERE id = ?1", 1);
        let put = "INSERT INTO erasure (id, made_at, done, data) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (id) DO UPDATE SET done = excluded.done, data = excluded.data";
        changes.change(Table::Erasure, row, put, &[id.into(), at.into(), done.into(), data.into()]).map(|_| ())
    }
}

#[cfg(test)]
impl Store {
    /// Erases a person for no API key, for tests.
    pub fn erase(&self, tenant: &Tenant, subject: &Subject, now: i64) -> Result<Option<Erased>> {
        self.erase_for("", tenant, subject, now)
    }

    /// Returns a note's content as JSON, for tests.
    pub fn note_text(&self, id: &ErasureId) -> Option<String> {
        let (_, note) = self.read(|rows| self.noted(rows, id)).ok()??;
        serde_json::to_string(&note).ok()
    }
}

fn noting(id: &[u8], at: i64, done: i64) -> Context {
    Context::new("erasure").field(id).number(at).number(done)
}

fn changed() -> StoreError {
    StoreError::new(Kind::Corrupt, "a row of the table erasure was changed or damaged")
}

/// Takes the first, the middle and the last bytes of each sealed part.
fn pieces(data: &[u8]) -> Vec<Piece> {
    sealed(data).into_iter().flat_map(pieces_of).collect()
}

/// Returns pieces of one ciphertext: its beginning, middle and end.
fn pieces_of(part: &[u8]) -> Vec<Piece> {
    let Some(last) = part.len().checked_sub(size_of::<Piece>()) else { return Vec::new() };
    [0, last / 2, last].map(|at| part[at..].first_chunk().copied().unwrap_or_default()).to_vec()
}

/// Searches for the captures that were open at the erasure; returns `None` if there were none.
fn captures_left(rows: &mut dyn Rows, captures: &[Vec<u8>]) -> Result<Option<Finding>> {
    let mut found = 0;
    for id in captures {
        found += u64::from(rows.row("SELECT 1 FROM capture WHERE id = ?1", &[id.as_slice().into()])?.is_some());
    }
    let finding = |sought| Finding { place: "table capture".to_owned(), sought, found };
    Ok((!captures.is_empty()).then(|| finding(captures.len() as u64)))
}

/// Parses the number of an erasure: 32 lower-case hexadecimal digits.
pub fn unhex_erasure(text: &str) -> Option<ErasureId> {
    let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
    let id = number.to_be_bytes();
    (hex(&id) == text).then_some(id)
}
