//! A look at everything: the database's own check, and every person opened.

use super::error::{Kind, Result};
use super::keys::hex;
use super::person::Person;
use super::{Store, columns, stored};

/// Persons read at once.
const PAGE: i64 = 500;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// Persons.
    pub persons: u64,
    /// Their templates.
    pub templates: u64,
    /// Persons whose row is not what was sealed, by the number of their enrolment.
    pub unreadable: Vec<i64>,
    /// Persons wrapped by another master key than the newest: a rotation has not ended.
    pub former_key: u64,
    /// The id of the newest master key.
    pub key: String,
}

impl Store {
    /// Checks everything; nothing is changed.
    ///
    /// # Errors
    /// The database's refusal, or what its own check found.
    pub fn check(&self) -> Result<Checked> {
        self.database.check()?;
        let newest = self.keyring.newest().id();
        let mut checked =
            Checked { persons: 0, templates: 0, unreadable: Vec::new(), former_key: 0, key: hex(&newest) };
        let mut last = 0;
        loop {
            let sql = concat!("SELECT ", columns!(), " FROM person WHERE id > ?1 ORDER BY id LIMIT ?2");
            let rows = self.read(|rows| rows.rows(sql, &[last.into(), PAGE.into()]))?;
            if rows.is_empty() {
                return Ok(checked);
            }
            for row in rows {
                let (stored, master) = stored(row)?;
                last = stored.id;
                checked.persons += 1;
                checked.former_key += u64::from(master != newest);
                let opened = self.master(&master).and_then(|master| super::Opened::open(&stored, &master));
                match opened.map(|opened| opened.person) {
                    Ok(person) if self.is_named(&person, &stored.name) => {
                        checked.templates += person.templates.len() as u64;
                    }
                    Err(error) if error.kind != Kind::Corrupt && error.kind != Kind::WrongKey => return Err(error),
                    _ => checked.unreadable.push(stored.id),
                }
            }
        }
    }

    /// Whether the row lies under the name of whom it holds.
    fn is_named(&self, person: &Person, name: &[u8; 32]) -> bool {
        self.name(&person.tenant, &person.subject) == *name
    }
}
